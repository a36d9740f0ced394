package cell

import (
	"fmt"
	"strings"
	"time"
)

// Plan is all that a cell is made of. The same plan is the same cell, though
// not the same run: processes, threads and disks take their own time.
type Plan struct {
	Number   int      `json:"number,omitempty"` // in the matrix
	Workload string   `json:"workload"`
	Rounds   []Round  `json:"rounds"`
	Commit   string   `json:"commit"`  // --commit of the gateways: 2pc or parallel
	Members  int      `json:"members"` // 3 or 5
	Reads    string   `json:"reads"`   // --reads of the members: lease or quorum
	Seed     uint64   `json:"seed"`    // of all choices of faults and clients
	Load     Duration `json:"load"`    // how long the workload runs at least
	Mutant   string   `json:"mutant,omitempty"`
}

// Round is what goes wrong at the same time: one or two nemeses, by name.
type Round []string

func (r Round) String() string { return strings.Join(r, "+") }

// Duration is written as in "20s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	parsed, err := time.ParseDuration(string(b))
	*d = Duration(parsed)
	return err
}

// ParseRounds reads rounds as String writes them, such as "kill-leader,delay+pause-leader".
func ParseRounds(s string) []Round {
	var rounds []Round
	for r := range strings.SplitSeq(s, ",") {
		rounds = append(rounds, strings.Split(r, "+"))
	}
	return rounds
}

// Faults is all rounds, as in "kill-leader,delay+pause-leader".
func (p *Plan) Faults() string {
	rounds := make([]string, len(p.Rounds))
	for i, r := range p.Rounds {
		rounds[i] = r.String()
	}
	return strings.Join(rounds, ",")
}

// String is the plan in one line.
func (p *Plan) String() string {
	return fmt.Sprintf("%s against %s, %d members, commit %s, reads %s", p.Workload, p.Faults(),
		p.Members, p.Commit, p.Reads)
}

// Command runs the cell again.
func (p *Plan) Command() string {
	c := fmt.Sprintf("go run ./jepsen --workload %s --faults %s --commit %s --members %d --reads %s "+
		"--seed %d --load %v", p.Workload, p.Faults(), p.Commit, p.Members, p.Reads, p.Seed,
		time.Duration(p.Load))
	if p.Mutant != "" {
		c += " --mutant " + p.Mutant
	}
	return c
}

// Double reports whether any round has two faults at once.
func (p *Plan) Double() bool {
	for _, r := range p.Rounds {
		if len(r) > 1 {
			return true
		}
	}
	return false
}
