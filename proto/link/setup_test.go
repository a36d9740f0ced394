package link

import (
	"context"
	"net"
	"net/http"
	"runtime"
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

// listen serves h at address until stop.
func listen(t testing.TB, h http.Handler, address string) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	srv := transport.NewServer(h)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return "http://" + l.Addr().String(), func() {
		_ = srv.Close()
		<-done
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
