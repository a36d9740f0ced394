package cell

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/check"
)

// Outcome is what came of a cell.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "FAILED"
	// Void: too few operations committed for anything to be proven.
	Void Outcome = "void"
)

// A cell is void below these.
const (
	committedMin = 2000
	rateMin      = 100 // committed a second of load
)

// Verdict is what a run of a cell came to.
type Verdict struct {
	Plan    Plan    `json:"plan"`
	Outcome Outcome `json:"outcome"`
	// Committed, Refused and Unknown count operations of the workload.
	Committed int `json:"committed"`
	Refused   int `json:"refused"`
	Unknown   int `json:"unknown"`
	// Rate is what committed in a second of load, without the time of faults during which commits
	// need not go on.
	Rate      float64        `json:"rate"`
	Notes     []string       `json:"notes,omitempty"`
	Rounds    []RoundResult  `json:"rounds"`
	Coverage  check.Coverage `json:"coverage"`
	Anomalies []string       `json:"anomalies,omitempty"`
	// Ended are processes that ended by themselves, or panicked.
	Ended []string `json:"ended,omitempty"`
	// Problems are all other reasons not to pass.
	Problems []string `json:"problems,omitempty"`
	Took     Duration `json:"took"` // with founding and checking
	Dir      string   `json:"-"`
	Command  string   `json:"command"`
}

// RoundResult is what a round of faults came to.
type RoundResult struct {
	Round  Round    `json:"round"`
	What   string   `json:"what"`  // was done
	Proof  string   `json:"proof"` // that it happened
	Began  Duration `json:"began"`
	Healed Duration `json:"healed"`
	// Recovered is the longest time in which some shard committed nothing, from the fault to the
	// first commits after it was healed, if commits must go on meanwhile (Served); otherwise how
	// long after the healing every shard had committed again.
	Recovered Duration `json:"recovered"`
	Objective Duration `json:"objective"`
	Served    bool     `json:"served"`
}

// decide sets the outcome from all that is known.
func (v *Verdict) decide() {
	switch {
	case len(v.Anomalies)+len(v.Ended)+len(v.Problems) > 0:
		v.Outcome = Failed
	case v.Committed < committedMin, v.Rate < rateMin:
		v.Outcome = Void
	default:
		v.Outcome = Passed
	}
}

// stopped is how long faults lasted during which commits need not go on, until they came again.
func (v *Verdict) stopped() (all time.Duration) {
	for i := range v.Rounds {
		if r := &v.Rounds[i]; !r.Served && r.Healed > r.Began {
			all += time.Duration(r.Healed - r.Began + r.Recovered)
		}
	}
	return all
}

func (v *Verdict) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

func (v *Verdict) anomalies(checker string, found []check.Anomaly) {
	for _, a := range found {
		v.Anomalies = append(v.Anomalies, checker+": "+a.String())
	}
}

// String is the verdict for people, in some lines.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", v.Outcome, v.Plan.String())
	fmt.Fprintf(&b, "  %d committed (%.0f/s), %d refused, %d unknown, took %v\n", v.Committed, v.Rate,
		v.Refused, v.Unknown, time.Duration(v.Took).Round(100*time.Millisecond))
	for _, n := range v.Notes {
		fmt.Fprintf(&b, "  %s\n", n)
	}
	for i := range v.Rounds {
		r := &v.Rounds[i]
		fmt.Fprintf(&b, "  %s: %s\n", r.Round, r.What)
		fmt.Fprintf(&b, "    proof: %s\n", r.Proof)
		how := "each shard committed again within %v of the healing (objective %v)\n"
		if r.Served {
			how = "no shard was without a commit for longer than %v (objective %v)\n"
		}
		fmt.Fprintf(&b, "    "+how, ms(time.Duration(r.Recovered)), time.Duration(r.Objective))
	}
	for _, e := range v.Ended {
		fmt.Fprintf(&b, "  ended: %s\n", e)
	}
	for _, p := range v.Problems {
		fmt.Fprintf(&b, "  problem: %s\n", p)
	}
	for _, a := range v.Anomalies {
		fmt.Fprintf(&b, "  anomaly: %s\n", strings.ReplaceAll(a, "\n", "\n  "))
	}
	fmt.Fprintf(&b, "  in %s; again: %s\n", v.Dir, v.Command)
	return b.String()
}

// write leaves the verdict in its directory, for people and for programs.
func (v *Verdict) write() error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(v.Dir, "verdict.json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(v.Dir, "verdict.txt"), []byte(v.String()), 0o644)
}
