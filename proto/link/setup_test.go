package link

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func echo(_ context.Context, _ uint8, payload []byte) ([]byte, error) { return payload, nil }

// serveAt serves a Server on a new port of loopback until the test ends.
func serveAt(t testing.TB, serve Serve, o ServerOptions) (*Server, string) {
	t.Helper()
	s := NewServer(serve, o)
	url, stop := listen(t, s, "127.0.0.1:0")
	t.Cleanup(func() {
		s.Close()
		stop()
	})
	return s, url
}

// listen serves h at address until stop, which ends all connections, as the end of a process does.
func listen(t testing.TB, h http.Handler, address string) (url string, stop func()) {
	t.Helper()
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{Listener: tcp}
	srv := transport.NewServer(h)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return "http://" + l.Addr().String(), func() {
		_ = srv.Close()
		<-done
		for _, c := range l.conns { // the server has forgotten those that are streams
			_ = c.Close()
		}
	}
}

// listener remembers its connections.
type listener struct {
	net.Listener
	conns []net.Conn // for the goroutine that accepts, and for others once it has ended
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

// serveWire is a peer that is not a Server: serve has its end of each stream, as long as it lives.
func serveWire(t testing.TB, serve func(ctx context.Context, w *wire) error) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var streams sync.WaitGroup
	url, stop := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streams.Add(1)
		defer streams.Done()
		conn, err := transport.Hijack(w, r, Protocol)
		if err == nil {
			_ = serve(ctx, newWire(conn))
			_ = conn.Close()
		}
	}), "127.0.0.1:0")
	t.Cleanup(func() {
		cancel()
		stop()
		streams.Wait()
	})
	return url
}

// rawWire opens a stream without a Client.
func rawWire(t testing.TB, url string) *wire {
	t.Helper()
	conn, err := transport.Upgrade(t.Context(), url+Path, Protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newWire(conn)
}

// introduce is the client's part of the greetings.
func introduce(t testing.TB, w *wire) {
	t.Helper()
	err := greet(w, Identity{})
	if err == nil {
		_, err = meet(w)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, url string, o Options) *Client {
	t.Helper()
	c := Dial(url, o)
	t.Cleanup(c.Close)
	return c
}

// wait ends the test if nothing comes.
func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// eventually yields until ok.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}
