package sim

import (
	"time"

	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

const (
	oracleTimeout   = 200 * time.Millisecond
	oracleTriesMax  = 100
	ownerTimeout    = 500 * time.Millisecond
	sessionOutlives = 2 * time.Second // its process, as a lease would
)

// askOracle fetches n timestamps by a request of its own (T4).
func (rep *replica) askOracle(n int) {
	w, p := rep.m.p.w, rep.m.p
	rep.asks++
	ask := rep.asks
	w.call(call{
		name: "timestamps", from: p, to: w.metaNode(), timeout: oracleTimeout,
		serve: func(at *process, answer func(any)) {
			at.member.alloc(n, oracleTriesMax, func(ts txn.Timestamp) { answer(ts) })
		},
		done: func(answer any) {
			if ask != rep.asks {
				return
			}
			first, _ := answer.(txn.Timestamp)
			rep.step(shard.Timestamps{First: first, N: n})
		},
	})
}

// alloc issues n timestamps as soon as the oracle can, if it soon can.
func (m *member) alloc(n, tries int, answer func(txn.Timestamp)) {
	w := m.p.w
	first, ok := m.state.Oracle.Alloc(n, m.p.Now(), m.p.Wall())
	if ok {
		w.issue(first, n)
		answer(first)
		return
	}
	if tries == 0 {
		return
	}
	m.meta.step(shard.ExtendOracle{})
	w.on(m.p, w.between(time.Millisecond, 3*time.Millisecond), "oracle", func() {
		m.alloc(n, tries-1, answer)
	})
}

// issue notes what the oracle gave out, and that it never goes back (I1).
func (w *world) issue(first txn.Timestamp, n int) {
	if k := len(w.issued); k > 0 {
		if last := w.issued[k-1]; first < last.first+txn.Timestamp(last.n) {
			w.violate("the oracle issues %d after %d", first, last.first+txn.Timestamp(last.n)-1)
		}
	}
	w.issued = append(w.issued, issue{first, n})
}

func (w *world) metaNode() *node { return w.nodes[0] }

// askOwner finds out whether anyone still works on a transaction.
func (rep *replica) askOwner(id txn.ID) {
	w, p := rep.m.p.w, rep.m.p
	w.saw("owner asked")
	says := func(o txn.Owner) {
		if o == txn.OwnerGone {
			w.saw("owner gone")
		}
		rep.step(shard.OwnerSays{Txn: id, Owner: o})
	}
	w.call(call{
		name: "session", from: p, to: w.metaNode(), timeout: ownerTimeout,
		serve: func(at *process, answer func(any)) { answer(at.member.alive(id.Session())) },
		done: func(answer any) {
			if o, ok := answer.(txn.Owner); !ok || o != txn.OwnerWorking {
				says(o)
				return
			}
			w.askGateway(p, id, says)
		},
	})
}

// askGateway asks the process of an open session. A session outlives its
// process by sessionOutlives.
func (w *world) askGateway(p *process, id txn.ID, says func(txn.Owner)) {
	owner := w.sessions[id.Session()]
	switch {
	case owner == nil:
		says(txn.OwnerUnknown) // it is being opened
		return
	case !owner.alive && w.now-owner.died > sessionOutlives:
		says(txn.OwnerGone)
		return
	}
	w.call(call{
		name: "owns", from: p, to: owner.node, timeout: ownerTimeout,
		serve: func(at *process, answer func(any)) {
			if at != owner || at.gateway.coordinator == nil {
				return
			}
			if at.gateway.coordinator.Owns(id) {
				answer(txn.OwnerWorking)
			} else {
				answer(txn.OwnerGone)
			}
		},
		done: func(answer any) {
			o, _ := answer.(txn.Owner)
			says(o)
		},
	})
}
