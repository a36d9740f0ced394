//go:build mutants

package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// mutants are the bugs that can be planted, with the number of seeds within
// which the simulator must find each. R9 alone does no harm: a leadership that
// ends drops what it has not proposed, and R8 keeps the rest from travelling. A
// leaderStartTS that is fetched after the election, but before an entry of the own
// term is applied, does none either: by then no lease and no round lets the last
// leader serve.
var mutants = []struct {
	name  mutant.Name
	seeds uint64
}{
	{mutant.AckBeforeSync, 50},
	{mutant.L1ServeEarly, 1000},
	{mutant.L1StartEarly, 1500},
	{mutant.L3Base, 3000},
	{mutant.L3Age, 1000},
	{mutant.L4, 200},
	{mutant.L5, 1000},
	{mutant.V3, 3000},
	{mutant.R4, 500},
	{mutant.R8, 100},
	{mutant.R8 + "," + mutant.R9, 8000},
	{mutant.R13, 20},
	{mutant.R14, 100},
	{mutant.T1, 3000},
	{mutant.T4, 300},
	{mutant.VoteGate, 4000},
	{mutant.C1, 3000},
	{mutant.C7, 3000},
	{mutant.C8, 3000},
	{mutant.A6, 8000},
	{mutant.A7, 8000},
}

// TestMutants shows that the simulator finds bugs that were planted, and
// after how many seeds.
func TestMutants(t *testing.T) {
	var table strings.Builder
	for _, m := range mutants {
		t.Run(string(m.name), func(t *testing.T) {
			t.Setenv("CAIRN_MUTANT", string(m.name))
			found := firstViolation(m.seeds)
			if found == nil {
				t.Errorf("%s is not found in %d seeds", m.name, m.seeds)
				fmt.Fprintf(&table, "  %-16s   none of %5d\n", m.name, m.seeds)
				return
			}
			what, _, _ := strings.Cut(found.Violation.Error(), "\n")
			t.Logf("%s is found by seed %d", m.name, found.Seed)
			fmt.Fprintf(&table, "  %-16s  %5d of %5d  %s\n", m.name, found.Seed, m.seeds, what)
		})
	}
	t.Logf("planted bug, seeds until it was found, bound, what was seen:\n%s", table.String())
}

// firstViolation is the first of the seeds from 1 to n that breaks.
func firstViolation(n uint64) *Report {
	for seed := uint64(1); seed <= n; seed++ {
		if r := Run(seed, nil); r.Violation != nil {
			return r
		}
	}
	return nil
}
