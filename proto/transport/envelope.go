package transport

import (
	"encoding/binary"
	"io"
	"net/http"
)

// Connect and gRPC write a message of a stream in two pieces, its prefix and its bytes, and
// net/http makes a frame of HTTP/2 of each: two writes to the socket, and two wake-ups of whoever
// reads at the other end. The types below join them.

const (
	// prefixBytes is a byte of flags and the length of what follows, 4 bytes.
	prefixBytes = 5
	// joinBytesMax is up to which size a message is copied to be joined with its prefix.
	joinBytesMax = 64 << 10
)

// JoiningClient is an http.Client for streams: what it sends of a message is sent at once.
type JoiningClient struct{ *http.Client }

// Do sends a request whose body is envelopes, each written by whoever makes it without a pause.
func (c JoiningClient) Do(req *http.Request) (*http.Response, error) {
	joined := req.WithContext(req.Context())
	joined.Body = &envelopeReader{ReadCloser: req.Body}
	return c.Client.Do(joined)
}

// envelopeReader reads to the end of an envelope, unless the reader's buffer is full before.
type envelopeReader struct {
	io.ReadCloser
	prefix [prefixBytes]byte
	have   int    // bytes of the prefix
	left   uint32 // bytes of what follows it, once it is complete
}

func (r *envelopeReader) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil && (n == 0 || r.inside()) {
		var m int
		m, err = r.ReadCloser.Read(p[n:])
		r.passed(p[n : n+m])
		n += m
	}
	return n, err
}

// inside reports whether an envelope has begun and not ended.
func (r *envelopeReader) inside() bool { return r.have > 0 }

// passed follows the envelopes in b.
func (r *envelopeReader) passed(b []byte) {
	for len(b) > 0 {
		if r.have < prefixBytes {
			n := copy(r.prefix[r.have:], b)
			r.have, b = r.have+n, b[n:]
			if r.have == prefixBytes {
				r.left = binary.BigEndian.Uint32(r.prefix[1:])
			}
		} else {
			n := uint32(min(uint64(len(b)), uint64(r.left)))
			r.left, b = r.left-n, b[n:]
		}
		if r.have == prefixBytes && r.left == 0 {
			r.have = 0
		}
	}
}

// JoiningWriter is the writer of a response that is envelopes, each flushed when it is whole.
type JoiningWriter struct {
	http.ResponseWriter
	prefix []byte // held back until what follows it comes
}

// Write implements http.ResponseWriter.
func (w *JoiningWriter) Write(p []byte) (int, error) {
	if len(w.prefix) == 0 && len(p) == prefixBytes {
		if n := binary.BigEndian.Uint32(p[1:]); n > 0 && n <= joinBytesMax {
			w.prefix = append(w.prefix, p...)
			return len(p), nil
		}
	}
	if len(w.prefix) == 0 {
		return w.ResponseWriter.Write(p)
	}
	w.prefix = append(w.prefix, p...)
	n, err := w.ResponseWriter.Write(w.prefix)
	w.prefix = w.prefix[:0]
	return max(0, n-prefixBytes), err
}

// Flush implements http.Flusher.
func (w *JoiningWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (w *JoiningWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
