package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// While two frames wait for their answers, calls gather for the next one.
func TestStreamBatches(t *testing.T) {
	const callers = 300
	s, db := serve(t, clienttest.Options{}, client.Options{})
	ctx := within(t)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if _, err := db.SetString(ctx, fmt.Sprint(i), "v"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sum := 0
	frames := s.Frames()
	for _, n := range frames {
		sum += n
	}
	if sum != callers || len(frames) > callers/2 {
		t.Errorf("%d calls came in %d frames: %v", sum, len(frames), frames)
	}
}

// A call that waits on the server holds up nobody, and ends with its context;
// the server hears of it.
func TestStreamCancel(t *testing.T) {
	waiting, gone := make(chan struct{}, 8), make(chan struct{}, 8)
	hook := func(ctx context.Context, _ cairnv1.Method, req proto.Message) error {
		r, ok := req.(*cairnv1.GetRequest)
		if !ok || string(r.Key) != "wait" {
			return nil
		}
		waiting <- struct{}{}
		<-ctx.Done()
		gone <- struct{}{}
		return ctx.Err()
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{})
	ctx := within(t)
	slow, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			_, err := db.Get(slow, "wait")
			if txn.KindOf(err) != txn.Deadline || !errors.Is(err, context.Canceled) {
				t.Errorf("canceled call: %v", err)
			}
		})
	}
	for range 3 {
		<-waiting
	}
	must(db.SetString(ctx, "k", "v"))(t)
	cancel()
	wg.Wait()
	for range 3 {
		<-gone
	}
	must(db.Get(ctx, "k"))(t)
	if _, err := db.Get(slow, "k"); txn.KindOf(err) != txn.Deadline {
		t.Errorf("call with a dead context: %v", err)
	}
}

// What the server's silence means for each kind of call, if it cannot be repeated.
func TestStreamLostAnswer(t *testing.T) {
	for _, unary := range []bool{false, true} {
		t.Run(fmt.Sprintf("unary=%v", unary), func(t *testing.T) {
			var lose atomic.Int32
			var only atomic.Int32
			after := func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
				if int32(m) == only.Load() && lose.Add(-1) >= 0 {
					return clienttest.Lose()
				}
				return nil
			}
			_, db := serve(t, clienttest.Options{After: after}, client.Options{Unary: unary, NoRequestIDs: true})
			ctx := within(t)
			arm := func(m cairnv1.Method) {
				only.Store(int32(m))
				lose.Store(1)
			}
			arm(cairnv1.Method_METHOD_KV_SET)
			_, err := db.SetString(ctx, "k", "v")
			if e, ok := errors.AsType[*txn.Error](err); !ok || e.Kind != txn.Unknown || e.Next == "" {
				t.Errorf("lost set: %v", err)
			}
			arm(cairnv1.Method_METHOD_KV_GET)
			if e, err := db.Get(ctx, "k"); err != nil || string(e.Value.Data) != "v" {
				t.Errorf("lost get: %+v, %v", e, err)
			}
			write := client.Program{Then: []client.Op{client.SetOp("k", client.NullValue(), client.SetOptions{})}}
			arm(cairnv1.Method_METHOD_TXN_EXECUTE)
			if _, err := db.Execute(ctx, write); txn.KindOf(err) != txn.Unknown {
				t.Errorf("lost execute: %v", err)
			}
			arm(cairnv1.Method_METHOD_TXN_EXECUTE)
			if _, err := db.Execute(ctx, client.Program{Then: []client.Op{client.GetOp("k")}}); err != nil {
				t.Errorf("lost execute that only reads: %v", err)
			}
			arm(cairnv1.Method_METHOD_TXN_COMMIT)
			err = db.Update(ctx, func(tx *client.Txn) error {
				_, err := tx.SetString(ctx, "k", "w")
				return err
			})
			if txn.KindOf(err) != txn.Unknown {
				t.Errorf("lost commit: %v", err)
			}
			runs := 0
			arm(cairnv1.Method_METHOD_KV_SET)
			err = db.Update(ctx, func(tx *client.Txn) error {
				runs++
				_, err := tx.Set(ctx, "k", client.StringValue("x"), client.SetOptions{ReturnPrev: true})
				return err
			})
			if err != nil || runs != 2 {
				t.Errorf("lost set inside a transaction: %v after %d runs", err, runs)
			}
		})
	}
}

// A DB outlives its gateway: it connects again by itself.
func TestReconnect(t *testing.T) {
	s, db := serve(t, clienttest.Options{}, client.Options{})
	ctx := within(t)
	must(db.SetString(ctx, "k", "v"))(t)
	s.Cut()
	if e := must(db.Get(ctx, "k"))(t); string(e.Value.Data) != "v" {
		t.Errorf("after a cut: %+v", e)
	}
	s.Close()
	hasty := must(client.New(client.Options{Endpoint: s.URL, CallAttemptsMax: 1}))(t)
	defer hasty.Close()
	_, err := hasty.SetString(ctx, "k", "w")
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Kind != txn.Unavailable || e.Reason != "unreachable" ||
		!strings.Contains(err.Error(), "cannot reach 127") {
		t.Errorf("nobody listens: %v", err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	must(db.Get(ctx, "k"))(t)
	must(hasty.SetString(ctx, "k", "w"))(t)
}

// Without HTTP/2 the SDK uses single calls, and says so once.
func TestFallback(t *testing.T) {
	var log bytes.Buffer
	_, db := serve(t, clienttest.Options{HTTP1: true}, client.Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	ctx := within(t)
	for i := range 3 {
		if r := must(db.SetString(ctx, "k", "v"))(t); r.Revision != int64(i) {
			t.Errorf("set %d: %+v", i, r)
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("said so %d times: %s", n, log.String())
	}
}

// A server that is neither must not look like one without HTTP/2.
func TestNoServer(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	db := must(client.New(client.Options{Endpoint: l.Addr().String(), CallAttemptsMax: 2}))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := db.SetString(ctx, "k", "v")
	if txn.KindOf(err) != txn.Unknown || client.OutcomeToken(err) == "" {
		t.Errorf("set: %v", err)
	}
	if _, err := db.Get(within(t), "k"); txn.KindOf(err) != txn.Unavailable {
		t.Errorf("get: %v", err)
	}
	db.Close()
	_ = l.Close()
	<-done
}

func TestClose(t *testing.T) {
	waiting := make(chan struct{})
	hook := func(ctx context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_KV_SET {
			close(waiting)
			<-ctx.Done()
		}
		return ctx.Err()
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{})
	ctx := within(t)
	done := make(chan error)
	go func() {
		_, err := db.SetString(ctx, "k", "v")
		done <- err
	}()
	<-waiting
	db.Close()
	if err := <-done; txn.KindOf(err) != txn.Unknown {
		t.Errorf("set under way: %v", err)
	}
	if _, err := db.Get(ctx, "k"); txn.KindOf(err) != txn.Unavailable {
		t.Errorf("get after close: %v", err)
	}
	db.Close()
}

func TestOptions(t *testing.T) {
	for _, o := range []client.Options{
		{}, {Endpoint: "ftp://x"}, {Endpoint: "http://"}, {Endpoint: "x:1", AttemptsMax: -1},
		{Endpoint: "x:1", CallAttemptsMax: -1}, {Endpoint: "x:1", ResolveMax: -1}, {Endpoint: "http://a b"},
	} {
		if _, err := client.New(o); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
