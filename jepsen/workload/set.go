package workload

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	setMax     = 150 // elements of a set, so that scans stay small
	insertsMax = 5   // at once
	readsMax   = 4   // keys of the newest, at once
	recent     = 40  // that is how many are the newest
)

// set is W4, and makes the keys of W6: n goes into the set with the number
// n / setMax.
type set struct {
	mu   sync.Mutex
	name string
	last int64 // element
}

func newSet(int) source { return &set{name: "s"} }

func (s *set) initial() (layout, []history.Mop) { return spread, nil }

func (s *set) key(n int64) string { return fmt.Sprintf("%s%d/%d", s.name, n/setMax, n) }

// insert is a step that inserts the next element.
func (s *set) insert() step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return step{way: create, key: s.key(s.last), n: s.last}
}

func (s *set) newest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *set) next(r *rand.Rand, _ int) *plan {
	switch n := r.IntN(100); {
	case n < 25:
		return &plan{mode: verb, steps: []step{s.insert()}}
	case n < 65:
		p := &plan{mode: writeMode(r)}
		if r.IntN(5) == 0 {
			p.mode = batch
		}
		for range 1 + r.IntN(insertsMax) {
			p.steps = append(p.steps, s.insert())
		}
		return p
	case n < 82:
		return s.scan(r)
	}
	return s.look(r)
}

// scan reads the newest set, or one before.
func (s *set) scan(r *rand.Rand) *plan {
	newest := s.newest() / setMax
	which := newest
	if r.IntN(3) == 0 {
		which = r.Int64N(newest + 1)
	}
	p := &plan{mode: readMode(r), steps: []step{{way: scan, key: fmt.Sprint(s.name, which)}}}
	if r.IntN(25) == 0 {
		p.mode = verb // which looks at all keys that there are
	}
	return p
}

// look reads some of the newest elements.
func (s *set) look(r *rand.Rand) *plan {
	newest := s.newest()
	p := &plan{}
	for range 1 + r.IntN(readsMax) {
		n := max(1, newest-r.Int64N(recent))
		p.steps = append(p.steps, step{way: get, key: s.key(n)})
	}
	p.mode = readsOf(r, len(p.steps))
	return p
}

func (s *set) final() []*plan {
	var names []string
	for i := range s.newest()/setMax + 1 {
		names = append(names, fmt.Sprint(s.name, i))
	}
	return finalScans(spread, names)
}

// comments is the half of W6 that is called causal-reverse: clients insert one
// element at a time, each on another shard than the one before for the most part,
// while others read many of them at once.
type comments struct{ set }

func newComments(int) source { return &comments{set{name: "c"}} }

func (s *comments) next(r *rand.Rand, _ int) *plan {
	switch n := r.IntN(100); {
	case n < 25:
		return &plan{mode: verb, steps: []step{s.insert()}}
	case n < 60:
		return &plan{mode: writeMode(r), steps: []step{s.insert()}}
	case n < 85:
		return s.scan(r)
	}
	newest, p := s.newest(), &plan{}
	for n := max(1, newest-recent); n <= newest; n++ {
		p.steps = append(p.steps, step{way: get, key: s.key(n)})
	}
	p.mode = readsOf(r, len(p.steps))
	if len(p.steps) == 0 {
		return s.scan(r)
	}
	return p
}
