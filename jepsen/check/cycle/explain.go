package cycle

import (
	"fmt"
	"strings"

	"github.com/cairnkv/cairn/jepsen/check/depend"
)

// reason is why an edge of the graph is there. Steps of processes and of real
// time need none.
type reason struct {
	key string
	// was and is are the values that make the step: an element and the next one, or what a
	// register was and what it became.
	was, is string
	// because is why was came before is, where that is not plain to see.
	because string
	// derived: it wrote was, and did not read it.
	derived bool
	listed  bool // the key is a list
}

// edge makes an edge of c's graph, whose reason is kept.
func (c *inference) edge(to int, kind depend.Kind, level depend.Level, why reason) depend.Edge {
	c.reasons = append(c.reasons, why)
	return depend.Edge{To: to, Kind: kind, Level: level, Why: len(c.reasons) - 1}
}

// report makes an anomaly of a cycle.
func (c *inference) report(cycle depend.Cycle) {
	var b strings.Builder
	fmt.Fprintf(&b, "each of these must come before the next, and the last before the first:")
	ops := make([]int, 0, len(cycle.Steps))
	for _, s := range cycle.Steps {
		fmt.Fprintf(&b, "\n  op %d before op %d: %s", s.From, s.To, c.explain(s))
		ops = append(ops, s.From)
	}
	c.findings.add(cycle.Name(), b.String(), ops...)
}

// explain is one step in words.
func (c *inference) explain(s depend.Step) string {
	why := c.reasons[s.Why]
	because, wrote := "", "wrote"
	if why.because != "" {
		because = ", because " + why.because
	}
	if why.listed {
		wrote = "appended"
	}
	from, to := &c.h.Ops[s.From], &c.h.Ops[s.To]
	switch {
	case s.Kind == depend.Process:
		return fmt.Sprintf("process %d did it first (order of the process)", from.Process)
	case s.Kind == depend.RealTime:
		return fmt.Sprintf("it had ended, at event %d, before the other began, at event %d (real time)",
			from.Completed, to.Invoked)
	case s.Kind == depend.WR:
		return fmt.Sprintf("to %s it %s %s, which op %d read (wr)", why.key, wrote, why.is, s.To)
	case s.Kind == depend.WW:
		return fmt.Sprintf("to %s it %s %s, and op %d %s %s after that%s (ww)",
			why.key, wrote, why.was, s.To, wrote, why.is, because)
	case why.derived:
		return fmt.Sprintf("to %s it wrote %s, behind what it had read, "+
			"and op %d wrote %s after that%s (rw)", why.key, why.was, s.To, why.is, because)
	default:
		return fmt.Sprintf("of %s it read %s, and op %d %s %s after that%s (rw)",
			why.key, why.was, s.To, wrote, why.is, because)
	}
}
