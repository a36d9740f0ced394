package cell

import (
	"strings"
	"testing"
	"time"
)

// TestReport: the page tells of every cell, and what did not pass stands out.
func TestReport(t *testing.T) {
	verdict := func(number int, workload, faults string, outcome Outcome) *Verdict {
		v := &Verdict{Plan: Plan{Number: number, Workload: workload, Rounds: ParseRounds(faults),
			Commit: "2pc"}, Outcome: outcome, Committed: 3000, Rate: 150}
		for _, r := range v.Plan.Rounds {
			v.Rounds = append(v.Rounds, RoundResult{Round: r, Recovered: Duration(time.Second)})
		}
		return v
	}
	r := &Report{Version: "abc", Command: "make long-jepsen", Cells: 57, Verdicts: []*Verdict{
		verdict(1, "bank", "kill-leader,delay-one+clock-bump", Passed),
		verdict(2, "set", "kill-leader", Failed),
	}}
	page := r.String()
	for _, want := range []string{
		"**1 of 2 cells passed**", "of 57 that there are", "3 rounds of faults", "1 cells with two at once",
		"| kill-leader | 1 | **2** |", "| clock-bump | 1 |  |",
		"| 1 | bank | kill-leader, delay-one+clock-bump | 2pc | 3000 | 150 | 1s, 1s | passed |", "**FAILED**",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
}

// TestDecide: what is wrong fails a cell however much it did, and what did too little is void.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		v    Verdict
		want Outcome
	}{
		{Verdict{Committed: committedMin, Rate: rateMin}, Passed},
		{Verdict{Committed: committedMin - 1, Rate: rateMin}, Void},
		{Verdict{Committed: committedMin, Rate: rateMin - 1}, Void},
		{Verdict{Problems: []string{"p"}}, Failed},
		{Verdict{Committed: committedMin, Rate: rateMin, Anomalies: []string{"a"}}, Failed},
	} {
		if c.v.decide(); c.v.Outcome != c.want {
			t.Errorf("%+v is not %s", c.v, c.want)
		}
	}
}
