package shard

import (
	"context"
	"sync/atomic"

	"github.com/cairnkv/cairn/internal/mutant"
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

// Issue takes n consecutive timestamps from the oracle of the meta group, and
// gives them out if this replica still leads after that (T1): the window alone
// only keeps two leaders from issuing the same one. With ok false there is
// none: it does not lead (Leader knows more), or the oracle has no room just
// now. It runs on the caller's goroutine.
func (r *Replica) Issue(ctx context.Context, n int) (first txn.Timestamp, ok bool, err error) {
	term := r.serving.Load()
	if term == noTerm {
		return 0, false, nil
	}
	first, ok = r.o.Meta.Oracle.Alloc(n, r.o.Env.Now(), r.o.Env.Wall())
	if !ok {
		r.o.Wake() // to ask for room
		return 0, false, nil
	}
	if err := r.o.Env.Point("shard.oracle.allocated"); err != nil {
		return 0, false, err
	}
	led := true
	if !mutant.On(mutant.T1) {
		led, err = r.holds(ctx, term)
	}
	if err != nil || !led {
		return 0, false, err
	}
	r.o.Newest.Raise(first + txn.Timestamp(n-1))
	return first, true, nil
}

// IssueNow is Issue for who cannot wait: it needs a lease.
func (r *Replica) IssueNow(n int) (first txn.Timestamp, ok bool) {
	term := r.serving.Load()
	if term == noTerm {
		return 0, false
	}
	first, ok = r.o.Meta.Oracle.Alloc(n, r.o.Env.Now(), r.o.Env.Wall())
	if !ok || !mutant.On(mutant.T1) && !r.lease.valid(term, r.o.Env.Now(), r.o.Env.Wall()) {
		return 0, false
	}
	r.o.Newest.Raise(first + txn.Timestamp(n-1))
	return first, true
}
