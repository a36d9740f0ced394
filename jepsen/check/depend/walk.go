package depend

import "slices"

// walk is the memory of searches through the graph. A place in it is a node and
// whether it was reached by an anti-dependency.
type walk struct {
	stamp  int
	seen   []int  // by place: the stamp of the search that came there
	from   []int  // by place: the place before
	by     []Edge // by place: the edge that led there
	length []int  // by place: nodes on the way there
	queue  []int
}

func newWalk(nodes int) walk {
	return walk{seen: make([]int, 2*nodes), from: make([]int, 2*nodes), by: make([]Edge, 2*nodes),
		length: make([]int, 2*nodes)}
}

// limits is where a search stays.
type limits struct {
	component int
	level     Level
	lengthMax int // of a cycle, in nodes
}

// back completes the edge e from start to the shortest cycle, breadth first, and
// says how many nodes that has.
func (f *finder) back(start int, e Edge, how search, in limits) (c Cycle, length int) {
	w := &f.walk
	w.stamp++
	w.queue = w.queue[:0]
	f.reach(-1, e, how)
	for i := 0; i < len(w.queue); i++ {
		at := w.queue[i]
		node, anti := at/2, at%2 == 1
		if w.length[at] > in.lengthMax {
			break
		}
		for _, next := range f.after[node] {
			f.looked++
			apart := how.apart && anti && next.Kind == RW
			if next.Kind&(how.rest|order) == 0 || next.Level > in.level || apart ||
				f.component[next.To] != in.component {
				continue
			}
			if next.To != start {
				f.reach(at, next, how)
				continue
			}
			if how.apart && (next.Kind == RW || next.Kind == relayed) {
				continue // beside the first one
			}
			if c := f.cycle(start, at, next); c.simple() {
				return c, w.length[at]
			}
		}
	}
	return Cycle{}, 0
}

// reach notes that e leads to a place that was not seen before.
func (f *finder) reach(from int, e Edge, how search) {
	w := &f.walk
	place := 2 * e.To
	if how.apart && (e.Kind == RW || e.Kind == relayed) {
		place++
	}
	if w.seen[place] == w.stamp {
		return
	}
	w.seen[place], w.from[place], w.by[place] = w.stamp, from, e
	w.length[place] = 2
	if from >= 0 {
		w.length[place] = w.length[from] + 1
	}
	w.queue = append(w.queue, place)
}

// cycle is the way from start by way of a place, and back over last.
func (f *finder) cycle(start, place int, last Edge) Cycle {
	edges := []Edge{last}
	for at := place; at >= 0; at = f.walk.from[at] {
		edges = append(edges, f.walk.by[at])
	}
	slices.Reverse(edges)
	var c Cycle
	from := start
	for _, e := range edges {
		switch {
		case e.To >= f.n: // a relay: what it is about is told by the edge behind it
		case e.Kind == relayed:
			c.Steps = append(c.Steps, Step{from, e.To, RW, e.Level, e.Why})
			from = e.To
		default:
			c.Steps = append(c.Steps, Step{from, e.To, e.Kind, e.Level, e.Why})
			from = e.To
		}
	}
	return c
}
