package sim

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

const (
	oracleTimeout   = 200 * time.Millisecond
	oraclePause     = 10 * time.Millisecond
	oracleTriesMax  = 100
	ownerTimeout    = 500 * time.Millisecond
	sessionOutlives = 2 * time.Second // its process, as a lease would
)

// askOracle fetches n timestamps by a request of its own (T4).
func (rep *replica) askOracle(n int) {
	p := rep.m.p
	deaf := rep.owner.deaf
	rep.owner.deaf = false
	p.start("timestamps", nil, func() {
		p.w.current.loseNext = deaf
		first, err := p.timestamps(context.Background(), n, oracleTimeout)
		if err != nil { // do not ask again at once
			if p.Sleep(context.Background(), p.w.between(0, 2*oraclePause)) != nil {
				return
			}
		}
		rep.step(shard.Timestamps{First: first, N: n})
	})
}

// alloc issues n timestamps as soon as the oracle can, if it soon can; floor is
// the newest that had been issued when they were asked for.
func (m *member) alloc(n int, floor txn.Timestamp) (txn.Timestamp, error) {
	w := m.p.w
	for range oracleTriesMax {
		first, ok, err := m.meta.r.Issue(context.Background(), n)
		if err != nil {
			return 0, err
		}
		if ok {
			m.meta.answers()
			w.issue(floor, first, n)
			return first, nil
		}
		pause := w.between(time.Millisecond, 3*time.Millisecond)
		if err := m.p.Sleep(context.Background(), pause); err != nil {
			return 0, err
		}
	}
	return 0, env.ErrTimeout
}

// askOwner finds out whether anyone still works on a transaction.
func (rep *replica) askOwner(id txn.ID) {
	w, p := rep.m.p.w, rep.m.p
	w.saw("owner asked")
	p.start("owner", nil, func() {
		o, err := p.owner(id)
		if errors.Is(err, env.ErrStopped) {
			return
		}
		if o == txn.OwnerGone {
			w.saw("owner gone")
		}
		rep.step(shard.OwnerSays{Txn: id, Owner: o})
	})
}

// owner asks the meta group about a session, and the process of an open one.
// A session outlives its process by sessionOutlives.
func (p *process) owner(id txn.ID) (txn.Owner, error) {
	if p.w.hit(p.w.faults.lapse) {
		p.w.saw("owner taken for gone")
		return txn.OwnerGone, nil
	}
	v, err := p.reach(context.Background(), shardrpc.MetaShard, "session", ownerTimeout,
		func(m *member, answer func(any)) { answer(m.alive(id.Session())) })
	if o, ok := v.(txn.Owner); err != nil || !ok || o != txn.OwnerWorking {
		return o, err
	}
	owner := p.w.sessions[id.Session()]
	switch {
	case owner == nil:
		return txn.OwnerUnknown, nil // it is being opened
	case !owner.alive && p.w.now-owner.died > sessionOutlives:
		return txn.OwnerGone, nil
	case id == txn.SessionID(id.Session()):
		return txn.OwnerWorking, nil
	}
	v, err = p.send(context.Background(), call{name: "owns", to: owner.node, timeout: ownerTimeout,
		serve: func(at *process, answer func(any)) {
			if at != owner || at.gateway.coordinator == nil {
				return
			}
			if at.gateway.coordinator.Owns(id) {
				answer(txn.OwnerWorking)
			} else {
				answer(txn.OwnerGone)
			}
		}})
	o, _ := v.(txn.Owner)
	return o, err
}
