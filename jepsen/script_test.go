package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// state is keys with their values.
type state map[string]int64

func (s state) String() string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(s)) {
		words = append(words, fmt.Sprintf("%s=%d", k, s[k]))
	}
	return strings.Join(words, " ")
}

// with is s after writes, of which nil deletes.
func (s state) with(writes map[string]*int64) state {
	after := maps.Clone(s)
	for k, v := range writes {
		if v == nil {
			delete(after, k)
		} else {
			after[k] = *v
		}
	}
	return after
}

// step is one line of a script: who, what, and of what.
//
//	T1 begin           opens the transaction; "begin after T2": once T2 has ended
//	T1 get x           reads a key; "lock x" for update
//	T1 scan            reads all keys; "where 30" too, and shows those of this value
//	T1 add 10          scans, and adds to everything that is there
//	T1 drop 20         scans, and deletes whatever has this value
//	T1 set x 11        without reading; "set x x+1" adds to what the transaction has read before
//	T1 del x
//	T1 commit          or rollback
type step struct {
	txn, verb string
	args      []string
}

func (s step) String() string {
	return strings.Join(append([]string{s.txn, s.verb}, s.args...), " ")
}

// arguments of each verb.
var arguments = map[string][]int{
	"begin": {0, 2}, "get": {1}, "lock": {1}, "scan": {0}, "where": {1}, "add": {1}, "drop": {1},
	"set": {2}, "del": {1}, "commit": {0}, "rollback": {0},
}

func parseScript(text string) (steps []step, err error) {
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		if len(w) < 2 || w[0][0] != 'T' || !slices.Contains(arguments[w[1]], len(w)-2) {
			return nil, fmt.Errorf("no step: %q", line)
		}
		steps = append(steps, step{txn: w[0], verb: w[1], args: w[2:]})
	}
	return steps, nil
}

func parseState(words []string) (state, error) {
	s := make(state)
	for _, w := range words {
		k, text, _ := strings.Cut(w, "=")
		v, err := strconv.ParseInt(text, 10, 64)
		if k == "" || err != nil {
			return nil, fmt.Errorf("%q is not key=value", w)
		}
		s[k] = v
	}
	return s, nil
}

// ends reports whether the step is the transaction's last.
func (s step) ends() bool { return s.verb == "commit" || s.verb == "rollback" }

// observes reports whether the step reads, and ranged whether it reads a range.
func (s step) observes() bool { return s.verb == "get" || s.verb == "lock" || s.ranged() }
func (s step) ranged() bool {
	return s.verb == "scan" || s.verb == "where" || s.verb == "add" || s.verb == "drop"
}

// locked is the key that the step reads for update, if it does.
func (s step) locked() string {
	if s.verb != "lock" {
		return ""
	}
	return s.args[0]
}

func (s step) number() int64 {
	n, err := strconv.ParseInt(s.args[len(s.args)-1], 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", s, err)) // the table is wrong
	}
	return n
}

// sees is what an observing step shows of the whole state.
func (s step) sees(all state) state {
	saw := make(state)
	for k, v := range all {
		switch {
		case !s.ranged() && k != s.args[0], s.verb == "where" && v != s.number():
		default:
			saw[k] = v
		}
	}
	return saw
}

// writes is what the step writes, given what it has just seen, and what the transaction has read
// by key before; nil deletes.
func (s step) writes(saw, read state) map[string]*int64 {
	writes := make(map[string]*int64)
	switch s.verb {
	case "add":
		for k, v := range saw {
			writes[k] = new(v + s.number())
		}
	case "drop":
		for k, v := range saw {
			if v == s.number() {
				writes[k] = nil
			}
		}
	case "del":
		writes[s.args[0]] = nil
	case "set":
		if k, n, sum := strings.Cut(s.args[1], "+"); sum {
			writes[s.args[0]] = new(read[k] + step{args: []string{n}}.number())
		} else {
			writes[s.args[0]] = new(s.number())
		}
	}
	return writes
}

// token is what was seen as outcomes tell it: x=10, or x=- if there was none, or {x=10,y=20}.
func (s step) token(saw state) string {
	text := strings.ReplaceAll(saw.String(), " ", ",")
	switch {
	case s.ranged():
		return "{" + text + "}"
	case text == "":
		return s.args[0] + "=-"
	}
	return text
}

// parseToken is the other way round.
func (s step) parseToken(token string) (state, error) {
	inner, ranged := strings.CutPrefix(token, "{")
	if ranged != s.ranged() || !ranged && !strings.HasPrefix(token, s.args[0]+"=") {
		return nil, fmt.Errorf("%q is no answer to %v", token, s)
	}
	if inner = strings.TrimSuffix(inner, "}"); inner == "" || strings.HasSuffix(inner, "=-") {
		return make(state), nil
	}
	return parseState(strings.Split(inner, ","))
}
