package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/cell"
)

const (
	cellsMax  = 5  // that a planted bug may need
	caughtMin = 11 // of all planted bugs
	// loadPlanted is how long the load of a cell with a planted bug lasts.
	loadPlanted = 15 * time.Second
)

// suspect is a planted bug, and where it is looked for.
type suspect struct {
	mutant string // of internal/mutant
	what   string
	// Workloads and rounds of faults take turns: the first cell has the first of each.
	workloads []string
	faults    []string
	commit    string // both in turn if empty
}

// suspects are bugs of every kind that a store like this one has had. F7 is none: with it a
// coordinator is taken for dead as soon as somebody meets what it has left, which costs aborts and
// makes recoveries, that otherwise are rare, as frequent as conflicts.
var suspects = []suspect{
	{"L4", "a leader answers reads without a look at its lease", []string{"register"},
		[]string{"deaf-leader", "mute-leader"}, ""},
	{"T1", "a leader whose term may be over issues timestamps", []string{"register"},
		[]string{"deaf-leader", "mute-leader"}, ""},
	{"V4", "validation skips ranges", []string{"predicate"}, []string{"none"}, ""},
	{"V5", "validation takes a limited range for shorter than it was", []string{"predicate"},
		[]string{"none"}, ""},
	{"ack-before-sync", "writes are acknowledged before the sync", []string{"set", "list-append"},
		[]string{"power-loss-all"}, ""},
	{"C12", "a request that is tried again is carried out again", []string{"list-append", "bank"},
		[]string{"clients-cut", "kill-gateway"}, ""},
	{"C1,F7", "a prewrite that recovery called missing comes after all", []string{"bank"},
		[]string{"delay-gateway"}, "parallel"},
	{"A10", "a write goes where another transaction has an intent", []string{"list-append", "bank"},
		[]string{"none"}, ""},
	{"A12", "what was only read may change before the decision", []string{"list-append", "bank"},
		[]string{"none"}, ""},
	{"max-ts", "a commit is later than what was read stays true", []string{"bank", "list-append"},
		[]string{"none", "transfer-storm"}, ""},
	{"M1", "writes are derived from what others have only prepared", []string{"bank", "list-append"},
		[]string{"none"}, ""},
	{"M14", "a scan takes its versions from before its intents", []string{"predicate"},
		[]string{"none"}, ""},
}

// plan is the n-th cell, from 0, in which a bug is looked for.
func (s *suspect) plan(n int) cell.Plan {
	p := cell.Plan{Workload: s.workloads[n%len(s.workloads)], Commit: s.commit, Members: 3,
		Reads: "lease", Seed: uint64(n + 1), Load: cell.Duration(loadPlanted), Mutant: s.mutant}
	round := s.faults[n%len(s.faults)]
	p.Rounds = cell.ParseRounds(strings.Join([]string{round, round, round}, ","))
	if p.Commit == "" {
		p.Commit = [...]string{"2pc", "parallel"}[n%2]
	}
	return p
}

// caught is how a planted bug was found.
type caught struct {
	s     *suspect
	cells int
	took  time.Duration
	how   string // the first anomaly; empty: it was not found
}

// detect plants one bug after the other, each until it is found or cellsMax cells have passed;
// only those of a list of names, if there is one. First comes a cell without any.
func (c *campaign) detect(ctx context.Context, only string) (code int, err error) {
	looked, err := lineUp(strings.Fields(only))
	if err != nil {
		return 0, err
	}
	programs, err := cell.Build(ctx, filepath.Join(c.out, "bin"), true)
	if err != nil {
		return 0, err
	}
	c.strict = false
	if err := c.innocent(ctx, programs); err != nil {
		return 0, err
	}
	var all []caught
	found := 0
	for _, s := range looked {
		f, err := c.hunt(ctx, s, programs)
		if err != nil {
			return 0, err
		}
		if all = append(all, f); f.how != "" {
			found++
		}
	}
	fmt.Fprintf(c.say, "\nplanted bug, cells and seconds until it was found, by what:\n")
	for _, f := range all {
		how := f.how
		if how == "" {
			how = "NOT FOUND"
		}
		fmt.Fprintf(c.say, "  %-16s %d cells  %4.0f s  %s (%s)\n", f.s.mutant, f.cells,
			f.took.Seconds(), how, f.s.what)
	}
	least := min(caughtMin, len(all))
	fmt.Fprintf(c.say, "%d of %d found; %d are wanted\n", found, len(all), least)
	if found < least {
		return exitAnomaly, nil
	}
	return 0, nil
}

// lineUp is the suspects of these names; all if there are none.
func lineUp(names []string) (some []*suspect, err error) {
	for i := range suspects {
		if len(names) == 0 || slices.Contains(names, suspects[i].mutant) {
			some = append(some, &suspects[i])
		}
	}
	if len(names) > 0 && len(some) != len(names) {
		return nil, fmt.Errorf("--mutants looks for no such bugs: %v", names)
	}
	return some, nil
}

// innocent runs a cell of the same programs without a bug: what is found in it would be
// found in all.
func (c *campaign) innocent(ctx context.Context, programs cell.Programs) error {
	p := (&suspect{workloads: []string{"list-append"}, faults: []string{"none"}}).plan(0)
	v, err := c.one(ctx, p, programs, "-innocent")
	if err == nil && v.Outcome == cell.Failed {
		err = errors.New("a cell failed in which no bug was planted")
	}
	return err
}

// hunt runs cells with one bug. Only an anomaly counts, or a process that its own
// assertions have ended: not that a cell was slow.
func (c *campaign) hunt(
	ctx context.Context, s *suspect, programs cell.Programs,
) (caught, error) {
	f := caught{s: s}
	began := time.Now()
	for n := range cellsMax {
		v, err := c.one(ctx, s.plan(n), programs, "")
		if err != nil {
			return f, err
		}
		f.cells, f.took = n+1, time.Since(began)
		if seen := slices.Concat(v.Anomalies, v.Ended); len(seen) > 0 {
			f.how, _, _ = strings.Cut(seen[0], "\n")
			break
		}
	}
	return f, nil
}
