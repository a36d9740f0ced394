package client

import (
	"errors"
	"testing"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

func newQueue() *queue { return &queue{open: make(map[uint64]*pending)} }

func (q *queue) add(n, size int) []*pending {
	var ps []*pending
	for range n {
		p := &pending{payload: make([]byte, size), done: make(chan outcome, 1)}
		q.waiting, ps = append(q.waiting, p), append(ps, p)
	}
	return ps
}

func TestQueueWindow(t *testing.T) {
	q, now := newQueue(), time.Unix(1, 0)
	for i := range flyingFramesMax {
		q.add(1, 1)
		if f, _ := q.next(now); len(f.GetCalls()) != 1 {
			t.Fatalf("frame %d: %v", i, f)
		}
	}
	ps := q.add(5, 1)
	if f, wait := q.next(now); f != nil || wait != flyingMax {
		t.Fatalf("a frame too many, or no wait: %v %v", f, wait)
	}
	// An answer makes room, and what gathered goes in one frame.
	if !q.answer(&cairnv1.Reply{Id: 1, Payload: []byte("x")}) || q.answer(&cairnv1.Reply{Id: 1}) {
		t.Error("a call is answered once")
	}
	if f, _ := q.next(now); len(f.GetCalls()) != 5 || f.Calls[0].Id != 3 {
		t.Fatalf("after an answer: %v", f)
	}
	// Frames that nobody answers stop counting.
	q.add(1, 1)
	if f, _ := q.next(now.Add(flyingMax)); len(f.GetCalls()) != 1 {
		t.Fatalf("after the wait: %v", f)
	}
	// What was sent is canceled, though there is no room; what was not is taken back.
	last := q.add(1, 1)[0]
	q.flying = []*flight{{since: now}, {since: now}}
	if q.withdraw(ps[0]) || !q.withdraw(last) {
		t.Error("withdraw")
	}
	if f, _ := q.next(now); len(f.GetCalls()) != 0 || len(f.GetCancels()) != 1 || f.Cancels[0].Id != 3 {
		t.Errorf("cancel: %v", f)
	}
	if f, wait := q.next(now); f != nil || wait != 0 {
		t.Errorf("nothing to send: %v %v", f, wait)
	}
}

func TestQueueFrameSize(t *testing.T) {
	q, now := newQueue(), time.Unix(1, 0)
	q.add(2, frameBytesMax/2)
	q.add(1, 2*frameBytesMax)
	var sizes []int
	for range 2 {
		f, _ := q.next(now)
		sizes = append(sizes, len(f.Calls))
	}
	if sizes[0] != 2 || sizes[1] != 1 {
		t.Errorf("calls a frame: %v", sizes)
	}
}

func TestQueueFail(t *testing.T) {
	q, now := newQueue(), time.Unix(1, 0)
	sent := q.add(1, 1)[0]
	q.next(now)
	unsent := q.add(1, 1)[0]
	q.fail(errors.New("gone"), true)
	for p, want := range map[*pending]bool{sent: true, unsent: false} {
		lost, ok := (<-p.done).err.(*lostError)
		if !ok || lost.sent != want {
			t.Errorf("sent %v: %+v", want, lost)
		}
	}
}

func TestDeadline(t *testing.T) {
	now := time.Unix(1, 0)
	for _, c := range []struct {
		deadline time.Time
		want     int64
	}{{time.Time{}, 0}, {now.Add(3 * time.Second), 3000}, {now, 1}, {now.Add(-time.Hour), 1}} {
		if got := (&pending{deadline: c.deadline}).deadlineMS(now); got != c.want {
			t.Errorf("%v: %d, want %d", c.deadline, got, c.want)
		}
	}
}
