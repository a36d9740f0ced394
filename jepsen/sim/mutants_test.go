//go:build mutants

package sim

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
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
	{mutant.L1StartEarly, 12000},
	{mutant.L3Base, 3000},
	{mutant.L3Age, 1000},
	{mutant.MaxTS, 500},
	{mutant.L4, 200},
	{mutant.L5, 1000},
	{mutant.V3, 3000},
	{mutant.V4, 1000},
	{mutant.V5, 500},
	{mutant.V6, 500},
	{mutant.V7, 6000},
	{mutant.R4, 500},
	{mutant.R8, 100},
	{mutant.R8 + "," + mutant.R9, 15000},
	{mutant.R13, 20},
	{mutant.R14, 1000},
	{mutant.T1, 3000},
	{mutant.T4, 500},
	{mutant.T6, 1500},
	{mutant.VoteGate, 4000},
	{mutant.C1, 3000},
	{mutant.C4, 500},
	{mutant.C6, 100},
	{mutant.C7, 3000},
	{mutant.C8, 8000},
	{mutant.C12, 1000},
	{mutant.C12Window, 3000},
	{mutant.C12Since, 3000},
	{mutant.M1, 500},
	{mutant.M2, 6000},
	{mutant.M6, 1000},
	{mutant.M14, 1000},
	{mutant.K2, 8000},
	{mutant.A1, 6000},
	{mutant.A2, 3000},
	{mutant.A3, 100},
	{mutant.A4, 2000},
	{mutant.A5, 3000},
	{mutant.A6, 8000},
	{mutant.A7, 8000},
	{mutant.A10, 200},
	{mutant.A11, 3000},
	{mutant.A12, 1000},
	{mutant.A12Latch, 1000},
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

// TestMutantsAreAll: every bug that can be planted is looked for here, alone or
// with another one.
func TestMutantsAreAll(t *testing.T) {
	// They cost aborts, which nobody can see.
	looked := map[string]bool{string(mutant.K3): true, string(mutant.F7): true}
	for _, m := range mutants {
		for name := range strings.SplitSeq(string(m.name), ",") {
			looked[name] = true
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/mutant/doc.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, value := range spec.Values {
			name, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if n++; err != nil || !looked[name] {
				t.Errorf("%s is not looked for (%v)", name, err)
			}
		}
		return true
	})
	if n < 30 {
		t.Errorf("only %d bugs can be planted", n)
	}
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
