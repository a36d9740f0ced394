package shard

import (
	"sync/atomic"

	"github.com/cairnkv/cairn/txn"
)

// Newest is the newest timestamp that a process has seen. The zero Newest has
// seen none.
type Newest struct{ v atomic.Int64 }

// Raise takes note of t.
func (n *Newest) Raise(t txn.Timestamp) {
	for {
		v := n.v.Load()
		if int64(t) <= v || n.v.CompareAndSwap(v, int64(t)) {
			return
		}
	}
}

// Load is the newest timestamp seen.
func (n *Newest) Load() txn.Timestamp { return txn.Timestamp(n.v.Load()) }

// askOracle sends one request for all who wanted a timestamp before it (T4).
// An earlier leadership's request must be answered first: what it brings may
// be older than what another leader has served meanwhile (V1).
func (r *Replica) askOracle() {
	l := r.lead
	if l == nil || r.asking || len(l.oracle) == 0 {
		return
	}
	r.asking = true
	l.asked, l.oracle = l.oracle, nil
	r.eff.AskOracle = len(l.asked)
}

// timestamps hands out what the oracle answered. An answer to a request of an
// earlier leadership finds nobody.
func (r *Replica) timestamps(ev Timestamps) {
	l := r.lead
	r.asking = false
	if l == nil {
		return
	}
	asked := l.asked
	l.asked = nil
	if ev.First == 0 || ev.N < len(asked) {
		l.oracle = append(asked, l.oracle...)
		return
	}
	r.o.Newest.Raise(ev.First + txn.Timestamp(ev.N-1))
	for i, f := range asked {
		f(ev.First + txn.Timestamp(i))
	}
}
