package cycle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// Checker is named "cycle". What several may have written to a register does not tell whose
// write was read, and is left out.
func Checker() check.Checker { return checker(false) }

// Unique is Checker for workloads that never write the same to a register twice, not even if
// the first write failed.
func Unique() check.Checker { return checker(true) }

func checker(unique bool) check.Checker {
	return check.Checker{Name: "cycle", Check: func(h *check.History) []check.Anomaly {
		c := newInference(h)
		if unique {
			c.findRepeats()
		}
		c.observe()
		c.relate()
		for _, cycle := range c.graph.Find() {
			c.report(cycle)
		}
		return c.findings.all()
	}}
}

// Reach is how much of a history Checker has judged.
type Reach struct {
	// Keys were read; Judged are those of them of which a read told whose write it found.
	Keys, Judged int
	// Reads found something; Told are those that tell whose write that was.
	Reads, Told int
}

// Reached looks how far Checker gets with h.
func Reached(h *check.History) (all Reach) {
	c := newInference(h)
	c.observe()
	add := func(reads, told int) {
		all.Reads, all.Told = all.Reads+reads, all.Told+told
		if reads > 0 {
			all.Keys++
		}
		if told > 0 {
			all.Judged++
		}
	}
	for _, l := range c.lists {
		told := len(l.reads)
		if l.ambiguous {
			told = 0
		}
		add(len(l.reads), told)
	}
	for _, r := range c.registers {
		add(r.reads, r.told)
	}
	return all
}

// inference is one look at a history.
type inference struct {
	h         *check.History
	lists     []*list
	registers []*register
	// happened says which operations have a place in the order: those that are OK, and
	// those of which something was read.
	happened []bool
	graph    *depend.Graph
	reasons  []reason // by depend.Edge.Why
	findings *findings
}

func newInference(h *check.History) *inference {
	c := &inference{h: h, happened: make([]bool, len(h.Ops)), graph: depend.New(len(h.Ops)),
		reasons: []reason{{}}, findings: newFindings(h)}
	sorts, names := sortKeys(h)
	lists, registers := map[string]*list{}, map[string]*register{}
	for _, name := range names {
		switch sorts[name] {
		case ofLists:
			l := &list{name: name, by: map[int64]int{}, last: map[int]int64{}}
			lists[name], c.lists = l, append(c.lists, l)
		case ofRegisters:
			r := &register{name: name, by: map[int64]int{}, passing: map[int64]int{},
				several: map[int64]bool{}}
			r.first, r.there = h.Init[name], hasKey(h.Init, name)
			registers[name], c.registers = r, append(c.registers, r)
		}
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		c.happened[i] = op.Type == history.OK
		for _, a := range actsOf(op) {
			switch {
			case lists[a.key] != nil:
				c.actOnList(lists[a.key], op, a.mops)
			case registers[a.key] != nil:
				c.actOnRegister(registers[a.key], op, a.mops)
			}
		}
	}
	return c
}

func hasKey(m map[string]int64, key string) bool {
	_, ok := m[key]
	return ok
}

// sortOf is what a key is used for, in bits.
type sortOf uint8

const (
	ofLists sortOf = 1 << iota
	ofRegisters
)

// sortKeys tells the keys of lists from those of registers, by what writes them, and by what
// was read of those that nobody writes. One that is both is neither.
func sortKeys(h *check.History) (sorts map[string]sortOf, names []string) {
	sorts = map[string]sortOf{}
	read := map[string]sortOf{}
	for i := range h.Ops {
		for j := range h.Ops[i].Mops {
			m := &h.Ops[i].Mops[j]
			switch {
			case m.Kind == history.Append:
				sorts[m.Key] |= ofLists
			case m.Writes():
				sorts[m.Key] |= ofRegisters
			case m.Kind == history.Scan:
				for name := range m.Rows {
					read[name] |= ofRegisters
				}
			case m.Listed:
				read[m.Key] |= ofLists
			case m.Known:
				read[m.Key] |= ofRegisters
			}
		}
	}
	for name, s := range read {
		switch {
		case sorts[name] != 0:
		case s&ofLists != 0:
			sorts[name] = ofLists
		default:
			sorts[name] = ofRegisters
		}
	}
	return sorts, slices.Sorted(maps.Keys(sorts))
}

// acts are what an operation does to one key, in its order.
type acts struct {
	key  string
	mops []*history.Mop
}

// actsOf sorts the steps of op by key. What a scan found are reads.
func actsOf(op *history.Op) []acts {
	var all []acts
	place := map[string]int{}
	add := func(key string, m *history.Mop) {
		i, ok := place[key]
		if !ok {
			i, all = len(all), append(all, acts{key: key})
			place[key] = i
		}
		all[i].mops = append(all[i].mops, m)
	}
	for i := range op.Mops {
		m := &op.Mops[i]
		switch {
		case m.Writes():
			add(m.Key, m)
		case op.Type != history.OK || !m.Known:
		case m.Kind == history.Read:
			add(m.Key, m)
		default:
			for _, key := range slices.Sorted(maps.Keys(m.Rows)) {
				add(key, &history.Mop{Kind: history.Read, Key: key, N: m.Rows[key], Known: true})
			}
		}
	}
	return all
}

// findRepeats reports what was written to a register twice.
func (c *inference) findRepeats() {
	for _, r := range c.registers {
		for _, t := range r.twice {
			c.writtenTwice(r.name, t.n, t.first, t.next)
		}
	}
}

func (c *inference) writtenTwice(name string, n int64, first, next int) {
	c.findings.add("written-twice", fmt.Sprintf("op %d and op %d both wrote %d to %s, so nobody can "+
		"tell whose was read", first, next, n, name), first, next)
}

// observe takes the reads one by one, and so finds out what happened.
func (c *inference) observe() {
	for _, l := range c.lists {
		c.observeList(l)
	}
	for _, r := range c.registers {
		c.observeRegister(r)
	}
}

// relate says who comes before whom.
func (c *inference) relate() {
	c.addOrders()
	for _, l := range c.lists {
		if !l.ambiguous {
			c.relateList(l)
		}
	}
	for _, r := range c.registers {
		c.relateRegister(r)
	}
}
