package link

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A client that does not take its answers may send no more, until it does.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(func(context.Context, uint8, []byte) ([]byte, error) {
			return make([]byte, 1<<20), nil
		}, ServerOptions{})
		ours, theirs := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			newExchange(s, newWire(theirs)).run()
		}()
		c := &consumer{t: t, w: newWire(ours)}
		go c.read()
		c.send()
		const waiting = AnswerBytesMax >> 20
		if c.sent < waiting || c.sent > waiting+2*FlyingMax+1 || c.answered.Load() != FlyingMax {
			t.Errorf("%d calls were let in and %d answered", c.sent, c.answered.Load())
		}
		for heard := int64(0); c.answered.Load() < c.sent; synctest.Wait() { // the client wakes up
			frames := c.frames.Load()
			if err := c.w.send(&outFrame{taken: int(frames - heard)}); err != nil {
				t.Fatal(err)
			}
			heard = frames
		}
		before := c.sent
		if c.send(); c.sent == before {
			t.Error("the client may still not send")
		}
		_ = ours.Close()
		<-served
	})
}

// consumer is a client that sends calls as it is let, and says nothing of what it takes.
type consumer struct {
	t                       *testing.T
	w                       *wire
	sent                    int64
	taken, frames, answered atomic.Int64
}

// read counts what comes.
func (c *consumer) read() {
	for {
		f, err := c.w.receive(frameReadMax)
		if err != nil {
			return
		}
		taken, err := f.uvarint()
		c.taken.Add(int64(taken))
		if len(f.b) > 0 {
			c.frames.Add(1)
		}
		for ; err == nil && len(f.b) > 0; c.answered.Add(1) {
			_, err = f.next()
		}
		if err != nil {
			c.t.Error(err)
		}
	}
}

// send sends as the window allows.
func (c *consumer) send() {
	for synctest.Wait(); c.sent-c.taken.Load() < FlyingMax; synctest.Wait() {
		c.sent++
		m := &message{kind: kindCall, id: uint64(c.sent)}
		if err := c.w.send(&outFrame{messages: []*message{m}}); err != nil {
			c.t.Fatal(err)
		}
		if c.sent > 1000 {
			c.t.Fatal("a client that takes nothing is served for ever")
		}
	}
}

func FuzzFrame(f *testing.F) {
	calls := outFrame{taken: 1, messages: []*message{
		{kind: kindCall, id: 1, method: 2, payload: []byte("x")},
		{kind: kindCancel, id: 300}, {kind: kindAnswer, id: 2, payload: []byte("y")},
		{kind: kindPost, method: 3, payload: []byte("z")},
	}}
	f.Add(calls.append(nil, calls.messages[0].deadline))
	f.Add((&greeting{version: Version, Identity: Identity{ClusterID: "c", ID: 1}}).append(nil))
	f.Add((&outFrame{messages: []*message{{kind: kindPost, method: 3}}}).append(nil, time.Time{}))
	f.Add([]byte{0, byte(kindPost), 1, 5, 'x'}) // more than there is
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = new(greeting).read(&inFrame{b: b})
		_ = decodeFailure(b)
		in := &inFrame{b: b}
		_, err := in.uvarint()
		for err == nil && len(in.b) > 0 {
			_, err = in.next()
		}
	})
}

func TestOutbox(t *testing.T) {
	var o outbox
	var f outFrame
	send := func() int {
		f.messages = f.messages[:0]
		if !o.next(&f) {
			return -1
		}
		return len(f.messages)
	}
	a, b, c := &message{id: 1}, &message{id: 2}, &message{id: 3}
	o.push(a)
	if send() != 1 || o.withdraw(a) {
		t.Fatal("the first leaves at once, and cannot be taken back")
	}
	o.push(b)
	o.push(c)
	if !o.withdraw(b) || send() != 1 || f.messages[0] != c {
		t.Fatal("what was withdrawn does not leave")
	}
	o.push(&message{id: 4})
	if send() != -1 {
		t.Fatal("three frames are under way")
	}
	if o.take() != nil || o.take() != nil || send() != 0 || f.taken != FlyingMax {
		t.Fatal("the other side must hear that its window is free")
	}
	if o.wereTaken(3) == nil || o.wereTaken(1) != nil || send() != 1 {
		t.Fatal("a frame that was taken lets the next one go")
	}
	if o.take() != nil || o.take() != nil || o.take() == nil {
		t.Fatal("a third frame is against the rules")
	}
	o = outbox{}
	for range 3 {
		o.push(&message{payload: make([]byte, FrameBytesMax/2)})
	}
	o.push(&message{payload: make([]byte, 2*FrameBytesMax)})
	if send() != 1 || send() != 1 || o.bytes != FrameBytesMax/2+2*FrameBytesMax {
		t.Fatal("a frame is too large")
	}
}
