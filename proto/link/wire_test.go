package link

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairnkv/cairn/proto/transport"
)

// pipe is a connection in memory, of two wires.
func pipe(t *testing.T) (a, b *wire) {
	t.Helper()
	x, y := net.Pipe()
	t.Cleanup(func() {
		_ = x.Close()
		_ = y.Close()
	})
	return newWire(x), newWire(y)
}

// sending runs a sender with nothing to send; the returned function ends it.
func sending(w *wire) (end func() error) {
	s := sender{wake: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- s.run(w, nil) }()
	return func() error {
		s.finish()
		return <-ended
	}
}

// A peer that has nothing to say is heard all the same; one that is gone is missed in time.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t)
		end := sending(b)
		for range 100 {
			f, err := a.receive(frameReadMax)
			if err != nil || !bytes.Equal(f.b, []byte{0}) {
				t.Fatalf("got %v, %v", f.b, err)
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		since := time.Now()
		if _, err := a.receive(frameReadMax); !errors.Is(err, errSilent) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(since); d != 25*time.Second {
			t.Errorf("it was missed after %v", d)
		}
	})
}

// A frame that comes slowly is waited for, as long as something comes.
func TestSlowFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t)
		got := make(chan error, 1)
		go func() {
			_, err := a.receive(frameReadMax)
			got <- err
		}()
		for _, c := range []byte{0, 0, 0, 3, 1, 2, 3} {
			<-time.After(silenceMax - time.Second)
			if _, err := b.conn.Write([]byte{c}); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// Whoever takes nothing holds up the sender for no longer than writeTimeout.
func TestStuckWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pipe(t)
		end := sending(a)
		since := time.Now()
		<-time.After(transport.PingAfter)
		if err := end(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(since) - transport.PingAfter; d != 30*time.Second {
			t.Errorf("it was held up for %v", d)
		}
	})
}

// What only says that it is long gets no memory for that.
func TestClaimedLength(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"nothing comes", []byte{2, 0, 0, 0}},
		{"too long", []byte{0xff, 0xff, 0xff, 0xff}},
		{"part of it comes", append([]byte{2, 0, 0, 0}, make([]byte, readBytes)...)},
	} {
		a, b := pipe(t)
		go func() {
			_, _ = b.conn.Write(c.bytes) // not all of it is taken
			_ = b.conn.Close()
		}()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := a.receive(frameReadMax)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it was taken", c.name)
		}
		most := uint64((1 + readTrustGrowth) * readBytes)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*most {
			t.Errorf("%s: %d bytes for it", c.name, n)
		}
		_ = a.conn.Close()
	}
}

func TestLongFrames(t *testing.T) {
	a, b := pipe(t)
	for _, n := range []int{0, 1, readBytes, readBytes + 1, readTrustMax + 1, 5 * writeBytesMax} {
		want := bytes.Repeat([]byte{byte(n + 1)}, n)
		sent := make(chan error, 1)
		go func() { sent <- b.write(append(b.begin(0), want...), time.Now()) }()
		f, err := a.receive(frameReadMax)
		if err != nil || !bytes.Equal(f.b, want) {
			t.Errorf("%d bytes: %d came, %v", n, len(f.b), err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if cap(b.out) > writeKeepMax {
			t.Errorf("%d bytes are kept", cap(b.out))
		}
	}
}

// Whoever does not greet is turned away in time.
func TestGreetingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := make(chan error, 1)
		s := NewServer(echo, ServerOptions{Refused: func(err error) { refused <- err }})
		a, _ := pipe(t)
		s.converse(a.conn)
		if err := <-refused; !errors.Is(err, errGreetingTimeout) {
			t.Errorf("got %v", err)
		}
		s.Close()
	})
}

// A call whose time is up is cancelled although its client says nothing.
func TestDeadlineWithoutCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := NewServer(func(ctx context.Context, _ uint8, _ []byte) ([]byte, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, nil
		}, ServerOptions{})
		ours, theirs := pipe(t)
		served := make(chan struct{})
		go func() {
			defer close(served)
			newExchange(s, theirs).run()
		}()
		since := time.Now()
		const limit = 90 * time.Second / 4
		m := &message{kind: kindCall, id: 1, deadline: since.Add(limit)}
		if err := ours.send(&outFrame{messages: []*message{m}}); err != nil {
			t.Fatal(err)
		}
		go func() {
			for err := error(nil); err == nil; {
				_, err = ours.receive(frameReadMax)
			}
		}()
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(since); d < limit || d > limit+tickEvery {
			t.Errorf("it was cancelled after %v", d)
		}
		_ = ours.conn.Close()
		<-served
	})
}

// Answers that are under way when the server closes arrive, whatever the client sends meanwhile.
func TestCloseWhileCalled(t *testing.T) {
	started := make(chan bool, 1)
	s, url := serveAt(t, func(ctx context.Context, _ uint8, b []byte) ([]byte, error) {
		started <- true
		<-ctx.Done()
		return b, nil
	}, ServerOptions{})
	raw := rawWire(t, url)
	introduce(t, raw)
	want := make([]byte, FrameBytesMax)
	m := &message{kind: kindCall, id: 1, payload: want}
	if err := raw.send(&outFrame{messages: []*message{m}}); err != nil {
		t.Fatal(err)
	}
	wait(t, started)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.Close()
	}()
	if err := raw.send(&outFrame{}); err != nil {
		t.Error(err)
	}
	f, err := raw.receive(frameReadMax)
	if err != nil || len(f.b) < len(want) {
		t.Errorf("%d bytes came, %v", len(f.b), err)
	}
	if _, err := raw.receive(frameReadMax); !errors.Is(err, errEnded) {
		t.Errorf("after that %v", err)
	}
	_ = raw.conn.Close()
	wait(t, closed)
}

// A peer of another kind, or of a release before this, is told what is amiss.
func TestNotALink(t *testing.T) {
	refused := make(chan error, 1)
	_, url := serveAt(t, echo, ServerOptions{Refused: func(err error) { refused <- err }})
	resp, err := http.Get(url + Path)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != Protocol {
		t.Errorf("got %s, %v", resp.Status, resp.Header)
	}
	if wait(t, refused) == nil {
		t.Error("the server said nothing")
	}
	url, stop := listen(t, http.NotFoundHandler(), "127.0.0.1:0")
	defer stop()
	_, err = dial(t, url, Options{}).Call(t.Context(), 1, nil)
	const want = `not sent: the server does not speak cairn-link: it answered 404 Not Found "404 page not found"`
	if !errors.Is(err, ErrUnsent) || err.Error() != "unavailable: "+want {
		t.Errorf("got %v", err)
	}
}
