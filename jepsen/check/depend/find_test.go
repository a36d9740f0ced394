package depend

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// edges makes a graph of text such as "0 ww 1, 1 rw 0 realtime"; "r" is the one relay.
func edges(t testing.TB, n int, text string) *Graph {
	t.Helper()
	g := New(n)
	relay := g.Relay()
	kinds := map[string]Kind{"ww": WW, "wr": WR, "rw": RW, "process": Process, "time": RealTime}
	node := func(s string) int { return strings.Index("0123456789ab", s) }
	for i, e := range strings.Split(text, ", ") {
		f := append(strings.Fields(e), "")
		level := map[string]Level{"": Plain, "inprocess": InProcess, "realtime": InRealTime}[f[3]]
		switch f[1] {
		case "process":
			level = InProcess
		case "time":
			level = InRealTime
		}
		switch {
		case f[2] == "r":
			g.AddReader(relay, node(f[0]))
		case f[0] == "r":
			g.AddWriter(relay, Edge{To: node(f[2]), Level: level, Why: i})
		default:
			g.Add(node(f[0]), Edge{To: node(f[2]), Kind: kinds[f[1]], Level: level, Why: i})
		}
	}
	return g
}

func TestFind(t *testing.T) {
	for _, tc := range []struct{ want, edges string }{
		{"", "0 ww 1, 1 ww 2, 0 rw 2, 0 ww 0"},
		{"G0", "0 ww 1, 1 ww 0"},
		{"G1c", "0 ww 1, 1 wr 0"},
		{"G-single", "0 ww 1, 1 wr 2, 2 rw 0"},
		{"G-nonadjacent", "0 rw 1, 1 wr 2, 2 rw 3, 3 ww 0"},
		{"G2-item", "0 rw 1, 1 rw 0"},
		{"G2-item", "0 rw 1, 1 rw 2, 2 wr 0"},
		{"G2-item", "0 rw 1, 1 wr 2, 2 rw 0"},
		{"G0-process", "0 ww 1, 1 process 0"},
		{"G0-realtime", "0 ww 1, 1 process 2, 2 time 0"},
		{"G1c-realtime", "0 ww 1, 1 wr 0 realtime"},
		{"G-single-process", "0 rw 1, 1 process 0"},
		{"G-nonadjacent-realtime", "0 rw 1, 1 time 2, 2 rw 3, 3 process 0"},
		{"G2-item-realtime", "0 rw 1, 1 rw 2, 2 time 0"},
		{"G-single", "0 rw r, r rw 1, 1 wr 0, 2 rw r, r rw 3"},
		{"G-single-realtime", "0 rw r, r rw 1 realtime, 1 wr 0"},
		{"G2-item", "0 rw r, r rw 1, 1 rw 0"},
		{"G0 G1c", "0 ww 1, 1 ww 0, 2 ww 3, 3 wr 2"},                        // two knots
		{"G0", "0 ww 1, 1 ww 0, 0 wr 1, 1 wr 0, 0 rw 1, 1 time 0"},          // the worst of one
		{"G2-item G-single-realtime", "0 rw 1, 1 rw 0, 1 ww 2, 2 time 0"},   // neither says more
		{"G-single", "0 rw 1, 1 wr 0, 0 ww 2, 2 ww 3, 3 rw 0, 1 process 0"}, // nor needs the process
	} {
		var got []string
		for _, c := range edges(t, 4, tc.edges).Find() {
			got = append(got, c.Name())
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("found %q, want %q in %s", got, tc.want, tc.edges)
		}
	}
}

func TestFindTellsTheShortest(t *testing.T) {
	for _, tc := range []struct {
		edges        string
		length, from int // its length, and the first of its edges, which are told in a row
	}{
		{"0 ww 1, 1 ww 2, 2 ww 3, 3 wr 0, 3 wr 4, 4 wr 5, 5 ww 3", 3, 4},
		{"0 wr 1, 1 wr 2, 2 wr 3, 3 wr 4, 4 wr 0, 0 wr 5, 5 wr 6, 6 wr 7, 7 wr 0, " +
			"0 wr 8, 8 wr 9, 9 wr a, a wr b, b wr 0", 4, 5},
	} {
		found := edges(t, 12, tc.edges).Find()
		if len(found) != 1 || len(found[0].Steps) != tc.length {
			t.Fatalf("%+v", found)
		}
		for _, s := range found[0].Steps {
			if s.Why < tc.from || s.Why >= tc.from+tc.length {
				t.Errorf("the reason of %+v is another's", s)
			}
		}
	}
}

// TestFindAgainstAll compares with all cycles of small graphs: what is found is one of them, and
// for each of them one is found that says at least as much.
func TestFindAgainstAll(t *testing.T) {
	with := 0
	for seed := range uint64(4000) {
		chance := rand.New(rand.NewPCG(seed, 1))
		g := New(5)
		for range 1 + chance.IntN(9) {
			kind := []Kind{WW, WR, RW, RW, Process, RealTime}[chance.IntN(6)]
			level := Level(chance.IntN(5) / 2)
			switch kind {
			case Process:
				level = InProcess
			case RealTime:
				level = InRealTime
			}
			g.Add(chance.IntN(5), Edge{To: chance.IntN(5), Kind: kind, Level: level})
		}
		all := allCycles(g)
		found := g.Find()
		for _, c := range found {
			if !c.simple() || !within(g, c) {
				t.Fatalf("seed %d: %+v is no cycle", seed, c)
			}
		}
		if len(all) > 0 {
			with++
		}
		for _, c := range all {
			s, l := c.classify()
			if (s == g0 || s == g1c) && onlyOrder(c) {
				continue // no order goes round: a test's graph may
			}
			better := false
			for _, f := range found {
				fs, fl := f.classify()
				better = better || fs <= s && fl <= l
			}
			if !better {
				t.Fatalf("seed %d: %s is there, found is %+v", seed, c.Name(), found)
			}
		}
	}
	if with < 1000 {
		t.Errorf("only %d graphs have a cycle", with)
	}
}

func onlyOrder(c Cycle) bool {
	for _, s := range c.Steps {
		if s.Kind&order == 0 {
			return false
		}
	}
	return true
}

func within(g *Graph, c Cycle) bool {
	for i, s := range c.Steps {
		next := c.Steps[(i+1)%len(c.Steps)]
		there := false
		for _, e := range g.after[s.From] {
			there = there || e.To == s.To && e.Kind == s.Kind && e.Level == s.Level
		}
		if !there || next.From != s.To {
			return false
		}
	}
	return true
}

// allCycles are those of g without relays, each from its lowest node.
func allCycles(g *Graph) []Cycle {
	var all []Cycle
	var path []Step
	on := make([]bool, g.n)
	var walk func(root, at int)
	walk = func(root, at int) {
		for _, e := range g.after[at] {
			step := Step{at, e.To, e.Kind, e.Level, e.Why}
			if e.To == root {
				all = append(all, Cycle{append(append([]Step(nil), path...), step)})
			}
			if e.To <= root || on[e.To] {
				continue
			}
			on[e.To] = true
			path = append(path, step)
			walk(root, e.To)
			path = path[:len(path)-1]
			on[e.To] = false
		}
	}
	for root := range g.n {
		walk(root, root)
	}
	return all
}

// TestFindEnds: a graph in which everything is in cycles with everything is no reason to search
// for ever, and something is found in it.
func TestFindEnds(t *testing.T) {
	const n = 3000
	g := New(n)
	chance := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		g.Add(i, Edge{To: (i + 1) % n, Kind: RW})
		for range 20 {
			g.Add(i, Edge{To: chance.IntN(n), Kind: RW, Level: InRealTime})
		}
	}
	began := time.Now()
	found := g.Find()
	t.Logf("%d cycles, %v", len(found), time.Since(began))
	if len(found) == 0 {
		t.Error("nothing found")
	}
}
