package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/proto/transport"
)

// echoes serves connections that repeat a line.
func echoes(t *testing.T) (url string) {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := transport.Hijack(w, r, "echo")
		if err != nil {
			return
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil {
			_, err = io.WriteString(conn, line)
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestUpgrade(t *testing.T) {
	conn, err := transport.Upgrade(t.Context(), echoes(t)+"/any", "echo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || string(b) != "hello\n" {
		t.Errorf("%q, %v", b, err)
	}
	_ = conn.Close()
}

// Whoever does not ask for the protocol is told of it, in whatever version of HTTP.
func TestUpgradeRequired(t *testing.T) {
	url := echoes(t)
	for _, c := range []*http.Client{transport.NewClient(), {Transport: &http.Transport{}}} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusUpgradeRequired || !strings.Contains(string(b), "echo") {
				t.Errorf("%s %s: %s %q, %v", resp.Proto, method, resp.Status, b, err)
			}
			_ = resp.Body.Close()
		}
		c.CloseIdleConnections()
	}
}

func TestUpgradeRefused(t *testing.T) {
	answer := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, err = io.WriteString(conn, s)
			}
			if err = errors.Join(err, conn.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		want  string
	}{
		{
			"another page", http.NotFound,
			`the server does not speak echo: it answered 404 Not Found "404 page not found"`,
		},
		{"another protocol", answer(switching + "other\r\n\r\n"), `the server speaks "other", not echo`},
		{
			"haste", answer(switching + "echo\r\n\r\nhello"),
			"the server spoke before it was spoken to",
		},
		{"not HTTP", answer("220 ready\r\n"), `malformed HTTP status code "ready"`},
		{
			"endless headers", answer("HTTP/1.1 101 Switching Protocols\r\nA: " +
				strings.Repeat("a", 2*transport.HeaderBytesMax)), "unexpected EOF",
		},
	} {
		conn, err := transport.Upgrade(t.Context(), serve(t, c.serve), "echo")
		if conn != nil || err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := transport.Upgrade(t.Context(), "https://127.0.0.1:1", "echo"); err == nil {
		t.Error("TLS is not there yet")
	}
}

// What comes behind the request before it is answered is no part of the new protocol.
func TestHijackRefusesHaste(t *testing.T) {
	url := echoes(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
	if b, _ := io.ReadAll(conn); len(b) > 0 { // it may be cut off with a reset
		t.Errorf("got %q", b)
	}
}

// A server that never answers is waited for as long as ctx says.
func TestUpgradeCancelled(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	asked := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	go func() {
		<-asked
		cancel(cause)
	}()
	if _, err := transport.Upgrade(ctx, url, "echo"); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
