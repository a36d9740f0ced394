package depend

import "slices"

// search is how cycles of a shape are found: with an edge of the kind first, and
// then only some kinds, with anti-dependencies apart from each other or not.
type search struct {
	first, rest Kind
	apart       bool
}

var searches = [shapes]search{
	g0:           {first: WW, rest: WW},
	g1c:          {first: WR, rest: WW | WR},
	gSingle:      {first: RW, rest: WW | WR},
	gNonadjacent: {first: RW, rest: WW | WR | RW, apart: true},
	g2Item:       {first: RW, rest: WW | WR | RW},
}

const (
	// foundMax is how many cycles of one name are told.
	foundMax = 8
	// lookedMax and lookedOnceMax bound the edges that are looked at, in all and for one
	// cycle. A graph that has cycles may have very many; after that a longer one has to do.
	lookedMax     = 100_000_000
	lookedOnceMax = 10_000_000
)

// Find names the cycles of g: for each knot of transactions the shortest cycle
// of each shape and level that says more than what was found in it before. Nil
// means that there is none.
func (g *Graph) Find() []Cycle {
	f := newFinder(g)
	if len(f.components(WW|WR|RW|order, InRealTime)) == 0 {
		return nil
	}
	for level := range levels {
		for shape := range shapes {
			f.findAll(shape, level)
		}
	}
	return f.found
}

// finder is one call of Find.
type finder struct {
	*Graph
	found  []Cycle
	looked int
	// told has, by node, the worst shape of the cycles that were found through it so far.
	// Their levels are not above the one that is searched.
	told map[int]shape

	component []int // by node, -1 for one that is in no cycle
	walk      walk
}

func newFinder(g *Graph) *finder {
	f := &finder{Graph: g, told: map[int]shape{}, component: make([]int, len(g.after))}
	f.walk = newWalk(len(g.after))
	return f
}

func (f *finder) findAll(s shape, level Level) {
	how := searches[s]
	n := 0
	for id, nodes := range f.components(how.first|how.rest|order, level) {
		if n == foundMax {
			return
		}
		if f.explained(nodes, s) {
			continue
		}
		c, ok := f.shortest(id, nodes, how, level)
		if !ok && s == g2Item {
			c, ok = f.through(id, slices.Min(nodes), level) // relays have the highest numbers
		}
		if ok {
			f.tell(c)
			n++
		}
	}
}

// explained: a cycle among these is told that says at least as much. Edges are only ever
// added to the graph that is searched, so one of its transactions is enough.
func (f *finder) explained(nodes []int, s shape) bool {
	return slices.ContainsFunc(nodes, func(n int) bool {
		told, ok := f.told[n]
		return ok && told <= s
	})
}

func (f *finder) tell(c Cycle) {
	s, _ := c.classify()
	for _, step := range c.Steps {
		if told, ok := f.told[step.From]; !ok || s < told {
			f.told[step.From] = s
		}
	}
	f.found = append(f.found, c)
}

// shortest looks for short cycles everywhere before it looks for long ones
// anywhere.
func (f *finder) shortest(id int, nodes []int, how search, level Level) (Cycle, bool) {
	enough := min(lookedMax, f.looked+lookedOnceMax)
	for _, lengthMax := range []int{2, 3, 5, 10, len(f.after)} {
		best, found := Cycle{}, false
		for _, n := range nodes {
			for _, e := range f.after[n] {
				if f.looked > enough {
					return best, found
				}
				if e.Kind != how.first || e.Level > level || f.component[e.To] != id {
					continue
				}
				if c, n := f.back(n, e, how, limits{id, level, lengthMax}); n > 0 {
					best, found, lengthMax = c, true, n-1
				}
			}
		}
		if found {
			return best, true
		}
	}
	return Cycle{}, false
}

// through is a cycle of any shape that leads through n: there is one in every component.
func (f *finder) through(id, n int, level Level) (Cycle, bool) {
	how := searches[g2Item]
	for _, e := range f.after[n] {
		if e.Level > level || f.component[e.To] != id {
			continue
		}
		if c, length := f.back(n, e, how, limits{id, level, len(f.after)}); length > 0 {
			return c, true
		}
	}
	return Cycle{}, false
}
