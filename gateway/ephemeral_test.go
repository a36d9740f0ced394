package gateway

import (
	"context"
	"strings"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Ephemeral evaluates each operation by itself, on keys of another world.
func (f *fakeShards) Ephemeral(
	_ context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ephemeral == nil {
		f.ephemeral = newFakeShards()
	}
	resp := &shardrpc.EphemeralResponse{Answer: shardrpc.OK}
	for i := range req.Ops {
		resp.At = f.next(1)
		p := txn.Program{Then: req.Ops[i : i+1]}
		out, err := p.Run(fakeView{f.ephemeral, resp.At}, resp.At)
		if err != nil {
			return nil, err
		}
		var written []txn.Written
		for j := range out.Writes {
			written = append(written, f.ephemeral.apply(&out.Writes[j], resp.At, new(shardrpc.CommitRequest)))
		}
		txn.Fill(out.Ops, out.Results, written)
		resp.Results = append(resp.Results, out.Results...)
	}
	return resp, nil
}

const inMemory = cairnv1.Durability_DURABILITY_EPHEMERAL

func TestEphemeralLifeOfAKey(t *testing.T) {
	f := start(t)
	ctx, key := t.Context(), []byte("k")
	f.set("k", "persistent")
	set := func(req *cairnv1.SetRequest) *cairnv1.SetResponse {
		t.Helper()
		req.Key, req.Durability = key, inMemory
		resp, err := f.kv.Set(ctx, connect.NewRequest(req))
		if err != nil {
			t.Fatal(err)
		}
		return resp.Msg
	}
	get := func() *cairnv1.GetResponse {
		t.Helper()
		resp, err := f.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Key: key, Durability: inMemory}))
		if err != nil {
			t.Fatal(err)
		}
		return resp.Msg
	}
	if got := get(); got.Found || got.Revision != -1 {
		t.Errorf("before the first set: %v", got)
	}
	first := set(&cairnv1.SetRequest{Value: str("one"), Conditions: &cairnv1.WriteConditions{IfAbsent: true}})
	if !first.Set || first.Revision != 0 || first.PrevRevision != -1 || first.CommitTs == 0 {
		t.Errorf("first set: %v", first)
	}
	if nx := set(&cairnv1.SetRequest{Value: str("two"), Conditions: &cairnv1.WriteConditions{IfAbsent: true}}); nx.Set ||
		nx.Revision != 0 || nx.CommitTs != first.CommitTs {
		t.Errorf("set nx: %v", nx)
	}
	second := set(&cairnv1.SetRequest{
		Value: str("two"), TtlMs: 60_000, ReturnPrev: true,
		Conditions: &cairnv1.WriteConditions{IfCommitTs: &first.CommitTs},
	})
	if !second.Set || second.Revision != 1 || second.Prev.GetValue().GetStringValue() != "one" {
		t.Errorf("set if_commit_ts: %v", second)
	}
	ttl, err := f.kv.TimeToLive(ctx, connect.NewRequest(&cairnv1.TimeToLiveRequest{Key: key, Durability: inMemory}))
	if err != nil || ttl.Msg.TtlMs < 1 || ttl.Msg.TtlMs > 60_000 || ttl.Msg.ExpiresAt != second.ExpiresAt {
		t.Errorf("time to live: %v %v", ttl, err)
	}
	ext, err := f.kv.Extend(ctx, connect.NewRequest(&cairnv1.ExtendRequest{Key: key, Durability: inMemory}))
	if err != nil || !ext.Msg.Extended || ext.Msg.Revision != 1 || ext.Msg.ExpiresAt != 0 {
		t.Errorf("extend: %v %v", ext, err)
	}
	ttl, err = f.kv.TimeToLive(ctx, connect.NewRequest(&cairnv1.TimeToLiveRequest{Key: key, Durability: inMemory}))
	if err != nil || ttl.Msg.TtlMs != 0 || ttl.Msg.Revision != 1 {
		t.Errorf("time to live without one: %v %v", ttl, err)
	}
	if got := get(); got.GetValue().GetStringValue() != "two" || got.CommitTs != ext.Msg.CommitTs {
		t.Errorf("get: %v", got)
	}
	is, err := f.kv.Exists(ctx, connect.NewRequest(&cairnv1.ExistsRequest{Key: key, Durability: inMemory}))
	if err != nil || !is.Msg.Exists || is.Msg.Revision != 1 {
		t.Errorf("exists: %v %v", is, err)
	}
	del, err := f.kv.Delete(ctx, connect.NewRequest(
		&cairnv1.DeleteRequest{Key: key, Durability: inMemory, ReturnPrev: true}))
	if err != nil || !del.Msg.Deleted || del.Msg.Revision != 2 || del.Msg.Prev.GetValue().GetStringValue() != "two" {
		t.Errorf("delete: %v %v", del, err)
	}
	ttl, err = f.kv.TimeToLive(ctx, connect.NewRequest(&cairnv1.TimeToLiveRequest{Key: key, Durability: inMemory}))
	if err != nil || ttl.Msg.TtlMs != -1 || ttl.Msg.Revision != -1 {
		t.Errorf("time to live of a missing key: %v %v", ttl, err)
	}
	there, err := f.g.get(ctx, &cairnv1.GetRequest{Key: key, Durability: cairnv1.Durability_DURABILITY_PERSISTENT})
	if err != nil || there.GetValue().GetStringValue() != "persistent" || there.Revision != 0 {
		t.Errorf("the persistent key of the same name: %v %v", there, err)
	}
}

func TestEphemeralBatches(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	item := func(key, value string) *cairnv1.SetItem { return &cairnv1.SetItem{Key: []byte(key), Value: str(value)} }
	never := item("b", "x")
	never.Conditions = &cairnv1.WriteConditions{IfPresent: true}
	set, err := f.kv.BatchSet(ctx, connect.NewRequest(&cairnv1.BatchSetRequest{
		Durability: inMemory, Items: []*cairnv1.SetItem{item("a", "1"), never, item("a", "2"), item("c", "3")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := set.Msg.Results
	if len(r) != 4 || !r[0].Set || r[1].Set || r[1].Revision != -1 || r[2].Revision != 1 || r[3].Revision != 0 {
		t.Fatalf("batch set: %v", r)
	}
	if r[2].CommitTs <= r[0].CommitTs || r[3].CommitTs != set.Msg.CommitTs {
		t.Errorf("times of a batch: %v", set.Msg)
	}
	keys := [][]byte{[]byte("c"), []byte("b"), []byte("a")}
	get, err := f.kv.BatchGet(ctx, connect.NewRequest(&cairnv1.BatchGetRequest{Durability: inMemory, Keys: keys}))
	if err != nil || get.Msg.ReadTs == 0 || get.Msg.Results[0].Entry.GetValue().GetStringValue() != "3" ||
		get.Msg.Results[1].Found || get.Msg.Results[2].Entry.GetValue().GetStringValue() != "2" {
		t.Errorf("batch get: %v %v", get, err)
	}
	_, err = f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Durability: inMemory, Keys: keys, RequireAll: true})
	if reasonOf(err) != "keys_missing" || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("batch get of all: %v", err)
	}
	del, err := f.kv.BatchDelete(ctx, connect.NewRequest(&cairnv1.BatchDeleteRequest{Durability: inMemory, Keys: keys}))
	if err != nil || !del.Msg.Results[0].Deleted || del.Msg.Results[1].Deleted || del.Msg.Results[2].Revision != 2 {
		t.Errorf("batch delete: %v %v", del, err)
	}
	if got, err := f.g.get(ctx, &cairnv1.GetRequest{Key: []byte("a")}); err != nil || got.Found {
		t.Errorf("a batch of ephemeral keys wrote a persistent one: %v %v", got, err)
	}
}

func TestEphemeralRefuses(t *testing.T) {
	f := start(t)
	ctx, key, v := t.Context(), []byte("k"), str("v")
	h := f.begin(&cairnv1.BeginRequest{})
	set := func(r *cairnv1.SetRequest) error {
		r.Key, r.Value, r.Durability = key, v, inMemory
		_, err := f.g.set(ctx, r)
		return err
	}
	get := func(r *cairnv1.GetRequest) error {
		r.Key, r.Durability = key, inMemory
		_, err := f.g.get(ctx, r)
		return err
	}
	op := func(op *cairnv1.Op) error {
		_, err := f.g.executeProgram(ctx, &cairnv1.ExecuteRequest{Then: []*cairnv1.Op{op}})
		return err
	}
	items := []*cairnv1.SetItem{{Key: key, Value: v}}
	_, del := f.g.del(ctx, &cairnv1.DeleteRequest{Key: key, Durability: inMemory, Message: "m"})
	_, extend := f.g.extend(ctx, &cairnv1.ExtendRequest{Key: key, Durability: inMemory, RequestId: key})
	_, exists := f.g.exists(ctx, &cairnv1.ExistsRequest{Key: key, Durability: inMemory, AsOf: ptr[int64](1)})
	_, ttl := f.g.timeToLive(ctx, &cairnv1.TimeToLiveRequest{Key: key, Durability: inMemory, Txn: h})
	_, batchGet := f.g.batchGet(ctx, &cairnv1.BatchGetRequest{
		Keys: [][]byte{key}, Durability: inMemory, AsOf: ptr[int64](1)})
	_, batchSet := f.g.batchSet(ctx, &cairnv1.BatchSetRequest{Items: items, Durability: inMemory, RequestId: key})
	_, batchAll := f.g.batchSet(ctx, &cairnv1.BatchSetRequest{Items: items, Durability: inMemory, RequireAll: true})
	_, batchNone := f.g.batchSet(ctx, &cairnv1.BatchSetRequest{Durability: inMemory})
	_, batchDel := f.g.batchDelete(ctx, &cairnv1.BatchDeleteRequest{Keys: [][]byte{key}, Durability: inMemory, Txn: h})
	_, batchMany := f.g.batchDelete(ctx, &cairnv1.BatchDeleteRequest{Keys: make([][]byte, 10_001), Durability: inMemory})
	_, unknown := f.g.get(ctx, &cairnv1.GetRequest{Key: key, Durability: 7})
	_, unknownOp := f.g.set(ctx, &cairnv1.SetRequest{Key: key, Value: v, Durability: 7})
	for name, c := range map[string]struct {
		err        error
		want, says string
	}{
		"set in a transaction":   {set(&cairnv1.SetRequest{Txn: h}), reasonEphemeral, "txn"},
		"set with request_id":    {set(&cairnv1.SetRequest{RequestId: key}), reasonEphemeral, "request_id"},
		"set with message":       {set(&cairnv1.SetRequest{Message: "m"}), reasonEphemeral, "message"},
		"delete with message":    {del, reasonEphemeral, "message"},
		"extend with request_id": {extend, reasonEphemeral, "request_id"},
		"get in a transaction":   {get(&cairnv1.GetRequest{Txn: h}), reasonEphemeral, "txn"},
		"get of a revision":      {get(&cairnv1.GetRequest{Revision: ptr[int64](0)}), reasonEphemeral, "revision"},
		"get of the past":        {get(&cairnv1.GetRequest{AsOf: ptr[int64](1)}), reasonEphemeral, "as_of"},
		"get for update":         {get(&cairnv1.GetRequest{ForUpdate: true}), reasonEphemeral, "for_update"},
		"exists of the past":     {exists, reasonEphemeral, "as_of"},
		"ttl in a transaction":   {ttl, reasonEphemeral, "txn"},
		"batch get of the past":  {batchGet, reasonEphemeral, "as_of"},
		"batch set once":         {batchSet, reasonEphemeral, "request_id"},
		"batch set of all":       {batchAll, reasonEphemeral, "require_all"},
		"batch set of nothing":   {batchNone, "items_missing", "1 to 10000"},
		"batch delete in a txn":  {batchDel, reasonEphemeral, "txn"},
		"batch of too many":      {batchMany, "transaction_too_large", "10001"},
		"unknown":                {unknown, "durability_unknown", "7"},
		"unknown write":          {unknownOp, "durability_unknown", "7"},
		"get in an operation": {op(&cairnv1.Op{Request: &cairnv1.Op_Get{
			Get: &cairnv1.GetRequest{Key: key, Durability: inMemory}}}), reasonEphemeral, "one-shot"},
		"set in an operation": {op(&cairnv1.Op{Request: &cairnv1.Op_Set{
			Set: &cairnv1.SetRequest{Key: key, Value: v, Durability: inMemory}}}), reasonEphemeral, "one-shot"},
	} {
		if reasonOf(c.err) != c.want || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if got := f.shards.ephemeral; got != nil {
		t.Error("something was done")
	}
}
