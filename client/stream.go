package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/proto/frame"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

const (
	// probes is how often an HTTP/1 server is told from a lost connection, by a request each way.
	probes = 2
	// probeWait bounds all of them.
	probeWait = 2 * time.Second
)

// errClosed answers calls on a DB that was closed.
var errClosed = errors.New("the DB is closed")

// stream is a caller over the Exchange stream. It has at most one live link,
// and makes the next one for the first call after that one failed.
type stream struct {
	client   cairnv1connect.StreamServiceClient
	http     *httpClients
	endpoint string

	mu struct {
		sync.Mutex
		link   *link
		closed bool
	}
	running sync.WaitGroup // links
}

func newStream(clients *httpClients, endpoint string, who identity) *stream {
	return &stream{
		client: cairnv1connect.NewStreamServiceClient(
			transport.JoiningClient{Client: clients.stream}, endpoint, connectOptions(who),
			connect.WithCodec(frame.Codec{}),
		),
		http:     clients,
		endpoint: endpoint,
	}
}

func (s *stream) call(ctx context.Context, c *call) error {
	l, err := s.live()
	if err != nil {
		return &lostError{err: err}
	}
	return l.call(ctx, c)
}

// live is the link that works, or a new one.
func (s *stream) live() (*link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, errClosed
	}
	if s.mu.link == nil || s.mu.link.failed() {
		s.mu.link = newLink(s.client.Exchange, s.diagnose)
		s.running.Go(s.mu.link.run)
	}
	return s.mu.link, nil
}

// close ends the link and waits for it.
func (s *stream) close() {
	s.mu.Lock()
	s.mu.closed = true
	l := s.mu.link
	s.mu.Unlock()
	if l != nil {
		l.hangUp()
	}
	s.running.Wait()
}

// diagnose makes the error for the calls of a link that ended before its first
// answer: errNoStream if the other side does not take part, and lost says
// whether it may have done some of them all the same.
func (s *stream) diagnose(ctx context.Context, err error) (because error, lost bool) {
	if neverSent(err) {
		return err, false
	}
	said := err.Error()
	if connect.CodeOf(err) == connect.CodeUnimplemented ||
		strings.Contains(said, "HTTP status 505") ||
		strings.Contains(said, "bidi streams require at least HTTP/2") {
		return fmt.Errorf("%w: %w", errNoStream, err), false
	}
	// A server of HTTP/1 closes the connection on hearing HTTP/2, and that looks like a lost
	// one. So ask it something harmless, both ways. One that was just restarted may look the same,
	// so this is no proof that nothing was done.
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	for range probes {
		if s.answers(ctx, s.http.unary) != nil {
			return err, true
		}
		if no := s.answers(ctx, s.http.stream); no == nil || neverSent(no) {
			return err, true
		}
	}
	return fmt.Errorf("%w: %w", errNoStream, err), true
}

// answers is nil if the server says anything at all to this client.
func (s *stream) answers(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint+"/livez", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// exchange is the part of the stream that a link needs.
type exchange = connect.BidiStreamForClient[cairnv1.Frame, cairnv1.Frame]
