package link

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cairnkv/cairn/proto/transport"
)

// pending is a call on its way.
type pending struct {
	message
	weight int64     // of room, until the answer
	until  time.Time // zero: nobody loses patience
	left   bool      // nobody waits for it any more; guarded by the sender's lock
	done   chan outcome
	// then, if set, is called in the place of done, with out.
	then func(payload []byte, err error)
	out  outcome
	next *pending // of ended
}

// outcome ends the waiting for a pending call, at most once.
type outcome struct {
	payload []byte
	err     error
}

// session is one stream of a Client, from the attempt to open it to its end. Calls may queue
// from the beginning; none leaves before both sides know each other.
type session struct {
	sender
	room *semaphore.Weighted

	// Guarded by the sender's lock.
	open   map[uint64]*pending // queued or sent
	lastID uint64
	ended  *pending // what unlock calls, the last one first
	// watching is set while expire is to come.
	watching bool
	// Once working is set both sides know each other, and the other one is peer.
	working bool
	peer    Identity
	err     error // why it is over
}

func newSession(room *semaphore.Weighted) *session {
	return &session{
		sender: sender{wake: make(chan struct{}, 1)}, room: room,
		open: make(map[uint64]*pending),
	}
}

// run lives as long as the session, and reports whether it ever got to work.
func (s *session) run(c *Client) (worked bool) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	late := time.AfterFunc(greetingTimeout, func() { cancel(errGreetingTimeout) })
	defer late.Stop()
	conn, err := transport.Upgrade(ctx, c.url, Protocol)
	if err != nil {
		s.fail(reason(ctx, err))
		return false
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // it is over, whatever this says
	w := newWire(conn)
	err = s.meet(ctx, w, c.o)
	late.Stop()
	var sending sync.WaitGroup
	if worked = err == nil; worked {
		c.met.Add(1)
		sending.Go(func() {
			// Of another failure the receiver knows more, and there may be answers to read.
			if err := s.sender.run(w, nil); errors.Is(err, os.ErrDeadlineExceeded) {
				cancel(err)
			}
		})
		err = s.receive(w)
	}
	s.fail(reason(ctx, err))
	cancel(nil)
	sending.Wait()
	return worked
}

// reason is why a session is over whose ctx was, or whose stream failed with err.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause // it says more than what the connection makes of it
	}
	return err
}

// meet introduces both sides to each other.
func (s *session) meet(ctx context.Context, w *wire, o Options) error {
	if err := greet(w, o.Self); err != nil {
		return err
	}
	theirs, err := meet(w)
	if err != nil {
		return err
	}
	if err := theirs.check(o.Self, o.Peer); err != nil {
		return err
	}
	if o.Meet != nil {
		if err := o.Meet(ctx, theirs.Identity); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.peer, s.working = theirs.Identity, true
	s.mu.Unlock()
	return nil
}

// receive hands out answers until there are no more.
func (s *session) receive(w *wire) error {
	for {
		f, err := w.receive(frameReadMax)
		if err != nil {
			return err
		}
		if err := s.deliver(&f); err != nil {
			return err
		}
	}
}

func (s *session) deliver(f *inFrame) error {
	taken, err := f.uvarint()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.unlock()
	if err := s.out.wereTaken(taken); err != nil {
		return err
	}
	if len(f.b) > 0 {
		err = s.out.take()
	}
	for err == nil && len(f.b) > 0 {
		var a arrival
		if a, err = f.next(); err == nil {
			err = s.answer(&a)
		}
	}
	s.poke()
	return err
}

// answer ends the call that a is for. The caller holds the lock.
func (s *session) answer(a *arrival) error {
	if a.kind == kindFailure && a.id == streamID {
		return decodeFailure(a.payload)
	}
	p := s.open[a.id]
	if p == nil || p.state != stateSent {
		return violation("an answer to call %d, which is not open", a.id)
	}
	switch a.kind {
	case kindAnswer:
		s.settle(p, outcome{payload: a.payload})
	case kindFailure:
		s.settle(p, outcome{err: decodeFailure(a.payload)})
	case kindCall, kindCancel, kindPost:
		return violation("a message of kind %d from a server", a.kind)
	}
	return nil
}

// settle ends p. The caller holds the lock.
func (s *session) settle(p *pending, out outcome) {
	delete(s.open, p.id)
	s.room.Release(p.weight)
	if !p.left {
		s.tell(p, out)
	}
}

// tell passes on what came of p. The caller holds the lock.
func (s *session) tell(p *pending, out outcome) {
	if p.then == nil {
		p.done <- out
		return
	}
	p.out, p.next, s.ended = out, s.ended, p
}

// unlock lets go of the lock, and tells those who do not wait what came of their calls.
func (s *session) unlock() {
	p := s.ended
	s.ended = nil
	s.mu.Unlock()
	for p != nil {
		out, next := p.out, p.next
		p.out, p.next = outcome{}, nil // whoever keeps p must not keep the frame of its answer
		p.then(out.payload, out.err)
		p = next
	}
}

// fail ends the session and every call of it.
func (s *session) fail(err error) {
	s.mu.Lock()
	s.err = err
	for _, p := range s.open {
		if p.state == stateSent {
			s.settle(p, outcome{err: lost(err)})
		} else {
			s.settle(p, outcome{err: unsent(err)})
		}
	}
	s.out.queue = nil
	s.unlock()
	s.finish()
}

func (s *session) enqueue(p *pending) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.lastID++
	p.id = s.lastID
	s.open[p.id] = p
	s.out.push(&p.message)
	s.watch(p)
	s.poke()
	return nil
}

// post queues a message that gets no answer, if it can leave soon.
func (s *session) post(method uint8, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if !s.working {
		return errNotConnected
	}
	if err := s.out.post(&message{kind: kindPost, method: method, payload: payload}); err != nil {
		return err
	}
	s.poke()
	return nil
}

// abandon ends a call whose caller leaves.
func (s *session) abandon(p *pending, cause error) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[p.id] != p || p.left {
		out := <-p.done // it came just now
		return out.payload, out.err
	}
	return nil, s.leave(p, cause)
}

// leave gives up a call and says what is known of it. One that was sent keeps its room until its
// answer comes. The caller holds the lock.
func (s *session) leave(p *pending, cause error) error {
	if s.out.withdraw(&p.message) {
		delete(s.open, p.id)
		s.room.Release(p.weight)
		return unsent(cause)
	}
	p.left = true
	s.out.push(&message{kind: kindCancel, id: p.id})
	s.poke()
	return lost(cause)
}
