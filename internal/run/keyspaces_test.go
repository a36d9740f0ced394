package run

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/transport"
)

// spaces is a user of keyspaces through one gateway.
type spaces struct {
	*testing.T
	kv   cairnv1connect.KVServiceClient
	txns cairnv1connect.TxnServiceClient
	ks   cairnv1connect.KeyspaceServiceClient
	stat cairnv1connect.StatusServiceClient
}

func spacesAt(t *testing.T, address string) *spaces {
	h2 := transport.NewClient()
	t.Cleanup(h2.CloseIdleConnections)
	url := "http://" + address
	return &spaces{t, cairnv1connect.NewKVServiceClient(h2, url), cairnv1connect.NewTxnServiceClient(h2, url),
		cairnv1connect.NewKeyspaceServiceClient(h2, url), cairnv1connect.NewStatusServiceClient(h2, url)}
}

func spacesHere(t *testing.T) *spaces {
	return spacesAt(t, start(t, &Gateway{Data: filepath.Join(t.TempDir(), "data")}).address)
}

// msg is the answer to a call that must be good.
func msg[R any](resp *connect.Response[R], err error) func(t testing.TB) *R {
	return func(t testing.TB) *R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return resp.Msg
	}
}

func (s *spaces) create(name string) *cairnv1.CreateKeyspaceResponse {
	s.Helper()
	return msg(s.ks.CreateKeyspace(s.Context(), connect.NewRequest(&cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{Name: name}})))(s)
}

func (s *spaces) drop(name string) bool {
	s.Helper()
	return msg(s.ks.DeleteKeyspace(s.Context(),
		connect.NewRequest(&cairnv1.DeleteKeyspaceRequest{Name: name})))(s).Deleted
}

func (s *spaces) list() []*cairnv1.Keyspace {
	s.Helper()
	return msg(s.ks.ListKeyspaces(s.Context(), connect.NewRequest(&cairnv1.ListKeyspacesRequest{})))(s).Keyspaces
}

func (s *spaces) status(name string) *cairnv1.GetKeyspaceResponse {
	s.Helper()
	return msg(s.ks.GetKeyspace(s.Context(),
		connect.NewRequest(&cairnv1.GetKeyspaceRequest{Name: name})))(s)
}

func (s *spaces) rangeOf(req *cairnv1.RangeRequest) *cairnv1.RangeResponse {
	s.Helper()
	return msg(s.kv.Range(s.Context(), connect.NewRequest(req)))(s)
}

func (s *spaces) trySet(ks, key, value string) (*cairnv1.SetResponse, error) {
	resp, err := s.kv.Set(s.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Keyspace: ks, Key: []byte(key), Value: text(value)}))
	if err != nil {
		return nil, err
	}
	return resp.Msg, nil
}

func (s *spaces) set(ks, key, value string) *cairnv1.SetResponse {
	s.Helper()
	resp, err := s.trySet(ks, key, value)
	if err != nil {
		s.Fatalf("set %s in %s: %v", key, ks, err)
	}
	return resp
}

// get is the value of a key; empty if it is missing.
func (s *spaces) get(ks, key string) string {
	s.Helper()
	return msg(s.kv.Get(s.Context(), connect.NewRequest(&cairnv1.GetRequest{
		Keyspace: ks, Key: []byte(key)})))(s).GetValue().GetStringValue()
}

// keys are all keys of a keyspace, by a prefix of nothing.
func (s *spaces) keys(ks string) string {
	s.Helper()
	resp := msg(s.kv.Range(s.Context(), connect.NewRequest(&cairnv1.RangeRequest{Keyspace: ks,
		Select: &cairnv1.Selection{By: &cairnv1.Selection_Prefix{}}})))(s)
	var all []string
	for _, e := range resp.Entries {
		all = append(all, string(e.Key))
	}
	return strings.Join(all, " ")
}

// why is the reason of an error, and its text.
func why(err error) (string, string) {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return "", ""
	}
	return reason(e), e.Message()
}

func (s *spaces) refused(want string, err error) string {
	s.Helper()
	got, message := why(err)
	if got != want {
		s.Errorf("got %v, want %s", err, want)
	}
	return message
}

func TestKeyspaces(t *testing.T) {
	s := spacesHere(t)
	_, err := s.trySet("shop", "k", "v")
	if m := s.refused("keyspace_not_found", err); !strings.Contains(m, `"shop"`) {
		t.Errorf("the message is %q", m)
	}
	if c := s.create("shop"); !c.Created || c.Keyspace.HistoryCount != 16 || c.Keyspace.ValueBytesMax != 4_000_000 {
		t.Errorf("%+v", c)
	}
	if s.create("shop").Created {
		t.Error("the same keyspace was made twice")
	}
	_, err = s.ks.CreateKeyspace(t.Context(), connect.NewRequest(&cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{Name: "shop", HistoryCount: 3}}))
	s.refused("keyspace_exists", err)
	for _, bad := range []*cairnv1.Keyspace{nil, {Name: "a b"}, {Name: strings.Repeat("n", 65)}} {
		_, err := s.ks.CreateKeyspace(t.Context(),
			connect.NewRequest(&cairnv1.CreateKeyspaceRequest{Keyspace: bad}))
		s.refused("keyspace_name", err)
	}
	for _, bad := range []*cairnv1.Keyspace{{HistoryAgeMs: 599_999}, {HistoryCount: 1_000_001},
		{DefaultTtlMs: -1}, {ValueBytesMax: 4_000_001}, {BytesMax: -1}} {
		bad.Name = "bad"
		_, err := s.ks.CreateKeyspace(t.Context(),
			connect.NewRequest(&cairnv1.CreateKeyspaceRequest{Keyspace: bad}))
		s.refused("keyspace_option", err)
	}
	count := int64(5)
	up := msg(s.ks.UpdateKeyspace(t.Context(), connect.NewRequest(&cairnv1.UpdateKeyspaceRequest{
		Name: "shop", HistoryCount: &count})))(t).Keyspace
	if up.HistoryCount != 5 || up.HistoryAgeMs != 600_000 {
		t.Errorf("%+v", up)
	}
	_, err = s.ks.UpdateKeyspace(t.Context(), connect.NewRequest(&cairnv1.UpdateKeyspaceRequest{Name: "none"}))
	s.refused("keyspace_not_found", err)
	all := s.list()
	if len(all) != 2 || all[0].Name != "default" || all[1].Name != "shop" {
		t.Errorf("%v", all)
	}
	s.set("shop", "a", "1")
	s.set("shop", "a", "2")
	s.set("shop", "b", "3")
	st := s.status("shop")
	if st.Keys != 2 || st.Versions != 3 || st.Bytes < 6 || st.OldestTs <= 1 {
		t.Errorf("%+v", st)
	}
	st = s.status("")
	if st.Keyspace.Name != "default" || st.Keys != 0 || st.OldestTs <= 1 {
		t.Errorf("%+v", st)
	}
	_, err = s.ks.DeleteKeyspace(t.Context(), connect.NewRequest(&cairnv1.DeleteKeyspaceRequest{Name: "default"}))
	s.refused("keyspace_default", err)
	if s.drop("none") {
		t.Error("what was missing was deleted")
	}
}

// TestKeyspaceIsGone: a deleted keyspace leaves nothing to one of the same name.
func TestKeyspaceIsGone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := start(t, &Gateway{Data: data})
	s := spacesAt(t, p.address)
	s.create("shop")
	s.set("shop", "k", "old")
	s.set("", "k", "mine")
	if !s.drop("shop") || s.drop("shop") {
		t.Error("it was not deleted once")
	}
	_, err := s.trySet("shop", "k", "v")
	s.refused("keyspace_not_found", err)
	_, err = s.kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Keyspace: "shop", Key: []byte("k")}))
	s.refused("keyspace_not_found", err)
	s.create("shop")
	if got := s.get("shop", "k") + s.keys("shop"); got != "" {
		t.Errorf("the old one's %q is still there", got)
	}
	if r := s.set("shop", "k", "new").Revision; r != 0 {
		t.Errorf("the first revision is %d", r)
	}
	if st := s.status("shop"); st.Versions != 1 {
		t.Errorf("%+v", st)
	}
	p.stop(t)
	s = spacesAt(t, start(t, &Gateway{Data: data}).address)
	if s.get("shop", "k") != "new" || s.get("", "k") != "mine" {
		t.Error("after a restart something else is there")
	}
	total := msg(s.stat.Status(t.Context(), connect.NewRequest(&cairnv1.StatusRequest{})))(t).Totals
	if total.Keys != 2 {
		t.Errorf("%+v", total)
	}
}

// TestKeyspacesAreApart: whatever is done in one is not seen from another, not at its borders
// either.
func TestKeyspacesAreApart(t *testing.T) {
	s := spacesHere(t)
	names := []string{"", "one", "two"}
	s.create("one")
	s.create("two") // its keys come right behind those of one
	last, first := strings.Repeat("\xff", 4096), "\x00"
	for _, ks := range names {
		for _, k := range []string{first, "k", last} {
			s.set(ks, k, "of "+ks)
		}
	}
	for _, ks := range names {
		if got := s.keys(ks); got != strings.Join([]string{first, "k", last}, " ") {
			t.Errorf("%q has %q", ks, got)
		}
		if n := s.rangeOf(&cairnv1.RangeRequest{Keyspace: ks, CountOnly: true}).Count; n != 3 {
			t.Errorf("%q counts %d", ks, n)
		}
		back := s.rangeOf(&cairnv1.RangeRequest{Keyspace: ks, Reverse: true, Limit: 1})
		if len(back.Entries) != 1 || string(back.Entries[0].Key) != last ||
			back.Entries[0].Value.GetStringValue() != "of "+ks {
			t.Errorf("the last of %q is %v", ks, back.Entries)
		}
	}
	seen := s.rangeOf(&cairnv1.RangeRequest{Keyspace: "one"}).CommitTs
	s.set("two", first, "changed")
	s.set("", last, "changed")
	unchanged := func(ks string) bool {
		return msg(s.txns.Execute(t.Context(), connect.NewRequest(&cairnv1.ExecuteRequest{
			If: []*cairnv1.Condition{{Test: &cairnv1.Condition_Unchanged{Unchanged: &cairnv1.Unchanged{
				Keyspace: ks, Since: seen}}}},
			Then: []*cairnv1.Op{{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Keyspace: ks, Key: []byte("k")}}}},
		})))(t).Succeeded
	}
	if !unchanged("one") || unchanged("two") || unchanged("") {
		t.Error("a change of one keyspace was seen in another")
	}
	s.lockApart(last, first)
}

// lockApart: whoever has locked all of one keyspace and a key of another stops nobody elsewhere,
// and is shown where the locks are.
func (s *spaces) lockApart(last, first string) {
	h := msg(s.txns.Begin(s.Context(), connect.NewRequest(&cairnv1.BeginRequest{
		Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC})))(s).Txn
	all := msg(s.kv.Range(s.Context(), connect.NewRequest(&cairnv1.RangeRequest{
		Keyspace: "one", Txn: h, ForUpdate: true})))(s)
	if h = all.Txn; len(all.Entries) != 3 {
		s.Errorf("%v", all.Entries)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 5*time.Second)
	defer cancel()
	for ks, key := range map[string]string{"": last, "two": first} {
		_, err := s.kv.Set(ctx, connect.NewRequest(&cairnv1.SetRequest{
			Keyspace: ks, Key: []byte(key), Value: text("free")}))
		if err != nil {
			s.Errorf("%q: %v", ks, err)
		}
	}
	shown := msg(s.stat.Locks(s.Context(), connect.NewRequest(&cairnv1.LocksRequest{})))(s).Locks
	for _, l := range shown {
		if l.Keyspace != "one" || l.GetSpan() != nil && len(l.GetSpan().Start)+len(l.GetSpan().End) > 0 {
			s.Errorf("a lock is shown as %v", l)
		}
	}
	if len(shown) == 0 {
		s.Error("no lock is shown")
	}
	set := msg(s.kv.Set(s.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Keyspace: "two", Key: []byte("w"), Value: text("v"), Txn: h})))(s)
	set = msg(s.kv.Set(s.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Key: []byte("w"), Value: text("v"), Txn: set.Txn})))(s)
	w := msg(s.txns.Commit(s.Context(), connect.NewRequest(&cairnv1.CommitRequest{Txn: set.Txn})))(s).Written
	if len(w) != 2 || w[0].Keyspace != "default" || w[1].Keyspace != "two" {
		s.Errorf("it wrote %v", w)
	}
}

func TestKeyspaceOptions(t *testing.T) {
	s := spacesHere(t)
	_ = msg(s.ks.CreateKeyspace(t.Context(), connect.NewRequest(&cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{Name: "short", DefaultTtlMs: 60_000, ValueBytesMax: 10}})))(t)
	ttl := func(r *cairnv1.SetResponse) time.Duration {
		if r.ExpiresAt == 0 {
			return 0
		}
		return time.Duration(r.ExpiresAt*1000-r.CommitTs) * time.Microsecond
	}
	if d := ttl(s.set("short", "k", "v")); d < 59*time.Second || d > 61*time.Second {
		t.Errorf("the default TTL is %v", d)
	}
	own := msg(s.kv.Set(t.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Keyspace: "short", Key: []byte("k"), Value: text("v"), TtlMs: 600_000})))(t)
	if d := ttl(own); d < 599*time.Second {
		t.Errorf("its own TTL became %v", d)
	}
	kept := msg(s.kv.Set(t.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Keyspace: "short", Key: []byte("k"), Value: text("v"), KeepTtl: true})))(t)
	if kept.ExpiresAt != own.ExpiresAt {
		t.Errorf("%d was kept as %d", own.ExpiresAt, kept.ExpiresAt)
	}
	one := msg(s.txns.Execute(t.Context(), connect.NewRequest(&cairnv1.ExecuteRequest{Then: []*cairnv1.Op{{
		Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{Keyspace: "short", Key: []byte("e"), Value: text("v")}}}}})))(t)
	if d := ttl(one.Results[0].GetSet()); d < 59*time.Second || d > 61*time.Second {
		t.Errorf("the default TTL in a one-shot is %v", d)
	}
	_, err := s.trySet("short", "k", "0123456789")
	if err != nil {
		t.Error(err)
	}
	_, err = s.trySet("short", "k", "0123456789a")
	if m := s.refused("value_too_large", err); !strings.Contains(m, "11 bytes") || !strings.Contains(m, "is 10") {
		t.Errorf("the message is %q", m)
	}
	s.set("", "k", "0123456789a")
}

// TestFullKeyspace: a keyspace over its limit takes deletes alone, until it has room.
func TestFullKeyspace(t *testing.T) {
	s := spacesHere(t)
	_ = msg(s.ks.CreateKeyspace(t.Context(), connect.NewRequest(&cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{Name: "small", BytesMax: 10_000}})))(t)
	value := string(bytes.Repeat([]byte("v"), 1000))
	var err error
	eventually(t, "a full keyspace", func() bool {
		_, err = s.trySet("small", "k", value)
		return err != nil
	})
	if m := s.refused("keyspace_full", err); !strings.Contains(m, "10000") {
		t.Errorf("the message is %q", m)
	}
	s.set("", "k", value)
	del := msg(s.kv.Delete(t.Context(), connect.NewRequest(&cairnv1.DeleteRequest{
		Keyspace: "small", Key: []byte("k")})))(t)
	if !del.Deleted {
		t.Error("nothing can be deleted")
	}
	st := s.status("small")
	if !st.Keyspace.Full || st.Bytes < 10_000 {
		t.Errorf("%+v", st)
	}
	more := int64(1 << 20)
	_ = msg(s.ks.UpdateKeyspace(t.Context(), connect.NewRequest(&cairnv1.UpdateKeyspaceRequest{
		Name: "small", BytesMax: &more})))(t)
	s.set("small", "k", value)
}
