package sim

import "time"

// event is something that happens at a virtual time, to a process or, with
// p nil, to the world.
type event struct {
	at    time.Duration
	order uint32 // chosen by the seed: events of one moment come in any order
	seq   uint64
	p     *process
	label string
	f     func()
}

func (e *event) before(o *event) bool {
	if e.at != o.at {
		return e.at < o.at
	}
	if e.order != o.order {
		return e.order < o.order
	}
	return e.seq < o.seq
}

// queue is a binary heap of events.
type queue []*event

func (q *queue) push(e *event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	*q = h
}

func (q *queue) pop() *event {
	h := *q
	top := h[0]
	n := len(h) - 1
	h[0], h[n] = h[n], nil
	h = h[:n]
	for i := 0; ; {
		small := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < n && h[child].before(h[small]) {
				small = child
			}
		}
		if small == i {
			break
		}
		h[i], h[small] = h[small], h[i]
		i = small
	}
	*q = h
	return top
}
