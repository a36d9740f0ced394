package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func TestLifeOfAKey(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	key := []byte("myconfig")
	set := func(req *cairnv1.SetRequest) *cairnv1.SetResponse {
		t.Helper()
		req.Key = key
		resp, err := f.kv.Set(ctx, connect.NewRequest(req))
		if err != nil {
			t.Fatal(err)
		}
		return resp.Msg
	}
	first := set(&cairnv1.SetRequest{Value: str("my-value")})
	if !first.Set || first.Revision != 0 || first.PrevRevision != -1 || first.CommitTs == 0 {
		t.Errorf("first set: %v", first)
	}
	nx := set(&cairnv1.SetRequest{Value: str("other"), Conditions: &cairnv1.WriteConditions{IfAbsent: true}})
	if nx.Set || nx.Revision != 0 || nx.CommitTs != first.CommitTs {
		t.Errorf("set nx: %v", nx)
	}
	second := set(&cairnv1.SetRequest{
		Value: str("v2"), Conditions: &cairnv1.WriteConditions{IfRevision: ptr[int64](0)}, ReturnPrev: true,
	})
	if !second.Set || second.Revision != 1 || second.Prev.GetValue().GetStringValue() != "my-value" {
		t.Errorf("set cmprev: %v", second)
	}
	ext, err := f.kv.Extend(ctx, connect.NewRequest(&cairnv1.ExtendRequest{Key: key, TtlMs: 60000}))
	if err != nil || !ext.Msg.Extended || ext.Msg.Revision != 1 || ext.Msg.ExpiresAt == 0 {
		t.Errorf("extend: %v %v", ext, err)
	}
	old, err := f.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Key: key, Revision: ptr[int64](0)}))
	if err != nil || old.Msg.GetValue().GetStringValue() != "my-value" {
		t.Errorf("get of revision 0: %v %v", old, err)
	}
	past, err := f.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Key: key, AsOf: &first.CommitTs}))
	if err != nil || past.Msg.GetRevision() != 0 {
		t.Errorf("get as of the first commit: %v %v", past, err)
	}
	del, err := f.kv.Delete(ctx, connect.NewRequest(&cairnv1.DeleteRequest{Key: key}))
	if err != nil || !del.Msg.Deleted || del.Msg.Revision != 2 || del.Msg.PrevRevision != 1 {
		t.Errorf("delete: %v %v", del, err)
	}
	again, err := f.kv.Delete(ctx, connect.NewRequest(&cairnv1.DeleteRequest{Key: key}))
	if err != nil || again.Msg.Deleted || again.Msg.Revision != -1 {
		t.Errorf("delete again: %v %v", again, err)
	}
	gone, err := f.kv.Exists(ctx, connect.NewRequest(&cairnv1.ExistsRequest{Key: key}))
	if err != nil || gone.Msg.Exists || gone.Msg.Revision != -1 {
		t.Errorf("exists: %v %v", gone, err)
	}
	tomb, err := f.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{Key: key, Revision: ptr[int64](2)}))
	if err != nil || tomb.Msg.Found {
		t.Errorf("a tombstone's own revision: %v %v", tomb, err)
	}
}

func TestValuesComeBackAsSent(t *testing.T) {
	f := start(t)
	for i, v := range []*cairnv1.Value{
		{Kind: &cairnv1.Value_BytesValue{BytesValue: []byte{0, 0xff}}},
		{Kind: &cairnv1.Value_BytesValue{}},
		str("häuser"),
		{Kind: &cairnv1.Value_IntValue{IntValue: math.MaxInt64}},
		{Kind: &cairnv1.Value_FloatValue{FloatValue: math.Copysign(0, -1)}},
		{Kind: &cairnv1.Value_FloatValue{FloatValue: math.NaN()}},
		{Kind: &cairnv1.Value_BoolValue{BoolValue: true}},
		{Kind: &cairnv1.Value_JsonValue{JsonValue: `{"a" : 1.0, "a":2}`}},
		{Kind: &cairnv1.Value_NullValue{}},
	} {
		key := fmt.Appendf(nil, "k%d", i)
		if _, err := f.g.set(t.Context(), &cairnv1.SetRequest{Key: key, Value: v}); err != nil {
			t.Fatal(err)
		}
		got, err := f.g.get(t.Context(), &cairnv1.GetRequest{Key: key})
		if err != nil || !proto.Equal(got.GetValue(), v) {
			t.Errorf("%v came back as %v: %v", v, got.GetValue(), err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	k := []byte("k")
	long := bytes.Repeat(k, txn.KeyBytesMax+1)
	cond := func(c *cairnv1.WriteConditions) error {
		_, err := f.g.set(ctx, &cairnv1.SetRequest{Key: k, Value: str("v"), Conditions: c})
		return err
	}
	set := func(r *cairnv1.SetRequest) error { _, err := f.g.set(ctx, r); return err }
	get := func(r *cairnv1.GetRequest) error { _, err := f.g.get(ctx, r); return err }
	rng := func(r *cairnv1.RangeRequest) error { _, err := f.g.rangePage(ctx, r); return err }
	batch := func(r *cairnv1.BatchGetRequest) error { _, err := f.g.batchGet(ctx, r); return err }
	begin := func(r *cairnv1.BeginRequest) error { _, err := f.g.begin(ctx, r); return err }
	exec := func(r *cairnv1.ExecuteRequest) error { _, err := f.g.executeProgram(ctx, r); return err }
	then := func(op *cairnv1.Op) error { return exec(&cairnv1.ExecuteRequest{Then: []*cairnv1.Op{op}}) }
	rangeOp := func(r *cairnv1.RangeRequest) error { return then(&cairnv1.Op{Request: &cairnv1.Op_Range{Range: r}}) }
	span := func(start, end string) *cairnv1.Selection {
		return &cairnv1.Selection{By: &cairnv1.Selection_Span{Span: &cairnv1.Span{
			Start: []byte(start), End: []byte(end)}}}
	}
	extend := func(ms int64) error {
		_, err := f.g.extend(ctx, &cairnv1.ExtendRequest{Key: k, TtlMs: ms})
		return err
	}
	when := func(c *cairnv1.Condition) error {
		return exec(&cairnv1.ExecuteRequest{
			If:   []*cairnv1.Condition{c},
			Then: []*cairnv1.Op{{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: k}}}},
		})
	}
	compare := func(c *cairnv1.Compare) error {
		c.Key = k
		return when(&cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: c}})
	}
	count := func(c *cairnv1.CompareCount) error {
		return when(&cairnv1.Condition{Test: &cairnv1.Condition_Count{Count: c}})
	}
	unchanged := func(u *cairnv1.Unchanged) error {
		return when(&cairnv1.Condition{Test: &cairnv1.Condition_Unchanged{Unchanged: u}})
	}
	deep := &cairnv1.Condition{Test: &cairnv1.Condition_All{}}
	for range ConditionDepthMax {
		deep = &cairnv1.Condition{Test: &cairnv1.Condition_Not{Not: deep}}
	}
	for _, tc := range []struct {
		name   string
		err    error
		reason string
	}{
		{"empty key", get(&cairnv1.GetRequest{}), "key_empty"},
		{"long key", get(&cairnv1.GetRequest{Key: long}), "key_too_long"},
		{"keyspace", get(&cairnv1.GetRequest{Keyspace: "x", Key: k}), "keyspace_not_found"},
		{"keyspace's name", get(&cairnv1.GetRequest{Keyspace: "b@d", Key: k}), "keyspace_name"},
		{"both times", get(&cairnv1.GetRequest{Key: k, Revision: ptr[int64](0), AsOf: ptr[int64](1)}),
			"revision_and_as_of"},
		{"revision", get(&cairnv1.GetRequest{Key: k, Revision: ptr[int64](-1)}), "revision_negative"},
		{"as_of 0", get(&cairnv1.GetRequest{Key: k, AsOf: ptr[int64](0)}), "as_of_invalid"},
		{"as_of huge", get(&cairnv1.GetRequest{Key: k, AsOf: ptr[int64](1 << 53)}), "as_of_invalid"},
		{"future", get(&cairnv1.GetRequest{Key: k, AsOf: ptr[int64](1<<53 - 1)}), "future_timestamp"},
		{"value", set(&cairnv1.SetRequest{Key: k}), "value_missing"},
		{"no kind", set(&cairnv1.SetRequest{Key: k, Value: &cairnv1.Value{}}), "value_missing"},
		{"large value", set(&cairnv1.SetRequest{Key: k, Value: str(strings.Repeat("x", txn.ValueBytesMax+1))}),
			reasonValueTooLarge},
		{"json", set(&cairnv1.SetRequest{Key: k, Value: &cairnv1.Value{
			Kind: &cairnv1.Value_JsonValue{JsonValue: "{"}}}), "value_not_json"},
		{"json utf-8", set(&cairnv1.SetRequest{Key: k, Value: &cairnv1.Value{
			Kind: &cairnv1.Value_JsonValue{JsonValue: "\"\xff\""}}}), "value_not_json"},
		{"string", set(&cairnv1.SetRequest{Key: k, Value: str("a\xff")}), "value_not_utf8"},
		{"ttl", set(&cairnv1.SetRequest{Key: k, Value: str(""), TtlMs: -1}), "ttl_negative"},
		{"long ttl", set(&cairnv1.SetRequest{Key: k, Value: str(""), TtlMs: math.MaxInt64}), "ttl_too_long"},
		{"ttls", set(&cairnv1.SetRequest{Key: k, Value: str(""), TtlMs: 1, KeepTtl: true}), "ttl_and_keep_ttl"},
		{"extend", extend(-5), "ttl_negative"},
		{"nx and xx", cond(&cairnv1.WriteConditions{IfAbsent: true, IfPresent: true}), "conditions_contradict"},
		{"nx and value", cond(&cairnv1.WriteConditions{IfAbsent: true, IfValue: str("")}), "conditions_contradict"},
		{"-1 and xx", cond(&cairnv1.WriteConditions{IfRevision: ptr[int64](-1), IfPresent: true}),
			"conditions_contradict"},
		{"nx and revision", cond(&cairnv1.WriteConditions{IfAbsent: true, IfRevision: ptr[int64](3)}),
			"conditions_contradict"},
		{"nx and commit_ts", cond(&cairnv1.WriteConditions{IfAbsent: true, IfCommitTs: ptr[int64](3)}),
			"conditions_contradict"},
		{"if_revision", cond(&cairnv1.WriteConditions{IfRevision: ptr[int64](-2)}), "if_revision_invalid"},
		{"if_commit_ts", cond(&cairnv1.WriteConditions{IfCommitTs: ptr[int64](0)}), "if_commit_ts_invalid"},
		{"if_value", cond(&cairnv1.WriteConditions{IfValue: &cairnv1.Value{}}), "value_missing"},
		{"limit", rng(&cairnv1.RangeRequest{Limit: -1}), "limit_negative"},
		{"count and limit", rng(&cairnv1.RangeRequest{CountOnly: true, Limit: 1}), "count_with_limit"},
		{"count and cursor", rng(&cairnv1.RangeRequest{CountOnly: true, Cursor: k}), "count_with_cursor"},
		{"cursor", rng(&cairnv1.RangeRequest{Cursor: []byte("not ours at all, really not")}), reasonCursor},
		{"short cursor", rng(&cairnv1.RangeRequest{Cursor: []byte{1}}), reasonCursor},
		{"backwards", rng(&cairnv1.RangeRequest{Select: span("b", "a")}), "start_after_end"},
		{"long start", rng(&cairnv1.RangeRequest{Select: span(string(long)+"k", "")}), "start_too_long"},
		{"long end", rng(&cairnv1.RangeRequest{Select: span("", string(long)+"k")}), "end_too_long"},
		{"long prefix", rng(&cairnv1.RangeRequest{Select: &cairnv1.Selection{
			By: &cairnv1.Selection_Prefix{Prefix: long}}}), "prefix_too_long"},
		{"no keys", batch(&cairnv1.BatchGetRequest{}), "keys_missing"},
		{"many keys", batch(&cairnv1.BatchGetRequest{Keys: make([][]byte, BatchKeysMax+1)}), "too_many_keys"},
		{"a bad key", batch(&cairnv1.BatchGetRequest{Keys: [][]byte{k, nil}}), "key_empty"},
		{"timeout", begin(&cairnv1.BeginRequest{TimeoutMs: -1}), "timeout_invalid"},
		{"long timeout", begin(&cairnv1.BeginRequest{TimeoutMs: IdleMax.Milliseconds() + 1}), "timeout_invalid"},
		{"isolation", begin(&cairnv1.BeginRequest{Isolation: cairnv1.Isolation(9)}),
			"isolation_unknown"},
		{"begin in the future", begin(&cairnv1.BeginRequest{AsOf: ptr[int64](1<<53 - 1)}), "future_timestamp"},
		{"nothing", exec(&cairnv1.ExecuteRequest{}), "operations_missing"},
		{"no operation", then(&cairnv1.Op{}), "operation_missing"},
		{"too many", exec(&cairnv1.ExecuteRequest{Then: make([]*cairnv1.Op, OpsMax+1)}), "too_many_operations"},
		{"handle inside", then(&cairnv1.Op{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: k, Txn: "x"}}}),
			"transaction_in_operation"},
		{"past inside", then(&cairnv1.Op{Request: &cairnv1.Op_Get{
			Get: &cairnv1.GetRequest{Key: k, AsOf: ptr[int64](1)}}}), "past_in_transaction"},
		{"cursor inside", rangeOp(&cairnv1.RangeRequest{Cursor: k}), "past_in_transaction"},
		{"limit inside", rangeOp(&cairnv1.RangeRequest{Limit: ExecuteRangeMax + 1}), "limit_too_large"},
		{"deep", exec(&cairnv1.ExecuteRequest{If: []*cairnv1.Condition{deep}, Then: []*cairnv1.Op{{}}}),
			"conditions_too_deep"},
		{"no test", exec(&cairnv1.ExecuteRequest{If: []*cairnv1.Condition{{}}, Then: []*cairnv1.Op{{}}}),
			"condition_missing"},
		{"no such op", compare(&cairnv1.Compare{Op: 99, Target: &cairnv1.Compare_Revision{}}), "compare_unsupported"},
		{"less exists", compare(&cairnv1.Compare{Op: cairnv1.CompareOp_COMPARE_OP_LESS,
			Target: &cairnv1.Compare_Exists{}}), "compare_unordered"},
		{"less JSON", compare(&cairnv1.Compare{Op: cairnv1.CompareOp_COMPARE_OP_LESS,
			Target: &cairnv1.Compare_Value{Value: &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: "1"}}}}),
			"compare_unordered"},
		{"value target", compare(&cairnv1.Compare{Target: &cairnv1.Compare_Value{}}), "value_missing"},
		{"create_ts target", compare(&cairnv1.Compare{Target: &cairnv1.Compare_CreateTs{CreateTs: -1}}),
			"compare_create_ts_invalid"},
		{"negative count", count(&cairnv1.CompareCount{N: -1}), "count_invalid"},
		{"large count", count(&cairnv1.CompareCount{N: txn.CountMax + 1}), "count_invalid"},
		{"count op", count(&cairnv1.CompareCount{Op: 99}), "compare_unsupported"},
		{"count of a bucket", count(&cairnv1.CompareCount{Select: bucket("b")}), "filter_in_condition"},
		{"count backwards", count(&cairnv1.CompareCount{Select: span("b", "a")}), "start_after_end"},
		{"count elsewhere", count(&cairnv1.CompareCount{Keyspace: "x"}), "keyspace_not_found"},
		{"since never", unchanged(&cairnv1.Unchanged{}), "since_invalid"},
		{"since before", unchanged(&cairnv1.Unchanged{Since: -1}), "since_invalid"},
		{"since too late", unchanged(&cairnv1.Unchanged{Since: 1 << 53}), "since_invalid"},
		{"since the future", unchanged(&cairnv1.Unchanged{Since: 1<<53 - 1}), "future_timestamp"},
		{"unchanged bucket", unchanged(&cairnv1.Unchanged{Since: 1, Select: bucket("b")}), "filter_in_condition"},
		{"no target", compare(&cairnv1.Compare{}), "compare_target_missing"},
		{"revision target", compare(&cairnv1.Compare{Target: &cairnv1.Compare_Revision{Revision: -2}}),
			"compare_revision_invalid"},
		{"ts target", compare(&cairnv1.Compare{Target: &cairnv1.Compare_CommitTs{CommitTs: -1}}),
			"compare_commit_ts_invalid"},
	} {
		e, ok := errors.AsType[*txn.Error](tc.err)
		want := txn.Invalid
		if tc.reason == "keyspace_not_found" {
			want = txn.NotFound
		}
		if !ok || e.Reason != tc.reason || e.Kind != want {
			t.Errorf("%s: got %v, want reason %s", tc.name, tc.err, tc.reason)
		}
	}
	if f.shards.commits != 0 {
		t.Errorf("%d refused requests reached the shard", f.shards.commits)
	}
}

func TestLargestKeyAndValue(t *testing.T) {
	f := start(t)
	key := bytes.Repeat([]byte("k"), txn.KeyBytesMax)
	value := &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: make([]byte, txn.ValueBytesMax)}}
	req := connect.NewRequest(&cairnv1.SetRequest{Key: key, Value: value})
	if _, err := f.kv.Set(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	resp, err := f.kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Key: key}))
	if err != nil || len(resp.Msg.GetValue().GetBytesValue()) != txn.ValueBytesMax {
		t.Fatal(err)
	}
}

func TestBatchGet(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	f.set("c", "3")
	keys := [][]byte{[]byte("c"), []byte("x"), []byte("a"), []byte("b"), []byte("a")}
	resp, err := f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	var found string
	for i, r := range resp.Results {
		if !bytes.Equal(r.Entry.Key, keys[i]) {
			t.Errorf("result %d is of %q, want %q", i, r.Entry.Key, keys[i])
		}
		if found += r.Entry.GetValue().GetStringValue(); !r.Found {
			if found += "-"; r.Entry.Revision != -1 {
				t.Errorf("missing %q has revision %d", keys[i], r.Entry.Revision)
			}
		}
	}
	if found != "3-1-1" {
		t.Errorf("found %q, want 3-1-1", found)
	}
	_, err = f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{Keys: keys, RequireAll: true})
	e := classify(err, false)
	if e.Kind != txn.NotFound || !strings.Contains(message(e), `2 keys are missing: "b", "x"`) {
		t.Errorf("require_all: %v", err)
	}
	keys = [][]byte{[]byte("x"), []byte("x")}
	_, err = f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{Keys: keys, RequireAll: true})
	e = classify(err, false)
	if !strings.Contains(message(e), `1 key is missing: "x"`) || nextStep(e) == "" {
		t.Errorf("require_all of one that is missing: %v", err)
	}
}

func TestBatchGetStopsAtItsLimit(t *testing.T) {
	f := start(t)
	f.set("big", strings.Repeat("x", 3_000_000))
	keys := [][]byte{[]byte("big"), []byte("big"), []byte("big")}
	_, err := f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{Keys: keys})
	if e := classify(err, false); e.Kind != txn.Exhausted || e.Reason != "answer_too_large" {
		t.Errorf("got %v", err)
	}
}

func TestErrorTable(t *testing.T) {
	for kind := txn.Internal; kind <= txn.Unknown; kind++ {
		c := classOf(kind)
		if c.code == 0 || c.word == "" || c.status == 0 || c.wire == 0 {
			t.Errorf("%v has no whole row: %+v", kind, c)
		}
		if kind != txn.Moved && int(c.wire) != int(kind)+1 {
			t.Errorf("%v is %v on the wire", kind, c.wire)
		}
		e := &txn.Error{
			Kind: kind, Reason: "why", Txn: txn.NewID(1, 2), Oldest: 5,
			Key: txn.NewKey(1, []byte("k")), Err: errors.New("limit 3 broken by 4"),
			Token: "t", Other: txn.NewID(3, 4), OtherAge: 6,
		}
		got := connectError(e)
		d := detail(t, got)
		if got.Code() != c.code || d.Kind != c.wire || d.Reason != "why" || string(d.Key) != "k" ||
			d.OldestCommitTs != 5 || !strings.Contains(got.Message(), "limit 3 broken by 4") {
			t.Errorf("%v: %v with %v", kind, got, d)
		}
		if d.Token != "t" || d.BlockerTxn != "3.4" || d.BlockerAge != 6 {
			t.Errorf("%v has %v", kind, d)
		}
	}
	if len(errorClasses) != int(txn.Unknown)+1 {
		t.Errorf("%d classes", len(errorClasses))
	}
	for _, tc := range []struct {
		err     error
		mutates bool
		want    txn.ErrorKind
	}{
		{context.Canceled, false, txn.Deadline},
		{context.Canceled, true, txn.Unknown},
		{errors.New("secret"), false, txn.Internal},
		{errors.New("secret"), true, txn.Unknown},
		{fmt.Errorf("wrapped: %w", errTxnGone()), true, txn.Conflict},
	} {
		e := classify(tc.err, tc.mutates)
		if e.Kind != tc.want || strings.Contains(message(e), "secret") {
			t.Errorf("%v (mutates %v): %v", tc.err, tc.mutates, e)
		}
	}
}
