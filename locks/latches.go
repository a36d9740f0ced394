package locks

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// Latches serializes the requests of one shard that touch the same keys, from
// before they are evaluated until what they wrote is applied. Single-owner.
//
// A request takes all its latches at once and waits behind every earlier
// request that it conflicts with, granted or not. So waiting follows arrival:
// nothing can starve and no cycle can form.
//
// Snapshot readers take no latch. They ask Blocking…, under rule V3:
//
//	reader                               writer
//	1 bump the timestamp cache to R+1    1 be granted its latches; SetTS(c)
//	2 BlockingKey, BlockingSpan at R     2 read the timestamp cache
//	3 take the iterator                  3 evaluate, propose
//
// Whichever of the two comes second at its step 2 sees the other's step 1. A
// writer that is queued when the reader asks has not come to its step 2, so it
// will find the bump and go above R: it need not hold up the reader. This is
// why the writer must read the cache after the grant, never while queued.
//
// Keys cost a hash look-up each. A request with a span costs a walk over all
// live latches when it arrives, and while it lives a check by each arrival.
type Latches struct {
	queues      map[string]*queue
	spare       []*queue // empty, to be used again
	first, last *Latch   // live ones, in arrival order
	spanned     []*Latch // live ones with a span, in arrival order
	seq         uint64
	held        int // granted ones that write
}

// spareQueuesMax bounds the memory of queues that wait for a key, 48 bytes each.
const spareQueuesMax = 256

// queue is the requests for one key in arrival order. Its free slots are a
// prefix: one exclusive slot, or all shared slots before the first exclusive.
type queue struct {
	key        string
	head, tail *slot
	exclusive  int // slots
}

// NewLatches makes the latches of a shard that nobody holds.
func NewLatches() *Latches { return &Latches{queues: make(map[string]*queue)} }

// Held counts the granted latches that write something. At 0 no reader has to
// ask for a blocker.
func (t *Latches) Held() int { return t.held }

// Acquire takes l's latches or queues l for them. A queued l is granted by
// some later Release, which names it. l must not be live already.
func (t *Latches) Acquire(l *Latch) (granted bool) {
	if l.state != idle {
		panic("locks: acquire of a live latch")
	}
	l.fill()
	t.seq++
	l.seq, l.state = t.seq, queued
	t.blockBySpans(l)
	for i := range l.slots {
		if !t.enqueue(&l.slots[i]) {
			l.waits++
		}
	}
	t.link(l)
	if l.waits > 0 {
		return false
	}
	t.grant(l)
	return true
}

// Release gives up l, granted or queued (a request that no longer waits), and
// returns the latches granted by it in arrival order. Readers who wait for l
// must ask again.
func (t *Latches) Release(l *Latch) (granted []*Latch) {
	if l.state == idle {
		panic("locks: release of a latch that is not live")
	}
	t.unlink(l)
	if l.state == held && l.hasWrites() {
		t.held--
	}
	for i := range l.slots {
		granted = t.dequeue(&l.slots[i], granted)
	}
	for _, w := range l.waiters {
		w.blockers = without(w.blockers, l)
		granted = w.wake(granted)
	}
	for _, b := range l.blockers {
		b.waiters = without(b.waiters, l)
	}
	l.reset()
	slices.SortFunc(granted, func(a, b *Latch) int { return cmp.Compare(a.seq, b.seq) })
	for _, g := range granted {
		t.grant(g)
	}
	return granted
}

// BlockingKey is the granted latch that a reader of k at r must wait for: it
// writes k, at a timestamp that is at most r or not yet known. Nil if there is
// none. A request must not ask about a key that it has latched itself.
func (t *Latches) BlockingKey(k txn.Key, r txn.Timestamp) *Latch {
	if t.held == 0 {
		return nil
	}
	if q := t.queues[string(k)]; q != nil && q.head.exclusive && q.head.latch.blocks(r) {
		return q.head.latch
	}
	for _, l := range t.spanned {
		if l.blocks(r) && containedIn(l.WriteSpans, k) {
			return l
		}
	}
	return nil
}

// BlockingSpan is BlockingKey for all keys of s: the earliest arrival that a
// reader must wait for. It walks the live latches.
func (t *Latches) BlockingSpan(s txn.Span, r txn.Timestamp) *Latch {
	if t.held == 0 {
		return nil
	}
	for l := t.first; l != nil; l = l.next {
		if l.blocks(r) && l.writesIn(s) {
			return l
		}
	}
	return nil
}

// blockBySpans makes the newcomer l wait for each live latch that it conflicts
// with by a span of either.
func (t *Latches) blockBySpans(l *Latch) {
	if !l.hasSpans() {
		for _, e := range t.spanned {
			l.waitFor(e)
		}
		return
	}
	for e := t.first; e != nil; e = e.next {
		l.waitFor(e)
	}
	t.spanned = append(t.spanned, l)
}

func (l *Latch) waitFor(e *Latch) {
	if conflictBySpan(e, l) {
		e.waiters = append(e.waiters, l)
		l.blockers = append(l.blockers, e)
		l.waits++
	}
}

// wake takes one reason to wait from l, and adds l to granted with the last.
func (l *Latch) wake(granted []*Latch) []*Latch {
	if l.waits--; l.waits == 0 {
		return append(granted, l)
	}
	return granted
}

func (t *Latches) grant(l *Latch) {
	l.state = held
	if l.hasWrites() {
		t.held++
	}
}

// enqueue puts s at the end of its key's queue and reports whether it is free.
func (t *Latches) enqueue(s *slot) bool {
	q := t.queues[string(s.key)]
	if q == nil {
		q = t.newQueue(string(s.key))
		t.queues[q.key] = q
	}
	s.free = q.head == nil || !s.exclusive && q.exclusive == 0
	s.queue, s.prev = q, q.tail
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	if s.exclusive {
		q.exclusive++
	}
	return s.free
}

// dequeue takes s out of its queue, frees the slots that waited for nothing
// else there, and adds the latches that wait for nothing at all to granted.
func (t *Latches) dequeue(s *slot, granted []*Latch) []*Latch {
	q := s.queue
	if s.prev == nil {
		q.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		q.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	if s.exclusive {
		q.exclusive--
	}
	if q.head == nil {
		delete(t.queues, q.key)
		if len(t.spare) < spareQueuesMax {
			q.key = ""
			t.spare = append(t.spare, q)
		}
		return granted
	}
	for n := s.next; n != nil && !n.free && n.mayGo(); n = n.next {
		n.free = true
		granted = n.latch.wake(granted)
	}
	return granted
}

// mayGo reports whether s extends the free prefix of its queue.
func (s *slot) mayGo() bool {
	return s.prev == nil || !s.exclusive && s.prev.free && !s.prev.exclusive
}

func (t *Latches) newQueue(k string) *queue {
	n := len(t.spare)
	if n == 0 {
		return &queue{key: k}
	}
	q := t.spare[n-1]
	t.spare = t.spare[:n-1]
	q.key = k
	return q
}

func (t *Latches) link(l *Latch) {
	l.prev = t.last
	if t.last == nil {
		t.first = l
	} else {
		t.last.next = l
	}
	t.last = l
}

func (t *Latches) unlink(l *Latch) {
	if l.prev == nil {
		t.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		t.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	if l.hasSpans() {
		t.spanned = without(t.spanned, l)
	}
}

func without[T comparable](list []T, l T) []T {
	i := slices.Index(list, l)
	return slices.Delete(list, i, i+1)
}
