package main

import (
	"math"
	"testing"
)

// TestExplain feeds the checker every anomaly of the table, as it would be seen, and everything
// that the table wants.
func TestExplain(t *testing.T) {
	for _, a := range anomalies {
		t.Run(a.name, func(t *testing.T) {
			c := parseCase(t, a)
			if len(c.bad)+len(c.skewed) == 0 {
				t.Error("the anomaly is not shown")
			}
			for _, h := range c.bad {
				for _, level := range []isolation{serializable, snapshot} {
					if explain(h, all(level)) == nil {
						t.Errorf("%s explains %v", level, h)
					}
				}
			}
			for _, h := range c.skewed {
				if explain(h, all(serializable)) == nil {
					t.Errorf("serializable explains %v", h)
				}
				if err := explain(h, all(snapshot)); err != nil {
					t.Error(err)
				}
			}
			for _, s := range settings(false) {
				c.checkWanted(t, s)
			}
		})
	}
}

// checkWanted looks at what the table wants in a setting: there is something, the level allows it,
// an anomaly is complained about, and one that the level allows is asked for.
func (c *isolationCase) checkWanted(t *testing.T, s setting) {
	t.Helper()
	if len(c.want(s)) == 0 {
		t.Errorf("%v: nothing is wanted", s)
	}
	for _, line := range c.want(s) {
		h, err := imagined(c.init, c.script, line)
		if err != nil {
			t.Fatal(err)
		}
		for i := range h.txns { // who waits begins and ends at other times than the script says
			h.txns[i].began, h.txns[i].ended = 0, math.MaxInt
			h.txns[i].torn = s.torn(h.txns[i].name)
		}
		if err := explain(h, s.levelOf); err != nil {
			t.Errorf("%v: wanted is what must not be: %v", s, err)
		}
	}
	for _, h := range c.bad {
		if err, hasty := c.judge(h, s); err == nil || hasty {
			t.Errorf("%v: nothing is wrong with %v, or haste is to blame", s, h)
		}
	}
	for _, h := range c.skewed {
		if s.level == snapshot && s.locking != optimistic {
			continue // it depends
		}
		if err, hasty := c.judge(h, s); (err == nil) != (s.level == snapshot) || hasty {
			t.Errorf("%v: judged %v: %v, %v", s, h, err, hasty)
		}
	}
}

// TestExplainOrder shows that the checker minds who came after whom.
func TestExplainOrder(t *testing.T) {
	for _, c := range []struct {
		name, script, line string
		level              isolation
		good               bool
	}{
		{
			"a read of what was replaced before the reader began",
			"T1 begin\n T1 set x 11\n T1 commit\n T2 begin\n T2 get x\n T2 commit",
			"T1 ok; T2 ok x=10; x=11", snapshot, false,
		},
		{
			"the same while the writer was under way",
			"T1 begin\n T2 begin\n T1 set x 11\n T1 commit\n T2 get x\n T2 commit",
			"T1 ok; T2 ok x=10; x=11", serializable, true,
		},
		{
			"a read of what was written after the reader had ended",
			"T1 begin\n T1 get x\n T1 commit\n T2 begin\n T2 set x 11\n T2 commit",
			"T1 ok x=11; T2 ok; x=11", snapshot, false,
		},
		{
			"a write that went backwards",
			"T1 begin\n T1 set x 11\n T1 commit\n T2 begin\n T2 set x 12\n T2 commit",
			"T1 ok; T2 ok; x=11", snapshot, false,
		},
		{
			"a write that was lost",
			"T1 begin\n T1 set x 11\n T1 commit",
			"T1 ok; x=10", snapshot, false,
		},
		{
			"a write of a transaction that was aborted",
			"T1 begin\n T1 set x 11\n T1 commit",
			"T1 aborted; x=11", snapshot, false,
		},
		{
			"an aborted transaction that saw what never was",
			"T1 begin\n T2 begin\n T1 set x 11\n T2 get x\n T2 commit\n T1 rollback",
			"T1 rollback; T2 aborted x=11; x=10", serializable, false,
		},
		{
			"a transaction that does not see its own write",
			"T1 begin\n T1 set x 11\n T1 get x\n T1 commit",
			"T1 ok x=10; x=11", snapshot, false,
		},
	} {
		script, err := parseScript(c.script)
		if err != nil {
			t.Fatal(err)
		}
		h, err := imagined(state{"x": 10}, script, c.line)
		if err != nil {
			t.Fatal(err)
		}
		if err := explain(h, all(c.level)); (err == nil) != c.good {
			t.Errorf("%s: explained is %v, want %v", c.name, err == nil, c.good)
		}
	}
}

// TestJudgeAlone shows that a twin may neither fail nor wait.
func TestJudgeAlone(t *testing.T) {
	script, err := parseScript("T1 begin\n T1 set x 11\n T1 commit")
	if err != nil {
		t.Fatal(err)
	}
	for line, good := range map[string]bool{
		"T1 ok; x=11": true, "T1 waits ok; x=11": false, "T1 aborted; x=10": false, "T1 ok; x=10": false,
	} {
		h, err := imagined(state{"x": 10}, script, line)
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeAlone(h); (err == nil) != good {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestNoIsolation runs the table where every operation takes effect at once and nothing is undone:
// all anomalies must be seen, but for those that need more than that.
func TestNoIsolation(t *testing.T) {
	free, db := newLanes(t, "2pc")
	for _, a := range anomalies {
		t.Run(a.name, func(t *testing.T) {
			c, l := parseCase(t, a), <-free
			defer func() { free <- l }()
			r := c.run(db, l, setting{locking: nothing, split: true})
			txns, finals, err := r.do(t.Context(), c.init)
			if err != nil {
				t.Fatal(err)
			}
			h := history{init: c.init, final: finals[0], txns: txns}
			if seen := explain(h, all(serializable)) != nil; seen == a.hidden {
				t.Errorf("hidden is %v, and seen was %v", a.hidden, h)
			}
		})
	}
}
