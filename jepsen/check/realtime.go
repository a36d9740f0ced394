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
