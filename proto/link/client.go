package link

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options of a Client.
type Options struct {
	Self Identity
	Peer uint64 // the member that must answer; 0: whoever does
	// Meet, if set, is told who answers before any call goes there, each time, and
	// may say why none must.
	Meet func(context.Context, Identity) error
}

// Client is the calling end. It keeps one stream open from Dial to Close: when it ends, the
// next one follows, after a pause that grows with every failure.
type Client struct {
	o    Options
	url  string
	room *semaphore.Weighted // bytes, of CallBytesMax
	done sync.Pool           // of chan outcome, for the next calls

	ctx     context.Context // until Close
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	session atomic.Pointer[session] // the newest, which may have failed
	met     atomic.Uint64           // sessions in which the other side answered
}

// Dial begins to connect to the Server at url, as in "http://10.0.0.1:7601", and returns at once.
// Calls wait while the first attempt lasts, and fail while the link pauses between two.
func Dial(url string, o Options) *Client {
	c := &Client{o: o, url: url + Path, room: semaphore.NewWeighted(CallBytesMax)}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.session.Store(newSession(c.room))
	c.running.Go(c.run)
	return c
}

// Close ends the link and all calls on it, and waits for what the link was doing.
func (c *Client) Close() {
	c.cancel(ErrClosed)
	c.running.Wait()
}

// run keeps a session alive until Close.
func (c *Client) run() {
	pause := backoffMin
	for {
		if c.session.Load().run(c) {
			pause = backoffMin
		}
		if c.ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return
		}
		pause = min(2*pause, backoffMax)
		c.session.Store(newSession(c.room))
	}
}

// Call sends a request and waits for its answer, or until ctx is done, which cancels the
// handler's context and takes nothing back. payload must not change afterwards. The answer
// shares memory with others that came with it, and belongs to the caller.
//
// An error is the handler's, or ErrUnsent, or ErrLost; see the package comment.
func (c *Client) Call(ctx context.Context, method uint8, payload []byte) ([]byte, error) {
	if err := tooLarge(opCall, payload); err != nil {
		return nil, err
	}
	p := &pending{weight: max(callBytesMin, int64(len(payload)))}
	if p.done, _ = c.done.Get().(chan outcome); p.done == nil {
		p.done = make(chan outcome, 1)
	}
	p.message = message{kind: kindCall, method: method, payload: payload}
	p.deadline, _ = ctx.Deadline()
	p.until = patient(ctx)
	if err := ctx.Err(); err != nil {
		return nil, unsent(context.Cause(ctx))
	}
	if err := c.enter(ctx, p); err != nil {
		return nil, unsent(err)
	}
	s := c.session.Load()
	if err := s.enqueue(p); err != nil {
		c.room.Release(p.weight)
		return nil, unsent(err)
	}
	select {
	case out := <-p.done:
		c.done.Put(p.done)
		return out.payload, out.err
	case <-ctx.Done():
		return s.abandon(p, context.Cause(ctx))
	}
}

// enter waits for room.
func (c *Client) enter(ctx context.Context, p *pending) error {
	if c.room.TryAcquire(p.weight) {
		return nil
	}
	if !p.until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, p.until)
		defer cancel()
	}
	if c.room.Acquire(ctx, p.weight) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Post queues a message that gets no answer. Posted messages share the stream with calls; they
// arrive in the order in which they were posted, each at most once, and any may be lost without a
// word when the stream ends. payload must not change afterwards.
//
// Post never blocks. An error is ErrUnsent: the payload is too large, there is no session now in
// which the other side has answered, or too much waits to be sent already. What is posted grows
// old quickly, so nothing of it waits for a connection.
func (c *Client) Post(method uint8, payload []byte) error {
	if err := tooLarge(opPost, payload); err != nil {
		return err
	}
	if err := c.session.Load().post(method, payload); err != nil {
		return unposted(err)
	}
	return nil
}

// Sessions is how often both sides have met: once, if the link never broke.
func (c *Client) Sessions() uint64 { return c.met.Load() }

// Peer says who the other side is; false while there is no session in which it has answered.
func (c *Client) Peer() (Identity, bool) {
	s := c.session.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer, s.working && s.err == nil
}
