package client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// The answer to the first write of a transaction is lost. What becomes of its commit is still told
// as it is: the server says which write was the first.
func TestFirstWriteLost(t *testing.T) {
	for _, unary := range []bool{false, true} {
		for _, another := range []bool{false, true} {
			t.Run(fmt.Sprintf("unary=%v another=%v", unary, another), func(t *testing.T) {
				var tr troubles
				_, db := serve(t, tr.options(), client.Options{Unary: unary})
				ctx := within(t)
				for i, lost := range [][]error{nil, lostTwice()} {
					tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
					tr.at(cairnv1.Method_METHOD_KV_SET, nil, lostTwice()[:1])
					if _, err := tx.SetString(ctx, "a", "v"); txn.KindOf(err) != txn.Conflict {
						t.Errorf("lost set: %v", err)
					}
					if another {
						must(tx.SetString(ctx, "b", "v"))(t)
					}
					tr.at(cairnv1.Method_METHOD_TXN_COMMIT, nil, lost)
					r, err := tx.Commit(ctx)
					if err != nil || r.CommitTS == 0 {
						t.Errorf("commit, lost %d times: %+v, %v", len(lost), r, err)
					}
					if e := must(db.Get(ctx, "a"))(t); e.Revision != int64(i) || e.CommitTS != r.CommitTS {
						t.Errorf("committed at %d: %+v", r.CommitTS, e)
					}
				}
			})
		}
	}
}

// A write that nobody heard of any more arrives behind the last answer: the commit does not take
// it along unseen, and the function runs again.
func TestLateWrite(t *testing.T) {
	var kv cairnv1connect.KVServiceClient
	late := false
	hook := func(ctx context.Context, _ cairnv1.Method, req proto.Message) error {
		c, ok := req.(*cairnv1.CommitRequest)
		if !ok || late {
			return nil
		}
		late = true
		_, err := kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{Txn: c.Txn, Key: []byte("k")}))
		return err
	}
	plain := &http.Client{Transport: &http.Transport{}}
	defer plain.CloseIdleConnections()
	s, db := serve(t, clienttest.Options{Hook: hook}, client.Options{})
	kv = cairnv1connect.NewKVServiceClient(plain, s.URL)
	ctx, runs := within(t), 0
	err := db.Update(ctx, func(*client.Txn) error {
		runs++
		return nil
	})
	if e := must(db.Get(ctx, "k"))(t); err != nil || runs != 2 || e.Found() {
		t.Errorf("%v after %d runs, and the key is %+v", err, runs, e)
	}
}

// Commit is one request, however often it is called, and its token is dated by the server.
func TestCommitIsOneRequest(t *testing.T) {
	var ids []string
	refuse := true
	hook := func(_ context.Context, m cairnv1.Method, req proto.Message) error {
		switch r := req.(type) {
		case *cairnv1.CommitRequest:
			ids = append(ids, string(r.RequestId))
			if refuse {
				return txn.Errorf(txn.Unavailable, "no_leader", "x")
			}
			return clienttest.Lose()
		case *cairnv1.OutcomeRequest:
			return clienttest.Lose()
		}
		return nil
	}
	_, db := serve(t, clienttest.Options{Hook: hook},
		client.Options{CallAttemptsMax: 1, ResolveMax: 50 * time.Millisecond})
	tx := must(db.Begin(within(t), client.TxnOptions{}))(t)
	must(tx.SetString(within(t), "k", "v"))(t)
	for range 2 {
		if _, err := tx.Commit(within(t)); txn.KindOf(err) != txn.Unavailable {
			t.Errorf("refused: %v", err)
		}
	}
	refuse = false
	_, err := tx.Commit(context.Background())
	if txn.KindOf(err) != txn.Unknown || len(ids) != 3 || ids[0] == "" || ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("%v, by %q", err, ids)
	}
	tok, perr := token.Parse(client.OutcomeToken(err))
	if perr != nil || tok.Since != tx.ReadTS() {
		t.Errorf("token %+v, %v, of a transaction of %d", tok, perr, tx.ReadTS())
	}
}

// A token tells the earlier of what the two clocks say: the client's may be ahead.
func TestTokenOfTheEarlierClock(t *testing.T) {
	early := token.Token{
		Anchor: txn.NewKey(txn.DefaultKeyspace, []byte("k")), ID: txn.RequestID{1}, Since: 7}
	hook := func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		return &txn.Error{Kind: txn.Unknown, Token: early.String()}
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{ResolveMax: 50 * time.Millisecond})
	_, err := db.SetString(context.Background(), "k", "v")
	tok, perr := token.Parse(client.OutcomeToken(err))
	if perr != nil || tok.Since != 7 || tok.Keyspace == "" {
		t.Errorf("%v: token %+v, %v", err, tok, perr)
	}
}

// onlyHTTP1 passes connections on to a server, but of those that speak HTTP/2 only the first: so a
// gateway looks that is restarted behind a stream. That one ends with cut.
func onlyHTTP1(t *testing.T, to string) (endpoint string, cut func()) {
	first := make(chan net.Conn, 1)
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var all sync.WaitGroup
	var streams atomic.Int32
	pass := func(from net.Conn) {
		defer func() { _ = from.Close() }()
		head := make([]byte, 3)
		_, err := io.ReadFull(from, head)
		if err != nil || string(head) == "PRI" && streams.Add(1) > 1 {
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		if string(head) == "PRI" {
			first <- from
		}
		all.Go(func() {
			_, _ = io.Copy(from, server)
			_ = from.Close()
		})
		_, _ = server.Write(head)
		_, _ = io.Copy(server, from)
		_ = server.Close()
	}
	all.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(from) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return "http://" + l.Addr().String(), func() { _ = (<-first).Close() }
}

// A stream that broke before its first answer, and a server that does not speak HTTP/2 afterwards:
// that is no proof that nothing was done.
func TestFallbackProvesNothing(t *testing.T) {
	for _, anonymous := range []bool{false, true} {
		var cut func()
		var done atomic.Bool
		after := func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
			if m == cairnv1.Method_METHOD_KV_SET && done.CompareAndSwap(false, true) {
				cut()
			}
			return nil
		}
		s := must(clienttest.NewServer(clienttest.Options{After: after}))(t)
		t.Cleanup(s.Close)
		endpoint := ""
		endpoint, cut = onlyHTTP1(t, strings.TrimPrefix(s.URL, "http://"))
		db := must(client.New(client.Options{Endpoint: endpoint, NoRequestIDs: anonymous}))(t)
		t.Cleanup(db.Close)
		ctx := within(t)
		_, err := db.SetString(ctx, "k", "v")
		if (txn.KindOf(err) == txn.Unknown) != anonymous || (err != nil) != anonymous {
			t.Errorf("anonymous=%v: %v", anonymous, err)
		}
		if e := must(db.Get(ctx, "k"))(t); e.Revision != 0 {
			t.Errorf("anonymous=%v: done twice: %+v", anonymous, e)
		}
	}
}
