package cycle

import (
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// version is what a register was from one write to the next. Version 0 is what it
// was before the first.
type version struct {
	op    int // that wrote it; none of version 0
	state state
	// readers did not write the register; builders did, behind what they had read.
	readers, builders []int
	relay             int // before what comes behind the readers, none if there is none yet
	// chain are versions of which each was built on the one before by its only builder:
	// nothing can have been between them.
	chain int
}

const (
	none = -1
	// nothingBetween goes on about the neighbors of versions of which the order is known.
	nothingBetween = ", and nothing came between what was read and what was made of it"
)

// versions orders what a register was.
type versions struct {
	*register
	c      *inference
	all    []version
	chains [][]int
	order  *lineup // of chains
	told   map[[2]int]depend.Level
}

// relateRegister places the operations on r.
func (c *inference) relateRegister(r *register) {
	v := &versions{register: r, c: c, told: map[[2]int]depend.Level{}}
	v.list()
	v.link()
	v.chain()
	v.relateFirst()
	v.relateChains()
	// Who wrote first is asked before who read first: where they contradict each other, the
	// read is what is wrong, and the cycle says so.
	v.follow(true)
	v.follow(false)
}

// list makes the versions, and finds out which one an operation read.
func (v *versions) list() {
	first := state{known: true, missing: !v.there, n: v.register.first}
	v.all = []version{{op: none, relay: none, state: first}}
	number := map[int64]int{}
	if v.there {
		number[v.first] = 0
	}
	for i := range v.touches {
		t := &v.touches[i]
		t.before, t.after = none, none
		if t.wrote.known && v.c.happened[t.op] {
			t.after = len(v.all)
			v.all = append(v.all, version{op: t.op, relay: none, state: t.wrote})
			if !t.wrote.missing {
				number[t.wrote.n] = t.after
			}
		}
	}
	for i := range v.touches {
		t := &v.touches[i]
		n, known := number[t.read.n]
		switch {
		case !t.read.known:
		case !t.read.missing && known:
			t.before = n
		case t.read.missing && !v.there && !v.deleted:
			t.before = 0
		}
	}
}

// link adds who read from whom.
func (v *versions) link() {
	for i := range v.touches {
		t := &v.touches[i]
		if t.before == none {
			continue
		}
		from := &v.all[t.before]
		if t.after == none {
			from.readers = append(from.readers, t.op)
		} else {
			from.builders = append(from.builders, t.op)
		}
		if from.op != none {
			v.c.graph.Add(from.op, v.c.edge(t.op, depend.WR, depend.Plain,
				reason{key: v.name, is: from.state.String()}))
		}
	}
}

// chain finds the versions that follow each other directly.
func (v *versions) chain() {
	next, built := make([]int, len(v.all)), make([]bool, len(v.all))
	for i := range next {
		next[i], v.all[i].chain = none, none
	}
	for i := range v.touches {
		t := &v.touches[i]
		if t.before == none || t.after == none {
			continue
		}
		if len(v.all[t.before].builders) == 1 {
			next[t.before], built[t.after] = t.after, true
		}
	}
	add := func(i int) {
		chain := []int{}
		for ; i != none && v.all[i].chain == none; i = next[i] {
			v.all[i].chain = len(v.chains)
			chain = append(chain, i)
		}
		v.chains = append(v.chains, chain)
	}
	for i := range v.all {
		if !built[i] {
			add(i)
		}
	}
	for i := range v.all {
		if v.all[i].chain == none { // a ring, and so a cycle of reads already
			add(i)
		}
	}
	v.order = newLineup(len(v.chains))
	for i := range v.all {
		if b := v.all[i].builders; len(b) > 1 {
			v.c.findings.add("lost-update", fmt.Sprintf("op %d and op %d both read %v of %s, "+
				"and replaced it", b[0], b[1], v.all[i].state, v.name), b...)
		}
	}
}

// relateFirst puts what the register was at first, and what was built on that, before all else.
func (v *versions) relateFirst() {
	end := v.tail(0)
	for i := 1; i < len(v.all); i++ {
		v.before(0, i, depend.Plain, "that was there at first")
		if end != 0 && v.all[i].chain != v.all[0].chain {
			v.between(end, i, depend.Plain, "that was built on what was there at first")
		}
	}
}

// relateChains puts each version directly before the one that was built on it.
func (v *versions) relateChains() {
	for i := range v.touches {
		t := &v.touches[i]
		if t.before > 0 && t.after != none {
			v.before(t.before, t.after, depend.Plain,
				fmt.Sprintf("op %d had read the one when it wrote the other", t.op))
		}
	}
}

func (v *versions) tail(version int) int {
	chain := v.chains[v.all[version].chain]
	return chain[len(chain)-1]
}

func (v *versions) head(version int) int { return v.chains[v.all[version].chain][0] }

// turn is that an operation came before another, by their places.
type turn struct {
	a, b  int
	level depend.Level
}

// follow adds what the orders of processes and of real time tell, of those that
// wrote or of all.
func (v *versions) follow(writers bool) {
	var touches []*touch
	var ops []*history.Op
	for i := range v.touches {
		t := &v.touches[i]
		if t.after != none || !writers && t.before != none {
			touches, ops = append(touches, t), append(ops, &v.c.h.Ops[t.op])
		}
	}
	var turns []turn
	inProcess(ops, func(a, b int) { turns = append(turns, turn{a, b, depend.InProcess}) })
	check.InRealTime(ops, func(a, b int) { turns = append(turns, turn{a, b, depend.InRealTime}) })
	slices.SortStableFunc(turns, func(a, b turn) int { return a.b - b.b })
	for _, t := range turns {
		a, b := touches[t.a], touches[t.b]
		from, to := a.after, b.before
		if from == none {
			from = a.before
		}
		if to == none || writers {
			to = b.after
		}
		v.turn(from, to, turn{a.op, b.op, t.level})
	}
}

// turn notes that t.a, which left a version, came before t.b, which found another: that
// is not the earlier one. If this contradicts what is known already, there is a cycle
// of that and of this very order, so nothing is lost by leaving it out.
func (v *versions) turn(from, to int, t turn) {
	x, y, first := v.all[from].chain, v.all[to].chain, v.all[0].chain
	pair := [2]int{from, to}
	level, told := v.told[pair]
	if x == y || x == first || y == first || told && level <= t.level || !v.order.before(x, y) {
		return
	}
	v.told[pair] = t.level
	because := fmt.Sprintf("op %d had ended before op %d began", t.a, t.b)
	if t.level == depend.InProcess {
		because = fmt.Sprintf("process %d did op %d before op %d", v.c.h.Ops[t.a].Process, t.a, t.b)
	}
	v.before(from, to, t.level, because)
	if end, begin := v.tail(from), v.head(to); end != from || begin != to {
		v.between(end, begin, t.level, because+nothingBetween)
	}
}

// before puts one version before another, and with them whom they tell of.
func (v *versions) before(from, to int, level depend.Level, because string) {
	v.relate(from, to, v.c.edge(v.all[to].op, depend.WW, level, v.reason(from, to, because)))
}

// between puts one version before another since nothing can have been between those that
// they were built on, or that were built on them. Else there would be an anti-dependency
// within that; so it counts as one: to call it a write behind a write would say too much.
func (v *versions) between(from, to int, level depend.Level, because string) {
	why := v.reason(from, to, because)
	why.derived = true
	v.relate(from, to, v.c.edge(v.all[to].op, depend.RW, level, why))
}

func (v *versions) reason(from, to int, because string) reason {
	return reason{key: v.name, was: v.all[from].state.String(), is: v.all[to].state.String(),
		because: because}
}

// relate adds e for who wrote the one, and an anti-dependency for each who read it.
func (v *versions) relate(from, to int, e depend.Edge) {
	a := &v.all[from]
	if a.op != none {
		v.c.graph.Add(a.op, e)
	}
	why := v.c.reasons[e.Why]
	why.derived = false
	e = v.c.edge(e.To, depend.RW, e.Level, why)
	if len(a.readers) > 0 {
		if a.relay == none {
			a.relay = v.c.graph.Relay()
			for _, op := range a.readers {
				v.c.graph.AddReader(a.relay, op)
			}
		}
		v.c.graph.AddWriter(a.relay, e)
	}
	if slices.Contains(a.builders, v.all[to].op) {
		return // who built on the same has lost an update, and no order
	}
	for _, op := range a.builders {
		v.c.graph.Add(op, e)
	}
}
