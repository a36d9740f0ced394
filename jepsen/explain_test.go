package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// fate is how a transaction ended.
type fate string

const (
	committed  fate = "ok"
	aborted    fate = "aborted"
	rolledBack fate = "rollback"
)

// op is a step that was done, what it saw and what it wrote.
type op struct {
	step  step
	saw   state
	wrote map[string]*int64
}

// observed is what one transaction did and came to.
type observed struct {
	name   string
	ops    []op // as far as it got
	fate   fate
	waited bool // for another one
	// torn allows that what it read was not all there at one time, if it did not commit: its locks
	// may have been taken away.
	torn bool
	// began is when it was asked to begin, ended when its end was known, in one order for all.
	began, ended int
}

// history is one run of a script.
type history struct {
	init, final state
	txns        []observed
}

// String is the history as the table writes outcomes: for each transaction whether it waited, its
// fate, and what it saw; then the final state.
func (h history) String() string {
	var b strings.Builder
	for _, t := range h.txns {
		b.WriteString(t.name + " ")
		if t.waited {
			b.WriteString("waits ")
		}
		b.WriteString(string(t.fate))
		for _, o := range t.ops {
			if o.step.observes() {
				b.WriteString(" " + o.step.token(o.saw))
			}
		}
		b.WriteString("; ")
	}
	return b.String() + h.final.String()
}

// isolation is a level.
type isolation string

const (
	serializable isolation = "serializable"
	snapshot     isolation = "snapshot"
)

// all is one level for all transactions.
func all(level isolation) func(string) isolation { return func(string) isolation { return level } }

// explain looks for an order of the committed transactions that accounts for all that was observed.
//
// A serializable transaction sees what those before it left, and nothing else; one at snapshot
// what the first of those before it left, and nobody in between wrote what it writes, or has read
// for update. Who ended
// before another began comes first. A transaction that did not commit saw what some of them left.
func explain(h history, level func(txn string) isolation) error {
	var in, out []observed
	for _, t := range h.txns {
		if t.fate == committed {
			in = append(in, t)
		} else {
			out = append(out, t)
		}
	}
	for order := range permutations(in) {
		if explains(h, order, out, level) {
			return nil
		}
	}
	return fmt.Errorf("no order of the committed transactions explains %v -> %v", h.init, h)
}

// permutations yields every order of ts.
func permutations(ts []observed) func(yield func([]observed) bool) {
	var visit func(rest, chosen []observed, yield func([]observed) bool) bool
	visit = func(rest, chosen []observed, yield func([]observed) bool) bool {
		if len(rest) == 0 {
			return yield(chosen)
		}
		for i := range rest {
			if !visit(slices.Delete(slices.Clone(rest), i, i+1), append(slices.Clip(chosen), rest[i]), yield) {
				return false
			}
		}
		return true
	}
	return func(yield func([]observed) bool) { visit(ts, nil, yield) }
}

func explains(h history, order, out []observed, level func(string) isolation) bool {
	states := []state{h.init} // states[i] is what the first i left
	for i, t := range order {
		for _, earlier := range order[:i] {
			if t.ended < earlier.began {
				return false
			}
		}
		states = append(states, states[i].with(t.writes()))
	}
	if !maps.Equal(states[len(order)], h.final) {
		return false
	}
	for i, t := range order {
		if !slices.ContainsFunc(places(order, t), func(p int) bool {
			if p != i && (level(t.name) == serializable || p > i || overwritten(order[p:i], t)) {
				return false
			}
			return t.reads(states[p])
		}) {
			return false
		}
	}
	return !slices.ContainsFunc(out, func(t observed) bool { return !t.readsSome(states, places(order, t)) })
}

// places are how many of order t may have seen, by when they ended and began.
func places(order []observed, t observed) []int {
	least, most := 0, len(order)
	for i, other := range order {
		if other.ended < t.began {
			least = i + 1
		}
		if t.ended < other.began {
			most = min(most, i)
		}
	}
	var ps []int
	for p := least; p <= most; p++ {
		ps = append(ps, p)
	}
	return ps
}

func overwritten(by []observed, t observed) bool {
	return slices.ContainsFunc(by, func(other observed) bool {
		writes := other.writes()
		for _, o := range t.ops {
			if _, locked := writes[o.step.locked()]; locked {
				return true
			}
			for k := range o.wrote {
				if _, both := writes[k]; both {
					return true
				}
			}
		}
		return false
	})
}

func (t observed) writes() map[string]*int64 {
	writes := make(map[string]*int64)
	for _, o := range t.ops {
		maps.Copy(writes, o.wrote)
	}
	return writes
}

// reads reports whether all that t saw was s, changed by t itself.
func (t observed) reads(s state) bool {
	for i := range t.ops {
		if !t.readsAt(i, s) {
			return false
		}
	}
	return true
}

// readsAt reports it for one of its steps.
func (t observed) readsAt(i int, s state) bool {
	for _, o := range t.ops[:i] {
		s = s.with(o.wrote)
	}
	o := t.ops[i]
	return !o.step.observes() || maps.Equal(o.step.sees(s), o.saw)
}

// readsSome reports whether t, which did not commit, saw one of the states, or each of its steps
// some state if t may be torn.
func (t observed) readsSome(states []state, places []int) bool {
	if !t.torn {
		return slices.ContainsFunc(places, func(p int) bool { return t.reads(states[p]) })
	}
	for i := range t.ops {
		if !slices.ContainsFunc(places, func(p int) bool { return t.readsAt(i, states[p]) }) {
			return false
		}
	}
	return true
}

// imagined is the history that a line of the table tells, for a script that runs as it is written.
func imagined(init state, script []step, line string) (history, error) {
	h := history{init: init}
	clauses := strings.Split(line, ";")
	for _, clause := range clauses[:len(clauses)-1] {
		t, err := imaginedTxn(script, strings.Fields(clause))
		if err != nil {
			return h, fmt.Errorf("%q: %w", line, err)
		}
		h.txns = append(h.txns, t)
	}
	var err error
	h.final, err = parseState(strings.Fields(clauses[len(clauses)-1]))
	if err == nil && h.String() != strings.TrimSpace(line) {
		err = fmt.Errorf("%q is understood as %q", line, h)
	}
	return h, err
}

func imaginedTxn(script []step, words []string) (t observed, err error) {
	if len(words) < 2 {
		return t, fmt.Errorf("%q has no fate", words)
	}
	t = observed{name: words[0], ended: math.MaxInt}
	if words = words[1:]; words[0] == "waits" {
		t.waited, words = true, words[1:]
	}
	t.fate = fate(words[0])
	tokens, read := words[1:], make(state)
	for i, s := range script {
		if s.txn != t.name {
			continue
		}
		switch {
		case s.verb == "begin":
			t.began = i
		case s.ends():
			t.ended = i
		case s.observes() && len(tokens) == 0 && t.fate == aborted:
			return t, nil // that is how far it got
		case s.observes() && len(tokens) == 0:
			return t, fmt.Errorf("what did %v see?", s)
		default:
			o := op{step: s}
			if s.observes() {
				if o.saw, err = s.parseToken(tokens[0]); err != nil {
					return t, err
				}
				tokens = tokens[1:]
				maps.Copy(read, o.saw)
			}
			o.wrote = s.writes(o.saw, read)
			t.ops = append(t.ops, o)
		}
	}
	return t, nil
}
