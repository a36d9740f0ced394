package cell

import (
	"context"
	"errors"
	"fmt"
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
	decidedMin   = 0.5             // of the registers
	externalMax  = 2 * time.Minute
	foundMin     = 0.1 // of the committed operations: reads that found something
	observedMin  = 0.2 // of what was written: somebody else must have read it
	anomaliesMax = 20  // told of each checker
)

// checkers are those that fit a workload. All workloads are judged by replay, too, and registers
// by porcupine (see registers).
var checkers = map[string][]check.Checker{
	"list-append":    {cycle.Checker()},
	"predicate":      {check.Predicate()},
	"bank":           {check.Bank()},
	"set":            {check.Set()},
	"register":       {cycle.Checker()},
	"monotonic":      {check.Monotonic(), cycle.Checker()},
	"causal-reverse": {check.CausalReverse()},
}

// Checkers are all that judge a workload.
func Checkers(workload string) []check.Checker {
	return append(slices.Clone(checkers[workload]), check.Replay())
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
		r.v.problem("the timeline: %v", err)
	}
	all := Checkers(r.w.Name)
	if err := check.Controls(append(all, check.Linearizable())); err != nil {
		r.v.problem("a checker accepts what is wrong, or refuses what is right: %v", err)
	}
	for _, c := range all {
		found := c.Check(h)
		r.v.anomalies(c.Name, found[:min(len(found), anomaliesMax)])
	}
	r.registers(h)
	r.external(ctx)
	r.recovery()
}

// registers asks porcupine about each register, and draws some. Those that it could not decide in
// time prove nothing; too many of them, and the cell proves nothing.
func (r *run) registers(h *check.History) {
	if r.w.Name != "register" {
		return
	}
	l := check.Linearize(h, porcupineMax)
	r.v.anomalies("register", l.Anomalies[:min(len(l.Anomalies), anomaliesMax)])
	decided := len(l.Judged) - len(l.Undecided)
	if decided == 0 || ratio(decided, len(l.Judged)) < decidedMin {
		r.v.problem("porcupine decided within %v whether %d of %d registers are linearizable",
			porcupineMax, decided, len(l.Judged))
	}
	for _, key := range l.Judged[:min(len(l.Judged), picturesMax)] {
		file := filepath.Join(r.o.Dir, fmt.Sprintf("register-%s.html", key))
		if err := check.DrawRegister(h, key, file, pictureMax); err != nil {
			r.v.problem("the picture of register %s: %v", key, err)
		}
	}
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
	r.v.Rate = float64(r.v.Committed) / max(r.loaded.Seconds(), 1)
	c := check.Cover(h)
	r.v.Coverage = c
	found, observed := ratio(c.Found, c.OK), ratio(c.Observed, c.Written)
	if found < foundMin || observed < observedMin {
		r.v.problem("%d reads found something, and %d of %d writes were read by somebody: "+
			"a run is not certified on unread data", c.Found, c.Observed, c.Written)
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
