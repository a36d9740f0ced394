package check

import "slices"

// tie is why one transaction comes before another.
type tie uint8

// The ties of a digraph.
const (
	tieWW       tie = 1 << iota // overwrote what the other wrote
	tieWR                       // was shown what the other wrote
	tieRW                       // overwrote what the other was shown
	tieTime                     // began after the other had ended
	tieInferred                 // one of the first three, but only real time tells
)

// arc leads to what comes later.
type arc struct {
	to  int32
	why tie
}

// digraph is who comes before whom. Its first nodes are operations; those behind
// are moments, which tie operations that ended to all that began later without a
// tie for each pair.
type digraph struct {
	ops int
	out [][]arc
}

// newDigraph has the operations of h and real time in it. Of those that are not
// wanted nothing is known.
func newDigraph(h *History, wanted func(op int) bool) *digraph {
	last := 0
	for i := range h.Ops {
		last = max(last, h.Ops[i].Invoked)
	}
	d := &digraph{ops: len(h.Ops), out: make([][]arc, len(h.Ops)+last+1)}
	for i := range last {
		d.tie(d.moment(i), d.moment(i+1), tieTime)
	}
	for i := range h.Ops {
		o := &h.Ops[i]
		if !wanted(i) {
			continue
		}
		d.tie(d.moment(o.Invoked), i, tieTime)
		if o.Completed < last {
			d.tie(i, d.moment(o.Completed), tieTime)
		}
	}
	return d
}

func (d *digraph) moment(place int) int { return d.ops + place }

func (d *digraph) tie(from, to int, why tie) {
	if from != to {
		d.out[from] = append(d.out[from], arc{int32(to), why})
	}
}

// knots are the sets of nodes that reach each other by ties of some kinds.
func (d *digraph) knots(kinds tie) [][]int32 {
	t := &tangle{d: d, kinds: kinds, index: make([]int32, len(d.out)), low: make([]int32, len(d.out))}
	for n := range d.out {
		if t.index[n] == 0 {
			t.visit(int32(n))
		}
	}
	return t.knots
}

// tangle is Tarjan's search for strongly connected components, without recursion.
type tangle struct {
	d          *digraph
	kinds      tie
	index, low []int32 // index from 1; 0: not met
	next       int32
	stack      []int32
	path       []step
	knots      [][]int32
}

type step struct {
	node int32
	arc  int
}

// settled is the index of a node whose component is known.
const settled = 1<<31 - 1

func (t *tangle) enter(n int32) {
	t.next++
	t.index[n], t.low[n] = t.next, t.next
	t.stack = append(t.stack, n)
	t.path = append(t.path, step{node: n})
}

func (t *tangle) visit(root int32) {
	t.enter(root)
	for len(t.path) > 0 {
		s := &t.path[len(t.path)-1]
		if s.arc < len(t.d.out[s.node]) {
			a := t.d.out[s.node][s.arc]
			s.arc++
			switch {
			case a.why&t.kinds == 0:
			case t.index[a.to] == 0:
				t.enter(a.to)
			default:
				t.low[s.node] = min(t.low[s.node], t.index[a.to])
			}
			continue
		}
		t.leave(s.node)
	}
}

func (t *tangle) leave(n int32) {
	t.path = t.path[:len(t.path)-1]
	if len(t.path) > 0 {
		up := t.path[len(t.path)-1].node
		t.low[up] = min(t.low[up], t.low[n])
	}
	if t.low[n] != t.index[n] {
		return
	}
	i := len(t.stack) - 1
	for t.stack[i] != n {
		i--
	}
	if len(t.stack)-i > 1 {
		t.knots = append(t.knots, slices.Clone(t.stack[i:]))
	}
	for _, m := range t.stack[i:] {
		t.index[m], t.low[m] = settled, settled
	}
	t.stack = t.stack[:i]
}

// ring is a short cycle of operations within a knot, by ties of some kinds: the
// shortest of those through one of its operations.
func (d *digraph) ring(knot []int32, kinds tie) []arc {
	in := map[int32]bool{}
	for _, n := range knot {
		in[n] = true
	}
	var best []arc
	tries := 0
	for _, n := range knot {
		if int(n) >= d.ops {
			continue
		}
		if tries++; tries > ringTries {
			break
		}
		if r := d.ringThrough(n, in, kinds); best == nil || len(r) < len(best) {
			best = r
		}
	}
	return best
}

// ringTries bounds the search for a short cycle in a large knot.
const ringTries = 100

// ringThrough walks from n until it comes back.
func (d *digraph) ringThrough(n int32, in map[int32]bool, kinds tie) []arc {
	type reached struct {
		from int32
		why  tie
	}
	by := map[int32]reached{}
	for queue := []int32{n}; len(queue) > 0; queue = queue[1:] {
		for _, a := range d.out[queue[0]] {
			if _, met := by[a.to]; met || !in[a.to] || a.why&kinds == 0 {
				continue
			}
			by[a.to] = reached{queue[0], a.why}
			queue = append(queue, a.to)
		}
		if _, back := by[n]; back {
			break
		}
	}
	var ring []arc
	for at := n; ; {
		r := by[at]
		ring = append(ring, arc{at, r.why})
		if at = r.from; at == n {
			slices.Reverse(ring)
			return ring
		}
	}
}
