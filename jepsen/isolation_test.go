package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

const (
	blockMin = 40 * time.Millisecond // a step that takes so long waits for somebody
	triesMax = 5                     // each with twice as much patience
	lanes    = 8                     // runs at a time
	txnsMax  = 4                     // of a script
)

// locking says which transactions of a run are pessimistic.
type locking string

const (
	nothing     locking = "no transactions" // see TestNoIsolation
	optimistic  locking = "optimistic"
	pessimistic locking = "pessimistic"
	oddLock     locking = "T1-locks" // and T3, and the others do not
	evenLock    locking = "T2-locks"
)

// setting is how a case is run.
type setting struct {
	locking locking
	level   isolation // of those that do not lock; who does is always serializable
	split   bool      // y and w lie on another shard than x and z
}

func (s setting) String() string {
	return fmt.Sprintf("%s, %s, %s", s.locking, s.level, s.shards())
}

func (s setting) shards() string {
	if s.split {
		return "two-shards"
	}
	return "one-shard"
}

// settings are all that there are; without those on one shard if only two matter.
func settings(onlySplit bool) (all []setting) {
	for _, split := range []bool{false, true} {
		for _, level := range []isolation{serializable, snapshot} {
			for _, l := range []locking{optimistic, pessimistic, oddLock, evenLock} {
				if (split || !onlySplit) && (l != pessimistic || level == serializable) {
					all = append(all, setting{l, level, split})
				}
			}
		}
	}
	return all
}

// locks reports whether the transaction is pessimistic.
func (s setting) locks(name string) bool {
	odd := name == "T1" || name == "T3"
	return s.locking == pessimistic || s.locking == oddLock && odd || s.locking == evenLock && !odd
}

// levelOf is the isolation of one transaction.
func (s setting) levelOf(name string) isolation {
	if s.locks(name) {
		return serializable
	}
	return s.level
}

// torn reports whether the transaction, if it does not commit, may have read at several times.
func (s setting) torn(name string) bool { return s.locks(name) }

// options are those of one transaction.
func (s setting) options(name string) client.TxnOptions {
	o := client.TxnOptions{Pessimistic: s.locks(name)}
	if s.levelOf(name) == snapshot {
		o.Isolation = client.Snapshot
	}
	return o
}

// get reads a key, for update if the verb is lock.
func get(ctx context.Context, tx transaction, verb, key string) (client.Entry, error) {
	if verb == "lock" {
		return tx.Get(ctx, key, client.ForUpdate())
	}
	return tx.Get(ctx, key)
}

// isolationCase is an anomaly, parsed.
type isolationCase struct {
	init   state
	script []step
	bad    []history
	skewed []history // allowed at snapshot
	wanted []wanted
}

// wanted are the histories that may be seen in settings of which the words are true.
type wanted struct {
	when  []string
	lines []string
}

// fits reports whether the words are true of a setting.
func (w wanted) fits(s setting) bool {
	return !slices.ContainsFunc(w.when, func(word string) bool {
		return word != "else" && word != string(s.locking) && word != string(s.level) && word != s.shards()
	})
}

func parseCase(t *testing.T, a anomaly) *isolationCase {
	t.Helper()
	c := &isolationCase{}
	var err error
	if c.init, err = parseState(strings.Fields(a.init)); err == nil {
		c.script, err = parseScript(a.script)
	}
	if err != nil {
		t.Fatalf("%s: %v", a.name, err)
	}
	parse := func(line string) history {
		h, err := imagined(c.init, c.script, line)
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		return h
	}
	for _, line := range a.bad {
		c.bad = append(c.bad, parse(line))
	}
	for _, line := range a.skewed {
		c.skewed = append(c.skewed, parse(line))
	}
	for line := range strings.Lines(strings.TrimSpace(a.want)) {
		when, outcomes, begins := strings.Cut(line, ":")
		if begins {
			c.wanted = append(c.wanted, wanted{when: strings.Fields(when)})
		} else {
			outcomes = line
		}
		w := &c.wanted[len(c.wanted)-1]
		for outcome := range strings.SplitSeq(outcomes, "|") {
			if outcome = strings.TrimSpace(outcome); outcome != "" {
				w.lines = append(w.lines, parse(outcome).String())
			}
		}
	}
	return c
}

// want is what may be seen in a setting.
func (c *isolationCase) want(s setting) []string {
	for _, w := range c.wanted {
		if w.fits(s) {
			return w.lines
		}
	}
	return nil
}

// TestIsolation runs every anomaly of the table in every setting, and beside it the same script
// with keys of its own for each transaction: then all commit, and none waits.
func TestIsolation(t *testing.T) {
	for _, commit := range []string{"2pc", "parallel"} {
		t.Run(commit, func(t *testing.T) {
			free, db := newLanes(t, commit)
			_, err := db.Begin(t.Context(), client.TxnOptions{Pessimistic: true, Isolation: client.Snapshot})
			if txn.KindOf(err) != txn.Invalid {
				t.Errorf("a pessimistic transaction at snapshot: %v", err)
			}
			in := settings(commit == "parallel") // that says nothing of who has one shard
			began := time.Now()
			var running sync.WaitGroup
			for _, a := range anomalies {
				c := parseCase(t, a)
				running.Go(func() {
					t.Run(a.name, func(t *testing.T) { c.checkAll(t, in, free, db) })
				})
			}
			running.Wait()
			t.Logf("%d cases in %d settings, each with its twin, in %v",
				len(anomalies), len(in), ms(time.Since(began)))
		})
	}
}

// checkAll runs the case and its twin in all settings, as soon as lanes are free.
func (c *isolationCase) checkAll(t *testing.T, in []setting, free chan lane, db *client.DB) {
	var checks sync.WaitGroup
	defer checks.Wait()
	for _, s := range in {
		for _, check := range []func(*testing.T, *client.DB, lane, setting){c.check, c.checkTwin} {
			checks.Go(func() {
				l := <-free
				defer func() { free <- l }()
				check(t, db, l, s)
			})
		}
	}
}

// newLanes starts a gateway that has a split in every slot of every lane.
func newLanes(t *testing.T, commit string) (free chan lane, db *client.DB) {
	t.Helper()
	free = make(chan lane, lanes)
	var splits []string
	for i := range lanes {
		l := newLane(i)
		free <- l
		for _, s := range l {
			splits = append(splits, s.split())
		}
	}
	g := launch(t, build(t).gateway, freeAddress(t),
		"--data", t.TempDir(), "--split", strings.Join(splits, ","), "--commit", commit)
	db, err := client.New(client.Options{Endpoint: g.endpoint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return free, db
}

// check runs the case until what is seen is wanted. A transaction that seemed to wait may just
// have been slow: then all is done again, with more patience. What nothing explains is never
// excused.
func (c *isolationCase) check(t *testing.T, db *client.DB, l lane, s setting) {
	bound := blockMin
	for try := 1; ; try++ {
		r := c.run(db, l, s)
		if s.locking != optimistic { // who only does that never waits
			r.bound = bound
		}
		txns, finals, err := r.do(t.Context(), c.init)
		if err != nil {
			t.Errorf("%v: %v\n%v", s, err, r)
			return
		}
		err, hasty := c.judge(history{init: c.init, final: finals[0], txns: txns}, s)
		if err == nil {
			return
		}
		if !hasty || try == triesMax {
			t.Errorf("%v: %v\n%v", s, err, r)
			return
		}
		bound *= 2
	}
}

// run is one of the script in which all transactions have the same keys.
func (c *isolationCase) run(db *client.DB, l lane, s setting) *run {
	r := &run{db: db, setting: s, script: c.script, bound: patience}
	for i := range r.slots {
		r.slots[i] = l[0]
	}
	return r
}

// judge says what is wrong with a history, and whether haste may be to blame.
func (c *isolationCase) judge(h history, s setting) (err error, hasty bool) {
	if err := explain(h, s.levelOf); err != nil {
		return err, false
	}
	want := c.want(s)
	if slices.Contains(want, h.String()) {
		return nil, false
	}
	hasty = slices.ContainsFunc(h.txns, func(o observed) bool { return o.waited })
	return fmt.Errorf("saw  %v\nwant %s", h, strings.Join(want, "\n  or ")), hasty
}

// checkTwin runs the case with keys of its own for each transaction.
func (c *isolationCase) checkTwin(t *testing.T, db *client.DB, l lane, s setting) {
	r := &run{db: db, setting: s, script: c.script, bound: patience, slots: l}
	txns, finals, err := r.do(t.Context(), c.init)
	if err != nil {
		t.Errorf("twin, %v: %v\n%v", s, err, r)
		return
	}
	for i, o := range txns {
		h := history{init: c.init, final: finals[i], txns: []observed{o}}
		if err := judgeAlone(h); err != nil {
			t.Errorf("twin, %v: %v\n%v", s, err, r)
		}
	}
}

// judgeAlone says what is wrong with the history of a transaction that had its keys to itself.
func judgeAlone(h history) error {
	if o := h.txns[0]; o.fate == aborted || o.waited {
		return fmt.Errorf("%s had its keys to itself, and yet: %v", o.name, h)
	}
	return explain(h, all(serializable))
}
