package cell

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func axes() Axes {
	a := Axes{Workloads: []string{"w1", "w2", "w3", "w4", "w5", "w6"},
		Compatible: func(a, b string) bool { return a[0] != b[0] }}
	for i := range 24 {
		a.Nemeses = append(a.Nemeses, Nemesis{Name: fmt.Sprintf("%c%d", 'a'+i%3, i)})
	}
	a.Nemeses = append(a.Nemeses, Nemesis{Name: "ring", Members: 5}, Nemesis{Name: "rate", Reads: "quorum"})
	return a
}

// TestMatrixIsPairwise: every workload meets every nemesis, a third of the cells have two
// faults at once, and what cannot be together is not.
func TestMatrixIsPairwise(t *testing.T) {
	a := axes()
	cells := Matrix(a)
	met, doubles, modes := map[string]bool{}, 0, map[string]int{}
	for i, c := range cells {
		if c.Number != i+1 {
			t.Errorf("cell %d has number %d", i+1, c.Number)
		}
		if c.Double() {
			doubles++
		}
		modes[c.Commit]++
		for _, r := range c.Rounds {
			for _, n := range r {
				met[c.Workload+" "+n] = true
				if n == "ring" && c.Members != 5 || n == "rate" && c.Reads != "quorum" {
					t.Errorf("%s is in %v", n, &c)
				}
			}
			if len(r) == 2 && !a.Compatible(r[0], r[1]) {
				t.Errorf("%v are together in cell %d", r, c.Number)
			}
		}
	}
	if want := len(a.Workloads) * len(a.Nemeses); len(met) != want {
		t.Errorf("%d pairs of workload and nemesis are there, not %d", len(met), want)
	}
	if doubles*4 < len(cells) {
		t.Errorf("%d cells, %d of them with two faults at once", len(cells), doubles)
	}
	if modes["2pc"] < len(cells)/2 || modes["parallel"] < len(cells)/2 {
		t.Errorf("commit modes: %v", modes)
	}
	if again := Matrix(axes()); !slices.EqualFunc(cells, again, func(a, b Plan) bool {
		return a.Command() == b.Command()
	}) {
		t.Error("the matrix is not the same each time")
	}
}

func TestRoundsAreReadAsWritten(t *testing.T) {
	p := Plan{Workload: "bank", Rounds: ParseRounds("kill-leader,delay+pause-leader"), Commit: "2pc",
		Members: 3, Reads: "lease", Seed: 4, Load: Duration(20 * time.Second)}
	const want = "go run ./jepsen --workload bank --faults kill-leader,delay+pause-leader --commit 2pc " +
		"--members 3 --reads lease --seed 4 --load 20s"
	if got := p.Command(); got != want || !p.Double() || len(p.Rounds) != 2 {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	if quick := p.Quick(); quick.Faults() != "kill-leader" || len(p.Rounds) != 2 {
		t.Errorf("%v", quick)
	}
}
