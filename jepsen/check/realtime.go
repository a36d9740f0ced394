package check

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// realTime says between which places an operation without one lies.
type realTime struct {
	groups int
	// ended and last: up to an end, the last group of all that had ended by then.
	ended, last []int
	// began, first and seen: from a beginning on, the first group of all that began then, and the
	// first place that sees no more than they did.
	began, first, seen []int
}

func newRealTime(h *History, at map[int]int) realTime {
	var t realTime
	last := -1
	for _, o := range byCompletion(h) {
		if g, timed := at[o.ID]; timed {
			last = max(last, g)
			t.groups = max(t.groups, g+1)
			t.ended, t.last = append(t.ended, o.Completed), append(t.last, last)
		}
	}
	first, seen := t.groups, t.groups
	for _, o := range slices.Backward(byInvocation(h)) {
		g, timed := at[o.ID]
		if !timed {
			continue
		}
		first = min(first, g)
		if !writesSurely(o) {
			g++ // it sees its group's writer, and so may who came before it
		}
		seen = min(seen, g)
		t.began, t.first = append(t.began, o.Invoked), append(t.first, first)
		t.seen = append(t.seen, seen)
	}
	slices.Reverse(t.began)
	slices.Reverse(t.first)
	slices.Reverse(t.seen)
	return t
}

// of are the places where o may have written.
func (t *realTime) of(o *history.Op) span { return t.between(o, t.first) }

// around are the places where o may have read.
func (t *realTime) around(o *history.Op) span { return t.between(o, t.seen) }

func (t *realTime) between(o *history.Op, first []int) span {
	s := span{0, t.groups}
	if i, _ := slices.BinarySearchFunc(t.ended, o.Invoked, cmp.Compare[int]); i > 0 {
		s.from = t.last[i-1] + 1
	}
	if i, _ := slices.BinarySearchFunc(t.began, o.Completed, cmp.Compare[int]); i < len(first) {
		s.to = first[i]
	}
	return s
}

// InRealTime tells, by their places in ops, which operations had ended before
// which began: not all pairs of them, but those that all others follow from. So
// there are at most as many for an operation as others were open at a time. The
// operations are in the order in which they were invoked.
func InRealTime(ops []*history.Op, tell func(a, b int)) {
	ends := make([]int, 0, len(ops))
	for i, op := range ops {
		if op.Completed != history.Never {
			ends = append(ends, i)
		}
	}
	slices.SortFunc(ends, func(a, b int) int { return ops[a].Completed - ops[b].Completed })
	var latest []int // of what has ended, what nothing that has ended came after
	for i, op := range ops {
		for len(ends) > 0 && ops[ends[0]].Completed < op.Invoked {
			ended := ends[0]
			ends = ends[1:]
			latest = slices.DeleteFunc(latest, func(a int) bool {
				return ops[a].Completed < ops[ended].Invoked
			})
			latest = append(latest, ended)
		}
		for _, a := range latest {
			tell(a, i)
		}
	}
}
