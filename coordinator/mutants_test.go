//go:build mutants

package coordinator_test

import (
	"testing"

	"github.com/cairnkv/cairn/internal/mutant"
)

// TestDirected: each bug has a test that is about it, and that fails with it.
func TestDirected(t *testing.T) {
	for _, d := range []struct {
		name mutant.Name
		test string
	}{
		{mutant.T4, "TestTimestampsAreShared"},
		{mutant.V5, "TestStories/read"},
		{mutant.V6, "TestStories/interactive"},
		{mutant.V7, "TestStories/twophase"},
		{mutant.M2, "TestExpiryUnderAWriteBoundsTheCommit"},
		{mutant.A5, "TestStories/parallel/commit"},
	} {
		t.Run(string(d.name), func(t *testing.T) { mutant.Fails(t, d.name, d.test) })
	}
}
