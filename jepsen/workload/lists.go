package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	listSlots    = 20 // lists at a time, as many on each shard
	listMax      = 50 // elements, after which another list takes the place
	listMops     = 5  // of a transaction, at most
	listsAtOnce  = 40 // of a final read
	hotSlots     = 2
	hotPercent   = 20 // of the micro-operations that go to the hot slots
	onRevisions  = 10 // percent of transactions that depend on a revision seen before
	singleAppend = 25 // percent
	singleGet    = 25 // percent
)

// lists is W1. A list with the number n has the key l<n>; the next one in its
// place has a number that is greater by listSlots, on the same shard.
type lists struct {
	mu    sync.Mutex
	slots [listSlots]listSlot
	seen  map[string]sight
}

type listSlot struct {
	number int   // of the current list
	next   int64 // element
}

func newLists(int) source {
	s := &lists{seen: map[string]sight{}}
	for i := range s.slots {
		s.slots[i].number = i
	}
	return s
}

func (s *lists) initial() (layout, []history.Mop) { return spread, nil }

// slot is one at random, some more often than others.
func (s *lists) slot(r *rand.Rand) *listSlot {
	if r.IntN(100) < hotPercent {
		return &s.slots[r.IntN(hotSlots)]
	}
	return &s.slots[r.IntN(listSlots)]
}

func (s *listSlot) key() string { return fmt.Sprint("l", s.number) }

// appends is a step that appends to a slot.
func (s *lists) appends(slot *listSlot, by way) step {
	if slot.next++; slot.next > listMax {
		delete(s.seen, slot.key())
		slot.number, slot.next = slot.number+listSlots, 1
	}
	return step{way: by, key: slot.key(), n: slot.next}
}

func (s *lists) next(r *rand.Rand, _ int) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &plan{ended: s.learn}
	switch n := r.IntN(100); {
	case n < onRevisions && s.onRevision(r, p):
		return p
	case n < onRevisions+singleAppend:
		p.mode, p.steps = verb, []step{s.appends(s.slot(r), push)}
		return p
	case n < onRevisions+singleAppend+singleGet:
		p.mode, p.steps = readsOf(r, 1), []step{{way: get, key: s.slot(r).key()}}
		return p
	}
	p.mode = writeMode(r)
	for range 1 + min(r.IntN(listMops), r.IntN(listMops)) {
		slot := s.slot(r)
		switch {
		case r.IntN(2) == 0:
			p.steps = append(p.steps, step{way: get, key: slot.key()})
		case p.mode != oneshot && r.IntN(2) == 0:
			p.steps = append(p.steps, s.appends(slot, rewrite))
		default:
			p.steps = append(p.steps, s.appends(slot, push))
		}
	}
	if !p.writes() {
		p.mode = readsOf(r, len(p.steps))
	}
	return p
}

// readsOf is a mode for so many gets, and nothing else.
func readsOf(r *rand.Rand, n int) mode {
	switch {
	case n == 1 && r.IntN(4) == 0:
		return verb
	case r.IntN(8) == 0:
		return batch
	}
	return readMode(r)
}

// onRevision makes p a one-shot that writes a whole list if it still is at the revision at which
// it was seen, and reads another one.
func (s *lists) onRevision(r *rand.Rand, p *plan) bool {
	slot, other := s.slot(r), s.slot(r)
	seen, ok := s.seen[slot.key()]
	if !ok || slot.next >= listMax || other == slot {
		return false
	}
	p.mode, p.guarded = oneshot, true
	p.when = client.RevisionIs(spread.store(slot.key()), client.Equal, seen.revision)
	write := s.appends(slot, rewrite)
	write.list = seen.list
	p.steps = []step{{way: get, key: slot.key()}, write, {way: get, key: other.key()}}
	p.permits = func(a *answer) bool {
		now := a.seen[write.key]
		return now.revision == seen.revision && slices.Equal(now.list, seen.list)
	}
	return true
}

// learn keeps what was seen of lists. What a transaction saw of a list that it wrote, too, is not
// what its revision came to: it may have gone on to append.
func (s *lists) learn(e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		key := s.slots[i].key()
		wrote := slices.ContainsFunc(e.answer.mops, func(m history.Mop) bool {
			return m.Writes() && m.Key == key
		})
		if saw, ok := e.answer.seen[key]; ok && !wrote && e.outcome == history.OK {
			s.seen[key] = saw
		}
	}
}

func (s *lists) final() []*plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for i := range s.slots {
		for n := i; n <= s.slots[i].number; n += listSlots {
			keys = append(keys, fmt.Sprint("l", n))
		}
	}
	return finalGets(spread, keys, listsAtOnce)
}

// finalGets read keys, some at a time.
func finalGets(l layout, keys []string, atOnce int) (plans []*plan) {
	for len(keys) > 0 {
		n := min(atOnce, len(keys))
		p := &plan{mode: final, layout: l}
		for _, key := range keys[:n] {
			p.steps = append(p.steps, step{way: get, key: key})
		}
		plans, keys = append(plans, p), keys[n:]
	}
	return plans
}

// finalScans read ranges, one at a time.
func finalScans(l layout, names []string) (plans []*plan) {
	for _, name := range names {
		plans = append(plans, &plan{mode: final, layout: l, steps: []step{{way: scan, key: name}}})
	}
	return plans
}
