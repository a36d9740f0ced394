package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairnkv/cairn/bench/report"
)

// guardRatio is how slow the new side may be, as a part of the old one.
const guardRatio = 0.9

// runGuard measures this tree and an older commit, by turns: many short rounds, in each of which
// both sides do the same within seconds. What counts is the median of the ratios of single rounds.
// A shared machine gives each round another speed, but seldom in its midst: where single rounds
// have ratios from 0.8 to 1.25, the median of 20 is sure within 0.06, and that of 40 within 0.04.
// The verdict prints between what it is with a probability of 95 %. If that reaches below the
// limit although the median does not, the rounds were too few for what else the machine had to do.
//
// It takes six minutes, and memory and disk for two clusters at a time.
func runGuard(ctx context.Context, args []string) (code int, err error) {
	o := &options{}
	f := o.flags("guard", defaults{
		workloads: []string{"put", "get", "transfer-two-optimistic"}, callers: []int{64}, rounds: 20,
		warm: time.Second, last: 2 * time.Second,
	})
	commit := f.String("against", "",
		"the older commit (default: the one before, or the last one if anything has changed since)")
	least := f.Float64("least", guardRatio, "median of the ratios of rounds below which this fails")
	if err := errors.Join(parse(f, args, 0), o.settle(f)); err != nil {
		return exitUsage, err
	}
	ours, err := o.cairnSide()
	if err != nil {
		return 0, err
	}
	ours.Name = "new"
	tree, err := os.MkdirTemp("", "bench-guard-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tree)) }()
	old, err := o.olderSide(ctx, *commit, tree)
	if err != nil {
		return 0, err
	}
	c, err := o.measure(ctx, []*side{ours, old}, alike(o.runs(), 2), nil)
	if err != nil {
		return 0, err
	}
	if err := c.tell(o); err != nil {
		return 0, err
	}
	return judge(c.say, c.file, *least)
}

// judge says which workloads have become slower than they may.
func judge(say io.Writer, f *report.File, least float64) (code int, err error) {
	ratios, err := f.Ratios()
	if err != nil {
		return 0, err
	}
	if len(ratios) == 0 {
		return 0, errors.New("nothing was compared")
	}
	for i := range ratios {
		r := &ratios[i]
		verdict := "fine"
		switch {
		case !(r.Rounds.Of >= least): // not a number is no pass
			verdict, code = "slower", exitSlower
		case r.Rounds.Low < least:
			verdict = "fine, but too noisy to be sure: more --rounds"
		}
		fmt.Fprintf(say, "%s %s, %d callers: %s of the older commit, at least %.2f: %s\n",
			r.Left.Case.Workload, r.Left.Case.Way, r.Left.Case.Callers, r.Rounds, least, verdict)
	}
	return code, nil
}

// olderSide builds the harness of an older commit from a copy of its tree in a directory. It starts
// the servers of that tree.
func (o *options) olderSide(ctx context.Context, commit, dir string) (*side, error) {
	if commit == "" {
		commit = "HEAD~1"
		if strings.HasSuffix(version("."), "-dirty") {
			commit = "HEAD"
		}
	}
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "--verify",
		commit+"^{commit}").Output()
	if err != nil {
		return nil, fmt.Errorf("--against %s is no commit here: %w", commit, err)
	}
	id := strings.TrimSpace(string(out))
	if err := unpack(ctx, id, dir); err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "bin", "bench")
	if err := build(ctx, dir, "./bench", program); err != nil {
		return nil, fmt.Errorf("commit %s: %w", id, err)
	}
	s := &side{program: program, args: o.cairn.args(), dir: dir, Side: report.Side{
		Name: "old", Version: id, Nodes: o.cairn.nodes(), Durability: o.cairn.durability(),
	}}
	return s.named("bench", o.procs), nil
}

// unpack copies the tree of a commit into a directory.
func unpack(ctx context.Context, commit, dir string) error {
	file := filepath.Join(dir, "tree.tar")
	steps := [][]string{
		{"git", "archive", "--output", file, commit}, {"tar", "-xf", file, "-C", dir},
	}
	for _, words := range steps {
		out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("copy commit %s: %s: %w\n%s", commit, words[0], err, out)
		}
	}
	return os.Remove(file)
}
