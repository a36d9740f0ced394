package link

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// Serve answers one call. It may take as long as it likes, and share payload in its answer, which
// must not change afterwards. ctx is done when the caller gives up or its stream ends. An error
// should be a *txn.Error.
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

// Server is the answering end, an http.Handler for Path that must be served over HTTP/2.
type Server struct {
	serve   Serve
	o       ServerOptions
	handler http.Handler

	closing context.Context
	close   context.CancelFunc

	mu      sync.Mutex // so that nothing starts after Close began to wait
	streams sync.WaitGroup
}

// NewServer makes a Server that answers with serve.
func NewServer(serve Serve, o ServerOptions) *Server {
	s := &Server{serve: serve, o: o}
	s.closing, s.close = context.WithCancel(context.Background())
	s.handler = connect.NewBidiStreamHandler(Path, s.exchange, connect.WithCodec(codec{}),
		connect.WithCompression("gzip", nil, nil), connect.WithReadMaxBytes(frameReadMax))
	return s
}

// Close cancels the contexts of all calls, waits for their handlers and for the last answers to
// leave, and ends every stream.
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

// controlKey is where the context of a request keeps its http.ResponseController.
type controlKey struct{}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.streams.Done()
	control := http.NewResponseController(w)
	ctx := context.WithValue(r.Context(), controlKey{}, control)
	s.handler.ServeHTTP(w, r.WithContext(ctx))
}

// exchange is the life of one stream.
func (s *Server) exchange(
	ctx context.Context, stream *connect.BidiStream[inFrame, outFrame],
) error {
	control, ok := ctx.Value(controlKey{}).(*http.ResponseController)
	if !ok {
		return connect.NewError(connect.CodeInternal, errors.New("not called by ServeHTTP"))
	}
	unwatch := s.watchClosing(control)
	defer unwatch()
	from, err := s.meet(stream, control)
	if err != nil {
		if s.o.Refused != nil {
			s.o.Refused(err)
		}
		return connect.NewError(connect.CodeFailedPrecondition, err)
	}
	x := newExchange(ctx, s, stream)
	x.from = from
	x.hurry = func() { _ = control.SetWriteDeadline(time.Now().Add(closeGrace)) }
	return x.run()
}

// meet introduces both sides to each other. The other side hears who we are even if we refuse
// it, so that it knows why.
func (s *Server) meet(stream stream, control *http.ResponseController) (Identity, error) {
	late := time.AfterFunc(greetingTimeout, func() { stopReading(control) })
	theirs, err := meet(stream)
	if !late.Stop() {
		return Identity{}, errGreetingTimeout
	}
	if err == nil {
		err = greet(stream, s.o.Self)
	}
	if err == nil {
		err = theirs.check(s.o.Self, 0)
	}
	return theirs.Identity, err
}

// stopReading makes the stream's Receive fail. If it cannot the stream is over already.
func stopReading(control *http.ResponseController) {
	_ = control.SetReadDeadline(time.Unix(1, 0))
}

// watchClosing makes the stream stop reading when the Server closes.
// The returned function ends that.
func (s *Server) watchClosing(control *http.ResponseController) (unwatch func()) {
	ran := make(chan struct{})
	stop := context.AfterFunc(s.closing, func() {
		defer close(ran)
		stopReading(control)
	})
	return func() {
		if !stop() {
			<-ran
		}
	}
}
