package client

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const (
	// cancelGrace is how long a call that may have changed something waits for the server's word
	// after its context is done: that word says whether it happened.
	cancelGrace = 100 * time.Millisecond
	// hangUpGrace is how long closing waits for the server to end the stream by itself.
	hangUpGrace = 250 * time.Millisecond
	// kindOfLoss is what a lost stream means for calls that change nothing.
	kindOfLoss = txn.Unavailable
)

// link is one connection of the stream, from its first call to its failure.
// One goroutine sends, one receives; calls come from everywhere.
type link struct {
	open     func(context.Context) *exchange
	diagnose func(context.Context, error) (because error, lost bool)

	slots  chan struct{} // one for each call until its answer
	wake   chan struct{} // something to send
	ending chan struct{} // hangUp was called
	dead   chan struct{} // no call will be answered any more
	end    func()

	mu struct {
		sync.Mutex
		queue
		err error // why it is dead
	}
}

func newLink(
	open func(context.Context) *exchange,
	diagnose func(context.Context, error) (because error, lost bool),
) *link {
	l := &link{
		open:     open,
		diagnose: diagnose,
		slots:    make(chan struct{}, openCallsMax),
		wake:     make(chan struct{}, 1),
		ending:   make(chan struct{}),
		dead:     make(chan struct{}),
	}
	l.end = sync.OnceFunc(func() { close(l.ending) })
	l.mu.open = make(map[uint64]*pending)
	return l
}

// run lives as long as the link.
func (l *link) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream := l.open(ctx)
	var others sync.WaitGroup
	others.Go(func() { l.send(stream) })
	others.Go(func() { l.cutAfterGrace(cancel) })
	l.receive(ctx, stream)
	_ = stream.CloseResponse() // it is over, whatever this says
	cancel()
	others.Wait()
}

// cutAfterGrace cuts a stream that the server does not end after hangUp.
func (l *link) cutAfterGrace(cut func()) {
	select {
	case <-l.dead:
		return
	case <-l.ending:
	}
	timer := time.NewTimer(hangUpGrace)
	defer timer.Stop()
	select {
	case <-l.dead:
	case <-timer.C:
		cut()
	}
}

// hangUp ends the link: the sending side first, so that the server ends the rest.
func (l *link) hangUp() { l.end() }

func (l *link) failed() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// send sends frames until the link ends, then says so to the server.
func (l *link) send(stream *exchange) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		runtime.Gosched() // those who are about to call do so before: their calls go along
		l.mu.Lock()
		frame, wait := l.mu.next(time.Now())
		l.mu.Unlock()
		if frame != nil {
			if stream.Send(frame) != nil {
				break // the receiver knows why
			}
			continue
		}
		var soon <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			soon = timer.C
		}
		select {
		case <-l.wake:
		case <-soon:
		case <-l.dead:
			return
		case <-l.ending:
			_ = stream.CloseRequest()
			return
		}
	}
	select {
	case <-l.dead:
	case <-l.ending:
	}
}

// receive hands out answers until there are no more, then fails what is open.
func (l *link) receive(ctx context.Context, stream *exchange) {
	answered := false
	for {
		frame, err := stream.Receive()
		if err == nil {
			answered = true
			l.deliver(frame)
			continue
		}
		sent := true
		select {
		case <-l.ending:
			err = errClosed
		default:
			if errors.Is(err, io.EOF) {
				err = errors.New("the server ended the stream")
			} else if !answered {
				err, sent = l.diagnose(ctx, err)
			}
		}
		l.fail(cause(err), sent)
		return
	}
}

func (l *link) deliver(frame *cairnv1.Frame) {
	l.mu.Lock()
	answered := 0
	for _, r := range frame.Replies {
		if l.mu.answer(r) {
			answered++
		}
	}
	more := len(l.mu.waiting) > 0
	l.mu.Unlock()
	for range answered {
		<-l.slots
	}
	if more {
		l.poke()
	}
}

func (l *link) fail(err error, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.err = err
	l.mu.fail(err, sent)
	close(l.dead)
}

func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) call(ctx context.Context, c *call) error {
	p, err := newPending(ctx, c)
	if err != nil {
		return err
	}
	select {
	case l.slots <- struct{}{}:
	case <-l.dead:
	case <-ctx.Done():
		return timeUp(ctx, c.op())
	}
	if err := l.enqueue(p); err != nil {
		return err
	}
	select {
	case out := <-p.done:
		return out.decode(c)
	case <-ctx.Done():
		return l.abandon(ctx, c, p)
	}
}

func (l *link) enqueue(p *pending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.err != nil {
		return &lostError{err: l.mu.err}
	}
	l.mu.waiting = append(l.mu.waiting, p)
	l.poke()
	return nil
}

// abandon ends a call whose context is done.
func (l *link) abandon(ctx context.Context, c *call, p *pending) error {
	l.mu.Lock()
	unsent := l.mu.withdraw(p)
	l.mu.Unlock()
	l.poke()
	if unsent {
		select {
		case out := <-p.done: // the link failed just now
			return out.decode(c)
		default:
		}
		<-l.slots
		return timeUp(ctx, c.op())
	}
	wait := time.Duration(0)
	if c.effect == commits {
		wait = cancelGrace
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case out := <-p.done:
		return out.decode(c)
	case <-timer.C:
	}
	if c.effect == commits {
		return &lostError{sent: true, kind: txn.Deadline, err: context.Cause(ctx)}
	}
	return timeUp(ctx, c.op())
}

// decode puts the answer into c.
func (o outcome) decode(c *call) error {
	if o.err != nil {
		return o.err
	}
	if err := proto.Unmarshal(o.payload, c.res); err != nil {
		return &lostError{sent: true, kind: txn.Internal, err: err}
	}
	return nil
}

func replyError(e *cairnv1.CallError) error {
	return fromDetail(connect.Code(e.Code), e.Message, e.Detail)
}
