package client_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/txn"
)

// Every verb, over the stream and over single calls.
func TestVerbs(t *testing.T) {
	for _, unary := range []bool{false, true} {
		t.Run(fmt.Sprintf("unary=%v", unary), func(t *testing.T) {
			_, db := serve(t, clienttest.Options{Page: 3}, client.Options{Unary: unary})
			t.Run("write", func(t *testing.T) { testWrites(t, db) })
			t.Run("read", func(t *testing.T) { testReads(t, db) })
			t.Run("values", func(t *testing.T) { testValues(t, db) })
			t.Run("execute", func(t *testing.T) { testExecute(t, db) })
			t.Run("update", func(t *testing.T) { testUpdates(t, db) })
			t.Run("batch", func(t *testing.T) { testBatches(t, db) })
			t.Run("sweep", func(t *testing.T) { testRanges(t, db) })
			t.Run("history", func(t *testing.T) { testHistory(t, db) })
			t.Run("programs", func(t *testing.T) { testProgram(t, db) })
		})
	}
}

func testWrites(t *testing.T, db *client.DB) {
	ctx := within(t)
	set := must(db.SetString(ctx, "k", "one"))(t)
	if !set.Set || set.Revision != 0 || set.PrevRevision != -1 || set.CommitTS == 0 {
		t.Errorf("first set: %+v", set)
	}
	if r := must(db.Create(ctx, "k", client.StringValue("x")))(t); r.Set || r.Revision != 0 {
		t.Errorf("create over a key: %+v", r)
	}
	for _, c := range []struct {
		name string
		cond client.Conditions
		set  bool
	}{
		{"absent", client.Conditions{Absent: true}, false},
		{"present", client.Conditions{Present: true}, true},
		{"revision", client.Conditions{Revision: new(int64(1))}, true},
		{"old revision", client.Conditions{Revision: new(int64(1))}, false},
		{"value", client.Conditions{Value: new(client.StringValue("v"))}, true},
		{"other value", client.Conditions{Value: new(client.StringValue("w"))}, false},
		{"commit_ts", client.Conditions{CommitTS: set.CommitTS}, false},
	} {
		r := must(db.Set(ctx, "k", client.StringValue("v"), client.SetOptions{If: c.cond}))(t)
		if r.Set != c.set {
			t.Errorf("%s: set=%v, want %v", c.name, r.Set, c.set)
		}
	}
	r := must(db.Set(ctx, "k", client.IntValue(7), client.SetOptions{TTL: time.Hour, ReturnPrev: true}))(t)
	if r.Prev == nil || string(r.Prev.Value.Data) != "v" || time.Until(r.ExpiresAt) < time.Minute {
		t.Errorf("set with TTL and prev: %+v", r)
	}
	if x := must(db.Extend(ctx, "k", 0))(t); !x.Extended || !x.ExpiresAt.IsZero() || x.Revision != r.Revision {
		t.Errorf("extend: %+v", x)
	}
	d := must(db.Delete(ctx, "k", client.DeleteOptions{}))(t)
	if !d.Deleted || d.Revision != r.Revision+1 {
		t.Errorf("delete: %+v", d)
	}
	if d := must(db.Delete(ctx, "k", client.DeleteOptions{}))(t); d.Deleted || d.Revision != -1 {
		t.Errorf("delete of a missing key: %+v", d)
	}
	if _, err := db.Extend(ctx, "k", -time.Microsecond); txn.KindOf(err) != txn.Invalid {
		t.Errorf("negative TTL: %v", err)
	}
	if _, err := db.SetString(ctx, "", "x"); txn.KindOf(err) != txn.Invalid {
		t.Errorf("empty key: %v", err)
	}
}

func testReads(t *testing.T, db *client.DB) {
	ctx := within(t)
	var at client.Timestamp
	for i := range 8 {
		at = must(db.SetString(ctx, fmt.Sprintf("r/%d", i), fmt.Sprint(i)))(t).CommitTS
	}
	must(db.SetString(ctx, "r/3", "new"))(t)
	must(db.SetString(ctx, "r/x/y", "deeper"))(t)

	if e := must(db.Get(ctx, "r/3"))(t); string(e.Value.Data) != "new" || e.Revision != 1 || !e.Found() {
		t.Errorf("get: %+v", e)
	}
	if e := must(db.Get(ctx, "r/3", client.AtRevision(0)))(t); string(e.Value.Data) != "3" {
		t.Errorf("get at revision 0: %+v", e)
	}
	if e := must(db.Get(ctx, "r/3", client.AsOf(at)))(t); string(e.Value.Data) != "3" {
		t.Errorf("get as of: %+v", e)
	}
	if e := must(db.Get(ctx, "nothing"))(t); e.Found() || e.Revision != -1 {
		t.Errorf("get of a missing key: %+v", e)
	}
	if e := must(db.Exists(ctx, "r/3"))(t); !e.Found() || e.Revision != 1 {
		t.Errorf("exists: %+v", e)
	}
	keys := []string{"r/1", "nothing", "r/2"}
	es := must(db.BatchGet(ctx, keys, client.BatchGetOptions{}))(t)
	if len(es) != 3 || !es[0].Found() || es[1].Found() || es[1].Key != "nothing" || string(es[2].Value.Data) != "2" {
		t.Errorf("batch get: %+v", es)
	}
	_, err := db.BatchGet(ctx, keys, client.BatchGetOptions{RequireAll: true})
	if txn.KindOf(err) != txn.NotFound {
		t.Errorf("batch get of all: %v", err)
	}
	if e := must(db.In("other").Get(ctx, "r/3"))(t); e.Found() {
		t.Errorf("another keyspace has %+v", e)
	}
	for _, c := range []struct {
		name string
		r    client.Range
		want []string
	}{
		{"prefix", client.Prefix("r/"), []string{"r/0", "r/1", "r/2", "r/3", "r/4", "r/5", "r/6", "r/7", "r/x/y"}},
		{"bucket", client.Bucket("r/x"), []string{"r/x/y"}},
		{"span", client.Span("r/2", "r/5"), []string{"r/2", "r/3", "r/4"}},
		{"limit", limited(client.Prefix("r/"), 4), []string{"r/0", "r/1", "r/2", "r/3"}},
		{"reverse", reversed(limited(client.Prefix("r/"), 5)), []string{"r/x/y", "r/7", "r/6", "r/5", "r/4"}},
		{"nothing", client.Prefix("zzz"), nil},
	} {
		var got []string
		for e, err := range db.Scan(ctx, c.r) {
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got = append(got, e.Key)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if n := must(db.Count(ctx, client.Prefix("r/")))(t); n != 9 {
		t.Errorf("count %d, want 9", n)
	}
	for range db.Scan(ctx, client.All()) {
		break // a loop may stop
	}
	if s := must(db.Status(ctx))(t); s.Version != clienttest.Version || len(s.Shards) != 2 || s.Totals.Keys == 0 {
		t.Errorf("status: %+v", s)
	}
}

func limited(r client.Range, n int64) client.Range { r.Limit = n; return r }
func reversed(r client.Range) client.Range         { r.Reverse = true; return r }

func testValues(t *testing.T, db *client.DB) {
	ctx := within(t)
	for _, v := range []client.Value{
		client.BytesValue([]byte{0, 255}), client.BytesValue(nil), client.StringValue("ü"), client.StringValue(""),
		client.IntValue(math.MinInt64), client.IntValue(1<<53 + 1), client.FloatValue(3), client.FloatValue(math.NaN()),
		client.FloatValue(math.Copysign(0, -1)), client.BoolValue(true), client.BoolValue(false),
		client.JSONValue([]byte(`{"a": 1.0}`)), client.NullValue(),
	} {
		must(db.Set(ctx, "v", v, client.SetOptions{}))(t)
		if e := must(db.Get(ctx, "v"))(t); e.Value.Type != v.Type || string(e.Value.Data) != string(v.Data) {
			t.Errorf("%v %q came back as %v %q", v.Type, v.Data, e.Value.Type, e.Value.Data)
		}
	}
	for _, v := range []client.Value{
		client.StringValue("\xff"), client.JSONValue([]byte("{")), {Type: client.TypeInt}, {Type: 99},
	} {
		if _, err := db.Set(ctx, "v", v, client.SetOptions{}); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%v %q: %v, want invalid", v.Type, v.Data, err)
		}
	}
}

func testExecute(t *testing.T, db *client.DB) {
	ctx := within(t)
	p := client.Program{
		If: client.AllOf(client.KeyMissing("x/a"), client.Not(client.KeyExists("x/b")), client.Condition{}),
		Then: []client.Op{
			client.SetOp("x/a", client.IntValue(1), client.SetOptions{}),
			client.SetOp("x/b", client.IntValue(2), client.SetOptions{}),
			client.GetOp("x/a"), client.ExistsOp("x/none"),
			client.RangeOp(client.Prefix("x/")),
		},
		Else: []client.Op{
			client.ExtendOp("x/a", time.Hour),
			client.DeleteOp("x/b", client.DeleteOptions{ReturnPrev: true}),
		},
	}
	out := must(db.Execute(ctx, p))(t)
	if !out.Succeeded || len(out.Results) != 5 || out.Results[1].Set.CommitTS != out.CommitTS ||
		out.Results[2].Get.Value.Int() != 1 || out.Results[3].Get.Found() || len(out.Results[4].Entries) != 2 {
		t.Errorf("then: %+v", out)
	}
	out = must(db.Execute(ctx, p))(t)
	if out.Succeeded || !out.Results[0].Extend.Extended || out.Results[1].Delete.Prev.Value.Int() != 2 {
		t.Errorf("else: %+v", out)
	}
	for _, c := range []struct {
		name string
		cond client.Condition
		want bool
	}{
		{"value", client.ValueIs("x/a", client.Equal, client.IntValue(1)), true},
		{"not the value", client.ValueIs("x/a", client.NotEqual, client.IntValue(1)), false},
		{"revision", client.RevisionIs("x/a", client.LessOrEqual, 0), true},
		{"missing revision", client.RevisionIs("x/none", client.Equal, -1), true},
		{"commit_ts", client.CommitTSIs("x/a", client.Greater, 0), true},
		{"create_ts", client.CreateTSIs("x/a", client.Less, 1), false},
		{"lower value", client.ValueIs("x/a", client.Greater, client.FloatValue(0.5)), true},
		{"other type", client.ValueIs("x/a", client.Greater, client.StringValue("0")), false},
		{"missing value", client.ValueIs("x/none", client.Less, client.IntValue(9)), false},
		{"count", client.CountIs(client.Prefix("x/"), client.Equal, 1), true},
		{"larger count", client.CountIs(client.Span("x/", "x0"), client.GreaterOrEqual, 2), false},
		{"unchanged", client.UnchangedSince(client.Prefix("x/"), out.CommitTS), true},
		{"changed", client.UnchangedSince(client.Prefix("x/"), out.CommitTS-1), false},
		{"any", client.AnyOf(client.KeyExists("x/none"), client.KeyExists("x/a")), true},
		{"any of none", client.AnyOf(), false},
	} {
		if out := must(db.Execute(ctx, client.Program{If: c.cond}))(t); out.Succeeded != c.want {
			t.Errorf("%s: %v, want %v", c.name, out.Succeeded, c.want)
		}
	}
	bad := client.ValueIs("x/a", client.Equal, client.StringValue("\xff"))
	for _, p := range []client.Program{
		{If: client.Not(client.AllOf(bad))}, {If: client.CountIs(client.Range{AsOf: 1}, client.Less, 1)},
		{Then: []client.Op{{}}},
		{Else: []client.Op{client.SetOp("k", client.Value{Type: 99}, client.SetOptions{})}},
	} {
		if _, err := db.Execute(ctx, p); txn.KindOf(err) != txn.Invalid {
			t.Errorf("bad program: %v", err)
		}
	}
}
