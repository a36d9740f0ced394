package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	// linearizeMax bounds the search of Linearizable for one history.
	linearizeMax = 20 * time.Second
	// registerPart of the time is what a single register may take.
	registerPart = 10
)

// Linearizable checks registers with porcupine, each for itself. It is Linearize for
// who has nothing to do with what was left undecided; a run has.
func Linearizable() Checker {
	return Checker{Name: "register", Check: func(h *History) []Anomaly {
		return Linearize(h, linearizeMax).Anomalies
	}}
}

// Linearity is what Linearize found out.
type Linearity struct {
	Anomalies []Anomaly
	// Judged are the registers that were looked at; Illegal those of them that are not
	// linearizable, and Undecided those for which time was up before there was an answer. The
	// latter prove nothing.
	Judged, Illegal, Undecided []string
	Ops                        int // on all of them
}

// Linearize checks each register: an operation reads or writes it, or does both as a
// compare-and-set, and takes effect at some moment between its invocation and its end.
// What a read of an operation of unknown outcome asked for is not known; as a
// compare-and-set it may have written at any time from its invocation on, or never.
//
// Keys that operations on several keys touch, scans included, are for others.
func Linearize(h *History, limit time.Duration) Linearity {
	var l Linearity
	until := time.Now().Add(limit)
	f := findings{h: h}
	registers := registersOf(h)
	for _, key := range sortedKeys(registers) {
		ops := operations(h, registers[key])
		l.Judged, l.Ops = append(l.Judged, key), l.Ops+len(ops)
		left := time.Until(until)
		if left <= 0 { // for porcupine 0 is for ever
			l.Undecided = append(l.Undecided, key)
			continue
		}
		left = min(left, max(limit/registerPart, 1))
		switch porcupine.CheckOperationsTimeout(registerModel(h, key), ops, left) {
		case porcupine.Unknown:
			l.Undecided = append(l.Undecided, key)
		case porcupine.Illegal:
			l.Illegal = append(l.Illegal, key)
			f.add("not-linearizable", nil,
				"no order of the %d operations on %q explains what they read", len(ops), key)
		case porcupine.Ok:
		}
	}
	l.Anomalies = f.all
	return l
}

// DrawRegister writes porcupine's picture of one register, as HTML, to a file.
func DrawRegister(h *History, key, path string, limit time.Duration) error {
	ops := operations(h, registersOf(h)[key])
	if len(ops) == 0 {
		return fmt.Errorf("%q is no register of this history", key)
	}
	model := registerModel(h, key)
	_, info := porcupine.CheckOperationsVerbose(model, ops, max(limit, 1))
	return porcupine.VisualizePath(model, info, path)
}

// registersOf are the operations on each key that only operations on one key touch.
func registersOf(h *History) map[string][]int {
	all := map[string][]int{}
	shared := map[string]bool{}
	for i := range h.Ops {
		mops := h.Ops[i].Mops
		if len(mops) == 0 || h.Ops[i].Type == history.Fail {
			continue
		}
		alone := true
		for _, m := range mops {
			alone = alone && m.Key == mops[0].Key && m.Kind != history.Scan &&
				m.Kind != history.Append && !m.Listed
		}
		for _, m := range mops {
			if !alone {
				shared[m.Key] = true
			}
		}
		all[mops[0].Key] = append(all[mops[0].Key], i)
	}
	for key := range all { // order: each is its own
		if shared[key] {
			delete(all, key)
		}
	}
	return all
}

// operations are ops for porcupine. Those of unknown outcome end last; they are left
// out where they wrote nothing, or only what nobody has read: then it makes no
// difference whether they happened. Nothing but another write or a delete can have come
// next, and those ask for no value; an insert, which does, would have failed.
func operations(h *History, ops []int) []porcupine.Operation {
	read := map[int64]bool{}
	last := 0
	for _, id := range ops {
		o := &h.Ops[id]
		last = max(last, o.Invoked)
		for i := range o.Mops {
			m := &o.Mops[i]
			if o.Type == history.OK && m.Kind == history.Read && m.Known && !m.Missing {
				read[m.N] = true
			}
			if o.Type == history.OK {
				last = max(last, o.Completed)
			}
		}
	}
	var all []porcupine.Operation
	for _, id := range ops {
		o := &h.Ops[id]
		end := last + 1
		left := effectsOf(o)[o.Mops[0].Key]
		if o.Type == history.OK {
			end = o.Completed
		} else if !o.Writes() || !left.missing && !read[left.n] {
			continue
		}
		all = append(all, porcupine.Operation{
			ClientId: o.Process, Input: o, Call: int64(o.Invoked), Return: int64(end),
		})
	}
	slices.SortFunc(all, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return all
}

// registerModel is one register.
func registerModel(h *History, key string) porcupine.Model {
	first, there := h.Init[key]
	return porcupine.Model{
		Init: func() any { return cell{n: first, missing: !there} },
		Step: func(state, input, _ any) (bool, any) {
			is := state.(cell)
			o := input.(*history.Op)
			for i := range o.Mops {
				m := &o.Mops[i]
				switch {
				case m.Kind == history.Read && m.Known && o.Type == history.OK && found(m) != is:
					return false, state
				case m.Kind == history.Insert && !is.missing:
					return false, state
				case m.Kind == history.Delete:
					is = cell{missing: true}
				case m.Writes():
					is = cell{n: m.N}
				}
			}
			return true, is
		},
		DescribeOperation: func(input, _ any) string { return describe(input.(*history.Op)) },
		DescribeState:     func(state any) string { return state.(cell).String() },
	}
}

// describe is o in the few words that fit into a picture.
func describe(o *history.Op) string {
	text := ""
	for i := range o.Mops {
		if b, err := o.Mops[i].MarshalJSON(); err == nil {
			text += string(b)
		}
	}
	if o.Type == history.Info {
		text += " ?"
	}
	return text
}
