package gateway

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/txn"
)

// told is a history in words.
func told(entries []*cairnv1.HistoryEntry) string {
	var all []string
	for _, e := range entries {
		s := fmt.Sprintf("r%d %s", e.Entry.Revision,
			strings.ToLower(strings.TrimPrefix(e.Operation.String(), "HISTORY_OPERATION_")))
		if e.Entry.Value != nil {
			s += " " + e.Entry.Value.GetStringValue()
		}
		if e.Principal != "" || e.Message != "" {
			s += fmt.Sprintf(" (%s: %s)", e.Principal, e.Message)
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// past reads a page over the wire.
func (f *fixture) past(req *cairnv1.HistoryRequest) *cairnv1.HistoryResponse {
	f.Helper()
	resp, err := f.kv.History(f.Context(), connect.NewRequest(req))
	if err != nil {
		f.Fatal(err)
	}
	return resp.Msg
}

// write is setIn that has to go well.
func (f *fixture) write(h, key, value string) {
	f.Helper()
	if err := f.setIn(h, key, value); err != nil {
		f.Fatal(err)
	}
}

// saying is a request with what its client says of itself.
func saying[T any](name string, m *T) *connect.Request[T] {
	r := connect.NewRequest(m)
	r.Header().Set(principalHeader, name)
	return r
}

func TestHistory(t *testing.T) {
	f := start(t)
	ctx, k := t.Context(), []byte("k")
	if got := f.past(&cairnv1.HistoryRequest{Key: k}); len(got.Entries) != 0 || len(got.Cursor) != 0 {
		t.Errorf("a key that never was has %v", got)
	}
	if _, err := f.kv.Set(ctx, saying("ann", &cairnv1.SetRequest{
		Key: k, Value: str("one"), TtlMs: 60_000, Message: "first"})); err != nil {
		t.Fatal(err)
	}
	if _, err := f.kv.Extend(ctx, saying("bob é", &cairnv1.ExtendRequest{Key: k, Message: "longer"})); err != nil {
		t.Fatal(err)
	}
	if _, err := f.kv.Delete(ctx, saying("carl", &cairnv1.DeleteRequest{Key: k})); err != nil {
		t.Fatal(err)
	}
	f.set("k", "two")
	all := f.past(&cairnv1.HistoryRequest{Key: k})
	want := "r2 set two, r1 delete (carl: ), r0 extend one (bob é: longer), r0 set one (ann: first)"
	if got := told(all.Entries); got != want || len(all.Cursor) != 0 {
		t.Errorf("history %q with cursor %x\nwant    %q", got, all.Cursor, want)
	}
	gone := all.Entries[1].Entry
	if gone.Value != nil || gone.CreateTs != 0 || gone.ExpiresAt != 0 || gone.CommitTs == 0 || string(gone.Key) != "k" {
		t.Errorf("the deletion is %v", gone)
	}
	if e := all.Entries[2].Entry; e.ExpiresAt != 0 || e.CreateTs != all.Entries[3].Entry.CommitTs {
		t.Errorf("the extension is %v", e)
	}
	if all.Entries[3].Entry.ExpiresAt == 0 {
		t.Errorf("the set is %v", all.Entries[3].Entry)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Key: k, KeysOnly: true, Limit: 1}).Entries); got != "r2 set" {
		t.Errorf("without values it is %q", got)
	}
}

// All pages are of the snapshot of the first one.
func TestHistoryPages(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.set("k", fmt.Sprint(i))
	}
	req := &cairnv1.HistoryRequest{Key: []byte("k"), Limit: 2}
	var pages []string
	for {
		page := f.past(req)
		pages = append(pages, told(page.Entries))
		f.set("k", "later")
		if req.Cursor = page.Cursor; len(req.Cursor) == 0 {
			break
		}
	}
	if got, want := strings.Join(pages, " | "), "r4 set 4, r3 set 3 | r2 set 2, r1 set 1 | r0 set 0"; got != want {
		t.Errorf("pages %q, want %q", got, want)
	}
	// A page has a bound of its own, and at least one version.
	big := strings.Repeat("x", PageBytesMax+1)
	f.set("big", big)
	f.set("big", big)
	page := f.past(&cairnv1.HistoryRequest{Key: []byte("big")})
	if len(page.Entries) != 1 || len(page.Cursor) == 0 {
		t.Errorf("a page of %d versions, cursor %x", len(page.Entries), page.Cursor)
	}
	page = f.past(&cairnv1.HistoryRequest{Key: []byte("big"), Cursor: page.Cursor})
	if len(page.Entries) != 1 || len(page.Cursor) != 0 {
		t.Errorf("a last page of %d versions, cursor %x", len(page.Entries), page.Cursor)
	}
}

func TestHistoryCursors(t *testing.T) {
	f := start(t)
	for _, k := range []string{"k", "k", "l"} {
		f.set(k, "v")
	}
	mine := f.past(&cairnv1.HistoryRequest{Key: []byte("k"), Limit: 1}).Cursor
	list, err := f.kv.Range(t.Context(), connect.NewRequest(&cairnv1.RangeRequest{Limit: 1}))
	if err != nil {
		t.Fatal(err)
	}
	later := historyCursor{of: txn.NewKey(txn.DefaultKeyspace, []byte("k")), at: 8, from: 9}
	for reason, req := range map[string]*cairnv1.HistoryRequest{
		"cursor_mismatch": {Key: []byte("l"), Cursor: mine},
		"limit_negative":  {Key: []byte("k"), Limit: -1},
		"key_empty":       {},
	} {
		_, err := f.kv.History(t.Context(), connect.NewRequest(req))
		if got := detail(t, err).Reason; got != reason {
			t.Errorf("%v: %q, want %q", req, got, reason)
		}
	}
	for _, c := range [][]byte{later.encode(), mine[:len(mine)-1], append(bytes.Clone(mine), 0), list.Msg.Cursor} {
		_, err := f.kv.History(t.Context(), connect.NewRequest(&cairnv1.HistoryRequest{Key: []byte("k"), Cursor: c}))
		if got := detail(t, err).Reason; got != reasonCursor {
			t.Errorf("cursor %x: %q", c, got)
		}
	}
}

// A transaction sees the history of its snapshot, without its own writes, and commits only if there
// is no more to it by then.
func TestHistoryInTransaction(t *testing.T) {
	f := start(t)
	f.set("k", "one")
	f.set("k", "two")
	h := f.begin(&cairnv1.BeginRequest{})
	f.set("k", "three")
	f.write(h, "k", "own")
	req := &cairnv1.HistoryRequest{Txn: f.latest(h), Key: []byte("k"), Limit: 1}
	page := f.past(req)
	if got := told(page.Entries); got != "r1 set two" || page.Txn == "" {
		t.Errorf("history %q, handle %q", got, page.Txn)
	}
	req.Cursor = page.Cursor
	if got := told(f.past(req).Entries); got != "r0 set one" {
		t.Errorf("its second page is %q", got)
	}
	if reason := detail(t, connectError(classify(f.commit(h), true))).Reason; reason != "conflict" {
		t.Errorf("commit: %q", reason)
	}
	h = f.begin(&cairnv1.BeginRequest{})
	_, err := f.kv.History(t.Context(), connect.NewRequest(
		&cairnv1.HistoryRequest{Txn: h, Key: []byte("k"), Cursor: page.Cursor}))
	if got := detail(t, err).Reason; got != "cursor_mismatch" {
		t.Errorf("another transaction's cursor: %q", got)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Txn: h, Key: []byte("none")}).Entries); got != "" {
		t.Errorf("a key that never was has %q", got)
	}
	f.set("none", "now") // what was not there is watched over, too
	f.write(h, "x", "y")
	if reason := detail(t, connectError(classify(f.commit(h), true))).Reason; reason != "conflict" {
		t.Errorf("commit: %q", reason)
	}
}

// A transaction has one message and one principal: those of the call that commits it.
func TestAnnotations(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	h := f.begin(&cairnv1.BeginRequest{})
	set, err := f.kv.Set(ctx, saying("setter", &cairnv1.SetRequest{Txn: h, Key: []byte("a"), Value: str("x")}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.txns.Commit(ctx, saying("ann", &cairnv1.CommitRequest{Txn: set.Msg.Txn, Message: "both"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Key: []byte("a")}).Entries); got != "r0 set x (ann: both)" {
		t.Errorf("an interactive transaction left %q", got)
	}
	op := func(message string) *cairnv1.Op {
		return &cairnv1.Op{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{
			Key: []byte("b"), Value: str("x"), Message: message}}}
	}
	if _, err := f.txns.Execute(ctx, saying("bob", &cairnv1.ExecuteRequest{
		Then: []*cairnv1.Op{op("")}, Message: "at once"})); err != nil {
		t.Fatal(err)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Key: []byte("b")}).Entries); got != "r0 set x (bob: at once)" {
		t.Errorf("a one-shot transaction left %q", got)
	}
	_, err = f.txns.Execute(ctx, connect.NewRequest(&cairnv1.ExecuteRequest{Then: []*cairnv1.Op{op("why")}}))
	if got := detail(t, err).Reason; got != "message_in_operation" {
		t.Errorf("a message in an operation: %q", got)
	}
	_, err = f.kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{
		Txn: f.begin(&cairnv1.BeginRequest{}), Key: []byte("a"), Value: str("x"), Message: "why"}))
	if got := detail(t, err).Reason; got != "message_in_transaction" {
		t.Errorf("a message in a transaction: %q", got)
	}
	if got := f.do("PUT", "/v1/keys/h", "x", principalHeader, "curl"); got.status >= 300 {
		t.Fatalf("%+v", got)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Key: []byte("h")}).Entries); !strings.HasSuffix(got, "(curl: )") {
		t.Errorf("a PUT left %q", got)
	}
}

// The message is a part of what a request asks for; who asks is not.
func TestAnnotationOfARequest(t *testing.T) {
	f := start(t)
	set := func(name, message string) error {
		_, err := f.kv.Set(t.Context(), saying(name, &cairnv1.SetRequest{
			Key: []byte("k"), Value: str("x"), RequestId: []byte("r"), Message: message}))
		return err
	}
	if err := set("ann", "why"); err != nil {
		t.Fatal(err)
	}
	if err := set("bob", "why"); err != nil {
		t.Errorf("another principal: %v", err)
	}
	if got := detail(t, set("ann", "why not")).Reason; got != "request_id_reused" {
		t.Errorf("another message: %q", got)
	}
	if got := told(f.past(&cairnv1.HistoryRequest{Key: []byte("k")}).Entries); got != "r0 set x (ann: why)" {
		t.Errorf("history %q", got)
	}
}

func TestAnnotationLimits(t *testing.T) {
	f := start(t)
	long := func(n int) string { return strings.Repeat("é", n/2) }
	set := func(name, message string) error {
		_, err := f.kv.Set(t.Context(), saying(name, &cairnv1.SetRequest{
			Key: []byte("k"), Value: str("x"), Message: message}))
		return err
	}
	if err := set(long(txn.PrincipalBytesMax), long(txn.MessageBytesMax)); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	for reason, err := range map[string]error{
		"message_too_long":            set("a", long(txn.MessageBytesMax)+"x"),
		"principal_too_long":          set(long(txn.PrincipalBytesMax)+"x", ""),
		"principal_not_utf8":          set("a\xff", ""),
		"principal_control_character": set("a\u0085b", ""),
	} {
		if got := detail(t, err); got.Reason != reason || connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %q, want %q", err, got.Reason, reason)
		}
	}
	_, err := f.g.set(t.Context(), &cairnv1.SetRequest{Key: []byte("k"), Value: str("x"), Message: "\xff"})
	if e := classify(err, true); e.Reason != "message_not_utf8" {
		t.Errorf("%v", err)
	}
	// Whatever is called, a principal that is none is refused.
	twice := connect.NewRequest(&cairnv1.GetRequest{Key: []byte("k")})
	twice.Header()[principalHeader] = []string{"a", "b"}
	_, err = f.kv.Get(t.Context(), twice)
	if got := detail(t, err).Reason; got != "principal_repeated" {
		t.Errorf("two principals: %q", got)
	}
	if got := f.do("GET", "/v1/keys/k", "", principalHeader, "a\xff"); got.status != 400 {
		t.Errorf("over HTTP: %+v", got)
	}
}

// Every protocol brings the header, and a stream has one for all its calls.
func TestPrincipalOfEachProtocol(t *testing.T) {
	f := start(t)
	for name, o := range map[string][]connect.ClientOption{
		"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()},
	} {
		kv := cairnv1connect.NewKVServiceClient(f.h2, f.url, o...)
		if _, err := kv.Set(t.Context(), saying(name, &cairnv1.SetRequest{Key: []byte(name), Value: str("x")})); err != nil {
			t.Fatal(err)
		}
		got := told(f.past(&cairnv1.HistoryRequest{Key: []byte(name)}).Entries)
		if got != "r0 set x ("+name+": )" {
			t.Errorf("%s left %q", name, got)
		}
	}
	x := f.exchange(t)
	x.stream.RequestHeader().Set(principalHeader, "streamer")
	set := encode(t, &cairnv1.SetRequest{Key: []byte("s"), Value: str("x"), Message: "why"})
	past := encode(t, &cairnv1.HistoryRequest{Key: []byte("s")})
	x.send(&cairnv1.Call{Id: 1, Method: cairnv1.Method_METHOD_KV_SET, Payload: set})
	x.replies(1)
	x.send(&cairnv1.Call{Id: 2, Method: cairnv1.Method_METHOD_KV_HISTORY, Payload: past})
	resp := new(cairnv1.HistoryResponse)
	if err := proto.Unmarshal(x.replies(1)[0].Payload, resp); err != nil {
		t.Fatal(err)
	}
	if got := told(resp.Entries); got != "r0 set x (streamer: why)" {
		t.Errorf("a stream left %q", got)
	}
}

// A commit that goes on to another gateway carries its principal.
func TestForwardedPrincipal(t *testing.T) {
	first, second, _ := pair(t)
	h := first.begin(&cairnv1.BeginRequest{})
	first.write(h, "k", "x")
	_, err := second.txns.Commit(t.Context(), saying("ann", &cairnv1.CommitRequest{Txn: first.latest(h), Message: "far"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := told(second.past(&cairnv1.HistoryRequest{Key: []byte("k")}).Entries); got != "r0 set x (ann: far)" {
		t.Errorf("history %q", got)
	}
	h = first.begin(&cairnv1.BeginRequest{})
	if got := told(second.past(&cairnv1.HistoryRequest{Txn: h, Key: []byte("k")}).Entries); got != "r0 set x (ann: far)" {
		t.Errorf("through another gateway %q", got)
	}
}

// The message is written with every key, and counts as often.
func TestAnnotationCounts(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	const keys = txn.WriteBytesMax/(txn.MessageBytesMax+7) + 1
	for i := range keys {
		f.write(h, fmt.Sprintf("%03d", i%1000)+string(rune('a'+i/1000)), "")
	}
	_, err := f.txns.Commit(t.Context(), connect.NewRequest(&cairnv1.CommitRequest{
		Txn: f.latest(h), Message: strings.Repeat("m", txn.MessageBytesMax)}))
	got := detail(t, err)
	if got.Reason != "transaction_too_large" || connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("%d keys: %v", keys, err)
	}
	ops := make([]*cairnv1.Op, OpsMax)
	for i := range ops {
		ops[i] = &cairnv1.Op{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{
			Key: fmt.Appendf(nil, "%05d", i), Value: str("")}}}
	}
	_, err = f.txns.Execute(t.Context(), connect.NewRequest(&cairnv1.ExecuteRequest{
		Then: ops, Message: strings.Repeat("m", txn.MessageBytesMax)}))
	if got := detail(t, err); got.Reason != "transaction_too_large" {
		t.Errorf("one shot: %v", err)
	}
}
