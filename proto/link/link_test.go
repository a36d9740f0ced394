package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/txn"
)

func TestAnswersInAnyOrder(t *testing.T) {
	gate := make(chan struct{})
	_, url := serveAt(t, func(ctx context.Context, method uint8, payload []byte) ([]byte, error) {
		if method == 1 {
			<-gate
		}
		return append(payload, method), nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	first := make(chan string, 1)
	go func() {
		b, err := c.Call(t.Context(), 1, []byte("slow"))
		if err != nil {
			t.Error(err)
		}
		first <- string(b)
	}()
	for range 100 {
		if b, err := c.Call(t.Context(), 2, []byte("fast")); err != nil || string(b) != "fast\x02" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	close(gate)
	if got := wait(t, first); got != "slow\x01" {
		t.Errorf("got %q", got)
	}
}

func TestManyCalls(t *testing.T) {
	_, url := serveAt(t, echo, ServerOptions{})
	c := dial(t, url, Options{})
	var calls sync.WaitGroup
	for i := range uint64(10_000) {
		calls.Go(func() {
			want := binary.BigEndian.AppendUint64(nil, i)
			if got, err := c.Call(t.Context(), 1, want); err != nil || !bytes.Equal(got, want) {
				t.Errorf("call %d: %x, %v", i, got, err)
			}
		})
	}
	calls.Wait()
}

func TestHandlerErrors(t *testing.T) {
	_, url := serveAt(t, func(_ context.Context, method uint8, _ []byte) ([]byte, error) {
		switch method {
		case 1:
			e := txn.Errorf(txn.Exhausted, "too_much", "said %d", 7)
			e.Key = txn.NewKey(1, []byte("k"))
			return nil, e
		case 2:
			return nil, errors.New("odd")
		default:
			return make([]byte, PayloadBytesMax+1), nil
		}
	}, ServerOptions{})
	c := dial(t, url, Options{})
	for i, want := range []string{
		`resource exhausted: said 7 (key "k")`, "internal: odd",
		"outcome unknown: the answer has 41943041 bytes, the limit is 41943040",
	} {
		_, err := c.Call(t.Context(), uint8(i+1), nil)
		if err == nil || err.Error() != want || errors.Is(err, ErrLost) || errors.Is(err, ErrUnsent) {
			t.Errorf("method %d: got %v, want %s", i+1, err, want)
		}
	}
}

func TestCancelReachesHandler(t *testing.T) {
	started, ended := make(chan bool, 1), make(chan bool, 1)
	_, url := serveAt(t, func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
		_, limited := ctx.Deadline()
		started <- limited
		<-ctx.Done()
		ended <- true
		return nil, nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Call(ctx, 1, nil)
		failed <- err
	}()
	if !wait(t, started) {
		t.Error("the deadline did not cross")
	}
	cancel()
	if err := wait(t, failed); !errors.Is(err, ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wait(t, ended)
	if !c.room.TryAcquire(CallBytesMax) { // the answer frees its room
		eventually(t, func() bool { return c.room.TryAcquire(CallBytesMax) })
	}
	c.room.Release(CallBytesMax)
	_, err := c.Call(ctx, 1, nil)
	if !errors.Is(err, ErrUnsent) || txn.KindOf(err) != txn.Deadline {
		t.Errorf("a call that was over before it began: %v", err)
	}
}

func TestRestartMidCall(t *testing.T) {
	started := make(chan bool, 1)
	s := NewServer(func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
		started <- true
		<-ctx.Done()
		return nil, nil
	}, ServerOptions{})
	url, stop := listen(t, s, "127.0.0.1:0")
	c := dial(t, url, Options{})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Call(t.Context(), 1, nil)
		failed <- err
	}()
	wait(t, started)
	stop()
	s.Close()
	if err := wait(t, failed); !errors.Is(err, ErrLost) || txn.KindOf(err) != txn.Unknown {
		t.Errorf("got %v", err)
	}
	_, err := c.Call(t.Context(), 1, nil)
	if !errors.Is(err, ErrUnsent) && !errors.Is(err, ErrLost) {
		t.Errorf("with no server: %v", err)
	}
	s = NewServer(echo, ServerOptions{})
	_, stop = listen(t, s, strings.TrimPrefix(url, "http://"))
	defer stop()
	defer s.Close()
	eventually(t, func() bool {
		got, err := c.Call(t.Context(), 1, []byte("x"))
		return err == nil && string(got) == "x"
	})
}

func TestServerClose(t *testing.T) {
	started := make(chan bool, 1)
	s, url := serveAt(t, func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
		started <- true
		<-ctx.Done()
		return []byte("done"), nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	answered := make(chan string, 1)
	go func() {
		b, err := c.Call(t.Context(), 1, nil)
		if err != nil {
			t.Error(err)
		}
		answered <- string(b)
	}()
	wait(t, started)
	s.Close()
	if got := wait(t, answered); got != "done" {
		t.Errorf("a call in progress got %q", got)
	}
}

func TestClientClose(t *testing.T) {
	_, url := serveAt(t, echo, ServerOptions{})
	c := Dial(url, Options{})
	c.Close()
	_, err := c.Call(t.Context(), 1, nil)
	if !errors.Is(err, ErrUnsent) || !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A peer that greets and then reads nothing gets two frames, and no more.
func TestHalfOpenPeer(t *testing.T) {
	url := serveWire(t, func(ctx context.Context, w *wire) error {
		if _, err := meet(w); err != nil {
			return err
		}
		err := greet(w, Identity{})
		<-ctx.Done()
		return err
	})
	c := dial(t, url, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	var lostCalls, unsentCalls atomic.Int64
	call := func() {
		_, err := c.Call(ctx, 1, make([]byte, 1<<20))
		switch {
		case errors.Is(err, ErrLost):
			lostCalls.Add(1)
		case errors.Is(err, ErrUnsent):
			unsentCalls.Add(1)
		default:
			t.Errorf("got %v", err)
		}
	}
	const n = 20
	for range n {
		calls.Go(call)
	}
	s := c.session.Load()
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.out.flying == FlyingMax && len(s.out.queue) == n-FlyingMax
	})
	cancel()
	calls.Wait()
	if lostCalls.Load() != FlyingMax || unsentCalls.Load() != n-FlyingMax {
		t.Errorf("%d lost, %d unsent", lostCalls.Load(), unsentCalls.Load())
	}
}

func TestPayloadSizes(t *testing.T) {
	_, url := serveAt(t, echo, ServerOptions{})
	c := dial(t, url, Options{})
	largest := bytes.Repeat([]byte{7}, PayloadBytesMax)
	if got, err := c.Call(t.Context(), 1, largest); err != nil || !bytes.Equal(got, largest) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	_, err := c.Call(t.Context(), 1, append(largest, 0))
	if !errors.Is(err, ErrUnsent) || txn.KindOf(err) != txn.Invalid {
		t.Errorf("one byte more: %v", err)
	}
}

func TestMismatch(t *testing.T) {
	refused := make(chan error, 16)
	tell := func(err error) {
		select {
		case refused <- err:
		default:
		}
	}
	_, url := serveAt(t, echo, ServerOptions{Self: Identity{ClusterID: "blue", ID: 2}, Refused: tell})
	check := func(c *Client, want string) {
		t.Helper()
		_, err := c.Call(t.Context(), 1, nil)
		m, ok := errors.AsType[*Mismatch](err)
		if !ok || m.Error() != want || !errors.Is(err, ErrUnsent) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	check(dial(t, url, Options{Self: Identity{ClusterID: "red"}}),
		`cluster mismatch: here it is "red", on the other side "blue"`)
	if m, ok := errors.AsType[*Mismatch](wait(t, refused)); !ok || m.Theirs != `"red"` {
		t.Errorf("the server heard of %v", m)
	}
	check(dial(t, url, Options{Peer: 3}), "member mismatch: here it is 3, on the other side 2")
	if _, err := dial(t, url, Options{Peer: 2}).Call(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}

	if err := greetAs(rawWire(t, url), Version+1); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		m, ok := errors.AsType[*Mismatch](wait(t, refused))
		return ok && m.What == "protocol version" && m.Theirs == strconv.Itoa(Version+1)
	})
	future := serveWire(t, func(_ context.Context, w *wire) error {
		_, err := meet(w)
		return errors.Join(err, greetAs(w, Version+1))
	})
	check(dial(t, future, Options{}),
		fmt.Sprintf("protocol version mismatch: here it is %d, on the other side %d", Version, Version+1))
}

// greetAs greets as a process of another version.
func greetAs(w *wire, version uint64) error {
	return w.write((&greeting{version: version}).append(w.begin(0)), time.Now())
}

func TestViolationEndsStream(t *testing.T) {
	_, url := serveAt(t, echo, ServerOptions{})
	for _, m := range []*message{{kind: kindAnswer, id: 1}, {kind: kindPost}, {kind: 9, id: 1}} {
		raw := rawWire(t, url)
		introduce(t, raw)
		if err := raw.send(&outFrame{messages: []*message{m}}); err != nil {
			t.Fatal(err)
		}
		f, err := raw.receive(frameReadMax)
		if err == nil {
			err = newSession(nil).deliver(&f)
		}
		if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != "link_violation" {
			t.Errorf("kind %d: got %v", m.kind, err)
		}
		if _, err := raw.receive(frameReadMax); !errors.Is(err, errEnded) {
			t.Errorf("kind %d: after that %v", m.kind, err)
		}
	}
}

func TestClosedServerRefuses(t *testing.T) {
	s, url := serveAt(t, echo, ServerOptions{})
	s.Close()
	if _, err := dial(t, url, Options{}).Call(t.Context(), 1, nil); !errors.Is(err, ErrUnsent) {
		t.Errorf("got %v", err)
	}
}

// A call whose caller has lost patience ends, sent or not, and its answer is for nobody.
func TestPatience(t *testing.T) {
	release := make(chan struct{})
	_, url := serveAt(t, func(_ context.Context, method uint8, b []byte) ([]byte, error) {
		if method == 1 {
			<-release
		}
		return b, nil
	}, ServerOptions{})
	c := dial(t, url, Options{})
	if _, err := c.Call(t.Context(), 2, nil); err != nil {
		t.Fatal(err)
	}
	impatient := func() error {
		_, err := c.Call(WithPatience(t.Context(), 10*time.Millisecond), 1, []byte("late"))
		return err
	}
	if err := impatient(); !errors.Is(err, ErrLost) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that was sent: %v", err)
	}
	held := c.room
	if !held.TryAcquire(CallBytesMax - callBytesMin) {
		t.Fatal("one call takes more room than it may")
	}
	if err := impatient(); !errors.Is(err, ErrUnsent) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call without room: %v", err)
	}
	held.Release(CallBytesMax - callBytesMin)
	close(release)
	for range 100 { // those that come next get their own answers
		if b, err := c.Call(WithPatience(t.Context(), patience), 2, []byte("soon")); string(b) != "soon" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if !c.room.TryAcquire(CallBytesMax) {
		eventually(t, func() bool { return c.room.TryAcquire(CallBytesMax) })
	}
	ctx := WithPatience(t.Context(), -time.Second)
	if _, err := c.Call(ctx, 2, nil); !errors.Is(err, ErrUnsent) || ctx.Err() == nil {
		t.Errorf("without any patience: %v, %v", err, ctx.Err())
	}
}
