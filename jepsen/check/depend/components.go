package depend

// components are the sets of at least two nodes of which each can be reached
// from each, over edges of some kinds up to a level: Tarjan's algorithm, without
// recursion. It leaves in f.component in which one a node is.
func (f *finder) components(kinds Kind, level Level) [][]int {
	t := tarjan{f: f, kinds: kinds, level: level,
		index: make([]int, len(f.after)), low: make([]int, len(f.after)),
		next: make([]int, len(f.after))}
	for n := range f.component {
		f.component[n] = -1
	}
	for n := range f.after {
		if t.index[n] == 0 {
			t.visit(n)
		}
	}
	return t.found
}

type tarjan struct {
	f     *finder
	kinds Kind
	level Level

	count int
	index []int // by node: when it was met, from 1; -1 once its component is known
	low   []int // by node: the earliest that is known to be reached from it
	next  []int // by node: the edge to look at next
	path  []int
	open  []int // met, of no known component
	found [][]int
}

func (t *tarjan) visit(root int) {
	t.enter(root)
	for len(t.path) > 0 {
		n := t.path[len(t.path)-1]
		if t.next[n] == len(t.f.after[n]) {
			t.leave(n)
			continue
		}
		e := t.f.after[n][t.next[n]]
		t.next[n]++
		switch {
		case e.Kind&t.kinds == 0 || e.Level > t.level:
		case t.index[e.To] == 0:
			t.enter(e.To)
		case t.index[e.To] > 0:
			t.low[n] = min(t.low[n], t.index[e.To])
		}
	}
}

func (t *tarjan) enter(n int) {
	t.count++
	t.index[n], t.low[n] = t.count, t.count
	t.path = append(t.path, n)
	t.open = append(t.open, n)
}

func (t *tarjan) leave(n int) {
	t.path = t.path[:len(t.path)-1]
	if len(t.path) > 0 {
		parent := t.path[len(t.path)-1]
		t.low[parent] = min(t.low[parent], t.low[n])
	}
	if t.low[n] != t.index[n] {
		return
	}
	from := len(t.open) - 1
	for t.open[from] != n {
		from--
	}
	nodes := append([]int(nil), t.open[from:]...)
	t.open = t.open[:from]
	for _, m := range nodes {
		t.index[m] = -1
		if len(nodes) > 1 {
			t.f.component[m] = len(t.found)
		}
	}
	if len(nodes) > 1 {
		t.found = append(t.found, nodes)
	}
}
