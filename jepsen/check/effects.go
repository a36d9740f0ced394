package check

import (
	"slices"
	"strings"

	"github.com/cairnkv/cairn/jepsen/history"
)

// cell is what a key holds: a number, or nothing.
type cell struct {
	n       int64
	missing bool
}

// effect is what an operation leaves on a key.
type effect struct {
	cell
	appended []int64 // of a list, at its end
}

// effects of an operation so far, by key.
type effects map[string]effect

// note adds what m does.
func (e effects) note(m *history.Mop) {
	switch m.Kind {
	case history.Append:
		was := e[m.Key]
		was.appended = append(was.appended, m.N)
		e[m.Key] = was
	case history.Write, history.Insert:
		e[m.Key] = effect{cell: cell{n: m.N}}
	case history.Delete:
		e[m.Key] = effect{cell: cell{missing: true}}
	case history.Read, history.Scan:
	}
}

// effectsOf are those of all of o.
func effectsOf(o *history.Op) effects {
	all := effects{}
	for i := range o.Mops {
		all.note(&o.Mops[i])
	}
	return all
}

// found is what a read of a register found.
func found(m *history.Mop) cell { return cell{n: m.N, missing: m.Missing} }

// inRange reports whether a scan of the range name looks at key.
func inRange(name, key string) bool {
	return len(key) > len(name) && key[len(name)] == '/' && strings.HasPrefix(key, name)
}

// scannedNames are the names of the ranges that somebody scans.
func scannedNames(h *History) map[string]bool {
	names := map[string]bool{}
	for i := range h.Ops {
		for _, m := range h.Ops[i].Mops {
			if m.Kind == history.Scan {
				names[m.Key] = true
			}
		}
	}
	return names
}

// rangesOf are the names among those given of ranges that key is in.
func rangesOf(key string, names map[string]bool) []string {
	var in []string
	for i := range len(key) {
		if key[i] == '/' && names[key[:i]] {
			in = append(in, key[:i])
		}
	}
	return in
}

// byInvocation and byCompletion are the operations of h that ended well, in those orders.
func byInvocation(h *History) []*history.Op {
	var ops []*history.Op
	for i := range h.Ops {
		if h.Ops[i].Type == history.OK {
			ops = append(ops, &h.Ops[i])
		}
	}
	slices.SortFunc(ops, func(a, b *history.Op) int { return a.Invoked - b.Invoked })
	return ops
}

func byCompletion(h *History) []*history.Op {
	ops := byInvocation(h)
	slices.SortFunc(ops, func(a, b *history.Op) int { return a.Completed - b.Completed })
	return ops
}
