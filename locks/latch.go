package locks

import (
	"slices"
	"sort"

	"github.com/cairnkv/cairn/txn"
)

// Latch is everything that one request latches. The caller fills the exported
// fields and gives it to Latches.Acquire; until it is released neither they
// nor the bytes of the keys may change, and the Latch must not be copied. A
// released Latch may be filled and acquired again.
//
// Keys come in any order and may repeat. A key in both Writes and Reads is
// written. A Latch never conflicts with itself.
type Latch struct {
	Writes     []txn.Key  // exclusive
	Reads      []txn.Key  // shared: read and not written by a prewrite or 1PC
	WriteSpans []txn.Span // exclusive: split, collection threshold
	ReadSpans  []txn.Span // shared: spans that a prewrite or 1PC reads
	Owner      any        // the caller's request; never looked at here

	state latchState
	ts    txn.Timestamp // provisional commit timestamp; 0: unknown
	seq   uint64        // arrival

	// slots are the places in the queues of the keys: written ones first,
	// then read ones, each part sorted and without duplicates.
	slots  []slot
	writes int // how many slots are exclusive

	// waits counts the reasons why l is queued: slots that are not free, and
	// blockers. It is granted at 0.
	waits int
	// blockers are the earlier latches that l conflicts with by a span, and
	// waiters the later ones that conflict with l by a span.
	blockers, waiters []*Latch

	next, prev *Latch // all live latches, in arrival order
}

type latchState uint8

const (
	idle latchState = iota
	queued
	held
)

// slot is the place of one latch in the queue of one key.
type slot struct {
	key        txn.Key
	latch      *Latch
	queue      *queue
	next, prev *slot
	exclusive  bool
	free       bool // no earlier slot of the queue conflicts
}

// SetTS tells the provisional commit timestamp c > 0 of the writer, once it is
// known or when it has moved. The timestamp cache must be read after SetTS,
// each time: a reader below c passes from now on, and only its bump tells.
// Readers that wait for l must ask again.
func (l *Latch) SetTS(c txn.Timestamp) { l.ts = c }

// ClearTS makes the commit timestamp unknown again, for a writer that fetches
// a later one: every reader waits until SetTS.
func (l *Latch) ClearTS() { l.ts = 0 }

// blocks reports whether a reader at r must wait for what l writes. An unknown
// timestamp is 0 and so at most r.
func (l *Latch) blocks(r txn.Timestamp) bool { return l.state == held && l.ts <= r }

func (l *Latch) hasWrites() bool { return l.writes > 0 || len(l.WriteSpans) > 0 }

func (l *Latch) hasSpans() bool { return len(l.WriteSpans) > 0 || len(l.ReadSpans) > 0 }

// fill makes the slots from the keys.
func (l *Latch) fill() {
	l.slots = slices.Grow(l.slots[:0], len(l.Writes)+len(l.Reads))
	for _, k := range l.Writes {
		l.slots = append(l.slots, slot{key: k, latch: l, exclusive: true})
	}
	l.sortFrom(0)
	l.writes = len(l.slots)
	for _, k := range l.Reads {
		if i := search(l.slots[:l.writes], k); i == l.writes || l.slots[i].key.Compare(k) != 0 {
			l.slots = append(l.slots, slot{key: k, latch: l})
		}
	}
	l.sortFrom(l.writes)
}

// sortFrom sorts the slots from i on and drops duplicates among them.
func (l *Latch) sortFrom(i int) {
	if len(l.slots) < i+2 {
		return
	}
	part := l.slots[i:]
	slices.SortFunc(part, func(a, b slot) int { return a.key.Compare(b.key) })
	part = slices.CompactFunc(part, func(a, b slot) bool { return a.key.Compare(b.key) == 0 })
	l.slots = l.slots[:i+len(part)]
}

// reset leaves nothing behind but the slots' memory.
func (l *Latch) reset() {
	clear(l.slots)
	l.slots, l.writes = l.slots[:0], 0
	l.state, l.ts, l.seq, l.waits = idle, 0, 0, 0
	l.blockers, l.waiters = nil, nil
	l.next, l.prev = nil, nil
}

// writesIn reports whether l writes a key or a span that overlaps s.
func (l *Latch) writesIn(s txn.Span) bool {
	return anyIn(l.slots[:l.writes], s) || overlapsAny(l.WriteSpans, s)
}

// readsIn reports whether l only reads a key or a span that overlaps s.
func (l *Latch) readsIn(s txn.Span) bool {
	return anyIn(l.slots[l.writes:], s) || overlapsAny(l.ReadSpans, s)
}

// conflictBySpan reports whether a and b conflict where at least one of them
// names a span. Conflicts of two keys are found by the keys' queues.
func conflictBySpan(a, b *Latch) bool { return a.spansHit(b) || b.spansHit(a) }

// spansHit reports whether a span of l conflicts with a key or span of o.
func (l *Latch) spansHit(o *Latch) bool {
	for _, s := range l.WriteSpans {
		if o.writesIn(s) || o.readsIn(s) {
			return true
		}
	}
	return slices.ContainsFunc(l.ReadSpans, o.writesIn)
}

// search is the index of the first of the sorted slots at or after k.
func search(slots []slot, k txn.Key) int {
	return sort.Search(len(slots), func(i int) bool { return slots[i].key.Compare(k) >= 0 })
}

func anyIn(sorted []slot, s txn.Span) bool {
	if len(sorted) == 1 {
		return s.Contains(sorted[0].key)
	}
	i := search(sorted, s.Start)
	return i < len(sorted) && s.Contains(sorted[i].key)
}

func overlapsAny(spans []txn.Span, s txn.Span) bool {
	return slices.ContainsFunc(spans, s.Overlaps)
}

func containedIn(spans []txn.Span, k txn.Key) bool {
	return slices.ContainsFunc(spans, func(s txn.Span) bool { return s.Contains(k) })
}
