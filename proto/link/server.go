package link

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/proto/transport"
)

// Serve answers one call. It may take as long as it likes, and share payload in its answer, which
// must not change afterwards. ctx is done when the caller gives up or its stream ends; if the
// caller does not say so, within a second of its deadline. An error should be a *txn.Error.
type Serve func(ctx context.Context, method uint8, payload []byte) ([]byte, error)

// ServerOptions of a Server.
type ServerOptions struct {
	Self Identity
	// Posted, if set, hears of each posted message, and is never called after Close has returned.
	// The messages of one stream come one after another, in the order of posting; a peer whose
	// old stream has not quite ended may have two. Posted runs where the stream is read, so it
	// must not block, and nothing else arrives while it runs. The payload belongs to it for ever,
	// but shares memory with all that came in the same frame. If Posted is nil, to post is to
	// break the rules.
	Posted func(from Identity, method uint8, payload []byte)
	// Refused, if set, hears of processes that were turned away: a *Mismatch, or a broken greeting.
	Refused func(error)
}

// Server is the answering end, an http.Handler for Path that must be served over HTTP/1.1.
type Server struct {
	serve Serve
	o     ServerOptions

	closing context.Context
	close   context.CancelFunc

	mu      sync.Mutex // so that nothing starts after Close began to wait
	streams sync.WaitGroup
}

// NewServer makes a Server that answers with serve.
func NewServer(serve Serve, o ServerOptions) *Server {
	s := &Server{serve: serve, o: o}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// Close cancels the contexts of all calls, waits for their handlers and for the last answers to
// leave, and ends every stream. The http.Server knows nothing of the streams, so Close it is that
// ends them.
func (s *Server) Close() {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.streams.Wait()
}

// enter reports whether a stream may begin; then the caller must call s.streams.Done.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.streams.Add(1)
	return true
}

// ServeHTTP implements http.Handler. It returns when the stream ends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.streams.Done()
	conn, err := transport.Hijack(w, r, Protocol)
	if err != nil {
		s.refuse(err)
		return
	}
	s.converse(conn)
}

// converse is the life of one stream.
func (s *Server) converse(conn net.Conn) {
	defer func() { _ = conn.Close() }() // it is over, whatever this says
	w := newWire(conn)
	unwatch := context.AfterFunc(s.closing, w.stop)
	defer unwatch()
	from, err := s.meet(w)
	if err != nil {
		s.refuse(err)
		return
	}
	x := newExchange(s, w)
	x.from = from
	x.run()
}

// refuse tells of a process that was turned away, unless all are now.
func (s *Server) refuse(why error) {
	if s.o.Refused != nil && s.closing.Err() == nil {
		s.o.Refused(why)
	}
}

// meet introduces both sides to each other. The other side hears who we are even if we refuse
// it, so that it knows why.
func (s *Server) meet(w *wire) (Identity, error) {
	var late atomic.Bool
	timer := time.AfterFunc(greetingTimeout, func() {
		late.Store(true)
		_ = w.conn.Close() // so it fails
	})
	defer timer.Stop()
	theirs, err := meet(w)
	if err == nil {
		err = greet(w, s.o.Self)
	}
	if err == nil {
		err = theirs.check(s.o.Self, 0)
	}
	if late.Load() {
		err = errGreetingTimeout
	}
	return theirs.Identity, err
}
