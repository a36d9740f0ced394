package link

import "time"

// Request is a call whose caller does not wait.
type Request struct {
	Method   uint8
	Payload  []byte    // must not change afterwards
	Deadline time.Time // the handler's; zero: none
	// Until is when the call ends like one with patience (WithPatience); zero: never by itself.
	Until time.Time
}

// Begun is a call under way whose caller does not wait.
type Begun struct {
	pending
	session *session
}

// Begin sends a request, and calls then once with what Call would have returned, whatever happens:
// from the goroutine that receives for all calls, or from whichever ends this one. So then must not
// wait for anything. It may begin other calls.
//
// Begin itself never waits: nil says that there is no room, or no session, or that the payload is
// too large; then is not called, and nothing was sent.
func (c *Client) Begin(r Request, then func(payload []byte, err error)) *Begun {
	if tooLarge(opCall, r.Payload) != nil {
		return nil
	}
	b := &Begun{session: c.session.Load()}
	b.pending = pending{
		message: message{
			kind: kindCall, method: r.Method, deadline: r.Deadline, payload: r.Payload,
		},
		weight: max(callBytesMin, int64(len(r.Payload))), until: r.Until, then: then,
	}
	if !c.room.TryAcquire(b.weight) {
		return nil
	}
	if b.session.enqueue(&b.pending) != nil {
		c.room.Release(b.weight)
		return nil
	}
	return b
}

// End is what a done context is to Call. It does nothing if the call is over.
func (b *Begun) End(cause error) {
	s := b.session
	s.mu.Lock()
	defer s.unlock()
	if s.open[b.id] == &b.pending && !b.left {
		s.tell(&b.pending, outcome{err: s.leave(&b.pending, cause)})
	}
}
