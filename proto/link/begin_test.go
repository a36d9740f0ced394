package link

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// told is what calls that nobody waits for came to, in the order in which they ended.
type told chan outcome

func (o told) then(payload []byte, err error) { o <- outcome{payload, err} }

// roomy waits until no call holds room, and fails if any was told twice.
func (o told) roomy(t *testing.T, c *Client) {
	t.Helper()
	eventually(t, func() bool { return c.room.TryAcquire(CallBytesMax) })
	c.room.Release(CallBytesMax)
	if len(o) > 0 {
		t.Errorf("told once more than calls were begun: %v", <-o)
	}
}

func TestBegin(t *testing.T) {
	_, url := serveAt(t, func(_ context.Context, method uint8, payload []byte) ([]byte, error) {
		if method == 2 {
			return nil, txn.Errorf(txn.Invalid, "no", "no")
		}
		return payload, nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	const n = 1000
	ends := make(told, n+1)
	for i := range uint64(n) {
		if c.Begin(Request{Method: 1, Payload: binary.BigEndian.AppendUint64(nil, i)}, ends.then) == nil {
			t.Fatalf("call %d was not begun", i)
		}
	}
	seen := make(map[uint64]bool)
	for range n {
		out := wait(t, ends)
		if out.err != nil || seen[binary.BigEndian.Uint64(out.payload)] {
			t.Fatalf("%v", out)
		}
		seen[binary.BigEndian.Uint64(out.payload)] = true
	}
	c.Begin(Request{Method: 2}, ends.then)
	if out := wait(t, ends); txn.KindOf(out.err) != txn.Invalid {
		t.Errorf("the handler's error is %v", out.err)
	}
	ends.roomy(t, c)
	if c.Begin(Request{Payload: make([]byte, PayloadBytesMax+1)}, ends.then) != nil {
		t.Error("a payload over the limit")
	}
	if !c.room.TryAcquire(CallBytesMax) {
		t.Fatal("there is no room")
	}
	if c.Begin(Request{}, ends.then) != nil {
		t.Error("a call for which there was no room")
	}
	c.room.Release(CallBytesMax)
}

// Whoever is told what came of a call may begin another, and end any.
func TestThenMayBegin(t *testing.T) {
	_, url := serveAt(t, echo, ServerOptions{})
	c := dial(t, url, Options{})
	ends := make(told, 2)
	c.Begin(Request{Payload: []byte("1")}, func([]byte, error) {
		b := c.Begin(Request{Payload: []byte("2")}, ends.then)
		b.End(context.Canceled)
		b.End(context.Canceled)
		c.Begin(Request{Payload: []byte("3")}, ends.then)
	})
	if out := wait(t, ends); !errors.Is(out.err, context.Canceled) || !errors.Is(out.err, ErrUnsent) {
		t.Errorf("%v", out)
	}
	if out := wait(t, ends); out.err != nil || string(out.payload) != "3" {
		t.Errorf("%v", out)
	}
	ends.roomy(t, c)
}

// A call ends by End or when its time is up, the handler hears of it, and its answer frees its room.
func TestBegunEnds(t *testing.T) {
	entered, left := make(chan bool, 2), make(chan bool, 2)
	_, url := serveAt(t, func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
		_, limited := ctx.Deadline()
		entered <- limited
		<-ctx.Done()
		left <- true
		return nil, nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	ends := make(told, 3)
	b := c.Begin(Request{Deadline: time.Now().Add(time.Hour)}, ends.then)
	if !wait(t, entered) {
		t.Error("the deadline did not cross")
	}
	b.End(context.Canceled)
	if out := wait(t, ends); !errors.Is(out.err, ErrLost) || !errors.Is(out.err, context.Canceled) {
		t.Errorf("a call that was ended: %v", out)
	}
	b.End(context.DeadlineExceeded)
	wait(t, left)
	c.Begin(Request{Until: time.Now().Add(time.Millisecond)}, ends.then)
	if out := wait(t, ends); !errors.Is(out.err, ErrLost) || !errors.Is(out.err, context.DeadlineExceeded) {
		t.Errorf("a call whose time is up: %v", out)
	}
	wait(t, left)
	ends.roomy(t, c)
	b.End(context.Canceled)
	ends.roomy(t, c)
}

// With the link all its calls end, those that were not sent too.
func TestBegunWhenTheLinkBreaks(t *testing.T) {
	broken := make(chan struct{})
	url := serveWire(t, func(ctx context.Context, w *wire) error {
		_, err := meet(w)
		if err == nil {
			err = greet(w, Identity{})
		}
		if err == nil {
			_, err = w.receive(frameReadMax) // the first of them
		}
		select {
		case <-broken:
		case <-ctx.Done():
		}
		return err
	})
	c := dial(t, url, Options{})
	const n = 100
	ends := make(told, n+1)
	for range n {
		if c.Begin(Request{Method: 1}, ends.then) == nil {
			t.Fatal("a call was not begun")
		}
	}
	eventually(t, func() bool { _, up := c.Peer(); return up })
	close(broken)
	for range n {
		if out := wait(t, ends); !errors.Is(out.err, ErrLost) && !errors.Is(out.err, ErrUnsent) {
			t.Fatalf("%v", out)
		}
	}
	ends.roomy(t, c)
	c.Close()
	if c.Begin(Request{Method: 1}, ends.then) != nil {
		t.Error("a call on a link that was closed")
	}
	ends.roomy(t, c)
}
