// Package timeline draws a run: what was done and how fast, while faults came and
// went, and for how long each shard did not answer. One SVG, without scripts, that
// can be read on light and on dark ground.
//
// Start with Timeline, which says what goes in; Draw in draw.go puts it on paper.
package timeline

import "time"

// Timeline is a run. All times are since it began.
type Timeline struct {
	Title  string
	Length time.Duration
	Ops    []Op
	Faults []Fault
	Gaps   []Gap
	// Shards are drawn in this order, those without gaps too.
	Shards []string
}

// Outcome is how an operation ended.
type Outcome uint8

// The outcomes.
const (
	OK Outcome = iota
	Failed
	Info // nobody knows
)

// Op is an operation that ended at End after it had taken Took.
type Op struct {
	End, Took time.Duration
	Outcome   Outcome
}

// Fault is something that was done to the cluster.
type Fault struct {
	Name     string
	From, To time.Duration
}

// Gap is a time in which probes of a shard had no answer.
type Gap struct {
	Shard    string
	From, To time.Duration
}
