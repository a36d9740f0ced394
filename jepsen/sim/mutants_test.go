//go:build mutants

package sim

import (
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// TestMutants shows that the simulator finds bugs that were planted, and
// after how many seeds.
func TestMutants(t *testing.T) {
	for _, m := range []struct {
		name  mutant.Name
		seeds uint64 // within which it must be found
	}{
		{mutant.AckBeforeSync, 200},
	} {
		t.Run(string(m.name), func(t *testing.T) {
			t.Setenv("CAIRN_MUTANT", string(m.name))
			for seed := uint64(1); seed <= m.seeds; seed++ {
				if r := Run(seed, nil); r.Violation != nil {
					t.Logf("%s is found after %d of %d seeds: %v", m.name, seed, m.seeds, r.Violation)
					return
				}
			}
			t.Errorf("%s is not found in %d seeds", m.name, m.seeds)
		})
	}
}
