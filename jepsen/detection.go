package main

import (
	"context"
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

// suspects are bugs of every kind that a store like this one has had.
var suspects = []suspect{
	{"L4", "a leader answers reads without a look at its lease", []string{"register"},
		[]string{"deaf-leader", "mute-leader"}, ""},
	{"V4", "validation skips ranges", []string{"predicate"}, []string{"none"}, ""},
	{"ack-before-sync", "writes are acknowledged before the sync", []string{"set", "list-append"},
		[]string{"power-loss-all"}, ""},
	{"C6", "a commit that is tried again is carried out again", []string{"list-append", "bank"},
		[]string{"pause-all", "pause-leader", "gateway-cut"}, ""},
	{"C4", "copies of a request do not know of each other", []string{"list-append", "bank"},
		[]string{"kill-leader", "pause-leader", "transfer-storm"}, ""},
	{"C1", "a prewrite that recovery called missing comes after all", []string{"list-append", "bank"},
		[]string{"delay-one", "kill-gateway", "gateway-cut"}, "parallel"},
	{"R8,R9", "what an earlier leadership evaluated is applied", []string{"list-append"},
		[]string{"transfer-storm", "isolate-one"}, ""},
	{"vote-gate", "members vote while they have a leader", []string{"register"},
		[]string{"deaf-leader", "mute-leader"}, ""},
	{"L1-serve-early", "a new leader serves before it has applied its log",
		[]string{"register", "list-append"}, []string{"kill-leader", "transfer-storm"}, ""},
	{"A10", "a write goes where another transaction has an intent", []string{"list-append", "bank"},
		[]string{"none"}, ""},
	{"max-ts", "a commit is later than what was read stays true", []string{"bank", "list-append"},
		[]string{"none", "transfer-storm"}, ""},
	{"M1", "writes are derived from what others have only prepared", []string{"bank", "list-append"},
		[]string{"none"}, ""},
}

// plan is the n-th cell, from 0, in which a bug is looked for.
func (s *suspect) plan(n int) cell.Plan {
	p := cell.Plan{Workload: s.workloads[n%len(s.workloads)], Commit: s.commit, Members: 3,
		Reads: "lease", Seed: uint64(n + 1), Load: cell.Duration(loadPlanted), Mutant: s.mutant}
	round := s.faults[n%len(s.faults)]
	p.Rounds = cell.ParseRounds(strings.Join([]string{round, round}, ","))
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
// only those of a list of names, if there is one.
func (c *campaign) detect(ctx context.Context, only string) (code int, err error) {
	programs, err := cell.Build(ctx, filepath.Join(c.out, "bin"), true)
	if err != nil {
		return 0, err
	}
	c.strict = false
	var all []caught
	found := 0
	for i := range suspects {
		s := &suspects[i]
		if only != "" && !slices.Contains(strings.Fields(only), s.mutant) {
			continue
		}
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
		if len(v.Anomalies) > 0 {
			f.how, _, _ = strings.Cut(v.Anomalies[0], "\n")
			break
		}
	}
	return f, nil
}
