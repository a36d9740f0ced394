package check

import (
	"testing"
	"time"
)

func checkers() []Checker {
	return []Checker{
		Replay(), Bank(), Set(), Monotonic(), CausalReverse(), Predicate(), Linearizable(), Client(),
	}
}

// judges: a history of counters alone is one for who takes all keys for counters.
func judges(c Checker, load string) bool { return c.Name != "monotonic" || load == "counters" }

// TestCorrectIsAccepted: no checker refuses what a correct store shows, not even one
// that is about something else.
func TestCorrectIsAccepted(t *testing.T) {
	for _, l := range workloads() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(15) {
				h := l.history(t, seed, 300, none)
				for _, c := range checkers() {
					if !judges(c, l.name) {
						continue
					}
					for _, a := range c.Check(h) {
						t.Fatalf("seed %d: %s refuses: %v", seed, c.Name, a)
					}
				}
			}
		})
	}
}

// TestBugsAreFound: what each checker is for, it finds in at least so many of 20
// histories of 300 operations.
func TestBugsAreFound(t *testing.T) {
	for _, c := range []struct {
		load    string
		wrong   bug
		checker string
		least   int
	}{
		{"lists", lost, "replay", 14}, {"lists", dirty, "replay", 14}, {"lists", torn, "replay", 8},
		{"lists", doubled, "replay", 14}, {"lists", stale, "replay", 14}, {"lists", old, "replay", 14},
		{"lists", skewed, "replay", 14}, {"lists", late, "replay", 14}, {"lists", shuffled, "replay", 14},
		{"registers", lost, "replay", 14}, {"registers", dirty, "replay", 14}, {"registers", torn, "replay", 2},
		{"registers", stale, "replay", 14}, {"registers", skewed, "replay", 14}, {"registers", late, "replay", 14},
		{"small", lost, "replay", 14}, {"small", stale, "replay", 14},
		{"bank", lost, "replay", 14}, {"bank", torn, "replay", 9}, {"bank", torn, "bank", 11},
		{"bank", skewed, "bank", 14}, {"bank", skewed, "replay", 14},
		{"set", lost, "set", 14}, {"set", stale, "set", 12}, {"set", late, "set", 12},
		{"counters", lost, "monotonic", 14}, {"counters", skewed, "monotonic", 14}, {"counters", stale, "monotonic", 14},
		{"counters", shuffled, "monotonic", 14},
		{"causes", late, "causal-reverse", 2}, {"causes", lost, "causal-reverse", 11},
		{"rooms", skewed, "predicate", 14}, {"rooms", stale, "predicate", 14}, {"rooms", lost, "predicate", 14},
		{"rooms", late, "predicate", 14}, {"rooms", dirty, "predicate", 14},
		{"registers", skewed, "predicate", 9}, {"registers", stale, "predicate", 14},
		{"cas", lost, "register", 8}, {"cas", stale, "register", 14}, {"cas", skewed, "register", 5},
	} {
		t.Run(c.load+"/"+string(c.wrong)+"/"+c.checker, func(t *testing.T) {
			t.Parallel()
			found, names := 0, map[string]int{}
			for seed := range uint64(20) {
				for _, l := range workloads() {
					if l.name != c.load {
						continue
					}
					all := named(c.checker).Check(l.history(t, seed, 300, c.wrong))
					found += min(len(all), 1)
					for _, a := range all {
						names[a.Name]++
					}
				}
			}
			t.Logf("%s %s %s: %d of 20: %v", c.load, c.wrong, c.checker, found, names)
			if found < c.least {
				t.Errorf("found %d, at least %d", found, c.least)
			}
		})
	}
}

func named(name string) Checker {
	for _, c := range checkers() {
		if c.Name == name {
			return c
		}
	}
	panic("no checker " + name)
}

func BenchmarkCheckers(b *testing.B) {
	for _, l := range workloads() {
		h := l.history(b, 1, 50000, none)
		for _, c := range checkers() {
			if c.Name == "register" || !judges(c, l.name) {
				continue
			}
			b.Run(l.name+"/"+c.Name, func(b *testing.B) {
				for b.Loop() {
					began := time.Now()
					if all := c.Check(h); len(all) > 0 {
						b.Fatal(all[0])
					}
					if took := time.Since(began); took > 2*time.Second {
						b.Errorf("took %v", took)
					}
				}
			})
		}
	}
}
