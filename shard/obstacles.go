package shard

import (
	"slices"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// obstacles are the intents of others that a write meets.
type obstacles struct {
	hidden   []mvcc.Hidden // decided ones: how to read past them
	resolves []*command    // decided ones on keys to be written: what to do first (C16)
	blocker  *mvcc.Intent  // one whose fate is not known here
}

// inTheWay collects the foreign intents that w must deal with: any on a key
// that it writes (A10), and those below c on what it reads (A12).
func (r *Replica) inTheWay(w *write) obstacles {
	var o obstacles
	if r.mu.intents.Len() == 0 {
		return o
	}
	for _, k := range w.keys {
		if i := r.mu.intents.Get(k); i != nil && !mutant.On(mutant.A10) {
			r.meet(w, i, &o, true)
		}
	}
	for _, k := range w.latch.Reads {
		if i := r.mu.intents.Get(k); i != nil && i.TS <= w.c {
			r.meet(w, i, &o, false)
		}
	}
	for _, s := range w.latch.ReadSpans {
		for _, i := range r.mu.intents.Overlapping(s, w.c) {
			r.meet(w, i, &o, false)
		}
	}
	o.hidden = inOrder(o.hidden)
	return o
}

// inOrder is hidden as a Reader wants it: by key, one a key.
func inOrder(hidden []mvcc.Hidden) []mvcc.Hidden {
	byKey := func(a, b mvcc.Hidden) int { return a.Key.Compare(b.Key) }
	slices.SortFunc(hidden, byKey)
	return slices.CompactFunc(hidden, func(a, b mvcc.Hidden) bool { return byKey(a, b) == 0 })
}

func (r *Replica) meet(w *write, i *mvcc.Intent, o *obstacles, written bool) {
	if i.Txn == w.txn {
		return
	}
	status, commit, known := r.outcome(i.Txn)
	if mutant.On(mutant.A12) && !written && !known {
		commit, known = 0, true
	}
	if !known {
		o.blocker = i
		return
	}
	hidden := mvcc.Hidden{Key: i.Key, TS: i.TS, CommitTS: commit}
	if mutant.On(mutant.A11) && commit != 0 {
		hidden.CommitTS = i.TS
	}
	o.hidden = append(o.hidden, hidden)
	if written {
		o.resolves = append(o.resolves, r.resolution(i.Txn, status, commit, []txn.Key{i.Key}))
	}
}

// wait parks w behind another's intent for a bounded time (C13). A 1PC holds
// no intent of its own, so it waits whatever the ages; of two prewrites only
// the older waits, so they never wait for each other. It gives its latches up
// meanwhile: the decision that it waits for may need one of them.
func (r *Replica) wait(w *write, i *mvcc.Intent) {
	younger := w.prewrite != nil && i.Age.Older(w.prewrite.Age)
	switch {
	case w.blocker != nil && w.stall == 0, younger:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonIntent, Blocker: blockerOf(i)})
		return
	case w.blocker == nil || w.blocker.Txn != i.Txn:
		w.stall = stallTicks
	}
	w.blocker = i
	r.lead.stalled = append(r.lead.stalled, w)
	r.unlatch(w)
}

func blockerOf(i *mvcc.Intent) *shardrpc.Blocker {
	return &shardrpc.Blocker{Key: i.Key, Txn: i.Txn, Primary: i.Primary, BaseTS: i.BaseTS,
		Age: i.Age}
}

// unstall lets whoever waited for id try again.
func (r *Replica) unstall(id txn.ID) {
	if r.lead == nil || len(r.lead.stalled) == 0 {
		return
	}
	r.wakeStalled(func(w *write) bool { return w.blocker.Txn == id })
}

// tickStalled lets those try once more whose patience has ended.
func (r *Replica) tickStalled() {
	if len(r.lead.stalled) == 0 {
		return
	}
	r.wakeStalled(func(w *write) bool {
		w.stall--
		return w.stall <= 0
	})
}

func (r *Replica) wakeStalled(when func(*write) bool) {
	var wake []*write
	keep := r.lead.stalled[:0:0]
	for _, w := range r.lead.stalled {
		if when(w) {
			wake = append(wake, w)
		} else {
			keep = append(keep, w)
		}
	}
	r.lead.stalled = keep
	for _, w := range wake {
		r.acquire(w)
	}
}
