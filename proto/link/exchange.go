package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/callctx"
	"github.com/cairnkv/cairn/txn"
)

// exchange is one stream of a Server. Three kinds of goroutine work on it: the reader, which is
// the handler's own and waits for all others; the sender; and the workers, each with one call at
// a time. A call that waits keeps its worker, so there are as many workers as open calls need,
// at most CallsMax; idle ones are used again, which spares growing a new stack for every call.
type exchange struct {
	sender
	server  *Server
	wire    *wire
	from    Identity // who the other side is
	ctx     context.Context
	cancel  context.CancelFunc
	work    chan *openCall // without places: only an idle worker takes
	workers sync.WaitGroup

	// Guarded by the sender's lock.
	open      map[uint64]*openCall
	openBytes int
	idle      int
}

// openCall is a call at work, the message that will answer it, and the context of its handler. The
// client cancels its call when the time is up; for one that does not, expire does.
type openCall struct {
	callctx.Context
	answer  message
	method  uint8
	payload []byte
}

func newExchange(s *Server, w *wire) *exchange {
	x := &exchange{
		sender: sender{wake: make(chan struct{}, 1)}, server: s, wire: w,
		work: make(chan *openCall), open: make(map[uint64]*openCall),
	}
	x.out.withholds = true
	x.ctx, x.cancel = context.WithCancel(s.closing)
	return x
}

// run serves the stream until it ends or the Server closes. Then it cancels the calls that are
// open, and answers them if there is still somebody to hear it.
func (x *exchange) run() {
	defer x.cancel()
	context.AfterFunc(x.ctx, x.endCalls)
	var sending sync.WaitGroup
	sending.Go(func() {
		if x.sender.run(x.wire, x.expire) != nil {
			x.cancel()              // the other side is gone
			_ = x.wire.conn.Close() // so the reader hears of it
		}
	})
	why := x.receive()
	x.cancel()
	close(x.work)
	x.workers.Wait()
	if e, ok := errors.AsType[*txn.Error](why); ok {
		x.mu.Lock()
		x.out.push(&message{kind: kindFailure, id: streamID, payload: appendFailure(e)})
		x.mu.Unlock()
	}
	hurry := time.AfterFunc(closeGrace, func() { _ = x.wire.conn.Close() })
	defer hurry.Stop()
	x.finish()
	sending.Wait()
	x.wire.hangUp()
}

// receive takes frames in until there are no more, and returns why: a *txn.Error if the other side
// broke the rules.
func (x *exchange) receive() error {
	for {
		f, err := x.wire.receive(frameReadMax)
		if err == nil {
			err = x.take(&f)
		}
		if err != nil {
			return err
		}
	}
}

// take starts the calls of a frame. What goes on from there holds up nobody.
func (x *exchange) take(f *inFrame) error {
	taken, err := f.uvarint()
	if err != nil {
		return err
	}
	x.mu.Lock()
	err = x.out.wereTaken(taken)
	if err == nil && len(f.b) > 0 {
		err = x.out.take()
	}
	x.poke()
	x.mu.Unlock()
	now := time.Now()
	for err == nil && len(f.b) > 0 {
		var a arrival
		if a, err = f.next(); err != nil {
			break
		}
		switch a.kind {
		case kindCall:
			err = x.begin(&a, now)
		case kindCancel:
			x.cancelCall(a.id)
		case kindPost:
			err = x.post(&a)
		case kindAnswer, kindFailure:
			err = violation("a message of kind %d from a client", a.kind)
		}
	}
	return err
}

// post passes a posted message on.
func (x *exchange) post(a *arrival) error {
	if x.server.o.Posted == nil {
		return violation("a posted message, and nobody to take it")
	}
	x.server.o.Posted(x.from, a.method, a.payload)
	return nil
}

// expire cancels the calls whose time is up. That there is no timer for each call spares more than
// precision is worth here.
func (x *exchange) expire(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.open { // order: does not matter
		if deadline, ok := c.Deadline(); ok && now.After(deadline) {
			c.End(context.DeadlineExceeded)
		}
	}
}

// endCalls ends the contexts of all calls, once that of the stream is over.
func (x *exchange) endCalls() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.open { // order: does not matter
		c.End(x.ctx.Err())
	}
}

// cancelCall ends the waiting of a call; its answer says what had become of it by then.
func (x *exchange) cancelCall(id uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.open[id]; c != nil {
		c.End(context.Canceled)
	}
}

// begin gives a call to a worker.
func (x *exchange) begin(a *arrival, now time.Time) error {
	c := &openCall{method: a.method, payload: a.payload}
	c.answer.id = a.id
	deadline := time.Time{}
	if a.left > 0 {
		deadline = now.Add(a.left)
	}
	c.Begin(x.ctx, deadline)
	if err := x.admit(c); err != nil {
		return err
	}
	select {
	case x.work <- c:
	default:
		x.workers.Go(func() { x.worker(c) })
	}
	return nil
}

func (x *exchange) admit(c *openCall) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.open[c.answer.id] != nil:
		return violation("call %d is open already", c.answer.id)
	case len(x.open) >= CallsMax:
		return violation("more than %d calls are open", CallsMax)
	case x.openBytes+len(c.payload) > CallBytesMax:
		return violation("the open calls hold more than %d bytes", CallBytesMax)
	}
	x.open[c.answer.id] = c
	x.openBytes += len(c.payload)
	if err := x.ctx.Err(); err != nil { // endCalls may not see it
		c.End(err)
	}
	return nil
}

// worker serves c, then whatever comes, until the stream ends or enough others are idle.
func (x *exchange) worker(c *openCall) {
	for c != nil {
		c.run(x.server.serve)
		c.End(context.Canceled)
		x.mu.Lock()
		delete(x.open, c.answer.id)
		x.openBytes -= len(c.payload)
		x.out.push(&c.answer)
		x.poke()
		stay := x.idle < idleWorkersMax
		if stay {
			x.idle++
		}
		x.mu.Unlock()
		if !stay {
			return
		}
		c = <-x.work
		x.mu.Lock()
		x.idle--
		x.mu.Unlock()
	}
}

// run makes the answer.
func (c *openCall) run(serve Serve) {
	payload, err := serve(c, c.method, c.payload)
	c.answer.kind, c.answer.payload = kindAnswer, payload
	if err != nil {
		c.answer.kind, c.answer.payload = kindFailure, appendFailure(err)
	}
	if n := len(c.answer.payload); n > PayloadBytesMax {
		c.answer.kind = kindFailure
		c.answer.payload = appendFailure(&txn.Error{
			Kind: txn.Unknown, Op: "link.Serve", Reason: "answer_too_large",
			Err: fmt.Errorf("the answer has %d bytes, the limit is %d", n, PayloadBytesMax),
		})
	}
}
