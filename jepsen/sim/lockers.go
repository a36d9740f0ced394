package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// A locker takes locks in everybody's way, older than some and younger than
// others, and gives them up some time later. It reads and writes nothing: locks
// are advisory, so nothing that clients are told may depend on it.

const (
	// lockerIDs are the first ids of lockers in a session: coordinators count from 1.
	lockerIDs     = 1 << 39
	lockRequests  = 3                // of a locker, at most
	lockHoldMax   = time.Second      // after each
	lockAgeMax    = 3 * time.Second  // how much older than now a locker may be
	locksOverMax  = 15 * time.Second // from the last client's end until no lock is left
	lockLookEvery = 100 * time.Millisecond
)

// locker begins one at some gateway.
func (w *world) locker() {
	g := w.anyGateway()
	if g == nil {
		return
	}
	w.lockers++
	g.p.start("locker", nil, func() {
		defer func() { w.lockers-- }()
		l := locker{w: w, g: g, p: g.p, s: &shards{g.p}}
		if err := l.lockSome(); err == nil {
			l.unlock()
		}
	})
}

type locker struct {
	w     *world
	g     *gateway
	p     *process
	s     *shards
	id    txn.ID // of this attempt
	age   txn.Age
	base  txn.Timestamp
	asked []shardrpc.Route
}

// lockSome returns the error of a process that has ended.
func (l *locker) lockSome() error {
	w := l.w
	for range w.number(1, lockRequests) {
		base, err := l.s.Timestamp(context.Background(), 1)
		if !l.p.alive {
			return err
		}
		if err != nil {
			continue
		}
		l.base = base
		if l.id == 0 || w.oneIn(2) { // the next attempt of the same age
			l.g.lockers++
			l.id = txn.NewID(l.g.session, lockerIDs+l.g.lockers)
		}
		if l.age == (txn.Age{}) {
			l.age = txn.Age{At: base.Add(-w.between(0, lockAgeMax)), ID: l.id}
		}
		req, route := l.request()
		l.asked = append(l.asked, route)
		resp, err := l.s.Lock(context.Background(), req)
		switch {
		case !l.p.alive:
			return err
		case err == nil && resp.Answer == shardrpc.OK:
			w.saw("locked")
		}
		if err := l.p.Sleep(context.Background(), w.between(0, lockHoldMax)); err != nil {
			return err
		}
	}
	return nil
}

// request is for one to three keys, or for a range between two, of one shard.
func (l *locker) request() (*shardrpc.LockRequest, shardrpc.Route) {
	w := l.w
	user := func() txn.Key {
		return txn.NewKey(txn.DefaultKeyspace, []byte(pick(w.chance, w.plan.keys)))
	}
	first := user()
	var at shardrpc.Route
	for _, r := range w.routes {
		if r.Span.Contains(first) {
			at = r
		}
	}
	m := &shardrpc.LockRequest{Target: shardrpc.Target{Shard: at.Shard, Epoch: at.Epoch}, Txn: l.id,
		Age: l.age, BaseTS: l.base, Mode: txn.LockMode(w.IntN(txn.LockModes)),
		Keys: []txn.Key{first}, Wait: w.between(0, 2*time.Second).Milliseconds()}
	for range w.IntN(3) {
		if k := user(); at.Span.Contains(k) {
			m.Keys = append(m.Keys, k)
		}
	}
	if last := m.Keys[len(m.Keys)-1]; w.oneIn(3) && first.Compare(last) < 0 {
		m.Keys, m.Spans = nil, []txn.Span{{Start: first, End: last}}
	}
	return m, at
}

// unlock goes on until it is answered: whoever asked for a lock must.
func (l *locker) unlock() {
	for _, r := range l.asked {
		m := &shardrpc.UnlockRequest{Target: shardrpc.Target{Shard: r.Shard, Epoch: r.Epoch},
			Txn: l.id, Age: l.age, BaseTS: l.base}
		for {
			resp, err := l.s.Unlock(context.Background(), m)
			if err == nil && resp.Answer == shardrpc.OK {
				break
			}
			pause := l.w.between(time.Millisecond, 100*time.Millisecond)
			if l.p.Sleep(context.Background(), pause) != nil {
				return
			}
		}
	}
}

// locksOver waits until no lock is left: all were given up, or their sessions
// have ended.
func (w *world) locksOver() error {
	if w.seen["lock"] == 0 {
		return nil
	}
	var left string
	for until := w.now + locksOverMax; w.now < until; {
		left = ""
		for _, g := range w.groups[1:] {
			if n := g.leader(); n != nil && g.serves() {
				w.lookForLocks(n.proc.member, g.route, &left)
			}
		}
		if !w.run(w.now+lockLookEvery, func() bool { return false }) && w.broken != nil {
			return w.broken
		}
		if left == "" && w.lockers == 0 {
			return nil
		}
	}
	return fmt.Errorf("%v after the last client a lock is left: %s", locksOverMax, left)
}

func (w *world) lookForLocks(m *member, at shardrpc.Route, left *string) {
	m.request(at.Shard, &shardrpc.LocksRequest{
		Target: shardrpc.Target{Shard: at.Shard, Epoch: at.Epoch}},
		func(v any) {
			for _, l := range v.(*shardrpc.LocksResponse).Locks {
				*left = fmt.Sprintf("%v %v of %v, waits %v, in shard %d", l.Key, l.Mode, l.Owner.Txn,
					l.Waits, at.Shard)
			}
		})
}
