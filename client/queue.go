package client

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

const (
	// openCallsMax is how many calls the server lets a stream have open; more callers wait.
	openCallsMax = 4096
	// flyingFramesMax frames may be unanswered; meanwhile calls queue for the next one.
	flyingFramesMax = 2
	// flyingMax is when a frame of which nothing was answered stops counting, so that calls that
	// wait on the server hold up nobody.
	flyingMax = time.Millisecond
	// frameBytesMax bounds the payloads of one frame, unless a single call is larger.
	frameBytesMax = 1 << 20
)

// flight is a frame that was sent. It is over with the first answer to any of its calls.
type flight struct {
	since time.Time
	over  bool
}

// pending is a call on its way.
type pending struct {
	id       uint64 // 0 until sent
	method   cairnv1.Method
	payload  []byte
	deadline time.Time // zero: none
	flight   *flight   // nil until sent
	done     chan outcome
}

// outcome ends a pending call, exactly once.
type outcome struct {
	payload []byte
	err     error
}

func newPending(ctx context.Context, c *call) (*pending, error) {
	payload, err := proto.Marshal(c.req)
	if err != nil {
		return nil, invalid("encoding", err)
	}
	p := &pending{method: c.method, payload: payload, done: make(chan outcome, 1)}
	p.deadline, _ = ctx.Deadline()
	return p, nil
}

// deadlineMS is what is left at now, in milliseconds from 1; 0 = no limit.
func (p *pending) deadlineMS(now time.Time) int64 {
	if p.deadline.IsZero() {
		return 0
	}
	return max(1, p.deadline.Sub(now).Milliseconds())
}

// queue decides what goes into which frame. It has no lock and no clock of its own.
type queue struct {
	waiting []*pending
	open    map[uint64]*pending // sent and not answered
	cancels []uint64
	flying  []*flight
	lastID  uint64
}

// next is the frame to send at now, or nil. With calls that only wait for the
// frames before, it says how long at most; otherwise wait is 0.
func (q *queue) next(now time.Time) (f *cairnv1.Frame, wait time.Duration) {
	q.flying = slices.DeleteFunc(q.flying, func(f *flight) bool {
		return f.over || now.Sub(f.since) >= flyingMax
	})
	if len(q.waiting) > 0 && len(q.flying) == flyingFramesMax {
		wait = flyingMax - now.Sub(q.flying[0].since)
	} else if len(q.waiting) > 0 {
		f = &cairnv1.Frame{Calls: q.take(now)}
	}
	if len(q.cancels) > 0 {
		if f == nil {
			f = &cairnv1.Frame{}
		}
		for _, id := range q.cancels {
			f.Cancels = append(f.Cancels, &cairnv1.Cancel{Id: id})
		}
		q.cancels = q.cancels[:0]
	}
	if f != nil {
		wait = 0
	}
	return f, wait
}

// take moves calls from waiting to open: one flight.
func (q *queue) take(now time.Time) []*cairnv1.Call {
	n, size := 0, 0
	for n < len(q.waiting) && (n == 0 || size+len(q.waiting[n].payload) <= frameBytesMax) {
		size += len(q.waiting[n].payload)
		n++
	}
	flight := &flight{since: now}
	q.flying = append(q.flying, flight)
	calls := make([]*cairnv1.Call, n)
	for i, p := range q.waiting[:n] {
		q.lastID++
		p.id, p.flight = q.lastID, flight
		q.open[p.id] = p
		calls[i] = &cairnv1.Call{
			Id: p.id, Method: p.method, DeadlineMs: p.deadlineMS(now), Payload: p.payload,
		}
		p.payload = nil
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
	return calls
}

// answer ends the call that r is for; false if there is none.
func (q *queue) answer(r *cairnv1.Reply) bool {
	p := q.open[r.Id]
	if p == nil {
		return false
	}
	delete(q.open, r.Id)
	p.flight.over = true
	out := outcome{payload: r.Payload}
	if r.Error != nil {
		out.err = replyError(r.Error)
	}
	p.done <- out
	return true
}

// withdraw takes back a call: true if it had not been sent. Otherwise the
// server is told that nobody waits, and its answer is still due.
func (q *queue) withdraw(p *pending) bool {
	if p.flight == nil {
		q.waiting = slices.DeleteFunc(q.waiting, func(w *pending) bool { return w == p })
		return true
	}
	if q.open[p.id] == p {
		q.cancels = append(q.cancels, p.id)
	}
	return false
}

// fail ends all calls. What was sent may have been done, unless err is that the
// connection was never made or the server knows no stream.
func (q *queue) fail(err error, sent bool) {
	for _, p := range q.open {
		p.done <- outcome{err: &lostError{sent: sent, kind: kindOfLoss, err: err}}
	}
	for _, p := range q.waiting {
		p.done <- outcome{err: &lostError{err: err}}
	}
	q.open, q.waiting = nil, nil
}
