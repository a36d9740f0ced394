package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Target is what a ratio of two sides has to be at least, or at most. One whose Floor is 0 is no
// target: its ratio is shown beside the one above it, and does not count.
type Target struct {
	Name       string
	Workload   string // of the left side, which is Cairn
	Peer       string // its side; "cairn": Cairn itself, with PeerKeys
	Against    string // the peer's workload, if it has another name
	Way        string
	Callers    int
	Nodes      int // of each side
	Keys       int // 0: any
	PeerKeys   int
	Metric     Metric
	Floor, Aim float64
}

// Metric is what is compared.
type Metric int

// Of operations in a second a target wants more, of the others less.
const (
	PerSecond Metric = iota
	P50
	Memory
)

func (m Metric) String() string { return []string{"ops/s", "p50 ms", "MiB"}[m] }

// suffix tells a metric that the name of a target does not.
func (m Metric) suffix() string {
	if m == P50 {
		return ", p50"
	}
	return ""
}

func (m Metric) of(g *Group) []float64 {
	switch m {
	case P50:
		return g.latencies(50)
	case Memory:
		return g.memory()
	default:
		return g.perSecond()
	}
}

// reaches reports whether a ratio is as good as a limit.
func (m Metric) reaches(ratio, limit float64) bool {
	if m == PerSecond {
		return ratio >= limit
	}
	return ratio <= limit
}

func (m Metric) limit(v float64) string {
	switch {
	case v == 0:
		return ""
	case m == PerSecond:
		return "≥ " + short(v)
	}
	return "≤ " + short(v)
}

// Names of the sides that targets are about.
const (
	cairn = "cairn"
	etcd  = "etcd"
)

// usualKeys are those of targets that name no others: the default of the command.
const usualKeys = 100_000

// Targets are those that the project has set itself.
var Targets = []Target{
	{Name: "put, SDK, 64 callers", Workload: "put", Peer: etcd,
		Way: "stream", Callers: 64, Nodes: 3, Keys: usualKeys, Floor: 3, Aim: 5},
	{Name: "put, SDK, 256 callers", Workload: "put", Peer: etcd,
		Way: "stream", Callers: 256, Nodes: 3, Keys: usualKeys, Floor: 3, Aim: 5},
	{Name: "linearizable get, SDK, 64 callers", Workload: "get", Peer: etcd,
		Way: "stream", Callers: 64, Nodes: 3, Keys: usualKeys, Floor: 4, Aim: 6.5},
	{Name: "linearizable get, SDK, 256 callers", Workload: "get", Peer: etcd,
		Way: "stream", Callers: 256, Nodes: 3, Keys: usualKeys, Floor: 4, Aim: 6.5},
	{Name: "two-key transfer over two shards, SDK, 64 callers",
		Workload: "transfer-two-optimistic", Peer: etcd, Against: "transfer-stm",
		Way: "stream", Callers: 64, Nodes: 3, Keys: usualKeys, Floor: 2.5, Aim: 3.5},
	{Name: "the same against STM with both keys fetched at once",
		Workload: "transfer-two-optimistic", Peer: etcd, Against: "transfer-stm-prefetch",
		Way: "stream", Callers: 64, Nodes: 3},
	{Name: "put, unary, 64 callers", Workload: "put", Peer: etcd,
		Way: "unary", Callers: 64, Nodes: 3, Keys: usualKeys, Floor: 1, Aim: 1.8},
	{Name: "linearizable get, unary, 64 callers", Workload: "get", Peer: etcd,
		Way: "unary", Callers: 64, Nodes: 3, Keys: usualKeys, Floor: 1, Aim: 1.8},
	{Name: "put, one caller", Workload: "put", Peer: etcd,
		Way: "stream", Callers: 1, Nodes: 3, Keys: usualKeys, Metric: P50, Floor: 1, Aim: 0.6},
	{Name: "linearizable get, one caller", Workload: "get", Peer: etcd,
		Way: "stream", Callers: 1, Nodes: 3, Keys: usualKeys, Metric: P50, Floor: 1, Aim: 0.6},
	{Name: "embedded: put, 64 callers", Workload: "put", Peer: etcd,
		Way: "stream", Callers: 64, Nodes: 1, Keys: usualKeys, Floor: 2, Aim: 4},
	{Name: "embedded: linearizable get, 64 callers", Workload: "get", Peer: etcd,
		Way: "stream", Callers: 64, Nodes: 1, Keys: usualKeys, Floor: 2, Aim: 4},
	{Name: "memory after 1M keys", Workload: "put", Peer: etcd, Way: "stream", Callers: 64,
		Nodes: 3, Keys: 1e6, Metric: Memory, Floor: 1.5, Aim: 1},
	{Name: "put at 10M keys against 100k", Workload: "put", Peer: cairn, Way: "stream",
		Callers: 64, Nodes: 3, Keys: 1e7, PeerKeys: 1e5, Floor: 0.7, Aim: 0.9},
	{Name: "get at 10M keys against 100k", Workload: "get", Peer: cairn, Way: "stream",
		Callers: 64, Nodes: 3, Keys: 1e7, PeerKeys: 1e5, Floor: 0.7, Aim: 0.9},
}

// Verdict is what came of a target.
type Verdict struct {
	Target
	Measured    bool
	Left, Right Stat
	Ratio       Quotient
	Errors      int64     // of both sides
	Began       time.Time // of the file it was found in
}

// Met reports whether the floor was reached.
func (v *Verdict) Met() bool {
	return v.Measured && v.Metric.reaches(v.Ratio.Of, v.Floor)
}

// Aimed reports whether the aim was reached, too.
func (v *Verdict) Aimed() bool { return v.Met() && v.Metric.reaches(v.Ratio.Of, v.Aim) }

// word is the verdict. Operations that failed are no throughput, and no latency: whoever reads it
// must know of them.
func (v *Verdict) word() string {
	word := v.reached()
	if v.Errors > 0 {
		word += fmt.Sprintf(", %d errors", v.Errors)
	}
	return word
}

func (v *Verdict) reached() string {
	switch {
	case !v.Measured:
		return "not measured"
	case v.Floor == 0:
		return "shown beside"
	case v.Aimed():
		return "aim reached"
	case v.Met():
		return "floor reached"
	}
	return "**not met**"
}

// Judge looks for each target in the files. The newest one that has both sides counts.
func Judge(targets []Target, files []*File) ([]*Verdict, error) {
	newest := slices.SortedStableFunc(slices.Values(files), func(a, b *File) int {
		return cmp.Compare(b.Began.UnixNano(), a.Began.UnixNano())
	})
	var all []*Verdict
	for _, t := range targets {
		all = append(all, &Verdict{Target: t})
	}
	for _, f := range newest {
		groups, err := f.Groups()
		if err != nil {
			return nil, err
		}
		for _, v := range all {
			if !v.Measured {
				v.judge(f, groups)
			}
		}
	}
	return all, nil
}

func (v *Verdict) judge(f *File, groups []*Group) {
	for _, left := range groups {
		if !v.is(f, left, cairn, v.Workload) || v.Keys > 0 && left.Case.Keys != v.Keys {
			continue
		}
		for _, right := range groups {
			same := left.Case
			if v.PeerKeys > 0 {
				same.Keys = v.PeerKeys
			}
			against := cmp.Or(v.Against, v.Workload)
			if !v.is(f, right, v.Peer, against) || !sameBut(same, right.Case) {
				continue
			}
			l, r := v.Metric.of(left), v.Metric.of(right)
			ratio := quotient(l, r, sameRounds(left, right))
			if math.IsNaN(ratio.Of) {
				continue
			}
			v.Measured, v.Began = true, f.Began
			v.Left, v.Right, v.Ratio = statOf(l), statOf(r), ratio
			ours, _ := left.Errors()
			theirs, _ := right.Errors()
			v.Errors = ours + theirs
			return
		}
	}
}

func (v *Verdict) is(f *File, g *Group, side, workload string) bool {
	s := f.side(g.Side)
	return g.Side == side && s.Nodes == v.Nodes && g.Case.Workload == workload &&
		g.Case.Way == v.Way && g.Case.Callers == v.Callers && g.Case.Rate == 0 && g.Case.Zipf == 0
}

// TargetSummary is TargetTable without the figures that the ratios are made of.
func TargetSummary(verdicts []*Verdict) *Table {
	t := &Table{words: 1, Header: []string{"target", "ratio", "floor", "aim", "reached"}}
	for _, v := range verdicts {
		ratio := ""
		if v.Measured {
			ratio = v.Ratio.String()
		}
		t.add(v.Name+v.Metric.suffix(), ratio, v.Metric.limit(v.Floor), v.Metric.limit(v.Aim), v.word())
	}
	return t
}

// TargetTable says of each target what was reached.
func TargetTable(verdicts []*Verdict) *Table {
	t := &Table{words: 2, Header: []string{"target", "of", "Cairn", "peer", "ratio", "(rounds)",
		"floor", "aim", "reached", "measured"}}
	for _, v := range verdicts {
		row := []string{v.Name, v.Metric.String(), "", "", "", "",
			v.Metric.limit(v.Floor), v.Metric.limit(v.Aim), v.word(), ""}
		if v.Measured {
			row[2], row[3] = short(v.Left.Median), short(v.Right.Median)
			row[4], row[5] = v.Ratio.String(), fmt.Sprintf("(%s)", v.Ratio.Range())
			row[9] = v.Began.UTC().Format(time.DateOnly)
		}
		t.add(row...)
	}
	return t
}
