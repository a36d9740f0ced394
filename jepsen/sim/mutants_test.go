//go:build mutants

package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// mutants are the bugs that can be planted, with the number of seeds within
// which the simulator must find each.
var mutants = []struct {
	name  mutant.Name
	seeds uint64
}{
	{mutant.AckBeforeSync, 200},
	{mutant.L1ServeEarly, 3000},
	{mutant.L1StartEarly, 3000},
	{mutant.L3Base, 3000},
	{mutant.L3Age, 3000},
	{mutant.L4, 3000},
	{mutant.L5, 3000},
	{mutant.V3, 3000},
	{mutant.R4, 3000},
	{mutant.R8, 3000},
	{mutant.R8 + "," + mutant.R9, 3000},
	{mutant.R13, 3000},
	{mutant.R14, 3000},
	{mutant.T1, 3000},
	{mutant.T4, 3000},
	{mutant.VoteGate, 3000},
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
