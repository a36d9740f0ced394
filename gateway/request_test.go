package gateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

func TestRequestIDChecks(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	long := []byte(strings.Repeat("x", 65))
	set := func(r *cairnv1.SetRequest) error {
		r.Key, r.Value = []byte("k"), str("v")
		_, err := f.g.set(t.Context(), r)
		return err
	}
	inOp := func(op *cairnv1.Op) error {
		_, err := f.g.executeProgram(t.Context(), &cairnv1.ExecuteRequest{Then: []*cairnv1.Op{op}})
		return err
	}
	del := &cairnv1.DeleteRequest{Key: []byte("k"), RequestId: long}
	_, deleted := f.g.del(t.Context(), del)
	extend := &cairnv1.ExtendRequest{Key: []byte("k"), Txn: h, RequestId: []byte("x")}
	_, extended := f.g.extend(t.Context(), extend)
	_, committed := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: h, RequestId: long})
	_, executed := f.g.executeProgram(t.Context(), &cairnv1.ExecuteRequest{
		Then: []*cairnv1.Op{{Request: &cairnv1.Op_Delete{Delete: &cairnv1.DeleteRequest{Key: []byte("k")}}}}, RequestId: long,
	})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"long":              {set(&cairnv1.SetRequest{RequestId: long}), "request_id_too_long"},
		"as long as may be": {set(&cairnv1.SetRequest{RequestId: long[1:]}), ""},
		"in a transaction":  {set(&cairnv1.SetRequest{Txn: h, RequestId: []byte("x")}), "request_id_in_transaction"},
		"delete":            {deleted, "request_id_too_long"},
		"extend":            {extended, "request_id_in_transaction"},
		"commit":            {committed, "request_id_too_long"},
		"execute":           {executed, "request_id_too_long"},
		"set in an operation": {inOp(&cairnv1.Op{Request: &cairnv1.Op_Set{
			Set: &cairnv1.SetRequest{Key: []byte("k"), Value: str("v"), RequestId: []byte("x")}}}), "request_id_in_operation"},
		"delete in an operation": {inOp(&cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: del}}), "request_id_in_operation"},
		"extend in an operation": {inOp(&cairnv1.Op{Request: &cairnv1.Op_Extend{
			Extend: &cairnv1.ExtendRequest{Key: []byte("k"), RequestId: []byte("x")}}}), "request_id_in_operation"},
	} {
		if c.err == nil && c.want == "" {
			continue
		}
		if reasonOf(c.err) != c.want {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Errorf("a refused commit has ended the transaction: %v", err)
	}
	for _, headers := range [][]string{{""}, {"a", "b"}, {strings.Repeat("x", 65)}} {
		var all []string
		for _, v := range headers {
			all = append(all, requestHeader, v)
		}
		for _, method := range []string{"PUT", "DELETE"} {
			if a := f.do(method, "/v1/keys/k", "v", all...); a.status != 400 || !strings.Contains(a.body, "request_id") {
				t.Errorf("%s with %q: %d %s", method, headers, a.status, a.body)
			}
		}
	}
}

// A repeat is answered what the first one was, by whatever protocol it comes.
func TestRepeats(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	put := f.do("PUT", "/v1/keys/k", "v", requestHeader, "job 1", "If-None-Match", "*")
	again := f.do("PUT", "/v1/keys/k", "v", requestHeader, "job 1", "If-None-Match", "*")
	if put.status != 201 || again.status != 201 || put.body != again.body {
		t.Errorf("put: %d %s, again: %d %s", put.status, put.body, again.status, again.body)
	}
	if a := f.do("PUT", "/v1/keys/k", "w", requestHeader, "job 1"); a.status != 400 ||
		!strings.Contains(a.body, "request_id_reused") {
		t.Errorf("other content: %d %s", a.status, a.body)
	}
	value := &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: []byte("v")}}
	set, err := f.kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{
		Key: []byte("k"), Value: value, Conditions: &cairnv1.WriteConditions{IfAbsent: true}, RequestId: []byte("job 1"),
	}))
	if err != nil || !set.Msg.Set || set.Msg.Revision != 0 {
		t.Errorf("the same by Connect: %v, %v", set, err)
	}
	f.set("k", "later")
	for range 2 {
		if a := f.do("DELETE", "/v1/keys/k", "", requestHeader, "job 2"); a.status != 200 {
			t.Errorf("delete: %d %s", a.status, a.body)
		}
	}
	// A test that failed is an answer, too.
	for i := range 2 {
		resp, err := f.txns.Execute(ctx, connect.NewRequest(&cairnv1.ExecuteRequest{
			If: []*cairnv1.Condition{{Test: &cairnv1.Condition_Compare{Compare: &cairnv1.Compare{
				Key: []byte("k"), Target: &cairnv1.Compare_Exists{Exists: true}}}}},
			Then:      []*cairnv1.Op{{Request: &cairnv1.Op_Delete{Delete: &cairnv1.DeleteRequest{Key: []byte("k")}}}},
			RequestId: []byte("job 3"),
		}))
		if err != nil || resp.Msg.Succeeded {
			t.Errorf("execute %d: %v, %v", i, resp, err)
		}
		f.set("k", "there")
	}
	if v := f.do("GET", "/v1/keys/k", ""); v.body != "there" {
		t.Errorf("after all: %d %s", v.status, v.body)
	}
}

// otherGateway answers for the same shards.
func (f *fixture) otherGateway() *Gateway {
	f.Helper()
	c, err := coordinator.New(coordinator.Options{Env: f.env, Shards: f.shards, Session: 8})
	if err != nil {
		f.Fatal(err)
	}
	o := f.g.Options
	o.Coordinator, o.Registry = c, nil
	g, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(g.Close)
	return g
}

// An unknown outcome has a token that any gateway turns into an answer, and the answer holds.
func TestOutcome(t *testing.T) {
	f := start(t)
	other := f.otherGateway()
	hang := f.shards.hold("k")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.g.set(ctx, &cairnv1.SetRequest{Key: []byte("k"), Value: str("v"), RequestId: []byte("r")})
	e := classify(err, true)
	if e.Kind != txn.Unknown || e.Token == "" {
		t.Fatalf("set: %v", err)
	}
	if d := detail(t, connectError(e)); d.Token != e.Token {
		t.Errorf("detail %v", d)
	}
	ask := func(text string) *cairnv1.OutcomeResponse {
		t.Helper()
		out, err := other.outcome(t.Context(), &cairnv1.OutcomeRequest{Token: text})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := ask(e.Token); out.Outcome != cairnv1.CommitOutcome_COMMIT_OUTCOME_ABORTED || out.Reason == "" {
		t.Errorf("before it has happened: %v", out)
	}
	close(hang.open)
	_, err = other.set(t.Context(), &cairnv1.SetRequest{Key: []byte("k"), Value: str("v"), RequestId: []byte("r")})
	if e := classify(err, true); e.Kind != txn.Conflict || e.Reason != "request_aborted" || string(userKey(e)) != "k" {
		t.Errorf("after that: %v", err)
	}
	resp, err := f.g.set(t.Context(), &cairnv1.SetRequest{Key: []byte("k"), Value: str("v"), RequestId: []byte("r2")})
	if err != nil {
		t.Fatal(err)
	}
	named := token.Token{Keyspace: "default", Anchor: txn.Key("k"),
		ID: txn.HashRequestID([]byte("r2")), Since: txn.Timestamp(f.env.Wall())}
	if out := ask(named.String()); out.CommitTs != resp.CommitTs ||
		out.Outcome != cairnv1.CommitOutcome_COMMIT_OUTCOME_COMMITTED {
		t.Errorf("committed: %v", out)
	}
	named.Keyspace = "none"
	for text, want := range map[string]string{"x": "token_invalid", named.String(): "keyspace_not_found"} {
		if _, err := other.outcome(t.Context(), &cairnv1.OutcomeRequest{Token: text}); reasonOf(err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A commit that the server itself could not see to its end has a token, too.
func TestCommitHasToken(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	if err := f.setIn(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	hang := f.shards.hold("k")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.g.commit(ctx, &cairnv1.CommitRequest{Txn: f.latest(h), RequestId: []byte("r")})
	close(hang.open)
	got, perr := token.Parse(classify(err, true).Token)
	if perr != nil || string(got.Anchor.User()) != "k" {
		t.Errorf("%v: token %+v, %v", err, got, perr)
	}
	err = named(context.Canceled, token.Token{Anchor: txn.NewKey(1, []byte("k")), ID: txn.RequestID{1}, Since: 5})
	if e := classify(err, true); e.Kind != txn.Unknown || e.Token == "" {
		t.Errorf("cut off: %v", err)
	}
}

// A request has a time since when copies of it can have been carried out, unless its user gave it
// a name that does not say so.
func TestRequestsAreDated(t *testing.T) {
	f := start(t)
	f.set("k", "v")
	newest := f.g.Coordinator.Newest()
	dated := txn.DatedRequestID(5007, [16]byte{1})
	for _, c := range []struct {
		user  []byte
		since txn.Timestamp
	}{
		{nil, txn.SinceSeen(newest)}, {[]byte("job"), 0}, {dated, txn.SinceSeen(5007)},
	} {
		q, err := f.g.requestOf(&cairnv1.SetRequest{RequestId: c.user})
		if err != nil || q.Since != c.since || c.user != nil && q.ID != txn.HashRequestID(c.user) {
			t.Errorf("%q: %+v, %v", c.user, q, err)
		}
	}
	h := token.Handle{Txn: txn.NewID(1, 2), Began: 9}
	for _, c := range []struct {
		user  []byte
		since txn.Timestamp
	}{
		{nil, 9}, {[]byte("job"), 0}, {dated, txn.SinceSeen(5007)},
	} {
		q, err := commitRequest(&cairnv1.CommitRequest{Txn: h.String(), RequestId: c.user})
		if err != nil || q.Since != c.since {
			t.Errorf("a commit %q: %+v, %v", c.user, q, err)
		}
	}
}
