package workload

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	registerSlots = 4
	registerMax   = 250 // operations, after which another register takes the place
)

// registers is W5. The register with the number n has the key r<n>; the next one
// in its place has a number that is greater by registerSlots.
type registers struct {
	mu    sync.Mutex
	slots [registerSlots]register
}

type register struct {
	number int
	used   int
	next   int64 // value
	seen   sight // by somebody at some time
}

func newRegisters(int) source {
	s := &registers{}
	for i := range s.slots {
		s.slots[i].number = i
	}
	return s
}

func (s *registers) initial() (layout, []history.Mop) { return spread, nil }

func (o *register) key() string { return fmt.Sprint("r", o.number) }

func (s *registers) next(r *rand.Rand, _ int) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &s.slots[r.IntN(registerSlots)]
	if one.used++; one.used > registerMax {
		*one = register{number: one.number + registerSlots}
	}
	key := one.key()
	one.next++
	var p *plan
	switch n := r.IntN(100); {
	case n < 38:
		p = &plan{mode: readsOf(r, 1), steps: []step{{way: get, key: key}}}
	case n < 58:
		p = &plan{mode: singleMode(r), steps: []step{{way: put, key: key, n: one.next}}}
	case n < 94:
		p = one.compareAndSet(r)
	default:
		p = &plan{mode: singleMode(r), steps: []step{{way: remove, key: key}}}
	}
	p.ended = func(e *ending) { s.learn(key, e) }
	return p
}

// singleMode is for plans of one step that writes.
func singleMode(r *rand.Rand) mode {
	if r.IntN(2) == 0 {
		return verb
	}
	return writeMode(r)
}

// compareAndSet writes if the register is as it was seen, by value or by revision.
func (o *register) compareAndSet(r *rand.Rand) *plan {
	key, seen := o.key(), o.seen
	p := &plan{mode: singleMode(r), guarded: true,
		steps: []step{{way: get, key: key}, {way: put, key: key, n: o.next}}}
	value := client.IntValue(seen.n)
	switch {
	case !seen.found:
		p.cas, p.when = &client.Conditions{Absent: true}, client.KeyMissing(spread.store(key))
	case r.IntN(2) == 0:
		p.cas = &client.Conditions{Value: &value}
		p.when = client.ValueIs(spread.store(key), client.Equal, value)
	default:
		p.cas = &client.Conditions{Revision: &seen.revision}
		p.when = client.RevisionIs(spread.store(key), client.Equal, seen.revision)
	}
	p.permits = func(a *answer) bool {
		now := a.seen[key]
		return now.found == seen.found && now.n == seen.n &&
			(!seen.found || now.revision == seen.revision)
	}
	return p
}

// learn keeps what was seen of a register; what it was before a write is out of date.
func (s *registers) learn(key string, e *ending) {
	saw, ok := e.answer.seen[key]
	if e.outcome != history.OK || !ok || e.answer.wrote != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		if s.slots[i].key() == key {
			s.slots[i].seen = saw
		}
	}
}

func (s *registers) final() []*plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for i := range s.slots {
		for n := i; n <= s.slots[i].number; n += registerSlots {
			keys = append(keys, fmt.Sprint("r", n))
		}
	}
	return finalGets(spread, keys, 1) // so that each register is judged by itself
}
