package workload

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const counterCount = 8

// counters is the half of W6 that is called monotonic: registers m<i> that are
// counted up from 0, each time on the condition that they are as they were seen.
type counters struct {
	mu   sync.Mutex
	seen [counterCount]int64
}

func newCounters(int) source { return &counters{} }

func counter(i int) string { return fmt.Sprint("m", i) }

func (s *counters) initial() (layout, []history.Mop) {
	var mops []history.Mop
	for i := range counterCount {
		mops = append(mops, written(history.Write, counter(i), 0))
	}
	return spread, mops
}

func (s *counters) next(r *rand.Rand, _ int) *plan {
	p := &plan{ended: s.learn}
	if r.IntN(100) < 30 {
		for i := range counterCount {
			p.steps = append(p.steps, step{way: get, key: counter(i)})
		}
		p.mode = readsOf(r, len(p.steps))
		return p
	}
	i := r.IntN(counterCount)
	s.mu.Lock()
	was := s.seen[i]
	s.mu.Unlock()
	key := counter(i)
	p.mode, p.guarded = singleMode(r), true
	p.steps = []step{{way: get, key: key}, {way: put, key: key, n: was + 1}}
	value := client.IntValue(was)
	p.cas = &client.Conditions{Value: &value}
	p.when = client.ValueIs(spread.store(key), client.Equal, value)
	p.permits = func(a *answer) bool { return a.seen[key].found && a.seen[key].n == was }
	return p
}

func (s *counters) learn(e *ending) {
	if e.outcome != history.OK {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range e.answer.mops {
		if i, ok := number(m.Key); ok {
			s.seen[i] = max(s.seen[i], m.N)
		}
	}
}

func (s *counters) final() []*plan {
	var keys []string
	for i := range counterCount {
		keys = append(keys, counter(i))
	}
	return finalGets(spread, keys, len(keys))
}
