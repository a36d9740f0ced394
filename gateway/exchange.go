package gateway

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/proto/callctx"
	"github.com/cairnkv/cairn/proto/frame"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const (
	// OpenCallsMax is how many calls of one stream may be open: not answered, or answered and the
	// answer not yet sent.
	OpenCallsMax = 4096
	// OpenBytesMax bounds the payloads of the open calls of a stream. A call that is alone may be
	// larger.
	OpenBytesMax = 64 << 20
	// FrameBytesMax is how large a frame of replies gets, unless a single reply is larger.
	FrameBytesMax = 1 << 20
	// ReplyBytesMax is how much may wait to be sent before no more calls are taken in: whoever
	// does not listen is not listened to.
	ReplyBytesMax = 16 << 20
	// idleWorkersMax is how many goroutines of a stream wait for the next call.
	idleWorkersMax = 1024
)

// exchange is one stream. Three kinds of goroutine work on it: the reader, which is the handler's
// own and waits for all others; the sender; and the workers, each with one call at a time. A call
// that waits keeps its worker, so there are as many workers as open calls need; idle ones are
// used again, which spares growing a new stack for every call (an eighth of a get's cost at 64
// callers, by BenchmarkExchange). Most gets do without a worker, see soonGet.
type exchange struct {
	g       *Gateway
	stream  *connect.BidiStream[cairnv1.Frame, cairnv1.Frame]
	ctx     context.Context
	cancel  context.CancelCauseFunc
	proper  bool           // nothing is wrong with what the client says about itself
	work    chan *openCall // without places: only an idle worker takes
	workers sync.WaitGroup // and calls that are answered without one
	wake    chan struct{}  // of one place: there is something to send, or it is all over
	drained chan struct{}  // of one place: something was sent

	mu         sync.Mutex
	open       map[uint64]*openCall
	openBytes  int
	replies    []sized
	replyBytes int
	idle       int
	finished   bool // no reply will be added any more
}

// openCall is a call between its arrival and the sending of its reply.
type openCall struct {
	callctx.Context
	call  *cairnv1.Call
	timer *time.Timer // ends it at its deadline; nil: it has none
	bytes int
	// request is call's payload, if it has been decoded already; nil: it has not.
	request proto.Message
	began   time.Duration // by Env.Now; 0: when a worker took it
	// stop ends the waiting of a soonGet; nil: it is none. Guarded by the lock of the exchange.
	stop func(cause error)
}

// sized is a reply, and what it takes in a frame.
type sized struct {
	*cairnv1.Reply
	bytes int
}

func newExchange(
	ctx context.Context, g *Gateway, stream *connect.BidiStream[cairnv1.Frame, cairnv1.Frame],
) *exchange {
	x := &exchange{
		g: g, stream: stream, work: make(chan *openCall),
		wake: make(chan struct{}, 1), drained: make(chan struct{}, 1),
		open: make(map[uint64]*openCall),
	}
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	_, err := principalOf(ctx)
	x.proper = err == nil
	return x
}

// run serves the stream until the client ends or leaves it, nothing can be sent on it any more, or
// the Gateway closes. Calls that are open when the client is gone are canceled; otherwise they are
// answered first.
func (x *exchange) run() error {
	defer x.cancel(nil)
	context.AfterFunc(x.ctx, x.endCalls)
	var sender sync.WaitGroup
	sender.Go(x.send)
	unwatch := x.watchClosing()
	failed := x.receive()
	unwatch()
	if failed != nil {
		x.cancel(nil)
	}
	close(x.work)
	x.workers.Wait()
	x.mu.Lock()
	x.finished = true
	x.mu.Unlock()
	signal(x.wake)
	sender.Wait()
	if failed != nil {
		return connectError(failed)
	}
	return nil
}

// watchClosing makes the reader stop when the Gateway closes, until the returned function has
// been called.
func (x *exchange) watchClosing() (unwatch func()) {
	ran := make(chan struct{})
	stop := context.AfterFunc(x.g.closing, func() {
		defer close(ran)
		x.stopReading()
	})
	return func() {
		if !stop() {
			<-ran
		}
	}
}

// stopReading makes the reader's wait for the next frame fail, now and from now on.
func (x *exchange) stopReading() {
	if control, ok := x.ctx.Value(controlKey{}).(*http.ResponseController); ok {
		_ = control.SetReadDeadline(time.Unix(1, 0))
	}
}

// controlKey is where the context of a request keeps its http.ResponseController.
type controlKey struct{}

// receive takes frames in until there are no more. It fails if the client broke the rules or is
// gone.
func (x *exchange) receive() *txn.Error {
	for {
		f, err := x.stream.Receive()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), x.g.closing.Err() != nil:
			return nil
		case x.ctx.Err() != nil:
			return x.whyOver()
		default:
			return txn.Errorf(txn.Invalid, "frame_unreadable", "a frame cannot be read: %w", err)
		}
		for _, c := range f.GetCancels() {
			x.cancelCall(c.GetId())
		}
		for _, c := range f.GetCalls() {
			if err := x.admit(c); err != nil {
				return err
			}
		}
		if !x.awaitDrained() {
			return x.whyOver()
		}
	}
}

// whyOver is for a stream whose context is done: the client left, or cannot be told anything.
func (x *exchange) whyOver() *txn.Error {
	if e, ok := errors.AsType[*txn.Error](context.Cause(x.ctx)); ok {
		return e
	}
	return errGaveUp(context.Canceled)
}

func errBroken() *txn.Error {
	e := txn.Errorf(txn.Unavailable, "stream_broken", "a frame of replies could not be sent")
	e.Next = "open another stream; what became of the calls without a reply is not known"
	return e
}

// cancelCall ends the waiting of a call; its reply says what had become of it by then.
func (x *exchange) cancelCall(id uint64) {
	x.mu.Lock()
	c := x.open[id]
	x.mu.Unlock()
	if c != nil {
		x.endCall(c, context.Canceled)
	}
}

// endCall ends the waiting of c. The caller has no lock: a soonGet goes on from here.
func (x *exchange) endCall(c *openCall, err error) {
	c.End(err)
	x.mu.Lock()
	stop := c.stop
	x.mu.Unlock()
	if stop != nil {
		stop(err)
	}
}

// endCalls ends the contexts of all calls, once that of the stream is over.
func (x *exchange) endCalls() {
	x.mu.Lock()
	open := slices.Collect(maps.Values(x.open)) // order: each on its own
	x.mu.Unlock()
	for _, c := range open {
		x.endCall(c, x.ctx.Err())
	}
}

// admit starts a call or refuses it. It fails if the stream cannot go on.
func (x *exchange) admit(call *cairnv1.Call) *txn.Error {
	c := &openCall{call: call, bytes: len(call.GetPayload())}
	x.mu.Lock()
	if x.open[call.GetId()] != nil {
		x.mu.Unlock()
		return txn.Errorf(txn.Invalid, "call_id_in_use", "call id %d is open already", call.GetId())
	}
	refused := x.refuse(c)
	if refused != nil {
		x.push(sizeOf(&cairnv1.Reply{Id: call.GetId(), Error: callError(refused)}))
		x.mu.Unlock()
		return nil
	}
	x.begin(c)
	x.open[call.GetId()] = c
	x.openBytes += c.bytes
	if err := x.ctx.Err(); err != nil { // endCalls may not see it
		c.End(err)
	}
	x.mu.Unlock()
	if x.answerSoon(c) {
		return nil
	}
	select {
	case x.work <- c:
	default:
		x.workers.Go(func() { x.worker(c) })
	}
	return nil
}

// begin makes c the context of its call.
func (x *exchange) begin(c *openCall) {
	ms := c.call.GetDeadlineMs()
	if ms <= 0 {
		c.Begin(x.ctx, time.Time{})
		return
	}
	d := milliseconds(ms)
	c.Begin(x.ctx, time.Now().Add(d))
	c.timer = time.AfterFunc(d, func() { x.endCall(c, context.DeadlineExceeded) })
}

// end lets go of what was begun for c.
func (c *openCall) end() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.End(context.Canceled)
}

// refuse says why a call cannot be taken in now. The caller holds the lock.
func (x *exchange) refuse(c *openCall) *txn.Error {
	switch {
	case len(x.open) >= OpenCallsMax:
		return txn.Errorf(txn.Exhausted, "too_many_calls",
			"%d calls are open on this stream, the limit is %d", len(x.open), OpenCallsMax)
	case len(x.open) > 0 && x.openBytes+c.bytes > OpenBytesMax:
		return txn.Errorf(txn.Exhausted, "too_many_call_bytes",
			"the open calls of this stream hold %d bytes, the limit is %d",
			x.openBytes+c.bytes, OpenBytesMax)
	case c.call.GetDeadlineMs() < 0:
		return txn.Errorf(txn.Invalid, "deadline_negative",
			"deadline_ms is %d; it must be 0 (none) or more", c.call.GetDeadlineMs())
	default:
		return nil
	}
}

// milliseconds is ms as a duration; what is too long for one becomes the longest.
func milliseconds(ms int64) time.Duration {
	return time.Duration(min(ms, int64(time.Duration(1<<63-1)/time.Millisecond))) * time.Millisecond
}

// worker serves c, then whatever comes, until the stream ends or enough others are idle.
func (x *exchange) worker(c *openCall) {
	for c != nil {
		reply := sizeOf(x.g.answer(c, c.call))
		c.end()
		x.mu.Lock()
		x.push(reply)
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

// push queues a reply. The caller holds the lock.
func (x *exchange) push(r sized) {
	x.replies = append(x.replies, r)
	x.replyBytes += r.bytes
	signal(x.wake)
}

func sizeOf(r *cairnv1.Reply) sized { return sized{r, frame.SizeOfReply(r) + replyOverhead} }

// awaitDrained waits while the client does not take its replies. It reports false if the stream
// is over.
func (x *exchange) awaitDrained() bool {
	for x.ctx.Err() == nil {
		x.mu.Lock()
		ok := x.replyBytes <= ReplyBytesMax && len(x.replies) <= OpenCallsMax
		x.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-x.drained:
		case <-x.ctx.Done():
		}
	}
	return false
}

// send sends what has gathered, one frame after the other: while one is under way the next one
// fills. Once a frame cannot be sent the stream is over: the client must see that, lest it wait for
// ever, so the reader and all calls end, and their replies are thrown away.
func (x *exchange) send() {
	gone := false
	for range x.wake {
		for {
			runtime.Gosched() // those who are about to answer do so before: their replies go along
			f, finished := x.batch()
			if f == nil {
				if finished {
					return
				}
				break
			}
			signal(x.drained)
			if !gone && x.stream.Send(f) != nil {
				gone = true
				x.cancel(errBroken())
				x.stopReading()
			}
		}
	}
}

// batch takes the next frame's replies out of the queue, nil if there are none.
func (x *exchange) batch() (f *cairnv1.Frame, finished bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	size := 0
	for _, r := range x.replies {
		if size > 0 && size+r.bytes > FrameBytesMax {
			break
		}
		size += r.bytes
		if f == nil {
			f = &cairnv1.Frame{Replies: make([]*cairnv1.Reply, 0, len(x.replies))}
		}
		f.Replies = append(f.Replies, r.Reply)
		if c := x.open[r.GetId()]; c != nil {
			x.openBytes -= c.bytes
			delete(x.open, r.GetId())
		}
	}
	if f == nil {
		return nil, x.finished
	}
	x.replies = slices.Delete(x.replies, 0, len(f.Replies))
	x.replyBytes -= size
	return f, false
}

// replyPayloadMax is how large the answer to one call may be, so that a frame with nothing else in
// it can be sent, and read by the SDK.
const replyPayloadMax = ResponseBytesMax - 1<<10

// answerTooLarge is for an answer that cannot be sent. What m did has happened.
func answerTooLarge(m method, bytes int) *txn.Error {
	e := txn.Errorf(txn.Exhausted, "answer_too_large", "the answer has %d bytes, the limit is %d",
		bytes, replyPayloadMax)
	e.Next = "ask for less at a time"
	if m.mutates() {
		e.Kind, e.Next = txn.Unknown, "it was probably done: read what it wrote"
	}
	return e
}

// replyOverhead is what a reply takes in a frame besides itself: its tag and its length.
const replyOverhead = 6

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
