package cell

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/check/cycle"
	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/jepsen/workload"
)

const (
	historyFile  = "history.jsonl"
	porcupineMax = 20 * time.Second // for all registers
	picturesMax  = 3
	pictureMax   = 2 * time.Second // for porcupine to find what it draws
	undecidedMax = 0.1             // of the registers, but always one
	externalMax  = 2 * time.Minute
	foundMin     = 0.1 // of the committed operations: their reads found something
	observedMin  = 0.2 // of what was written: somebody else must have read it
	toldMin      = 0.5 // of the reads: the cycle checker knows whose write they found
	triedMin     = 100 // operations of a mode, or by a gateway: one must have committed
	anomaliesMax = 20  // told of each checker
)

// checkers are those that fit a workload. All workloads are judged by replay and by what clients
// say, too, and registers by porcupine (see registers).
var checkers = map[string][]check.Checker{
	"list-append":    {cycle.Unique()},
	"predicate":      {check.Predicate()},
	"bank":           {check.Bank()},
	"set":            {check.Set()},
	"register":       {cycle.Unique()},
	"monotonic":      {check.Monotonic(), cycle.Checker()},
	"causal-reverse": {check.CausalReverse()},
}

// Checkers are all that judge a workload.
func Checkers(workload string) []check.Checker {
	return append(slices.Clone(checkers[workload]), check.Replay(), check.Client())
}

// AllCheckers are those of all workloads, each once.
func AllCheckers() []check.Checker {
	all := []check.Checker{check.Linearizable()}
	for _, w := range workload.All() {
		for _, c := range Checkers(w.Name) {
			if !slices.ContainsFunc(all, func(have check.Checker) bool { return have.Name == c.Name }) {
				all = append(all, c)
			}
		}
	}
	return all
}

// judge runs everything that can find something wrong.
func (r *run) judge(ctx context.Context) {
	if err := r.out.Close(); err != nil {
		r.v.problem("%v", err)
	}
	events, err := r.rec.Events()
	h, err2 := check.New(events)
	if err := errors.Join(err, err2); err != nil {
		r.v.problem("there is no history to judge: %v", err)
		return
	}
	r.count(h)
	if r.probes == nil {
		return // there was no load
	}
	if err := r.draw(h); err != nil {
		r.v.note("no timeline: %v", err)
	}
	all := Checkers(r.w.Name)
	if err := check.Controls(append(all, check.Linearizable())); err != nil {
		r.v.problem("a checker accepts what is wrong, or refuses what is right: %v", err)
	}
	for _, c := range all {
		found := c.Check(h)
		r.v.anomalies(c.Name, found[:min(len(found), anomaliesMax)])
	}
	r.reached(h)
	r.registers(h)
	r.external(ctx)
	r.recovery()
}

// reached says how far the cycle checker got. Where several may have written the same it does not
// know whose was read: too much of that, and it has judged nothing.
func (r *run) reached(h *check.History) {
	isCycle := func(c check.Checker) bool { return c.Name == "cycle" }
	if !slices.ContainsFunc(checkers[r.w.Name], isCycle) {
		return
	}
	got := cycle.Reached(h)
	r.v.note("cycle: %d of %d keys judged; %d of %d reads tell whose write they found",
		got.Judged, got.Keys, got.Told, got.Reads)
	if got.Told == 0 || ratio(got.Told, got.Reads) < toldMin {
		r.v.problem("the cycle checker knows of %d of %d reads whose write they found",
			got.Told, got.Reads)
	}
}

// registers asks porcupine about each register, and draws some. Those that it could not decide in
// time prove nothing; too many of them, and the cell proves nothing.
func (r *run) registers(h *check.History) {
	if r.w.Name != "register" {
		return
	}
	l := check.Linearize(h, porcupineMax)
	r.v.anomalies("register", l.Anomalies[:min(len(l.Anomalies), anomaliesMax)])
	r.v.note("porcupine: %d registers judged, %d of them undecided within %v",
		len(l.Judged), len(l.Undecided), porcupineMax)
	if tooUndecided(len(l.Undecided), len(l.Judged)) {
		r.v.problem("porcupine could not decide within %v whether %d of %d registers are linearizable",
			porcupineMax, len(l.Undecided), len(l.Judged))
	}
	for _, key := range pictured(&l) {
		file := filepath.Join(r.o.Dir, fmt.Sprintf("register-%s.html", key))
		if err := check.DrawRegister(h, key, file, pictureMax); err != nil {
			r.v.note("no picture of register %s: %v", key, err)
		}
	}
}

func tooUndecided(undecided, judged int) bool {
	return undecided == judged || undecided > 1 && ratio(undecided, judged) > undecidedMax
}

// pictured are the registers to draw: first those that are wrong, then those that might be.
func pictured(l *check.Linearity) (keys []string) {
	for _, key := range slices.Concat(l.Illegal, l.Undecided, l.Judged) {
		if !slices.Contains(keys, key) && len(keys) < picturesMax {
			keys = append(keys, key)
		}
	}
	return keys
}

// note takes down what is worth a line, whatever the outcome.
func (v *Verdict) note(format string, args ...any) {
	v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
}

// count takes down how much happened, and whether anybody looked at it.
func (r *run) count(h *check.History) {
	for i := range h.Ops {
		switch h.Ops[i].Type {
		case history.OK:
			r.v.Committed++
		case history.Fail:
			r.v.Refused++
		default:
			r.v.Unknown++
		}
	}
	r.v.Rate = float64(r.v.Committed) / max((r.loaded-r.v.stopped()).Seconds(), 1)
	r.v.Coverage = check.Cover(h)
	r.v.covered()
}

// covered holds against a run what nobody looked at: what was not read, and ways and gateways of
// which nothing is known but that they failed.
func (v *Verdict) covered() {
	c := &v.Coverage
	v.note("%d of %d operations read something, %d of %d writes were read by somebody else",
		c.Found, c.OK, c.Observed, c.Written)
	if ratio(c.Found, c.OK) < foundMin || ratio(c.Observed, c.Written) < observedMin {
		v.problem("%d of %d operations read something, and %d of %d writes were read by somebody else: "+
			"a run is not certified on unread data", c.Found, c.OK, c.Observed, c.Written)
	}
	if c.Final == 0 {
		v.problem("nothing was read when all was over")
	}
	for what, all := range map[string]map[string]check.Tries{"mode": c.Modes, "gateway": c.Gateways} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if t := all[name]; t.OK == 0 && t.All >= triedMin {
				v.problem("none of %d operations with %s %q ended well", t.All, what, name)
			}
		}
	}
}

func ratio(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

// external asks whoever $ISOLATION_CHECKER names.
func (r *run) external(ctx context.Context) {
	if r.w.Model == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, externalMax)
	defer cancel()
	found, err := check.External(ctx, r.w.Model, filepath.Join(r.o.Dir, historyFile))
	if err != nil && !errors.Is(err, check.ErrNoExternal) {
		r.v.problem("the isolation checker: %v", err)
	}
	r.v.anomalies("external", found)
}

// recovery holds the rounds against their objectives.
func (r *run) recovery() {
	most := time.Duration(recoverMax)
	if r.o.Strict {
		most = 1
	}
	for _, res := range r.v.Rounds {
		took, objective := time.Duration(res.Recovered), time.Duration(res.Objective)
		if took > most*objective {
			r.v.problem("%s: a shard committed nothing for %v; the objective is %v", res.Round,
				ms(took), objective)
		}
	}
}

// tidy removes the members' data, which nobody needs of a cell that did not fail.
func (r *run) tidy() error {
	if r.o.Keep || r.v.Outcome == Failed {
		return nil
	}
	left, err := os.ReadDir(r.o.Dir)
	for _, e := range left {
		if e.IsDir() {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.o.Dir, e.Name())))
		}
	}
	return err
}
