package link

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeStream hands frames over in memory, and counts what the other end has taken and answered.
type fakeStream struct {
	in                      chan []byte
	taken, frames, answered atomic.Int64
}

func (f *fakeStream) Send(o *outFrame) error {
	f.taken.Add(int64(o.taken))
	if f.answered.Add(int64(len(o.messages))); len(o.messages) > 0 {
		f.frames.Add(1)
	}
	return nil
}

func (f *fakeStream) Receive() (*inFrame, error) {
	b, ok := <-f.in
	if !ok {
		return nil, io.EOF
	}
	return &inFrame{b: b}, nil
}

// A client that does not take its answers may send no more, until it does.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(func(context.Context, uint8, []byte) ([]byte, error) {
			return make([]byte, 1<<20), nil
		}, ServerOptions{})
		f := &fakeStream{in: make(chan []byte)}
		x := newExchange(t.Context(), s, f)
		x.hurry = func() {}
		ended := make(chan error, 1)
		go func() { ended <- x.run() }()
		sent := int64(0)
		send := func() { // as the window allows
			for synctest.Wait(); sent-f.taken.Load() < FlyingMax; synctest.Wait() {
				sent++
				m := &message{kind: kindCall, id: uint64(sent)}
				f.in <- (&outFrame{messages: []*message{m}}).append(nil, time.Now())
				if sent > 1000 {
					t.Fatal("a client that takes nothing is served for ever")
				}
			}
		}
		send()
		const waiting = AnswerBytesMax >> 20
		if sent < waiting || sent > waiting+2*FlyingMax+1 || f.answered.Load() != FlyingMax {
			t.Errorf("%d calls were let in and %d answered", sent, f.answered.Load())
		}
		for heard := int64(0); f.answered.Load() < sent; synctest.Wait() { // the client wakes up
			frames := f.frames.Load()
			f.in <- (&outFrame{taken: int(frames - heard)}).append(nil, time.Now())
			heard = frames
		}
		before := sent
		if send(); sent == before {
			t.Error("the client may still not send")
		}
		close(f.in)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
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
