package client_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// troubles meet the calls of one method, in order: before they are carried out, or after.
type troubles struct {
	mu            sync.Mutex
	method        cairnv1.Method
	next          int
	before, after []error
}

func (tr *troubles) at(m cairnv1.Method, before, after []error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.method, tr.next, tr.before, tr.after = m, 0, before, after
}

func (tr *troubles) options() clienttest.Options {
	pick := func(m cairnv1.Method, after bool) error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		list, n := tr.before, tr.next
		if after {
			list = tr.after
		}
		var err error
		if m == tr.method && n < len(list) {
			err = list[n]
		}
		if m == tr.method && (after || err != nil) { // the call is over
			tr.next++
		}
		return err
	}
	return clienttest.Options{
		Hook:  func(_ context.Context, m cairnv1.Method, _ proto.Message) error { return pick(m, false) },
		After: func(_ context.Context, m cairnv1.Method, _ proto.Message) error { return pick(m, true) },
	}
}

// lostTwice loses the answers to the first two copies.
func lostTwice() []error { return []error{clienttest.Lose(), clienttest.Lose()} }

// A call whose answer is lost has happened once when its caller hears of it, and the answer is that
// of the copy that did it.
func TestLostAnswerHappensOnce(t *testing.T) {
	for _, unary := range []bool{false, true} {
		t.Run(fmt.Sprintf("unary=%v", unary), func(t *testing.T) {
			var tr troubles
			_, db := serve(t, tr.options(), client.Options{Unary: unary})
			ctx := within(t)

			tr.at(cairnv1.Method_METHOD_KV_SET, nil, lostTwice())
			if r := must(db.Create(ctx, "k", client.IntValue(1)))(t); !r.Set || r.Revision != 0 {
				t.Errorf("create: %+v", r)
			}
			tr.at(cairnv1.Method_METHOD_TXN_EXECUTE, nil, lostTwice())
			out := must(db.Execute(ctx, client.Program{
				If:   client.RevisionIs("k", client.Equal, 0),
				Then: []client.Op{client.SetOp("k", client.IntValue(2), client.SetOptions{})},
			}))(t)
			if !out.Succeeded || out.Results[0].Set.Revision != 1 {
				t.Errorf("execute: %+v", out)
			}
			tr.at(cairnv1.Method_METHOD_KV_EXTEND, nil, lostTwice())
			if r := must(db.Extend(ctx, "k", time.Hour))(t); !r.Extended {
				t.Errorf("extend: %+v", r)
			}
			tr.at(cairnv1.Method_METHOD_KV_DELETE, nil, lostTwice())
			if r := must(db.Delete(ctx, "k", client.DeleteOptions{}))(t); !r.Deleted || r.Revision != 2 {
				t.Errorf("delete: %+v", r)
			}
			if e := must(db.Get(ctx, "k"))(t); e.Found() {
				t.Errorf("after all: %+v", e)
			}
		})
	}
}

// A commit whose answer is lost is asked for; the function runs again only if it was aborted.
func TestLostCommit(t *testing.T) {
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{})
	ctx := within(t)
	runs := 0
	add := func(tx *client.Txn) error {
		runs++
		e, err := tx.Get(ctx, "n")
		if err != nil {
			return err
		}
		n := int64(0)
		if e.Found() {
			n = e.Value.Int()
		}
		_, err = tx.Set(ctx, "n", client.IntValue(n+1), client.SetOptions{})
		return err
	}
	for i, c := range []struct {
		name          string
		before, after []error
		runs          int
	}{
		{"after", nil, lostTwice(), 1},
		{"before", lostTwice()[:1], nil, 2},
	} {
		runs = 0
		tr.at(cairnv1.Method_METHOD_TXN_COMMIT, c.before, c.after)
		if err := db.Update(ctx, add); err != nil || runs != c.runs {
			t.Errorf("lost %s: %v after %d runs", c.name, err, runs)
		}
		if e := must(db.Get(ctx, "n"))(t); e.Value.Int() != int64(i+1) || e.Revision != int64(i) {
			t.Errorf("lost %s: %+v", c.name, e)
		}
	}
	tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
	must(tx.SetString(ctx, "m", "v"))(t)
	tr.at(cairnv1.Method_METHOD_TXN_COMMIT, nil, lostTwice())
	r := must(tx.Commit(ctx))(t)
	if e := must(db.Get(ctx, "m"))(t); r.CommitTS != e.CommitTS || r.CommitTS == 0 {
		t.Errorf("%+v, and the key is %+v", r, e)
	}
}

// What later copies are told is about them alone: the call goes on until one is answered.
func TestPursuitGoesOn(t *testing.T) {
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{CallAttemptsMax: 1})
	ctx := within(t)
	tr.at(cairnv1.Method_METHOD_KV_SET, []error{
		clienttest.Lose(),
		txn.Errorf(txn.Unavailable, "no_leader", "x"),
		txn.Errorf(txn.Conflict, "request_open", "x"),
		txn.Errorf(txn.Deadline, "deadline", "x"),
		txn.Errorf(txn.Exhausted, "too_many_calls", "x"),
		&txn.Error{Kind: txn.Unknown, Token: "t"},
	}, nil)
	if r := must(db.Create(ctx, "k", client.NullValue()))(t); !r.Set {
		t.Errorf("%+v", r)
	}
}

// A copy that is refused for good says nothing about the one before. The outcome does.
func TestRefusedCopy(t *testing.T) {
	refuse := txn.Errorf(txn.Invalid, "too_large", "x")
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{})
	ctx := within(t)
	tr.at(cairnv1.Method_METHOD_KV_SET, []error{clienttest.Lose(), refuse}, nil)
	if _, err := db.SetString(ctx, "k", "v"); txn.KindOf(err) != txn.Invalid {
		t.Errorf("lost before it was done: %v", err)
	}
	if e := must(db.Get(ctx, "k"))(t); e.Found() {
		t.Errorf("after a refusal: %+v", e)
	}
	tr.at(cairnv1.Method_METHOD_KV_SET, []error{nil, refuse}, []error{clienttest.Lose()})
	if r := must(db.SetString(ctx, "k", "v"))(t); !r.Set || r.Revision != 0 {
		t.Errorf("lost after it was done: %+v", r)
	}
}

// When time is up the caller gets a token, and asking with it is final.
func TestUnknownHasToken(t *testing.T) {
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{ResolveMax: 50 * time.Millisecond})
	forever := make([]error, 1000)
	for i := range forever {
		forever[i] = clienttest.Lose()
	}
	for _, c := range []struct {
		name          string
		before, after []error
		want          client.CommitState
	}{
		{"done", nil, forever, client.Committed},
		{"not done", forever, nil, client.Aborted},
	} {
		tr.at(cairnv1.Method_METHOD_KV_SET, c.before, c.after)
		_, err := db.SetString(context.Background(), c.name, "v")
		token := client.OutcomeToken(err)
		if txn.KindOf(err) != txn.Unknown || token == "" {
			t.Fatalf("%s: %v, token %q", c.name, err, token)
		}
		ctx := within(t)
		for range 2 {
			out := must(db.CommitOutcome(ctx, token))(t)
			if out.State != c.want || (out.CommitTS != 0) != (c.want == client.Committed) {
				t.Errorf("%s: %+v", c.name, out)
			}
		}
		if e := must(db.Get(ctx, c.name))(t); e.Found() != (c.want == client.Committed) {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
	if _, err := db.CommitOutcome(within(t), "x"); txn.KindOf(err) != txn.Invalid {
		t.Errorf("no token: %v", err)
	}
}

// A request_id of the user's own holds over several calls and clients.
func TestOwnRequestID(t *testing.T) {
	s, db := serve(t, clienttest.Options{}, client.Options{})
	other := must(client.New(client.Options{Endpoint: s.URL, NoRequestIDs: true}))(t)
	defer other.Close()
	ctx := within(t)
	o := client.SetOptions{RequestID: "job 7", If: client.Conditions{Absent: true}}
	first := must(db.Set(ctx, "k", client.NullValue(), o))(t)
	again := must(other.Set(ctx, "k", client.NullValue(), o))(t)
	if !again.Set || again != first {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if _, err := other.Set(ctx, "k", client.IntValue(1), o); txn.KindOf(err) != txn.Invalid {
		t.Errorf("other content: %v", err)
	}
	if r := must(db.Delete(ctx, "k", client.DeleteOptions{RequestID: "job 8"}))(t); !r.Deleted {
		t.Errorf("delete: %+v", r)
	}
	if r := must(other.Delete(ctx, "k", client.DeleteOptions{RequestID: "job 8"}))(t); !r.Deleted {
		t.Errorf("delete again: %+v", r)
	}
}

// Request_ids are on what commits, each call has its own, and they can be left out.
func TestWhoHasRequestID(t *testing.T) {
	var ids []string
	hook := func(_ context.Context, m cairnv1.Method, req proto.Message) error {
		if r, ok := req.(interface{ GetRequestId() []byte }); ok && len(r.GetRequestId()) > 0 {
			ids = append(ids, m.String()+" "+string(r.GetRequestId()))
		}
		return nil
	}
	for _, none := range []bool{false, true} {
		ids = nil
		_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{NoRequestIDs: none})
		ctx := within(t)
		must(db.SetString(ctx, "k", "v"))(t)
		must(db.SetString(ctx, "k", "v"))(t)
		must(db.Execute(ctx, client.Program{Then: []client.Op{client.GetOp("k")}}))(t)
		for _, write := range []bool{false, true} {
			err := db.Update(ctx, func(tx *client.Txn) error {
				if !write {
					return nil
				}
				_, err := tx.SetString(ctx, "k", "w")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		want := 3 // two sets, one commit
		if none {
			want = 0
		}
		seen := map[string]bool{}
		for _, id := range ids {
			seen[id] = true
		}
		if len(ids) != want || len(seen) != want {
			t.Errorf("none=%v: %q", none, ids)
		}
	}
}

// A request_id that the SDK draws is dated by what it was answered before, and all copies have it.
// Where that is a timestamp of the future, as another cluster is there now, it begins anew.
func TestRequestIDsAreDated(t *testing.T) {
	var ids [][]byte
	early := false
	hook := func(_ context.Context, m cairnv1.Method, req proto.Message) error {
		r, ok := req.(interface{ GetRequestId() []byte })
		if !ok {
			return nil
		}
		ids = append(ids, r.GetRequestId())
		switch {
		case early:
			return txn.EarlyRequest(txn.NewKey(1, []byte("k")))
		case len(ids) == 1:
			return txn.Errorf(txn.Unavailable, "no_leader", "x")
		}
		return nil
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{})
	ctx := within(t)
	set := func() client.Timestamp { return must(db.SetString(ctx, "k", "v"))(t).CommitTS }
	at := set()
	if len(ids) != 2 || !bytes.Equal(ids[0], ids[1]) || txn.RequestSince(ids[0]) != 0 {
		t.Errorf("the first one: %x", ids)
	}
	then := set()
	if since := txn.RequestSince(ids[2]); since != at {
		t.Errorf("after the first at %d: %d", at, since)
	}
	must(db.Set(ctx, "k", client.IntValue(1), client.SetOptions{RequestID: "job"}))(t)
	if since := txn.RequestSince(ids[3]); since != 0 {
		t.Errorf("a user's says %d", since)
	}
	tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
	seen := tx.ReadTS()
	must(tx.SetString(ctx, "k", "w"))(t)
	must(tx.Commit(ctx))(t)
	if since := txn.RequestSince(ids[len(ids)-1]); since < seen || since <= then {
		t.Errorf("of a commit that began at %d: %d", seen, since)
	}
	early = true
	if _, err := db.SetString(ctx, "k", "v"); txn.KindOf(err) != txn.Invalid {
		t.Errorf("an early one: %v", err)
	}
	early = false
	set()
	if since := txn.RequestSince(ids[len(ids)-1]); since != 0 {
		t.Errorf("after an early one: %d", since)
	}
}
