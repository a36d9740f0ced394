package gateway

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// directory is what the meta group knows of sessions.
type directory struct {
	mu    sync.Mutex
	where map[uint32]string
	asked int
}

func (d *directory) find(_ context.Context, session uint32) (string, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	address, open := d.where[session]
	return address, open, nil
}

func (d *directory) end(session uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.where, session)
}

// pair is two gateways of one cluster: transactions begin at the first, calls come to the second.
func pair(t *testing.T) (first, second *fixture, d *directory) {
	t.Helper()
	d = &directory{where: make(map[uint32]string)}
	shards := newFakeShards()
	one := func(session uint32) *fixture {
		f := startOn(t, shards, session, func(o *Options) { o.FindSession = d.find })
		d.where[session] = f.address
		return f
	}
	return one(7), one(8), d
}

// through reads over the wire.
func (f *fixture) through(h, key string) string {
	f.Helper()
	resp, err := f.kv.Get(f.Context(), connect.NewRequest(&cairnv1.GetRequest{Txn: h, Key: []byte(key)}))
	if err != nil {
		f.Fatal(err)
	}
	return resp.Msg.GetValue().GetStringValue()
}

// Every call of a transaction works through another gateway.
func TestForward(t *testing.T) {
	first, second, d := pair(t)
	ctx := t.Context()
	first.set("a", "old")
	h := first.begin(pessimistic)
	set, err := second.kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{Txn: h, Key: []byte("b"), Value: str("new")}))
	if err != nil {
		t.Fatal(err)
	}
	if set.Msg.Txn == h || len(set.Msg.Txn) <= len(h) {
		t.Errorf("handle %q carries no more than %q after a write", set.Msg.Txn, h)
	}
	h = set.Msg.Txn
	if got := second.through(h, "a") + second.through(h, "b"); got != "oldnew" {
		t.Errorf("the second gateway reads %q", got)
	}
	list, err := second.kv.Range(ctx, connect.NewRequest(&cairnv1.RangeRequest{Txn: h}))
	if err != nil || list.Msg.Count != 2 {
		t.Errorf("range: %v %v", list, err)
	}
	n := 0
	stream, err := second.kv.RangeStream(ctx, connect.NewRequest(&cairnv1.RangeStreamRequest{Txn: h}))
	if err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
		n += len(stream.Msg().Entries)
	}
	if stream.Err() != nil || n != 2 {
		t.Errorf("stream: %d entries, %v", n, stream.Err())
	}
	_ = stream.Close()
	batch, err := second.kv.BatchGet(ctx, connect.NewRequest(&cairnv1.BatchGetRequest{
		Txn: h, Keys: [][]byte{[]byte("b")},
	}))
	if err != nil || !batch.Msg.Results[0].Found {
		t.Errorf("batch: %v %v", batch, err)
	}
	_, err = second.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Txn: h, Key: []byte("a"), AsOf: ptr[int64](5)}))
	if e := detail(t, err); e.Reason != "as_of_in_transaction" || connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("an error: %v with %v", err, e)
	}
	done, err := second.txns.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: h}))
	if err != nil || len(done.Msg.Written) != 1 {
		t.Fatalf("commit: %v %v", done, err)
	}
	if got := first.getIn("", "b"); got != "new" {
		t.Errorf("after the commit: %q", got)
	}
	if body := second.do("GET", "/metrics", "").body; !strings.Contains(body, "\ncairn_forwarded_total 8\n") {
		t.Error("8 calls were passed on, metrics tell of another number")
	}
	if d.asked > 2 {
		t.Errorf("the meta group was asked %d times where the gateway is", d.asked)
	}
	again, err := second.txns.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: h}))
	if err != nil || again.Msg.CommitTs != done.Msg.CommitTs {
		t.Errorf("second commit: %v, %v", again, err)
	}
	if _, err := second.txns.Rollback(ctx, connect.NewRequest(&cairnv1.RollbackRequest{Txn: h})); err != nil {
		t.Errorf("rollback after commit: %v", err)
	}
	first.unlocked()
}

// The same over the stream of the SDK, which ends in the same function.
func TestForwardInExchange(t *testing.T) {
	first, second, _ := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	_, failed := call(t.Context(), second.g, methodSet,
		&cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")}, (*Gateway).set)
	if failed != nil {
		t.Fatal(failed)
	}
	resp, failed := call(t.Context(), second.g, methodGet, &cairnv1.GetRequest{Txn: h, Key: []byte("k")}, (*Gateway).get)
	if failed != nil || resp.GetValue().GetStringValue() != "v" {
		t.Errorf("%v %v", resp, failed)
	}
}

// A call goes on once: a gateway that is wrong about another sends nobody in a circle.
func TestForwardGoesNoFurther(t *testing.T) {
	first, second, d := pair(t)
	h := token.Handle{Txn: txn.NewID(9, 1), Random: [2]uint64{1, 2}, Began: 1}.String()
	d.where[9] = first.address
	_, failed := call(t.Context(), second.g, methodGet, &cairnv1.GetRequest{Txn: h, Key: []byte("k")}, (*Gateway).get)
	if failed == nil || failed.Kind != txn.Conflict || failed.Reason != reasonTxnGone {
		t.Errorf("got %v", failed)
	}
	if d.asked != 1 {
		t.Errorf("asked %d times for the session", d.asked)
	}
}

// The session of the gateway is over: so is the transaction.
func TestGatewayLost(t *testing.T) {
	first, second, d := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	set, err := first.g.set(t.Context(), &cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")})
	if err != nil {
		t.Fatal(err)
	}
	done := first.begin(&cairnv1.BeginRequest{})
	wrote, err := first.g.set(t.Context(), &cairnv1.SetRequest{Txn: done, Key: []byte("d"), Value: str("v")})
	if err != nil {
		t.Fatal(err)
	}
	committed, err := first.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: wrote.Txn})
	if err != nil {
		t.Fatal(err)
	}
	again, err := first.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: wrote.Txn})
	if err != nil || again.CommitTs != committed.CommitTs {
		t.Errorf("the same commit again: %v, %v", again, err)
	}
	first.die()
	d.end(7)
	ctx := t.Context()
	_, err = second.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Txn: h, Key: []byte("k")}))
	if e := detail(t, err); e.Reason != reasonGatewayLost || connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("get: %v with %v", err, e)
	}
	_, err = second.kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")}))
	if e := detail(t, err); e.Reason != reasonGatewayLost || connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("set: %v with %v", err, e)
	}
	stream, err := second.kv.RangeStream(ctx, connect.NewRequest(&cairnv1.RangeStreamRequest{Txn: h}))
	if err == nil {
		for stream.Receive() {
			t.Error("the stream has an answer")
		}
		err = stream.Err()
		_ = stream.Close()
	}
	if e := detail(t, err); e.Reason != reasonGatewayLost {
		t.Errorf("stream: %v", err)
	}
	// Of a commit that wrote nothing there is nothing to lose; of another one the key that it wrote
	// first knows whether the gateway was told before.
	_, err = second.txns.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: h}))
	if e := detail(t, err); e.Reason != reasonGatewayLost || connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("commit: %v with %v", err, e)
	}
	_, err = second.txns.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: set.Txn}))
	if e := detail(t, err); e.Reason != reasonGatewayLost || connect.CodeOf(err) != connect.CodeAborted {
		t.Errorf("commit of a write: %v with %v", err, e)
	}
	last, err := second.txns.Commit(ctx, connect.NewRequest(&cairnv1.CommitRequest{Txn: wrote.Txn}))
	if err != nil || last.Msg.CommitTs != committed.CommitTs {
		t.Errorf("a commit that the gateway answered before: %v, %v", last, err)
	}
	if _, err := second.txns.Rollback(ctx, connect.NewRequest(&cairnv1.RollbackRequest{Txn: h})); err != nil {
		t.Errorf("rollback: %v", err)
	}
}

// A gateway that is dead although its session lives is waited for: until the session has ended,
func TestGatewayDies(t *testing.T) {
	first, second, d := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	first.die()
	timer := time.AfterFunc(150*time.Millisecond, func() { d.end(7) })
	defer timer.Stop()
	_, failed := call(t.Context(), second.g, methodSet,
		&cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")}, (*Gateway).set)
	if failed == nil || failed.Reason != reasonGatewayLost {
		t.Errorf("got %v", failed)
	}
}

// or for as long as the caller wants. Nothing was sent, so nothing has happened.
func TestGatewayUnreachable(t *testing.T) {
	first, second, _ := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	first.die()
	go func() { // time flies
		for second.env.skew.Load() < int64(time.Minute) && second.env.Sleep(t.Context(), 5*time.Millisecond) == nil {
			second.env.skew.Add(int64(200 * time.Millisecond))
		}
	}()
	_, failed := call(t.Context(), second.g, methodCommit, &cairnv1.CommitRequest{Txn: h}, (*Gateway).commit)
	if failed == nil || failed.Kind != txn.Unavailable || failed.Reason != "gateway_unreachable" {
		t.Errorf("got %v", failed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, failed = call(ctx, second.g, methodGet, &cairnv1.GetRequest{Txn: h, Key: []byte("k")}, (*Gateway).get)
	if failed == nil || failed.Kind != txn.Deadline && failed.Kind != txn.Unavailable {
		t.Errorf("with a deadline: %v", failed)
	}
}

// mute takes connections and cuts them once something was sent.
func mute(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// What was sent and not answered may have been done.
func TestForwardedAnswerLost(t *testing.T) {
	first, second, d := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	set, err := first.g.set(t.Context(), &cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")})
	if err != nil {
		t.Fatal(err)
	}
	d.where[7] = mute(t)
	_, failed := call(t.Context(), second.g, methodSet,
		&cairnv1.SetRequest{Txn: h, Key: []byte("k"), Value: str("v")}, (*Gateway).set)
	if failed == nil || failed.Kind != txn.Conflict || failed.Reason != "answer_lost" {
		t.Errorf("set: %v", failed)
	}
	_, failed = call(t.Context(), second.g, methodCommit, &cairnv1.CommitRequest{Txn: set.Txn}, (*Gateway).commit)
	if failed == nil || failed.Kind != txn.Unknown || failed.Token == "" {
		t.Errorf("commit: %v", failed)
	}
	timer := time.AfterFunc(150*time.Millisecond, func() { // it comes back
		d.mu.Lock()
		defer d.mu.Unlock()
		d.where[7] = first.address
	})
	defer timer.Stop()
	resp, failed := call(t.Context(), second.g, methodGet, &cairnv1.GetRequest{Txn: h, Key: []byte("k")}, (*Gateway).get)
	if failed != nil || resp.GetValue().GetStringValue() != "v" {
		t.Errorf("get: %v %v", resp, failed)
	}
}
