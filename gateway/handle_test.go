package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

// Whoever lost the answer to the first write has no handle that knows of it. What that one cannot
// ask for later it cannot commit.
func TestStaleHandle(t *testing.T) {
	f := start(t)
	h := f.begin(pessimistic)
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	req := &cairnv1.CommitRequest{Txn: h, RequestId: []byte("r")}
	_, err := f.g.commit(t.Context(), req)
	if e := classify(err, true); e.Kind != txn.Conflict || e.Reason != reasonStaleHandle {
		t.Errorf("commit: %v", err)
	}
	for range 2 { // so it is true that nothing was committed
		_, err := f.g.commit(t.Context(), req)
		if e := classify(err, true); e.Kind != txn.Conflict || e.Reason != reasonTxnGone {
			t.Errorf("commit again: %v", err)
		}
	}
	if got := f.getIn("", "k"); got != "-" {
		t.Errorf("it was committed: %q", got)
	}
	f.unlocked()

	forged, _ := token.ParseHandle(f.begin(&cairnv1.BeginRequest{}))
	forged.Anchor = txn.NewKey(txn.DefaultKeyspace, []byte("x"))
	_, err = f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: forged.String()})
	if reasonOf(err) != reasonStaleHandle {
		t.Errorf("with an anchor of one that wrote nothing: %v", err)
	}
}

// Every answer of a transaction has the handle to use next, whichever the call came with.
func TestAnswersHaveTheLatestHandle(t *testing.T) {
	f := start(t)
	ctx, h, key := t.Context(), f.begin(&cairnv1.BeginRequest{}), []byte("k")
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	latest, ok := token.ParseHandle(f.latest(h))
	if !ok || string(latest.Anchor.User()) != "k" || latest.Began == 0 {
		t.Fatalf("the handle is %+v", latest)
	}
	absent := &cairnv1.WriteConditions{IfAbsent: true}
	streamed := ""
	for name, call := range map[string]func() (interface{ GetTxn() string }, error){
		"get": func() (interface{ GetTxn() string }, error) {
			return f.g.get(ctx, &cairnv1.GetRequest{Txn: h, Key: key})
		},
		"exists": func() (interface{ GetTxn() string }, error) {
			return f.g.exists(ctx, &cairnv1.ExistsRequest{Txn: h, Key: key})
		},
		"set": func() (interface{ GetTxn() string }, error) {
			return f.g.set(ctx, &cairnv1.SetRequest{Txn: h, Key: key, Value: str(""), Conditions: absent})
		},
		"delete": func() (interface{ GetTxn() string }, error) {
			return f.g.del(ctx, &cairnv1.DeleteRequest{Txn: h, Key: []byte("none")})
		},
		"extend": func() (interface{ GetTxn() string }, error) {
			return f.g.extend(ctx, &cairnv1.ExtendRequest{Txn: h, Key: []byte("none")})
		},
		"batch": func() (interface{ GetTxn() string }, error) {
			return f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Txn: h, Keys: [][]byte{key}})
		},
		"nothing": func() (interface{ GetTxn() string }, error) {
			return f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Txn: h})
		},
		"range": func() (interface{ GetTxn() string }, error) { return f.g.rangePage(ctx, &cairnv1.RangeRequest{Txn: h}) },
		"count": func() (interface{ GetTxn() string }, error) {
			return f.g.rangePage(ctx, &cairnv1.RangeRequest{Txn: h, CountOnly: true})
		},
		"stream": func() (interface{ GetTxn() string }, error) {
			err := f.g.rangeStream(ctx, &cairnv1.RangeStreamRequest{Txn: h}, func(r *cairnv1.RangeStreamResponse) error {
				streamed = r.Txn
				return nil
			})
			return &cairnv1.GetRequest{Txn: streamed}, err
		},
	} {
		if resp, err := call(); err != nil || resp.GetTxn() != latest.String() {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
	if err := f.commit(h); err != nil {
		t.Error(err)
	}
}

// The holder carried a commit out and the answer got lost between gateways. By a handle without an
// anchor that was no commit.
func TestForwardedCommitWithoutAnchor(t *testing.T) {
	first, second, d := pair(t)
	for name, breaks := range map[string]func(){
		"answer_lost":     func() { d.where[7] = mute(t) },
		reasonGatewayLost: func() { d.end(7) },
	} {
		h := first.begin(&cairnv1.BeginRequest{})
		if err := first.setIn(h, "k", "v"); err != nil {
			t.Fatal(err)
		}
		req := &cairnv1.CommitRequest{Txn: h, RequestId: []byte("r")}
		_, _ = first.g.commit(t.Context(), req) // this answer
		second.g.peers.forget(7)
		breaks()
		_, failed := call(t.Context(), second.g, methodCommit, req, (*Gateway).commit)
		if failed == nil || failed.Kind != txn.Conflict || failed.Reason != name {
			t.Errorf("%s: %v", name, failed)
		}
		if got := second.getIn("", "k"); got != "-" {
			t.Errorf("%s: nothing was committed but %q", name, got)
		}
		d.mu.Lock()
		d.where[7] = first.address
		d.mu.Unlock()
	}
}

// A handle that no gateway has answered means nothing, whatever it begins with.
func TestForgedHandle(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	if _, err := f.g.rollback(t.Context(), &cairnv1.RollbackRequest{Txn: h}); err != nil {
		t.Fatal(err)
	}
	name, err := base64.RawURLEncoding.DecodeString(h)
	if err != nil {
		t.Fatal(err)
	}
	for what, anchor := range map[string][]byte{
		"short": {0}, "no key": {0, 0, 0, 1}, "long": make([]byte, 5<<20),
		"hidden": txn.NewKey(txn.SystemKeyspace, []byte("sys")),
	} {
		text := base64.RawURLEncoding.EncodeToString(append(name[:len(name):len(name)], anchor...))
		if _, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: text}); reasonOf(err) != reasonTxnGone {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(f.shards.rows); n != 0 {
		t.Errorf("%d rows were written for what was never begun", n)
	}
}

// A commit is repeated when what is remembered of the first copy may be gone: that there is nothing
// says nothing. The gateway's own clock has no part in it.
func TestCommitRepeatedTooLate(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	if err := f.commit(h); err != nil {
		t.Fatal(err)
	}
	const late = 16 * time.Minute
	f.env.wall.Store(late.Microseconds())
	f.shards.mu.Lock()
	clear(f.shards.rows)
	f.shards.last += txn.Timestamp(late.Microseconds())
	f.shards.mu.Unlock()
	err := f.commit(h)
	e := classify(err, true)
	if e.Kind != txn.Unknown {
		t.Fatalf("repeated: %v", err)
	}
	began, _ := token.ParseHandle(h)
	if tok, err := token.Parse(e.Token); err != nil || tok.Since != began.Began {
		t.Errorf("token %+v, %v", tok, err)
	}
	if n := len(f.shards.rows); n != 0 {
		t.Errorf("%d rows say that it was aborted", n)
	}
}

// What a gateway names itself it dates by the oracle, and not later than the call.
func TestNamedByTheOracle(t *testing.T) {
	f := start(t)
	f.env.wall.Store(time.Hour.Microseconds())
	h := f.begin(&cairnv1.BeginRequest{})
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	hang := f.shards.hold("k")
	defer close(hang.open)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.g.commit(ctx, &cairnv1.CommitRequest{Txn: f.latest(h), RequestId: []byte("r")})
	began, _ := token.ParseHandle(h)
	tok, perr := token.Parse(classify(err, true).Token)
	if perr != nil || tok.Since != began.Began {
		t.Errorf("%v: token %+v, %v", err, tok, perr)
	}
	if n := f.g.Coordinator.Newest(); n < began.Began || n > txn.Timestamp(f.env.Real.Wall()+time.Minute.Microseconds()) {
		t.Errorf("the newest timestamp is %d", n)
	}
	c, err := coordinator.New(coordinator.Options{Env: f.env, Shards: f.shards, Session: 9})
	if err != nil || c.Newest() != 0 {
		t.Errorf("before any: %d, %v", c.Newest(), err)
	}
}

// cutKV answers ranges with one piece and then dies.
type cutKV struct {
	cairnv1connect.UnimplementedKVServiceHandler
}

func (cutKV) RangeStream(
	_ context.Context, _ *connect.Request[cairnv1.RangeStreamRequest],
	stream *connect.ServerStream[cairnv1.RangeStreamResponse],
) error {
	_ = stream.Send(&cairnv1.RangeStreamResponse{Entries: []*cairnv1.Entry{{Key: []byte("k")}}})
	panic(http.ErrAbortHandler)
}

// A range that was cut on its way between gateways is over at once.
func TestForwardedStreamCut(t *testing.T) {
	first, second, d := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	mux := http.NewServeMux()
	mux.Handle(cairnv1connect.NewKVServiceHandler(cutKV{}))
	srv := transport.NewServer(mux)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	defer func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	d.where[7] = l.Addr().String()
	n := 0
	_, failed := call(t.Context(), second.g, methodRangeStream, &cairnv1.RangeStreamRequest{Txn: h},
		func(g *Gateway, ctx context.Context, req *cairnv1.RangeStreamRequest) (*struct{}, error) {
			h, _ := g.away(ctx, req)
			return nil, g.forwardStream(ctx, h, req, func(*cairnv1.RangeStreamResponse) error {
				n++
				return nil
			})
		})
	if failed == nil || failed.Kind != txn.Unavailable || failed.Reason != "answer_cut" || n != 1 {
		t.Errorf("after %d pieces: %v", n, failed)
	}
	if d.asked != 1 {
		t.Errorf("the meta group was asked %d times", d.asked)
	}
}
