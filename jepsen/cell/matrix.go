package cell

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Axes are what the matrix crosses.
type Axes struct {
	Workloads []string
	Nemeses   []Nemesis
	// Compatible says whether two nemeses can be at work at the same time.
	Compatible func(a, b string) bool
}

// Nemesis is what the matrix has to know of one.
type Nemesis struct {
	Name    string
	Members int    // how many it needs; 0: 3 or 5
	Reads   string // the --reads that it needs; empty: any
}

const (
	roundsEach = 4 // of a cell
	loadLong   = 22 * time.Second
	loadQuick  = 12 * time.Second
	// matrixSeed makes the matrix: cells keep their numbers.
	matrixSeed = 20261122
)

// Matrix is cells in which every workload meets every nemesis once at least. Every other
// one has two faults at once in its rounds; commit modes take turns.
func Matrix(a Axes) []Plan {
	chance := rand.New(rand.NewPCG(matrixSeed, 1))
	var all []Plan
	for _, w := range a.Workloads {
		rest := slices.Clone(a.Nemeses)
		chance.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		for len(rest) > 0 {
			p := Plan{Workload: w, Load: Duration(loadLong)}
			rest = a.fill(&p, rest, len(all)%2 == 1)
			all = append(all, p)
		}
	}
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		all[i].Number, all[i].Seed = i+1, uint64(i+1)
		all[i].Commit = [...]string{"2pc", "parallel"}[i%2]
		all[i].Members = max(all[i].Members, 3)
		if all[i].Reads == "" {
			all[i].Reads = "lease"
		}
	}
	return all
}

// fill makes rounds of one or two nemeses each, and returns those that are left.
func (a Axes) fill(p *Plan, rest []Nemesis, double bool) []Nemesis {
	take := func(fits func(Nemesis) bool) (string, bool) {
		i := slices.IndexFunc(rest, func(n Nemesis) bool { return p.suits(n) && fits(n) })
		if i < 0 {
			return "", false
		}
		n := rest[i]
		rest = slices.Delete(rest, i, i+1)
		p.Members = max(p.Members, n.Members)
		p.Reads = cmp.Or(p.Reads, n.Reads)
		return n.Name, true
	}
	for len(p.Rounds) < roundsEach {
		first, ok := take(func(Nemesis) bool { return true })
		if !ok {
			break
		}
		round := Round{first}
		if double {
			second, ok := take(func(n Nemesis) bool { return a.Compatible(first, n.Name) })
			if ok {
				round = append(round, second)
			}
		}
		p.Rounds = append(p.Rounds, round)
	}
	return rest
}

// suits says whether n can be in a cell with those that are in it already.
func (p *Plan) suits(n Nemesis) bool {
	return (n.Members == 0 || p.Members == 0 || n.Members == p.Members) &&
		(n.Reads == "" || p.Reads == "" || n.Reads == p.Reads)
}

// Quick is a cell cut down to one fault and some seconds, for the quick tier.
func (p Plan) Quick() Plan {
	p.Rounds, p.Load = []Round{p.Rounds[0][:1]}, Duration(loadQuick)
	return p
}
