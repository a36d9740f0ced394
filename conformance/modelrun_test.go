package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/txn"
)

// modelKeys are on several shards, and some in a bucket.
var modelKeys = []string{"a", "b", "s/a", "s/b", "s/t/a", "~!a", "~ja", "~za"}

// drawing makes random steps.
type drawing struct {
	*rapid.T
	place   *Place
	commits []int64 // that answers brought
}

func (d *drawing) key() string { return rapid.SampledFrom(modelKeys).Draw(d.T, "key") }

func (d *drawing) chance(percent int) bool {
	return rapid.IntRange(0, 99).Draw(d.T, "chance") < percent
}

func (d *drawing) value() *txn.Value {
	v := rapid.SampledFrom([]txn.Value{
		txn.IntValue(1), txn.IntValue(2), txn.IntValue(1<<63 - 1), txn.StringValue("x"), txn.BytesValue([]byte("x")),
		txn.StringValue(""), txn.BoolValue(true), txn.NullValue(), txn.JSONValue([]byte(`{"a": 1}`)),
	}).Draw(d.T, "value")
	return &v
}

func (d *drawing) conditions(s *Step) {
	if !d.chance(40) {
		return
	}
	switch rapid.IntRange(0, 3).Draw(d.T, "condition") {
	case 0:
		s.If.Absent = s.Op != "delete"
	case 1:
		s.If.Present = true
	case 2:
		s.If.Revision = int64p(rapid.Int64Range(-1, 6).Draw(d.T, "revision"))
	case 3:
		s.If.Value = d.value()
	}
}

func (d *drawing) selection() *Selection {
	sel := rapid.SampledFrom([]Selection{
		{By: "prefix", Start: "s/"}, {By: "prefix"}, {By: "bucket", Start: "s"}, {By: "bucket", Start: "s/t"},
		{By: "span", Start: "a", End: "s/b"}, {By: "prefix", Start: "s", Glob: "*a"}, {By: "prefix", Glob: "*b"},
	}).Draw(d.T, "selection")
	return &sel
}

// Where a step is done.
const (
	alone = iota
	inTransaction
	inExecute
)

// step draws one that can be done there.
func (d *drawing) step(where int) *Step {
	ops := []string{
		"set", "set", "set", "delete", "get", "get", "exists", "increment", "append", "max", "min",
		"range", "count", "extend", "delete-range",
	}
	if where != inExecute {
		ops = append(ops, "mget", "mset", "mdelete")
	}
	if where == alone {
		ops = append(ops, "execute", "history", "revert")
	}
	s := &Step{Op: rapid.SampledFrom(ops).Draw(d.T, "operation")}
	switch s.Op {
	case "mget", "mdelete":
		s.Keys = rapid.SliceOfN(rapid.SampledFrom(modelKeys), 1, 4).Draw(d.T, "keys")
	case "mset":
		for range rapid.IntRange(1, 4).Draw(d.T, "items") {
			item := &Step{Op: "set", Keys: []string{d.key()}, Value: d.value()}
			d.conditions(item)
			s.Items = append(s.Items, item)
		}
	case "range", "count", "delete-range":
		s.Select = d.selection()
		if s.Op == "range" {
			s.Reverse = d.chance(30)
			s.Limit = rapid.Int64Range(0, 4).Draw(d.T, "limit")
		}
	case "execute":
		s.Test = &Test{Op: "value", Key: d.key(), Relation: "=", Value: d.value()}
		for range rapid.IntRange(1, 4).Draw(d.T, "then") {
			s.Then = append(s.Then, d.step(inExecute))
			s.Else = append(s.Else, d.step(inExecute))
		}
	default:
		s.Keys = []string{d.key()}
		d.single(s, where)
	}
	past := where == alone && len(d.commits) > 0 && s.Revision == nil && d.chance(20)
	if past && (s.Op == "get" || s.Op == "range" || s.Op == "mget") {
		s.AsOf = &Moment{At: rapid.SampledFrom(d.commits).Draw(d.T, "commit")}
	}
	return s
}

// single draws what belongs to operations on one key.
func (d *drawing) single(s *Step, where int) {
	switch s.Op {
	case "set":
		s.Value = d.value()
		if d.chance(20) {
			s.TTL = int64p(3_600_000)
		} else {
			s.KeepTTL = d.chance(20)
		}
		d.conditions(s)
	case "delete":
		d.conditions(s)
	case "extend":
		s.TTL = int64p(rapid.SampledFrom([]int64{0, 3_600_000}).Draw(d.T, "ttl"))
	case "increment":
		v := txn.IntValue(rapid.SampledFrom([]int64{1, 2, 1<<63 - 1}).Draw(d.T, "by"))
		s.Value = &v
	case "append":
		v := txn.StringValue("y")
		s.Value = &v
	case "min", "max":
		v := txn.IntValue(rapid.Int64Range(-3, 9).Draw(d.T, "bound"))
		s.Value = &v
	case "revert":
		s.Revision = int64p(rapid.Int64Range(0, 6).Draw(d.T, "revision"))
	case "get":
		if where == alone && d.chance(20) {
			s.Revision = int64p(rapid.Int64Range(0, 6).Draw(d.T, "revision"))
		}
	}
}

// TestModel does random operations, alone and in transactions, and compares every answer with what
// a map of versions says: 300 steps, or CAIRN_MODEL_STEPS.
func TestModel(t *testing.T) {
	steps := 300
	if text := os.Getenv("CAIRN_MODEL_STEPS"); text != "" {
		var err error
		if steps, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	const each = 50
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // the draws are printed
		t.Fatal(err)
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(max(1, steps/each))); err != nil {
		t.Fatal(err)
	}
	endpoint := embedded(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		w := ways["grpc"](t, endpoint)
		d := &drawing{T: rt, place: NewPlace(fmt.Sprintf("model%d.", runs))}
		m := make(model)
		for i := 0; i < each; {
			if d.chance(15) {
				m, i = d.transaction(t.Context(), w, m, i)
				continue
			}
			m = d.alone(t.Context(), w, m)
			i++
		}
	})
	t.Logf("%d runs of %d steps", runs, each)
}

// alone does one step as a transaction of its own.
func (d *drawing) alone(ctx context.Context, w way, m model) model {
	s := d.step(alone)
	b := m.begin()
	want := b.do(s)
	got := d.send(ctx, w, s)
	if problem := agree(d.place, &got, &want, true); problem != "" {
		d.Fatalf("%s: %s\ngot  %v\nwant %v", say(s), problem, &got, &want)
	}
	if want.failed != nil {
		return m
	}
	if got.commit == nil || len(b.touched) == 0 {
		return m
	}
	at := *got.commit
	d.commits = append(d.commits, at)
	return b.commit(at)
}

// transaction does a few steps in an interactive one, and commits it or does not.
func (d *drawing) transaction(ctx context.Context, w way, m model, i int) (model, int) {
	begin := &Step{Op: "begin", Tx: "t", Begin: Begin{Pessimistic: d.chance(30)}}
	if a := d.send(ctx, w, begin); a.failed != nil {
		d.Fatalf("begin: %v", &a)
	}
	b := m.begin()
	for range rapid.IntRange(1, 6).Draw(d.T, "steps") {
		s := d.step(inTransaction)
		s.Tx = "t"
		want := b.do(s)
		got := d.send(ctx, w, s)
		if problem := agree(d.place, &got, &want, false); problem != "" {
			d.Fatalf("in a transaction: %s: %s\ngot  %v\nwant %v", say(s), problem, &got, &want)
		}
		i++
	}
	if d.chance(20) {
		if a := d.send(ctx, w, &Step{Op: "rollback", Tx: "t"}); a.failed != nil {
			d.Fatalf("rollback: %v", &a)
		}
		return m, i
	}
	a := d.send(ctx, w, &Step{Op: "commit", Tx: "t"})
	if a.failed != nil {
		d.Fatalf("commit: %v", &a)
	}
	d.commits = append(d.commits, *a.commit)
	return b.commit(*a.commit), i
}

// send puts a copy of a step to its place and does it.
func (d *drawing) send(ctx context.Context, w way, s *Step) answer {
	ctx, cancel := context.WithTimeout(ctx, stepMax)
	defer cancel()
	put := copyStep(s)
	if err := d.place.Put(put); err != nil {
		d.Fatal(err)
	}
	a, err := w.do(ctx, put)
	if err != nil {
		d.Fatalf("%+v: %v", s, err)
	}
	return a
}

// say is a step as the RPC services would get it.
func say(s *Step) string {
	req, err := s.Request()
	return fmt.Sprint(s.Op, " ", req, " ", err)
}

func copyStep(s *Step) *Step {
	out := *s
	out.Keys = append([]string(nil), s.Keys...)
	if s.Select != nil {
		sel := *s.Select
		out.Select = &sel
	}
	if s.Test != nil {
		test := *s.Test
		out.Test = &test
	}
	for _, list := range []*[]*Step{&out.Items, &out.Then, &out.Else} {
		var copies []*Step
		for _, item := range *list {
			copies = append(copies, copyStep(item))
		}
		*list = copies
	}
	return &out
}

// agree compares what the model says. Inside of a transaction revisions are not told yet.
func agree(p *Place, got, want *answer, revisions bool) string {
	if (got.failed == nil) != (want.failed == nil) {
		return "one of them failed"
	}
	if want.failed != nil {
		if got.failed.kind != want.failed.kind || want.failed.reason != "" && got.failed.reason != want.failed.reason {
			return "they failed otherwise"
		}
		return ""
	}
	differ := func(a, b *int64) bool { return b != nil && (a == nil || *a != *b) }
	switch {
	case want.done != nil && (got.done == nil || *got.done != *want.done):
		return "done"
	case revisions && differ(got.revision, want.revision):
		return "revision"
	case revisions && differ(got.prev, want.prev):
		return "previous revision"
	case differ(got.count, want.count):
		return "count"
	case want.key != "" && got.key != "" && p.Back(got.key) != want.key:
		return "key"
	case want.operation != got.operation && want.operation != "":
		return "operation"
	case want.value != nil && (got.value == nil || ValueText(got.value) != ValueText(want.value)):
		return "value"
	case want.items != nil && len(got.items) != len(want.items):
		return "number of items"
	}
	for i := range want.items {
		if problem := agree(p, &got.items[i], &want.items[i], revisions); problem != "" {
			return fmt.Sprintf("item %d: %s", i, problem)
		}
	}
	return ""
}
