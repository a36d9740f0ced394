package transport_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := transport.NewServer(h)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	c.CloseIdleConnections()
	return string(body)
}

func TestProtocols(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	if got := get(t, transport.NewClient(), url); got != "HTTP/2.0" {
		t.Errorf("the client spoke %s, want HTTP/2.0", got)
	}
	plain := &http.Client{Transport: &http.Transport{}}
	if got := get(t, plain, url); got != "HTTP/1.1" {
		t.Errorf("an ordinary client spoke %s, want HTTP/1.1", got)
	}
}

func TestLongestKeyFitsHeaders(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path[1:2]) })
	for _, c := range []*http.Client{transport.NewClient(), {Transport: &http.Transport{}}} {
		if got := get(t, c, url+"/"+strings.Repeat("%41", 4096)); got != "A" {
			t.Errorf("a key of 4,096 escaped bytes: got %q", got)
		}
	}
}
