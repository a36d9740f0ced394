package cairn_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

const valueBytes = 64

// check is what must be true after so many operations of a workload on keys that were made for it.
type check func(t *testing.T, db *client.DB, ops int64)

func run(name string) load.Run {
	return load.Run{Workload: name, Keys: 40, ValueBytes: valueBytes, Width: 4, Seed: 7}
}

// Every workload does what it says, over both ways.
func TestWorkloads(t *testing.T) {
	checks := map[string]check{
		"put": wrote('k', 40, 1), "get": wrote('k', 40, 0), "get-snapshot": wrote('k', 40, 0),
		"range": wrote('k', 40, 0), "oneshot": wrote('k', 40, 4), "oneshot-same": wrote('k', 40, 4),
		"transfer-same-optimistic": total(2), "transfer-same-pessimistic": total(2),
		"transfer-two-optimistic": total(2), "transfer-two-pessimistic": total(2),
		"rotate-same": total(4), "rotate-two": total(4),
		"increment-hot": counted, "import": wrote('m', -4, 0), "neworder": ordered,
		"mixed": share('k', 0.2), "ycsb-a": share('k', 0.5), "ycsb-b": share('k', 0.05),
		"ycsb-c": wrote('k', 40, 0), "ycsb-f": share('k', 0.5), "ycsb-d": grew, "ycsb-e": grew,
	}
	for _, name := range cairn.Workloads() {
		for _, way := range []string{"stream", "unary"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				s, db := fake(t, nil)
				r := run(name)
				r.Way = way
				if err := do(t, s, r, 30); err != nil {
					t.Fatal(err)
				}
				if checks[name] == nil {
					t.Fatal("there is no check")
				}
				checks[name](t, db, callers*30)
			})
		}
	}
}

// wrote says how many keys there are, negative: for each operation, and how many of them an
// operation writes again.
func wrote(letter byte, keys int, each int64) check {
	return func(t *testing.T, db *client.DB, ops int64) {
		t.Helper()
		all := table(t, db, letter)
		want := keys
		if keys < 0 {
			want = -keys * int(ops)
		}
		if len(all) != want || rewritten(all) != ops*each || len(shards(all)) != 4 {
			t.Errorf("%d keys on %q, rewritten %d times by %d operations",
				len(all), shards(all), rewritten(all), ops)
		}
		for _, e := range all {
			if len(e.Value.Data) != valueBytes {
				t.Errorf("%s has %d bytes", e.Key, len(e.Value.Data))
			}
		}
	}
}

// share is the part of all operations that writes a key.
func share(letter byte, part float64) check {
	return func(t *testing.T, db *client.DB, ops int64) {
		t.Helper()
		got := float64(rewritten(table(t, db, letter))) / float64(ops)
		if got < part-0.15 || got > part+0.15 || got == 0 {
			t.Errorf("%v of the operations wrote", got)
		}
	}
}

// total is that of all accounts. An operation writes each of its accounts once.
func total(each int64) check {
	return func(t *testing.T, db *client.DB, ops int64) {
		t.Helper()
		wrote('a', 40, each)(t, db, ops)
		all := table(t, db, 'a')
		if sum(all) != 40*1000+780 {
			t.Errorf("the total is %d", sum(all))
		}
	}
}

func counted(t *testing.T, db *client.DB, ops int64) {
	all := table(t, db, 'n')
	for _, e := range all {
		if e.Value.Int() != ops {
			t.Errorf("%s is %d after %d increments", e.Key, e.Value.Int(), ops)
		}
	}
	if len(all) != 1 {
		t.Errorf("%d counters", len(all))
	}
}

// grew: some operations insert a key, without holes.
func grew(t *testing.T, db *client.DB, ops int64) {
	all := table(t, db, 'k')
	more := len(all) - 40
	if more == 0 || more > int(ops)/5 || rewritten(all) != 0 {
		t.Errorf("%d more keys, and %d were rewritten", more, rewritten(all))
	}
}

// ordered: numbers of orders are those that the districts gave out, each has its lines.
func ordered(t *testing.T, db *client.DB, ops int64) {
	made, lines := table(t, db, 'o'), table(t, db, 'l')
	given := sum(table(t, db, 'd')) - 40 // of 4 warehouses, each from 1 on
	if given != int64(len(made)) || given > ops || given < ops*9/10 {
		t.Errorf("%d orders, and the districts gave %d, to %d operations", len(made), given, ops)
	}
	if len(table(t, db, 'q')) != len(made) || sum(made) != int64(len(lines)) {
		t.Errorf("%d new orders, %d lines of %d", len(table(t, db, 'q')), len(lines), sum(made))
	}
	left := sum(table(t, db, 's')) + sum(lines) - 4*1000*91 // what was restocked
	if left < 0 || left%91 != 0 {
		t.Errorf("the stock is off by %d", left)
	}
	if per := len(lines) / len(made); per < 8 || per > 12 {
		t.Errorf("%d lines an order", per)
	}
}

// An operation whose call fails is an error, whatever the workload.
func TestFailuresAreErrors(t *testing.T) {
	for _, name := range cairn.Workloads() {
		t.Run(name, func(t *testing.T) {
			var failing atomic.Bool
			s, _ := fake(t, func(context.Context, cairnv1.Method, proto.Message) error {
				if failing.Load() {
					return &txn.Error{Kind: txn.Denied, Reason: "test"}
				}
				return nil
			})
			ctx := within(t)
			op, release, err := s.Prepare(ctx, run(name))
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			failing.Store(true)
			for i := range 20 {
				if err := op(ctx, caller(i)); txn.KindOf(err) != txn.Denied {
					t.Fatalf("an operation that was denied: %v", err)
				}
			}
		})
	}
}

func caller(id int) *load.Caller {
	random := rand.New(rand.NewPCG(1, uint64(id)))
	return &load.Caller{ID: id, Rand: random, Value: make([]byte, valueBytes),
		Key: func() int { return random.IntN(40) }}
}

// What is read and not there is an error as well.
func TestMissingKeysAreErrors(t *testing.T) {
	for _, name := range []string{"get", "ycsb-c", "range", "transfer-two-optimistic", "rotate-two", "neworder"} {
		t.Run(name, func(t *testing.T) {
			s, db := fake(t, nil)
			ctx := within(t)
			op, release, err := s.Prepare(ctx, run(name))
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			if _, err := db.DeleteRangeBatched(ctx, client.All(), ""); err != nil {
				t.Fatal(err)
			}
			if err := op(ctx, caller(0)); err == nil {
				t.Error("it read what is not there")
			}
		})
	}
}

// Keys that are there are used again by the next run, unless it wants more or other ones.
func TestKeysAreMadeOnce(t *testing.T) {
	s, db := fake(t, nil)
	for _, c := range []struct{ keys, value, want, revisions int }{
		{40, 64, 40, 0}, {40, 64, 40, 0}, {20, 64, 40, 0}, {60, 64, 60, 40}, {60, 32, 60, 100},
	} {
		r := run("get")
		r.Keys, r.ValueBytes = c.keys, c.value
		if err := do(t, s, r, 1); err != nil {
			t.Fatal(err)
		}
		all := table(t, db, 'k')
		if len(all) != c.want || rewritten(all) != int64(c.revisions) {
			t.Errorf("%d keys of %d: there are %d, rewritten %d times", c.keys, c.value, len(all), rewritten(all))
		}
	}
}

// A number that could not be inserted is inserted by somebody else before it is read.
func TestInsertsFail(t *testing.T) {
	var sets atomic.Int64
	s, db := fake(t, func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_KV_SET && sets.Add(1)%2 == 0 {
			return &txn.Error{Kind: txn.Denied, Reason: "test"}
		}
		return nil
	})
	err := do(t, s, run("ycsb-d"), 200)
	if n := 1 + strings.Count(err.Error(), "\n"); int64(n) != sets.Load()/2 ||
		strings.Contains(err.Error(), "missing") {
		t.Errorf("%d of %d sets were denied: %v", n, sets.Load(), err)
	}
	if more := len(table(t, db, 'k')) - 40; int64(more) != sets.Load()-sets.Load()/2 {
		t.Errorf("%d keys more after %d sets", more, sets.Load())
	}
}

func TestRefusedRuns(t *testing.T) {
	server, err := clienttest.NewServer(clienttest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	o := cairn.Options{Kind: cairn.Target, Endpoint: server.URL}
	four, _ := start(t, o)
	o.Shards = 1
	one, _ := start(t, o)
	for _, c := range []struct {
		name   string
		s      *cairn.System
		change func(*load.Run)
		want   string
	}{
		{"workload", four, func(r *load.Run) { r.Workload = "push" }, "no workload"},
		{"way", four, func(r *load.Run) { r.Way = "post" }, "the way"},
		{"keys", four, func(r *load.Run) { r.Keys = 0 }, "at least 1"},
		{"value", four, func(r *load.Run) { r.ValueBytes = 7 }, "at least 1"},
		{"range", four, func(r *load.Run) { r.Workload, r.Width = "range", 11 }, "10 of the keys"},
		{"width", four, func(r *load.Run) { r.Workload, r.Width = "rotate-same", 11 }, "too few"},
		{"one shard", one, func(r *load.Run) { r.Workload = "transfer-two-optimistic" }, "two shards"},
	} {
		r := run("get")
		c.change(&r)
		if _, _, err := c.s.Prepare(within(t), r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, c := range []struct {
		o    cairn.Options
		want string
	}{
		{cairn.Options{}, "kind"},
		{cairn.Options{Kind: cairn.Target}, "endpoint"},
		{cairn.Options{Kind: cairn.Cluster, Endpoint: "http://a"}, "endpoint"},
		{cairn.Options{Kind: cairn.Cluster, Members: 2}, "members"},
		{cairn.Options{Kind: cairn.Cluster, Shards: 17}, "shards"},
		{cairn.Options{Kind: cairn.Target, Endpoint: "a:1", MemberFlags: []string{"--pprof"}}, "flags"},
	} {
		s, err := cairn.Start(within(t), c.o)
		if err == nil {
			err = errors.Join(errors.New("it started"), s.Close())
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}
