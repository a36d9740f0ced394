package transport

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// idlePostsMax is how many connections a Poster keeps, so that many callers at once do not
	// connect again and again.
	idlePostsMax = 512
	// idlePostAge is how old one gets. It is below the server's IdleTimeout, lest a request meet
	// the end of its connection.
	idlePostAge = IdleTimeout / 2
	// postBytesKept is how large a connection's buffer for requests may stay.
	postBytesKept = 64 << 10
)

// Poster sends requests to one server by HTTP/1.1 without TLS, and keeps the connections.
//
// It is for small requests, where http.Client costs more than the request: that has two goroutines
// for a connection, which take the request from its caller and hand the answer back. Here a request
// has a connection to itself while it lasts, and its caller writes and reads it. Nothing is
// repeated, no redirect is followed, no proxy is asked.
type Poster struct {
	host    string // as requests say it
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	idle   []*postConn // the one that was used last is the last
	closed bool
}

// Post is a request.
type Post struct {
	Path   string // as it is sent: escaped
	Header string // lines, each with its \r\n; Host and Content-Length are not among them
	Body   []byte
	// AnswerBytesMax bounds the answer.
	AnswerBytesMax int64
}

// NewPoster is a Poster to the host of an http URL. It connects when it is used.
func NewPoster(u *url.URL) *Poster {
	return &Poster{
		host:    u.Host,
		address: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")),
		dial:    dialer(&net.Dialer{Timeout: DialTimeout}),
	}
}

// Post sends a request and returns the answer with its body, of which resp.Body has nothing. The
// error of a request that was not sent is that of dialing, a net.OpError; if ctx ended before there
// was an answer, it is its cause.
func (p *Poster) Post(ctx context.Context, r *Post) (resp *http.Response, body []byte, err error) {
	c, err := p.take(ctx)
	if err != nil {
		return nil, nil, err
	}
	alone := func() bool { return true }
	if ctx.Done() != nil {
		alone = context.AfterFunc(ctx, func() { _ = c.Close() })
	}
	resp, body, again, err := c.post(p.host, r)
	switch {
	case !alone():
		if err != nil {
			err = context.Cause(ctx)
		}
	case again && p.keep(c):
	default:
		_ = c.Close() // it is of no use, whatever this says
	}
	return resp, body, err
}

// take is a connection that nobody uses.
func (p *Poster) take(ctx context.Context) (*postConn, error) {
	for {
		c := p.last()
		if c == nil {
			break
		}
		if time.Since(c.since) < idlePostAge && c.silent() {
			return c, nil
		}
		_ = c.Close()
	}
	conn, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	return newPostConn(conn), nil
}

func (p *Poster) last() *postConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

// keep keeps c, unless there are enough, and lets go of the one that was idle for longest if that
// is too old: the server may have closed it.
func (p *Poster) keep(c *postConn) bool {
	c.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == idlePostsMax {
		return false
	}
	if len(p.idle) > 0 && c.since.Sub(p.idle[0].since) > idlePostAge {
		_ = p.idle[0].Close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.idle = append(p.idle, c)
	return true
}

// Close closes the connections that nobody uses, the others when their requests are over.
func (p *Poster) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// postConn is a connection of a Poster.
type postConn struct {
	net.Conn
	in    *bufio.Reader
	limit *io.LimitedReader // below in
	out   []byte
	since time.Time // it is idle

	raw  syscall.RawConn // nil if there is none
	peek peek
}

func newPostConn(conn net.Conn) *postConn {
	c := &postConn{Conn: conn, limit: &io.LimitedReader{R: conn}}
	c.in = bufio.NewReader(c.limit)
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // without it nothing is asked
	}
	return c
}

// silent reports whether the server has neither closed c nor said anything on it. A connection that
// is idle has nobody else who would see that.
func (c *postConn) silent() bool {
	return c.raw == nil || c.raw.Read(c.peek.look) == nil && c.peek.empty
}

// post sends r and reads the answer, after which c can be used again or not. A server that has
// answered before it took the whole request has answered all the same.
func (c *postConn) post(
	host string, r *Post,
) (resp *http.Response, body []byte, again bool, err error) {
	c.out = append(c.out[:0], "POST "...)
	c.out = append(c.out, r.Path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: "...)
	c.out = append(c.out, host...)
	c.out = append(c.out, "\r\n"...)
	c.out = append(c.out, r.Header...)
	c.out = append(c.out, "Content-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(r.Body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, r.Body...)
	_, unsent := c.Write(c.out)
	if cap(c.out) > postBytesKept {
		c.out = nil
	}
	c.limit.N = r.AnswerBytesMax + HeaderBytesMax
	resp, err = c.answer()
	if err == nil {
		body, err = readBody(resp, r.AnswerBytesMax)
	}
	if err != nil {
		if unsent != nil {
			err = unsent
		}
		return nil, nil, false, err
	}
	return resp, body, unsent == nil && !resp.Close && c.in.Buffered() == 0, nil
}

// answer reads up to the body of the answer.
func (c *postConn) answer() (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.in, nil)
		if err != nil || resp.StatusCode >= http.StatusOK ||
			resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

func readBody(resp *http.Response, bytesMax int64) (body []byte, err error) {
	if n := resp.ContentLength; n > bytesMax {
		return nil, fmt.Errorf("the answer has %d bytes, the limit is %d", n, bytesMax)
	} else if n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(resp.Body, body)
	} else {
		body, err = io.ReadAll(resp.Body)
	}
	resp.Body = http.NoBody
	return body, err
}
