package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv is a real Env whose clocks can be moved forward.
type testEnv struct {
	*env.Real
	skew atomic.Int64
	wall atomic.Int64 // in microseconds
}

func (e *testEnv) Wall() int64 { return e.Real.Wall() + e.wall.Load() }

func (e *testEnv) Now() time.Duration { return e.Real.Now() + time.Duration(e.skew.Load()) }

// fixture is a Gateway over one shard in memory, and clients of it.
type fixture struct {
	*testing.T
	env     *testEnv
	shards  *fakeShards
	g       *Gateway
	url     string
	address string       // host:port
	die     func()       // its server ends, as if the process did
	plain   *http.Client // HTTP/1.1
	h2      *http.Client
	kv      cairnv1connect.KVServiceClient
	txns    cairnv1connect.TxnServiceClient
	handles sync.Map // the handle of a transaction's last answer, by that of the first
}

func start(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	return startOn(t, newFakeShards(), 7, change...)
}

// startOn is start over shards that other gateways may use too.
func startOn(t testing.TB, shards *fakeShards, session uint32, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{env: &testEnv{Real: env.NewReal()}, shards: shards}
	if test, ok := t.(*testing.T); ok {
		f.T = test
	}
	c, err := coordinator.New(coordinator.Options{Env: f.env, Shards: f.shards, Session: session,
		ReadSoon: shards.readSoon})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Coordinator: c, Env: f.env, Version: "0.0.1",
		Status: func(context.Context) ([]shardrpc.MemberStatus, error) { return nil, nil },
		Locks:  func(context.Context) ([]ShardLocks, error) { return nil, nil },
	}
	for _, f := range change {
		f(&o)
	}
	if f.g, err = New(o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := transport.NewServer(f.g.Handler())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	f.die = sync.OnceFunc(func() {
		_ = srv.Close()
		<-done
	})
	f.address = l.Addr().String()
	f.url = "http://" + l.Addr().String()
	f.plain = &http.Client{Transport: &http.Transport{}}
	f.h2 = transport.NewClient()
	f.kv = cairnv1connect.NewKVServiceClient(f.h2, f.url)
	f.txns = cairnv1connect.NewTxnServiceClient(f.h2, f.url)
	t.Cleanup(func() {
		f.g.Close()
		f.plain.CloseIdleConnections()
		f.h2.CloseIdleConnections()
		f.die()
		f.env.Close()
	})
	return f
}

func str(s string) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: s}}
}

func (f *fixture) set(key, value string) *cairnv1.SetResponse {
	f.Helper()
	resp, err := f.g.set(f.Context(), &cairnv1.SetRequest{Key: []byte(key), Value: str(value)})
	if err != nil {
		f.Fatalf("set %q: %v", key, err)
	}
	return resp
}

// answer is what an HTTP request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) do(method, path, body string, headers ...string) answer {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := f.plain.Do(req)
	if err != nil {
		f.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatalf("%s %s: body: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// detail is the typed detail of an error that a client got.
func detail(t testing.TB, err error) *cairnv1.ErrorDetail {
	t.Helper()
	c, ok := errors.AsType[*connect.Error](err)
	if !ok {
		t.Fatalf("%v is no connect error", err)
	}
	for _, d := range c.Details() {
		v, err := d.Value()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := v.(*cairnv1.ErrorDetail); ok {
			return e
		}
	}
	t.Fatalf("%v has no typed detail", err)
	return nil
}

func ptr[T any](v T) *T { return &v }
