package main

import (
	"hash/fnv"
	"os/exec"
	"testing"
	"time"

	"github.com/cairnkv/cairn/jepsen/cell"
)

// quickCells is how many cells the quick tier runs.
const quickCells = 2

// TestCells runs two cells of the matrix, cut down to one round and some seconds: those that the
// hash of the commit chooses, or the first ones where there is no git. One that is void is
// reported.
func TestCells(t *testing.T) {
	c := &campaign{out: t.TempDir(), say: t.Output()}
	all := cell.All()
	for _, n := range chosen(t, len(all)) {
		c.plans = append(c.plans, all[n].Quick())
		t.Logf("cell %d; again: go run ./jepsen --cell %d --quick", n+1, n+1)
	}
	programs, err := c.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.plans {
		began := time.Now()
		v, err := c.one(t.Context(), p, programs, "")
		switch {
		case err != nil:
			t.Fatalf("cell %d: %v", p.Number, err)
		case v.Outcome == cell.Failed:
			t.Errorf("cell %d failed", p.Number)
		case v.Outcome == cell.Void:
			t.Logf("cell %d is VOID: it proves nothing", p.Number)
		}
		t.Logf("cell %d took %v", p.Number, time.Since(began).Round(time.Millisecond))
	}
}

// chosen are different cells, by the hash of the commit.
func chosen(t *testing.T, of int) []int {
	t.Helper()
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return []int{0, 1}
	}
	h := fnv.New64a()
	_, _ = h.Write(out)
	first := int(h.Sum64() % uint64(of))
	return []int{first, (first + of/quickCells) % of}
}
