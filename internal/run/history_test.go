package run

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/txn"
)

// teller writes and tells the past of a store over the wire.
type teller struct {
	*testing.T
	kv   cairnv1connect.KVServiceClient
	txns cairnv1connect.TxnServiceClient
}

func newTeller(t *testing.T, endpoint string) *teller {
	h2 := transport.NewClient()
	t.Cleanup(h2.CloseIdleConnections)
	return &teller{t, cairnv1connect.NewKVServiceClient(h2, endpoint),
		cairnv1connect.NewTxnServiceClient(h2, endpoint)}
}

func text(s string) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: s}}
}

func (f *teller) set(key, value string, noHistory bool) {
	f.Helper()
	_, err := f.kv.Set(f.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Key: []byte(key), Value: text(value), TtlMs: 600_000, NoHistory: noHistory}))
	if err != nil {
		f.Fatal(err)
	}
}

func (f *teller) extend(key string) {
	f.Helper()
	_, err := f.kv.Extend(f.Context(), connect.NewRequest(&cairnv1.ExtendRequest{Key: []byte(key)}))
	if err != nil {
		f.Fatal(err)
	}
}

// past is the whole history, read in pages of two.
func (f *teller) past(key string) string {
	f.Helper()
	var all []string
	req := &cairnv1.HistoryRequest{Key: []byte(key), Limit: 2}
	for {
		page, err := f.kv.History(f.Context(), connect.NewRequest(req))
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range page.Msg.Entries {
			s := fmt.Sprintf("r%d %s %s", e.Entry.Revision, strings.ToLower(
				strings.TrimPrefix(e.Operation.String(), "HISTORY_OPERATION_")), e.Entry.GetValue().GetStringValue())
			if e.Principal != "" {
				s += fmt.Sprintf("(%s: %s)", e.Principal, e.Message)
			}
			all = append(all, strings.TrimSpace(s))
		}
		if req.Cursor = page.Msg.Cursor; len(req.Cursor) == 0 {
			return strings.Join(all, ", ")
		}
	}
}

// found is the value of a revision, or as of a time.
func (f *teller) found(req *cairnv1.GetRequest) string {
	f.Helper()
	got, err := f.kv.Get(f.Context(), connect.NewRequest(req))
	if err != nil {
		f.Fatal(err)
	}
	if !got.Msg.Found {
		return "-"
	}
	return got.Msg.Value.GetStringValue()
}

// The rule of no_history in a whole store, over a link.
func TestHistoryOfAChain(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	f := newTeller(t, serve(t, &Gateway{Shards: []string{member.address}}))
	f.set("k", "a", false)
	f.extend("k")
	early, err := f.kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Key: []byte("k")}))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.past("k"); got != "r0 extend a, r0 set a" {
		t.Errorf("%q", got)
	}
	f.set("k", "b", true)
	f.extend("k")
	if got := f.past("k"); got != "r1 extend b, r1 set b" {
		t.Errorf("%q", got)
	}
	f.set("k", "c", true)
	if _, err := f.kv.Delete(t.Context(), connect.NewRequest(&cairnv1.DeleteRequest{Key: []byte("k")})); err != nil {
		t.Fatal(err)
	}
	f.set("k", "d", true)
	if got := f.past("k"); got != "r4 set d, r3 delete, r2 set c" {
		t.Errorf("%q", got)
	}
	var revisions []string
	for r := range int64(6) {
		revisions = append(revisions, f.found(&cairnv1.GetRequest{Key: []byte("k"), Revision: &r}))
	}
	if got := strings.Join(revisions, ""); got != "--c-d-" {
		t.Errorf("by revision %q", got)
	}
	if got := f.found(&cairnv1.GetRequest{Key: []byte("k"), AsOf: &early.Msg.CommitTs}); got != "a" {
		t.Errorf("as of then %q", got)
	}
}

// The largest message goes with as many keys of two shards as the limit allows,
// and no transaction breaks what carries it.
func TestLargestAnnotation(t *testing.T) {
	f := newTeller(t, serve(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"m"}}))
	message := strings.Repeat("m", txn.MessageBytesMax)
	run := func(keys int) error {
		req := connect.NewRequest(&cairnv1.ExecuteRequest{Message: message})
		req.Header().Set("X-Cairn-Principal", "ann")
		for i := range keys {
			req.Msg.Then = append(req.Msg.Then, &cairnv1.Op{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{
				Key: fmt.Appendf(nil, "%c%05d", "az"[i%2], i), Value: text("v")}}})
		}
		_, err := f.txns.Execute(t.Context(), req)
		return err
	}
	each := 4 + 6 + 1 + txn.MessageBytesMax + len("ann")
	most := txn.WriteBytesMax / each
	if err := run(most + 1); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("%d keys: %v", most+1, err)
	}
	if err := run(10_000); connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("10,000 keys: %v", err)
	}
	if got := f.past("a00000"); got != "" {
		t.Errorf("what was refused left %.50q", got)
	}
	if err := run(most); err != nil {
		t.Fatalf("%d keys: %v", most, err)
	}
	for _, k := range []string{"a00000", "z00001"} {
		if got, want := f.past(k), "r0 set v(ann: "+message+")"; got != want {
			t.Errorf("%s: %.50q, want %.50q", k, got, want)
		}
	}
}
