package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cairnkv/cairn/proto/transport"
)

// poster is a Poster to what h serves, and how many connections there have been.
func poster(t *testing.T, h http.HandlerFunc) (p *transport.Poster, opened func() int) {
	var mu sync.Mutex
	seen := make(map[string]bool)
	base, err := url.Parse(serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.RemoteAddr] = true
		mu.Unlock()
		h(w, r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	p = transport.NewPoster(base)
	t.Cleanup(p.Close)
	return p, func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(seen)
	}
}

func post(ctx context.Context, p *transport.Poster, body string) (status int, answer string, err error) {
	resp, b, err := p.Post(ctx, &transport.Post{
		Path: "/path?q=%20", Header: "X-A: b\r\n", Body: []byte(body), AnswerBytesMax: 1 << 20,
	})
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, string(b), nil
}

func TestPost(t *testing.T) {
	p, opened := poster(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-A"), r.Proto)
		_, _ = w.Write(body) // large ones are chunked
	})
	for _, body := range []string{"", "body", strings.Repeat("x", 500_000), "again"} {
		status, got, err := post(t.Context(), p, body)
		if want := "POST /path?q=%20 b HTTP/1.1" + body; status != http.StatusTeapot || got != want || err != nil {
			t.Errorf("%d %.40q %v, want %.40q", status, got, err, want)
		}
	}
	if n := opened(); n != 1 {
		t.Errorf("%d connections for one after the other", n)
	}
	if _, _, err := post(t.Context(), p, strings.Repeat("x", 2<<20)); err == nil {
		t.Error("an answer over the limit came through")
	}
}

func TestPostsAtOnce(t *testing.T) {
	p, _ := poster(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 20 {
				body := fmt.Sprint(i, j)
				if _, got, err := post(t.Context(), p, body); got != body || err != nil {
					t.Errorf("%q, %v, want %q", got, err, body)
				}
			}
		})
	}
	all.Wait()
}

// A connection that the server closes, or on which it says what nobody asked for, is not used again.
func TestPostAfterTheServerHungUp(t *testing.T) {
	for name, answer := range map[string]string{
		"said so":   "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"no length": "HTTP/1.1 200 OK\r\n\r\n",
		"silently":  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"chatter":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"in steps":  "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		p, opened := poster(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.WriteString(conn, answer)
			}
			if err = errors.Join(err, conn.Close()); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			if status, _, err := post(t.Context(), p, "x"); status != http.StatusOK || err != nil {
				t.Errorf("%s: %d, %v", name, status, err)
			}
			for p.Silent() {
				runtime.Gosched() // its end takes a moment to come
			}
		}
		if n := opened(); n != 3 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

// An answer that comes before all of the request is taken is an answer.
func TestPostRefusedEarly(t *testing.T) {
	p, _ := poster(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	status, _, err := post(t.Context(), p, strings.Repeat("x", 32<<20))
	if status != http.StatusRequestEntityTooLarge || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}

// Who stops waiting gets the cause, and the server hears of it.
func TestPostCancelled(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	p, opened := poster(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil && first(begun) {
			<-r.Context().Done()
			close(ended)
		}
	})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-begun
		cancel(cause)
	}()
	if _, _, err := post(ctx, p, "x"); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	<-ended
	if _, _, err := post(t.Context(), p, "x"); err != nil || opened() != 2 {
		t.Errorf("the next one: %v, %d connections", err, opened())
	}
}

// first closes c, once.
func first(c chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		close(c)
		return true
	}
}

func TestPostToNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	p := transport.NewPoster(&url.URL{Scheme: "http", Host: l.Addr().String()})
	_, _, err = post(t.Context(), p, "x")
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
		t.Errorf("got %v", err)
	}
}
