package depend

// Kind is why a transaction comes before another.
type Kind uint8

// The kinds. They are bits, so that a search can allow several.
const (
	WW       Kind = 1 << iota // wrote what the other overwrote
	WR                        // wrote what the other read
	RW                        // read what the other overwrote
	Process                   // came before the other in its process
	RealTime                  // had ended before the other began
	relayed                   // second half of an RW by way of a relay
)

const order = Process | RealTime | relayed

// Level is on what an edge rests: on values alone, or on an order that values do not show.
type Level uint8

// The levels, from the strongest statement to the weakest.
const (
	Plain Level = iota
	InProcess
	InRealTime
	levels
)

func (l Level) suffix() string { return [levels]string{"", "-process", "-realtime"}[l] }

// Edge leads from a transaction that must come before another. Level is that of
// what the edge was inferred from. Why is for who added it.
type Edge struct {
	To    int
	Kind  Kind
	Level Level
	Why   int
}

// Graph has transactions 0 to n-1, and relays.
type Graph struct {
	n     int
	after [][]Edge
}

// New makes a graph of n transactions.
func New(n int) *Graph { return &Graph{n: n, after: make([][]Edge, n)} }

// Add notes that from comes before e.To. What comes before itself is ignored.
func (g *Graph) Add(from int, e Edge) {
	if from != e.To {
		g.after[from] = append(g.after[from], e)
	}
}

// Relay makes a node that is no transaction. All of its readers come before all
// of its writers, by anti-dependency, with an edge for each of them instead of
// one for each pair. Nobody may be both.
func (g *Graph) Relay() int {
	g.after = append(g.after, nil)
	return len(g.after) - 1
}

// AddReader puts a transaction before a relay.
func (g *Graph) AddReader(relay, reader int) {
	g.after[reader] = append(g.after[reader], Edge{To: relay, Kind: RW})
}

// AddWriter puts the transaction e.To behind a relay.
func (g *Graph) AddWriter(relay int, e Edge) {
	e.Kind = relayed
	g.after[relay] = append(g.after[relay], e)
}
