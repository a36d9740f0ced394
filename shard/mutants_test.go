//go:build mutants

package shard

import (
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// TestMutants shows that the crash test finds bugs that were planted, and
// after how many crashes.
func TestMutants(t *testing.T) {
	for _, m := range []struct {
		name  mutant.Name
		seeds uint64 // within which it must be found
	}{
		{mutant.AckBeforeSync, 20},
		{mutant.R13, 5},
		{mutant.R14, 20},
	} {
		t.Run(string(m.name), func(t *testing.T) {
			t.Setenv("CAIRN_MUTANT", string(m.name))
			for seed := uint64(1); seed <= m.seeds; seed++ {
				if err := runCrashes(seed); err != nil {
					t.Logf("%s is found within %d crashes: %v", m.name, seed*crashesPerSeed, err)
					return
				}
			}
			t.Errorf("%s is not found in %d crashes", m.name, m.seeds*crashesPerSeed)
		})
	}
}
