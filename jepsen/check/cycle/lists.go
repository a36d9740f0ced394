package cycle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// list is what is known of a key to which is appended.
type list struct {
	name string
	by   map[int64]int // who appended it, by element
	last map[int]int64 // the last that an operation appended
	all  []appended
	// ambiguous: an element was appended twice, which no workload may do.
	ambiguous bool
	reads     []listRead // what others had appended, as far as it makes sense

	// order is the longest read, and longest who read it: all others must be beginnings of it.
	order   []int64
	longest int
	seen    map[int64]bool // elements that were ever read
}

type appended struct {
	op int
	n  int64
}

// listRead is what one operation found before its own appends.
type listRead struct {
	op   int
	list []int64
	// fits: it is a beginning of the order.
	fits bool
}

// actOnList takes what op did to l, and looks for contradictions within it.
func (c *inference) actOnList(l *list, op *history.Op, mops []*history.Mop) {
	var own, found []int64
	read, internal := false, false
	for _, m := range mops {
		if m.Writes() {
			if first, twice := l.by[m.N]; twice {
				l.ambiguous = true
				c.writtenTwice(l.name, m.N, first, op.ID)
			}
			l.by[m.N], l.last[op.ID] = op.ID, m.N
			l.all = append(l.all, appended{op.ID, m.N})
			own = append(own, m.N)
			continue
		}
		if !m.Listed && !m.Missing && m.N != 0 {
			c.findings.add("garbage-read", fmt.Sprintf("op %d read %d of %s, which is a list",
				op.ID, m.N, l.name), op.ID)
			internal = true
			continue
		}
		others := len(m.List) - len(own)
		switch {
		case others < 0 || !slices.Equal(m.List[max(others, 0):], own):
			internal = true
			c.findings.add("internal", fmt.Sprintf("op %d had appended %v to %s, and then read %s",
				op.ID, own, l.name, elided(m.List)), op.ID)
		case read && !slices.Equal(m.List[:others], found):
			internal = true
			c.findings.add("internal", fmt.Sprintf("op %d read %s of %s, and then %s with %v of its own",
				op.ID, elided(found), l.name, elided(m.List[:others]), own), op.ID)
		default:
			read, found = true, m.List[:others]
		}
	}
	for _, n := range own {
		if slices.Contains(found, n) {
			internal = true
			c.findings.add("internal", fmt.Sprintf("op %d read its own %d of %s before it was appended",
				op.ID, n, l.name), op.ID)
		}
	}
	if read && !internal {
		l.reads = append(l.reads, listRead{op: op.ID, list: found})
	}
}

// observeList finds the order of l, and what must not have been read.
func (c *inference) observeList(l *list) {
	if l.ambiguous {
		return
	}
	l.seen = map[int64]bool{}
	byLength := make([]*listRead, len(l.reads))
	for i := range l.reads {
		byLength[i] = &l.reads[i]
	}
	slices.SortStableFunc(byLength, func(a, b *listRead) int {
		return cmp.Compare(len(b.list), len(a.list))
	})
	var longest *listRead
	for _, r := range byLength {
		if longest != nil && slices.Equal(r.list, l.order[:len(r.list)]) {
			r.fits = true
			continue
		}
		c.observeElements(l, r)
		if twice, ok := duplicate(r.list); ok {
			c.findings.add("duplicate-elements", fmt.Sprintf("op %d read %d twice of %s: %s",
				r.op, twice, l.name, elided(r.list)), r.op, c.writerOr(l, twice, r.op))
			continue
		}
		if longest == nil {
			longest, l.order, l.longest, r.fits = r, r.list, r.op, true
			continue
		}
		c.findings.add("incompatible-order", fmt.Sprintf("op %d read %s of %s, and op %d read %s",
			longest.op, elided(longest.list), l.name, r.op, elided(r.list)), longest.op, r.op)
	}
	c.findDirty(l)
	c.findIntermediate(l)
	c.findLostUpdates(l)
	c.findLostAppends(l)
}

// observeElements notes that what r found was found. A read that is the beginning
// of another has nothing new.
func (c *inference) observeElements(l *list, r *listRead) {
	for i, n := range r.list {
		if l.seen[n] {
			continue
		}
		l.seen[n] = true
		by, known := l.by[n]
		switch {
		case !known:
			first := l.firstWith(i, n, r.op)
			c.findings.add("garbage-read", fmt.Sprintf("op %d read %d in %s, which nobody appended",
				first, n, l.name), first)
		case c.h.Ops[by].Type == history.Fail:
			first := l.firstWith(i, n, r.op)
			c.findings.add("G1a", fmt.Sprintf("op %d read %d in %s, which op %d appended, that failed",
				first, n, l.name, by), by, first)
		default:
			c.happened[by] = true
		}
	}
}

// firstWith is the first operation that read n at the place i, which op did too.
func (l *list) firstWith(i int, n int64, op int) int {
	for _, r := range l.reads {
		if len(r.list) > i && r.list[i] == n {
			return r.op
		}
	}
	return op
}

func (c *inference) writerOr(l *list, n int64, otherwise int) int {
	if by, ok := l.by[n]; ok {
		return by
	}
	return otherwise
}

// findDirty looks for what was appended behind something of a failed operation.
func (c *inference) findDirty(l *list) {
	for i, n := range l.order {
		by, known := l.by[n]
		if !known || c.h.Ops[by].Type != history.Fail {
			continue
		}
		for _, next := range l.order[i+1:] {
			if on, ok := l.by[next]; ok && c.h.Ops[on].Type != history.Fail {
				c.findings.add("dirty-update", fmt.Sprintf("op %d failed and appended %d to %s, "+
					"and op %d appended %d behind it", by, n, l.name, on, next), by, on)
				break
			}
		}
	}
}

// findIntermediate looks for reads that end within what another appended.
func (c *inference) findIntermediate(l *list) {
	for i := range l.reads {
		r := &l.reads[i]
		if len(r.list) == 0 {
			continue
		}
		n := r.list[len(r.list)-1]
		by, known := l.by[n]
		if known && c.h.Ops[by].Type != history.Fail && l.last[by] != n {
			c.findings.add("G1b", fmt.Sprintf("op %d read %s of %s, where op %d appended %d behind its %d",
				r.op, elided(r.list), l.name, by, l.last[by], n), by, r.op)
		}
	}
}

// findLostUpdates looks for operations that appended to the same read.
func (c *inference) findLostUpdates(l *list) {
	builders := map[int][]int{} // by length of what was read
	for i := range l.reads {
		r := &l.reads[i]
		if _, appends := l.last[r.op]; appends && r.fits {
			builders[len(r.list)] = append(builders[len(r.list)], r.op)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(builders)) {
		ops := builders[n]
		if len(ops) == 1 {
			continue
		}
		c.findings.add("lost-update", fmt.Sprintf("op %d and op %d read the same %s, "+
			"and both appended to it", ops[0], ops[1], l.name), ops...)
	}
}

// findLostAppends looks for what nobody ever read, although somebody began to
// read after it was acknowledged.
func (c *inference) findLostAppends(l *list) {
	for _, a := range l.all {
		op := &c.h.Ops[a.op]
		if op.Type != history.OK || l.seen[a.n] {
			continue
		}
		for i := range l.reads {
			r := &l.reads[i]
			if c.h.Ops[r.op].Invoked > op.Completed {
				c.findings.add("lost-append", fmt.Sprintf("op %d appended %d to %s, and op %d, "+
					"which began after that had ended, read %s; nobody ever read it",
					a.op, a.n, l.name, r.op, elided(r.list)), a.op, r.op)
				break
			}
		}
	}
}

// relateList places the operations on l.
func (c *inference) relateList(l *list) {
	var places []int // in l.order, of what happened
	for i, n := range l.order {
		if by, known := l.by[n]; known && c.happened[by] {
			places = append(places, i)
		}
	}
	because := fmt.Sprintf("op %d read it so", l.longest)
	for i := 1; i < len(places); i++ {
		a, b := l.order[places[i-1]], l.order[places[i]]
		why := l.why(decimal(a), b)
		why.because = because
		c.graph.Add(l.by[a], c.edge(l.by[b], depend.WW, depend.Plain, why))
	}
	var atEnd []int // who read all that there is
	for i := range l.reads {
		r := &l.reads[i]
		next, _ := slices.BinarySearch(places, len(r.list))
		if !r.fits {
			continue
		}
		if next > 0 {
			n := l.order[places[next-1]]
			c.graph.Add(l.by[n], c.edge(r.op, depend.WR, depend.Plain, l.why("", n)))
		}
		if next == len(places) {
			atEnd = append(atEnd, r.op)
			continue
		}
		n := l.order[places[next]]
		c.graph.Add(r.op, c.edge(l.by[n], depend.RW, depend.Plain, l.why(elided(r.list), n)))
	}
	c.relateUnread(l, places, atEnd)
}

func (l *list) why(was string, is int64) reason {
	return reason{key: l.name, listed: true, was: was, is: decimal(is)}
}

// relateUnread places what was appended and never read behind all that was: lists only grow.
func (c *inference) relateUnread(l *list, places, atEnd []int) {
	relay := -1
	var builders []int // who read all, and appended to it
	for _, op := range atEnd {
		if _, appends := l.last[op]; appends {
			builders = append(builders, op)
			continue
		}
		if relay < 0 {
			relay = c.graph.Relay()
		}
		c.graph.AddReader(relay, op)
	}
	for _, a := range l.all {
		if l.seen[a.n] || !c.happened[a.op] {
			continue
		}
		why := l.why(elided(l.order), a.n)
		why.because = "nobody read that"
		if len(places) > 0 {
			end := l.order[places[len(places)-1]]
			behind := l.why(decimal(end), a.n)
			behind.because = why.because
			c.graph.Add(l.by[end], c.edge(a.op, depend.WW, depend.Plain, behind))
		}
		if relay >= 0 {
			c.graph.AddWriter(relay, c.edge(a.op, 0, depend.Plain, why))
		}
		if len(builders) == 1 { // several have lost an update, and no order
			c.graph.Add(builders[0], c.edge(a.op, depend.RW, depend.Plain, why))
		}
	}
}

// duplicate is an element that is in a list twice.
func duplicate(all []int64) (int64, bool) {
	seen := make(map[int64]bool, len(all))
	for _, n := range all {
		if seen[n] {
			return n, true
		}
		seen[n] = true
	}
	return 0, false
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// elidedMax is how much of a list is shown, from its end.
const elidedMax = 6

func elided(all []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	if len(all) > elidedMax {
		fmt.Fprintf(&b, "(%d) … ", len(all)-elidedMax)
		all = all[len(all)-elidedMax:]
	}
	for i, n := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(decimal(n))
	}
	return b.String() + "]"
}
