package check

import (
	"fmt"
	"io"
	"strings"

	"github.com/cairnkv/cairn/jepsen/history"
)

// Anomaly is something that no correct store shows.
type Anomaly struct {
	Name string // such as G-single-realtime, or lost-append
	What string // for people: what happened, with the operations, in some lines
	Ops  []int  // ids of the operations involved
}

func (a Anomaly) String() string { return a.Name + ": " + a.What }

// History is what checkers are given.
type History struct {
	Ops []history.Op
	// Init is what there was before the first operation, by key.
	Init map[string]int64
}

// Checker is one way to look at a history.
type Checker struct {
	Name string
	// Check is nil where all is well. It must not change h.
	Check func(h *History) []Anomaly
}

// Read makes a History of what a history.Recorder has written.
func Read(r io.Reader) (*History, error) {
	events, err := history.ReadEvents(r)
	if err != nil {
		return nil, err
	}
	return New(events)
}

// New makes a History of events.
func New(events []history.Event) (*History, error) {
	h := &History{Init: map[string]int64{}}
	rest := events[:0:0]
	for _, e := range events {
		if e.F != history.Init {
			rest = append(rest, e)
			continue
		}
		for _, m := range e.Value {
			h.Init[m.Key] = m.N
		}
	}
	ops, err := history.Pair(rest)
	if err != nil {
		return nil, err
	}
	h.Ops = ops
	return h, nil
}

// anomaly makes one, with its operations below the sentence.
func (h *History) anomaly(name, what string, ops ...int) Anomaly {
	var b strings.Builder
	b.WriteString(what)
	for _, id := range ops {
		fmt.Fprintf(&b, "\n  %s", h.Ops[id].String())
	}
	return Anomaly{Name: name, What: b.String(), Ops: ops}
}
