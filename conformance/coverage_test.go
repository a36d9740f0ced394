package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// traps are those of other systems that cases are for: each is a place where one of them lost,
// doubled or mixed up something.
var traps = map[int]string{
	1:  "a set without a time to live clears the old one",
	2:  "an extend keeps the revision, adds a time to live where there was none, and 0 removes it",
	3:  "a delete of a missing key: false, no revision, no event",
	4:  "after a delete the old revision can still be read",
	5:  "the revision of the deletion itself is not found",
	6:  "a set under nx after a delete goes on numbering",
	7:  "an answer that nothing was set has the current revision",
	8:  `cmp "" does not match a missing key`,
	9:  "cmprev -1 is: create only",
	10: "an expired key: nx succeeds, xx fails, increments begin anew",
	11: "a read of more than a page has pages, and is never cut silently",
	12: "a scan inside a transaction works",
	13: "an optimistic read of a bucket detects phantoms",
	20: "a repeat of what was unknown answers the first outcome",
	22: "an int above 2^53 survives every way in",
	23: "globs are case-sensitive, and escapes work",
	24: "the list of missing keys is sorted and complete",
}

// elsewhere are traps that no case is for, and the test that covers them or the reason why not.
var elsewhere = map[int]string{
	14: "locks are not built yet",
	15: "locks are not built yet",
	16: "locks are not built yet",
	17: "sequences are not built yet",
	18: "shards are not split while they serve",
	19: "jepsen/pause_test.go: TestClusterLeaderPaused",
	21: "watches are not built yet",
}

const trapsMax = 24

func TestTraps(t *testing.T) {
	covered := make(map[int][]string)
	for _, c := range cases(t) {
		for _, n := range c.Traps {
			covered[n] = append(covered[n], c.Name)
		}
	}
	for n := 1; n <= trapsMax; n++ {
		where, left := elsewhere[n]
		switch {
		case traps[n] != "" && len(covered[n]) == 0:
			t.Errorf("trap %d, %q, has no case", n, traps[n])
		case traps[n] == "" && len(covered[n]) > 0:
			t.Errorf("trap %d is covered by %v and not in the table", n, covered[n])
		case traps[n] == "" && !left:
			t.Errorf("trap %d is neither covered nor left out", n)
		}
		if file, test, ok := strings.Cut(where, ": "); ok {
			text, err := os.ReadFile(filepath.Join("..", file))
			if err != nil || !strings.Contains(string(text), "func "+test+"(") {
				t.Errorf("trap %d: there is no %s in %s", n, test, file)
			}
		}
	}
}

// inexpressible is how many cases each way in may leave out. The numbers only go down.
var inexpressible = map[string]int{"connect": 1, "grpc": 1, "http": 20, "cli": 57, "sdk": 8}

// TestInexpressible prints what a way in leaves out, and keeps the list from growing.
func TestInexpressible(t *testing.T) {
	for _, name := range sortedNames(ways) {
		w := ways[name](t, "http://127.0.0.1:1")
		left := 0
		for _, c := range cases(t) {
			for _, s := range c.Steps {
				if why := w.cannot(s); why != "" {
					t.Logf("%s: %s: %s (%s)", name, c.Name, why, s.Text)
					left++
					break
				}
			}
		}
		switch bound := inexpressible[name]; {
		case left > bound:
			t.Errorf("%s leaves out %d cases, at most %d", name, left, bound)
		case left < bound:
			t.Errorf("%s leaves out %d cases, no longer %d: write that down", name, left, bound)
		}
	}
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// TestNames: names are unique, and a case has steps and says what it is about.
func TestNames(t *testing.T) {
	var seen []string
	for _, c := range cases(t) {
		if slices.Contains(seen, c.Name) {
			t.Errorf("two cases are called %s", c.Name)
		}
		seen = append(seen, c.Name)
		if len(c.Steps) == 0 || !strings.HasSuffix(c.About, ".") {
			t.Errorf("%s has %d steps and is about %q", c.Name, len(c.Steps), c.About)
		}
	}
	if len(seen) < 150 {
		t.Errorf("there are %d cases", len(seen))
	}
}

// TestSamples: what the manuals of the systems that this one is measured by show has a case here.
func TestSamples(t *testing.T) {
	names := make(map[string]bool)
	for _, c := range cases(t) {
		names[c.Name] = true
	}
	for sample, list := range samples {
		for name := range strings.FieldsSeq(list) {
			if !names[name] {
				t.Errorf("%s: there is no case %s", sample, name)
			}
		}
	}
}
