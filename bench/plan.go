package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/report"
)

// Limits of a plan.
const (
	roundsMax = 100
	runsMax   = 10_000
)

// matrix is what is measured: every combination.
type matrix struct {
	workloads []string
	ways      []string
	callers   []int
	keys      []int
	widths    []int
	bytes     []int
	zipf      float64
	rate      float64
	warm      time.Duration
	last      time.Duration
	seed      uint64
}

func (m *matrix) validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, n := range m.callers {
		wrong(n < 1 || n > load.CallersMax, "--callers %d: 1 to %d", n, load.CallersMax)
	}
	for _, n := range m.keys {
		wrong(n < 1, "--keys %d: at least 1", n)
	}
	for _, n := range m.widths {
		wrong(n < 0, "--width %d: at least 0, which is the workload's own", n)
	}
	for _, n := range m.bytes {
		wrong(n < 1, "--value-bytes %d: at least 1", n)
	}
	for _, way := range m.ways {
		wrong(way != "stream" && way != "unary", "--way %q: stream or unary", way)
	}
	wrong(len(m.workloads) == 0, "--workload: at least one")
	wrong(m.rate < 0, "--rate %v: at least 0, which is a closed loop", m.rate)
	wrong(m.zipf < 0, "--zipf %v: at least 0, which is uniform", m.zipf)
	wrong(m.warm < 0, "--warm %s: at least 0", m.warm)
	wrong(m.last <= 0, "--last %s: longer than nothing", m.last)
	return errors.Join(errs...)
}

// runs are all of the matrix. More callers come later: they leave the larger heap behind.
func (m *matrix) runs() []load.Run {
	all := []load.Run{{Rate: m.rate, Warm: m.warm, Last: m.last, Zipf: m.zipf, Seed: m.seed}}
	all = each(all, m.keys, func(r *load.Run, n int) { r.Keys = n })
	all = each(all, m.bytes, func(r *load.Run, n int) { r.ValueBytes = n })
	all = each(all, m.workloads, func(r *load.Run, name string) { r.Workload = name })
	all = each(all, m.ways, func(r *load.Run, way string) { r.Way = way })
	all = each(all, m.widths, func(r *load.Run, n int) { r.Width = n })
	return each(all, m.callers, func(r *load.Run, n int) { r.Callers = n })
}

// each makes of every run one for each value.
func each[T any](runs []load.Run, values []T, set func(*load.Run, T)) (all []load.Run) {
	for _, r := range runs {
		for _, v := range values {
			set(&r, v)
			all = append(all, r)
		}
	}
	return all
}

// turn is a run of one side.
type turn struct {
	side int // by its place in the campaign
	run  load.Run
}

// comparison is the turns that are taken one right after the other.
type comparison []turn

// alike makes comparisons of runs that all sides do under the same name.
func alike(runs []load.Run, sides int) (all []comparison) {
	for _, r := range runs {
		var c comparison
		for side := range sides {
			c = append(c, turn{side, r})
		}
		all = append(all, c)
	}
	return all
}

// against makes comparisons of two sides. A workload may have other names on the right; it is
// compared with each of them.
func against(runs []load.Run, names map[string][]string) (all []comparison, pairs []report.Pair) {
	for _, r := range runs {
		c := comparison{{0, r}}
		others := names[r.Workload]
		if others == nil {
			others = []string{r.Workload}
		}
		for _, other := range others {
			pair := report.Pair{Left: r.Workload, Right: other}
			if other != r.Workload && !slices.Contains(pairs, pair) {
				pairs = append(pairs, pair)
			}
			right := r
			right.Workload = other
			c = append(c, turn{1, right})
		}
		all = append(all, c)
	}
	return all, pairs
}

// step is a turn in a round.
type step struct {
	turn
	round int // from 1
}

// plan is the order of all turns. Who begins changes from comparison to comparison and from round
// to round, so that no side is always the one that finds a warm, or a throttled, machine. Each
// round has a seed of its own, which all sides share.
func plan(rounds int, comparisons []comparison) (steps []step, err error) {
	if rounds < 1 || rounds > roundsMax {
		return nil, fmt.Errorf("--rounds %d: 1 to %d", rounds, roundsMax)
	}
	for round := 1; round <= rounds; round++ {
		for i, c := range comparisons {
			turns := slices.Clone(c)
			if (round+i)%2 == 0 {
				slices.Reverse(turns)
			}
			for _, t := range turns {
				t.run.Seed += uint64(round - 1)
				steps = append(steps, step{t, round})
			}
		}
	}
	if len(steps) > runsMax {
		return nil, fmt.Errorf("%d runs, at most %d: fewer rounds, workloads or callers",
			len(steps), runsMax)
	}
	return steps, nil
}
