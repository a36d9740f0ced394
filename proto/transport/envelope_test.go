package transport_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/cairnkv/cairn/proto/transport"
)

// envelope is a message of n bytes as Connect writes it: the prefix, and what follows it.
func envelope(n int) [][]byte {
	prefix := binary.BigEndian.AppendUint32([]byte{0}, uint32(n))
	return [][]byte{prefix, bytes.Repeat([]byte{7}, n)}
}

// TestRequestsAreJoined reads what a pipe brings piece by piece, and looks at what is read at once.
func TestRequestsAreJoined(t *testing.T) {
	for _, c := range []struct {
		name   string
		buffer int
		pieces [][]byte
		want   []int
	}{
		{"prefix and message", 100, envelope(20), []int{25}},
		{"each message by itself", 100, slices.Concat(envelope(20), envelope(30)), []int{25, 35}},
		{"nothing in it", 100, slices.Concat(envelope(0)[:1], envelope(3)), []int{5, 8}},
		{"more than the buffer", 16, envelope(20), []int{16, 9}},
		{"prefix in pieces", 100, [][]byte{{0, 0}, {0, 0, 3}, {1, 2}, {3}}, []int{8}},
		{"cut off", 100, [][]byte{{0, 0, 0, 0, 9}, {1}}, []int{6}},
	} {
		body, pipe := io.Pipe()
		go func() {
			for _, p := range c.pieces {
				_, _ = pipe.Write(p)
			}
			_ = pipe.Close()
		}()
		var got []int
		client := transport.JoiningClient{Client: &http.Client{Transport: roundTrip(func(r *http.Request) {
			for {
				n, err := r.Body.Read(make([]byte, c.buffer))
				if n > 0 {
					got = append(got, n)
				}
				if err != nil {
					return
				}
			}
		})}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil || resp.Body.Close() != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: read %v at a time, want %v; %v", c.name, got, c.want, err)
		}
	}
}

type roundTrip func(*http.Request)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// pieces notes how long each write to a response is.
type pieces struct {
	*httptest.ResponseRecorder
	wrote []int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.wrote = append(p.wrote, len(b))
	return p.ResponseRecorder.Write(b)
}

func TestResponsesAreJoined(t *testing.T) {
	p := &pieces{ResponseRecorder: httptest.NewRecorder()}
	w := &transport.JoiningWriter{ResponseWriter: p}
	var want []byte
	for _, n := range []int{20, 0, 5, 1 << 20, 3} {
		for _, b := range envelope(n) {
			want = append(want, b...)
			if m, err := w.Write(b); m != len(b) || err != nil {
				t.Errorf("wrote %d of %d: %v", m, len(b), err)
			}
		}
		w.Flush()
	}
	if !p.Flushed || !bytes.Equal(p.Body.Bytes(), want) {
		t.Errorf("flushed %v, %d bytes, want %d", p.Flushed, p.Body.Len(), len(want))
	}
	if want := []int{25, 5, 0, 10, 5, 1 << 20, 8}; !slices.Equal(p.wrote, want) {
		t.Errorf("writes of %v bytes, want %v", p.wrote, want)
	}
}
