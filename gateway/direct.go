package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/txn"
)

// directBytesMax is how large the request of a direct call is.
const directBytesMax = 64 << 10

// Headers of the answer to a direct call. They are shared, and never changed.
var (
	contentProto = []string{"application/proto"}
	acceptGzip   = []string{"gzip"}
)

// direct is a unary call that is served without connect-go, which costs as much as the call: one of
// Connect's protocol, in protobuf, not compressed, with a small request whose length is known. That
// is what the SDK sends. All other calls are for connect-go, and so is whatever is wrong with a
// request, so that the two cannot differ in what they say.
type direct struct {
	callee  *callee
	timeout time.Duration // 0: none
}

// directOf says how r is served, if that is directly.
func (g *Gateway) directOf(r *http.Request, path string) (d direct, ok bool) {
	d.callee = g.callees[path]
	h := r.Header
	if d.callee == nil || r.Method != http.MethodPost ||
		r.ContentLength < 0 || r.ContentLength > directBytesMax ||
		h.Get("Content-Type") != contentProto[0] || h.Get("Content-Encoding") != "" {
		return d, false
	}
	if accept := h.Get("Accept-Encoding"); accept != "" && accept != "identity" {
		return d, false
	}
	if version := h.Get("Connect-Protocol-Version"); version != "" && version != "1" {
		return d, false
	}
	if timeout := h.Get("Connect-Timeout-Ms"); timeout != "" {
		ms, err := strconv.ParseUint(timeout, 10, 32) // 49 days
		if err != nil || ms == 0 {
			return d, false
		}
		d.timeout = time.Duration(ms) * time.Millisecond
	}
	return d, true
}

// directBuffers are what a direct call needs while it lasts.
type directBuffers struct{ request, answer []byte }

// serveDirect serves p unless it turns out to be for connect-go, which then finds r as it was.
func (g *Gateway) serveDirect(w http.ResponseWriter, r *http.Request, d direct) (served bool) {
	b, _ := g.buffers.Get().(*directBuffers)
	if b == nil {
		b = new(directBuffers)
	}
	defer g.release(b)
	if n := int(r.ContentLength); cap(b.request) < n {
		b.request = make([]byte, n)
	}
	b.request = b.request[:r.ContentLength]
	if n, err := io.ReadFull(r.Body, b.request); err != nil {
		unread(r, b.request[:n])
		return false
	}
	ctx := arrived(r.Context(), r.Header)
	if d.timeout > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	answer, failed := d.callee.serve(ctx, g, b.request, b.answer[:0])
	if failed != nil && failed.Reason == reasonUnreadable {
		unread(r, b.request)
		return false
	}
	h := w.Header()
	h["Accept-Encoding"] = acceptGzip
	if err := directError(failed, len(answer)); err != nil {
		_ = g.errorWriter.Write(w, r, err) // whoever asked is gone
		return true
	}
	b.answer = answer
	h["Content-Type"] = contentProto
	h["Content-Length"] = []string{strconv.Itoa(len(answer))}
	_, _ = w.Write(answer) // whoever asked is gone
	return true
}

// directError is the error of a call that failed, or has an answer of so many bytes.
func directError(failed *txn.Error, bytes int) error {
	switch {
	case failed != nil:
		return connectError(failed)
	case bytes > ResponseBytesMax:
		return connect.NewError(connect.CodeResourceExhausted,
			fmt.Errorf("message size %d exceeds sendMaxBytes %d", bytes, ResponseBytesMax))
	default:
		return nil
	}
}

// unread puts back what was read of the body of r.
func unread(r *http.Request, read []byte) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(bytes.Clone(read)), r.Body), r.Body}
}

// release keeps what is not too large.
func (g *Gateway) release(b *directBuffers) {
	if cap(b.answer) > directBytesMax {
		b.answer = nil
	}
	g.buffers.Put(b)
}
