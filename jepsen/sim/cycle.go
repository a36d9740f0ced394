package sim

import (
	"fmt"
	"slices"
	"strings"
)

// order is who must come before whom, and why.
type order struct {
	ops   []*Op
	place map[*Op]int
	after [][]next // by place
	state []walked
	path  []next
}

// next is a transaction that comes later; why is for people.
type next struct {
	to  int
	why string
}

// walked is how far a walk has come with one of them.
type walked uint8

const (
	notWalked walked = iota
	walking
	hasWalked
)

// findCycle looks for transactions of which each must come before the next, and
// the last before the first: no order explains what they were shown.
func (c *listCheck) findCycle() error {
	o := &order{place: map[*Op]int{}}
	for _, op := range c.h.Ops {
		if c.tookEffect(op) {
			o.place[op] = len(o.ops)
			o.ops = append(o.ops, op)
		}
	}
	o.after, o.state = make([][]next, len(o.ops)), make([]walked, len(o.ops))
	for _, key := range c.lists {
		list := c.final[string(key)]
		for i := 1; i < len(list); i++ {
			o.add(c.by[list[i-1]], c.by[list[i]], "appended before")
		}
	}
	for _, op := range o.ops {
		for _, s := range op.reads() {
			if c.isList(s.key) {
				c.orderRead(o, op, s)
			}
		}
	}
	o.addRealTime()
	for i := range o.ops {
		if o.visit(i) {
			return o.violation()
		}
	}
	return nil
}

// tookEffect: it has a place in the order, and something to say about it.
func (c *listCheck) tookEffect(op *Op) bool {
	for _, list := range op.appended(c.lists) { // order: any of them will do
		if slices.ContainsFunc(list, func(e string) bool { return c.by[e] == op }) {
			return true
		}
	}
	if op.Outcome != Committed {
		return false
	}
	return slices.ContainsFunc(op.reads(), func(s shown) bool { return c.isList(s.key) })
}

// orderRead places a reader behind the last append that it was shown, and
// before the first one that it was not.
func (c *listCheck) orderRead(o *order, op *Op, s shown) {
	final, n := c.final[string(s.key)], len(elements(&s.v))
	if n > 0 {
		o.add(c.by[final[n-1]], op, "appended what was shown to")
	}
	if n < len(final) {
		o.add(op, c.by[final[n]], "was not shown what was appended by")
	}
}

func (o *order) add(a, b *Op, why string) {
	if a != b {
		o.after[o.place[a]] = append(o.after[o.place[a]], next{o.place[b], why})
	}
}

// addRealTime: what had ended before another began, but for who asked for the past.
func (o *order) addRealTime() {
	for _, a := range o.ops {
		for _, b := range o.ops {
			if a.End != 0 && a.End < b.Start && !a.past() && !b.past() {
				o.add(a, b, "had ended before the beginning of")
			}
		}
	}
}

// past reports whether op reads at a time that the client named.
func (o *Op) past() bool {
	return o.Txn != nil && o.Txn.At != 0 || o.Get != nil && o.Get.Read.At != 0 ||
		len(o.Scans) > 0 && o.Scans[0].Scan.At != 0
}

// visit walks from i on and reports whether that leads back; then path has the way.
func (o *order) visit(i int) bool {
	switch o.state[i] {
	case walking:
		return true
	case hasWalked:
		return false
	}
	o.state[i] = walking
	for _, n := range o.after[i] {
		o.path = append(o.path, n)
		if o.visit(n.to) {
			return true
		}
		o.path = o.path[:len(o.path)-1]
	}
	o.state[i] = hasWalked
	return false
}

// violation tells the cycle at the end of path.
func (o *order) violation() error {
	end := len(o.path) - 1
	from := end
	for from > 0 && o.path[from-1].to != o.path[end].to {
		from--
	}
	what := "list-append: no order explains what these were shown:"
	var ops []*Op
	a := o.ops[o.path[end].to]
	for _, n := range o.path[from:] {
		b := o.ops[n.to]
		what += fmt.Sprintf(" op %d %s op %d;", a.ID, n.why, b.ID)
		ops = append(ops, b)
		a = b
	}
	return violation(strings.TrimSuffix(what, ";"), ops...)
}
