package depend

// Step is one edge of a cycle, between two transactions.
type Step struct {
	From, To int
	Kind     Kind
	Level    Level
	Why      int
}

// Cycle is steps of which each begins where the one before ended, the first
// where the last one did.
type Cycle struct{ Steps []Step }

// shape is what kind of anomaly a cycle is, the worst first.
type shape uint8

const (
	g0 shape = iota
	g1c
	gSingle
	gNonadjacent
	g2Item
	shapes
)

func (s shape) String() string {
	return [shapes]string{"G0", "G1c", "G-single", "G-nonadjacent", "G2-item"}[s]
}

// Name is that of the anomaly, such as G1c-process.
func (c Cycle) Name() string {
	s, l := c.classify()
	return s.String() + l.suffix()
}

func (c Cycle) classify() (shape, Level) {
	anti, reads, adjacent, level := 0, false, false, Plain
	last := c.Steps[len(c.Steps)-1].Kind
	for _, s := range c.Steps {
		level = max(level, s.Level)
		switch s.Kind {
		case RW:
			anti++
			adjacent = adjacent || last == RW
		case WR:
			reads = true
		}
		last = s.Kind
	}
	switch {
	case anti > 1 && adjacent:
		return g2Item, level
	case anti > 1:
		return gNonadjacent, level
	case anti == 1:
		return gSingle, level
	case reads:
		return g1c, level
	default:
		return g0, level
	}
}

// simple reports whether no transaction is in c twice.
func (c Cycle) simple() bool {
	seen := make(map[int]bool, len(c.Steps))
	for _, s := range c.Steps {
		if seen[s.From] {
			return false
		}
		seen[s.From] = true
	}
	return true
}
