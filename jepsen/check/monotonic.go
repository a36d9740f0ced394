package check

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// Monotonic checks registers that are only counted up, by transactions that read n
// and write n+1: all keys of a history. Whoever wrote anything else, or deleted one,
// did what nobody asks for (miscount). In the order of timestamps their values go up
// (ts-order), and so they do in real time (went-back); no two transactions write the
// same (duplicate).
//
// Operations of unknown outcome are not judged; the numbers they wrote may be
// missing or there.
func Monotonic() Checker {
	return Checker{Name: "monotonic", Check: func(h *History) []Anomaly {
		c := &counters{findings: findings{h: h}, keys: map[string][]count{}}
		for i := range h.Ops {
			c.collect(&h.Ops[i])
		}
		for _, key := range sortedKeys(c.keys) {
			c.checkDuplicates(key)
			c.checkOrder(key)
			c.checkRealTime(key)
		}
		return c.all
	}}
}

type counters struct {
	findings
	keys map[string][]count
}

// count is what an operation knows of a counter: what it read, and what it left.
type count struct {
	o          *history.Op
	read, left int64
	reads      bool
	writes     bool
}

func (k *count) note(m *history.Mop) {
	switch {
	case m.Kind == history.Read && m.Known && !k.writes && !k.reads:
		k.read, k.reads = m.N, true // 0 of a missing one
	case m.Kind == history.Write || m.Kind == history.Insert:
		k.left, k.writes = m.N, true
	}
}

// first and last are the least and the greatest number that it knows of.
func (k *count) first() int64 {
	if k.reads {
		return k.read
	}
	return k.left
}

func (k *count) last() int64 {
	if k.writes {
		return k.left
	}
	return k.read
}

func (c *counters) collect(o *history.Op) {
	own := map[string]count{}
	for i := range o.Mops {
		m := &o.Mops[i]
		if m.Kind == history.Scan || o.Type != history.OK {
			continue
		}
		k := own[m.Key]
		k.o = o
		if m.Listed || m.Writes() && !k.counts(m) {
			c.add("miscount", []int{o.ID}, "%q is not counted up by one", m.Key)
		}
		k.note(m)
		own[m.Key] = k
	}
	for key, k := range own { // order: keys do not concern each other
		if k.reads || k.writes {
			c.keys[key] = append(c.keys[key], k)
		}
	}
}

// counts reports whether m adds one to what was read.
func (k *count) counts(m *history.Mop) bool {
	return (m.Kind == history.Write || m.Kind == history.Insert) && k.reads && m.N == k.last()+1
}

func (c *counters) checkDuplicates(key string) {
	by := map[int64]int{}
	for _, k := range c.keys[key] {
		if !k.writes {
			continue
		}
		if other, twice := by[k.left]; twice {
			c.add("duplicate", []int{other, k.o.ID}, "both wrote %d to %q", k.left, key)
		}
		by[k.left] = k.o.ID
	}
}

// checkOrder goes through what has a timestamp, writers first.
func (c *counters) checkOrder(key string) {
	counts := slices.DeleteFunc(slices.Clone(c.keys[key]), func(k count) bool { return k.o.TS == 0 })
	slices.SortStableFunc(counts, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.o.TS, b.o.TS), cmp.Compare(rank(a.o), rank(b.o)))
	})
	for i := range counts[min(1, len(counts)):] {
		a, b := &counts[i], &counts[i+1]
		if b.first() < a.last() || b.writes && b.last() <= a.last() {
			c.add("ts-order", []int{a.o.ID, b.o.ID}, "%q is %d at %d, and %d at %d", key,
				a.last(), a.o.TS, b.first(), b.o.TS)
			return
		}
	}
}

func (c *counters) checkRealTime(key string) {
	counts := c.keys[key] // by invocation
	ended := slices.Clone(counts)
	slices.SortFunc(ended, func(a, b count) int { return cmp.Compare(a.o.Completed, b.o.Completed) })
	next := 0
	var most *count // among those that had ended
	for i := range counts {
		b := &counts[i]
		for ; next < len(ended) && ended[next].o.Completed < b.o.Invoked; next++ {
			if most == nil || ended[next].last() > most.last() {
				most = &ended[next]
			}
		}
		if most != nil && (b.first() < most.last() || b.writes && b.last() <= most.last()) {
			c.add("went-back", []int{most.o.ID, b.o.ID},
				"%q was %d, and is %d for who began later", key, most.last(), b.first())
			return
		}
	}
}
