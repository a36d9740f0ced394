package clienttest

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/txn"
)

// Version is what the server says it is.
const Version = "0.0.0-test"

// errCut ends the connection on which it happens.
var errCut = errors.New("connection cut by the test")

// Hook sees each call before it is done. Its error is the answer, if it has
// one. A *txn.Error travels with its detail, any other as a bare unavailable.
type Hook func(ctx context.Context, method cairnv1.Method, req proto.Message) error

// Options of a Server.
type Options struct {
	Addr    string // to listen on; empty = a free port of 127.0.0.1
	HTTP1   bool   // speak HTTP/1.1 only
	TLS     bool   // speak https, with a certificate of the test's own
	Page    int    // most entries of a page; 0 = 100
	Members int    // of the cluster that it claims to be; 0 = 1
	Hook    Hook
	After   Hook                   // sees each call when it is done, and may lose its answer
	Txns    []*cairnv1.OpenTxn     // that it claims to have open
	Locks   *cairnv1.LocksResponse // what it claims to be locked; nil: nothing
}

// Server is a gateway in memory.
type Server struct {
	URL string

	http *httptest.Server
	opts Options

	mu     sync.Mutex
	store  *store
	txns   map[string]*heldTxn // by the name of the handle
	rows   map[rowName]*row
	nextID uint64
	frames []int // calls in each frame that came
	shards [shardsMax]fakeShard
	down   map[uint64]string // why a member does not answer
	notes  map[txn.Timestamp]note
	header http.Header // of the last request
}

// NewServer starts a server. Close it.
func NewServer(o Options) (*Server, error) {
	if o.Page == 0 {
		o.Page = 100
	}
	if o.Members == 0 {
		o.Members = 1
	}
	s := &Server{
		opts: o, store: newStore(), txns: make(map[string]*heldTxn),
		rows:   make(map[rowName]*row),
		shards: newShards(), down: make(map[uint64]string),
		notes: make(map[txn.Timestamp]note),
	}
	return s, s.start()
}

func (s *Server) start() error {
	mux := http.NewServeMux()
	quiet := connect.WithCompression("gzip", nil, nil)
	mux.Handle(cairnv1connect.NewKVServiceHandler(kvService{s: s}, quiet))
	mux.Handle(cairnv1connect.NewTxnServiceHandler(txnService{s: s}, quiet))
	mux.Handle(cairnv1connect.NewStatusServiceHandler(statusService{s: s}, quiet))
	mux.Handle(cairnv1connect.NewClusterServiceHandler(clusterService{s: s}, quiet))
	mux.Handle(cairnv1connect.NewKeyspaceServiceHandler(keyspaceService{s: s}, quiet))
	mux.Handle(cairnv1connect.NewStreamServiceHandler(streamService{s: s}, quiet))
	s.http = httptest.NewUnstartedServer(mux)
	if s.opts.Addr != "" {
		l, err := net.Listen("tcp", s.opts.Addr)
		if err != nil {
			return err
		}
		_ = s.http.Listener.Close()
		s.http.Listener = l
	}
	s.http.Config.Protocols = new(http.Protocols)
	s.http.Config.Protocols.SetHTTP1(true)
	s.http.Config.Protocols.SetUnencryptedHTTP2(!s.opts.HTTP1)
	if s.opts.TLS {
		s.http.EnableHTTP2 = !s.opts.HTTP1
		s.http.Config.Protocols.SetHTTP2(!s.opts.HTTP1)
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	s.URL = s.http.URL
	s.opts.Addr = s.http.Listener.Addr().String()
	return nil
}

// Close stops the server. What it knows stays for Restart.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Restart serves what was there on the same address, without the open transactions.
func (s *Server) Restart() error {
	s.mu.Lock()
	clear(s.txns)
	s.mu.Unlock()
	return s.start()
}

// Cut ends all connections.
func (s *Server) Cut() { s.http.CloseClientConnections() }

// Frames is how many calls each frame of the stream had, in the order they came.
func (s *Server) Frames() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.frames...)
}

// Certificate is what the server shows over TLS, in PEM: whoever trusts it trusts the server.
func (s *Server) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
}

// Header is what the last request said.
func (s *Server) Header(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header.Get(name)
}

// do is one call, however it came.
func (s *Server) do(
	ctx context.Context, m cairnv1.Method, req proto.Message,
) (proto.Message, error) {
	if s.opts.Hook != nil {
		if err := s.opts.Hook(ctx, m, req); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	res, err := s.once(separated(req))
	s.take(ctx, req)
	s.mu.Unlock()
	if err == nil && s.opts.After != nil {
		err = s.opts.After(ctx, m, req)
	}
	return res, err
}

// take notes who did what was done last, and why.
func (s *Server) take(ctx context.Context, req proto.Message) {
	var n note
	if info, ok := connect.CallInfoForHandlerContext(ctx); ok {
		s.header = info.RequestHeader()
		n.principal = s.header.Get("X-Cairn-Principal")
	}
	if r, ok := req.(interface{ GetMessage() string }); ok {
		n.message = r.GetMessage()
		s.notes[s.store.last] = n
	}
}

// Lose is the error of a hook that makes the connection end without an answer.
func Lose() error { return errCut }

// wireError is err as the stream carries it.
func wireError(err error) *cairnv1.CallError {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return client.ErrorToWire(e)
	}
	return &cairnv1.CallError{Code: uint32(connect.CodeUnavailable), Message: err.Error()}
}

// connectError is err as unary calls carry it.
func connectError(err error) error {
	if err == nil {
		return nil
	}
	w := wireError(err)
	ce := connect.NewError(connect.Code(w.Code), errors.New(w.Message))
	if w.Detail != nil {
		if d, err := connect.NewErrorDetail(w.Detail); err == nil {
			ce.AddDetail(d)
		}
	}
	return ce
}
