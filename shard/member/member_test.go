package member

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts a member that is closed when the test ends.
func open(t testing.TB, dir string) *Member {
	t.Helper()
	e := env.NewReal()
	m, err := Open(Options{Dir: dir, Release: "test", Env: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		e.Close()
	})
	if _, err := m.OpenSession(t.Context(), "test", true); err != nil {
		t.Fatal(err)
	}
	return m
}

var ids atomic.Uint64

// commit runs a one-shot program on the shard of its first key until it is answered.
func commit(t testing.TB, m *Member, p txn.Program) *shardrpc.CommitResponse {
	t.Helper()
	var key txn.Key
	p.Keys(func(k txn.Key) { key = k })
	for {
		base, err := m.Timestamp(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		id := txn.NewID(1, ids.Add(1))
		resp, err := m.Commit(context.Background(), &shardrpc.CommitRequest{
			Target: target(m, key), Txn: id, Age: txn.Age{At: base, ID: id},
			BaseTS: base, MaxTS: math.MaxInt64, Program: p})
		if err != nil {
			t.Fatal(err)
		}
		if resp.Answer == shardrpc.Retry || resp.Reason == shardrpc.ReasonStale {
			continue
		}
		return resp
	}
}

func target(m *Member, k txn.Key) shardrpc.Target {
	for _, r := range m.routes {
		if r.Span.Contains(k) {
			return shardrpc.Target{Shard: r.Shard, Epoch: r.Epoch}
		}
	}
	return shardrpc.Target{}
}

func set(k, v string) txn.Program {
	return txn.Program{Then: []txn.Op{{Kind: txn.OpSet, Key: key(k), Value: txn.StringValue(v)}}}
}

func key(k string) txn.Key { return txn.NewKey(txn.DefaultKeyspace, []byte(k)) }

func get(t testing.TB, m *Member, k string) txn.Version {
	t.Helper()
	for {
		at, err := m.Timestamp(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.Read(context.Background(), &shardrpc.ReadRequest{
			Target: target(m, key(k)), At: at, Keys: []txn.Key{key(k)}})
		if err != nil {
			t.Fatal(err)
		}
		if !resp.Retry {
			return resp.Versions[0]
		}
	}
}

func TestSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	e := env.NewReal()
	defer e.Close()
	var last txn.Timestamp
	for life := range 3 {
		m, err := Open(Options{Dir: dir, Release: "test", Env: e})
		if err != nil {
			t.Fatal(err)
		}
		session, err := m.OpenSession(t.Context(), "test", true)
		if err != nil || session != uint32(life+1) {
			t.Fatalf("session %d, %v", session, err)
		}
		for i := range 10 {
			if v := get(t, m, fmt.Sprint("k", i)); life > 0 && v.Revision != int64(life-1) {
				t.Fatalf("life %d: k%d is at revision %d", life, i, v.Revision)
			}
			resp := commit(t, m, set(fmt.Sprint("k", i), fmt.Sprint("life ", life)))
			if resp.Answer != shardrpc.OK || resp.CommitTS <= last {
				t.Fatalf("answer %v at %d after %d", resp.Answer, resp.CommitTS, last)
			}
			last = resp.CommitTS
		}
		// Shards that nobody has asked for anything may be electing yet.
		eventually(t, "the member is ready", func() bool { return m.Ready() == nil })
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			m := open(b, b.TempDir())
			commit(b, m, set("k", "v"))
			value := string(make([]byte, 256))
			b.SetParallelism(callers / 2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					commit(b, m, set(fmt.Sprint("key", ids.Add(1)%100000), value))
				}
			})
		})
	}
}

func BenchmarkRead(b *testing.B) {
	m := open(b, b.TempDir())
	for i := range 1000 {
		commit(b, m, set(fmt.Sprint("key", i), "value"))
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			get(b, m, fmt.Sprint("key", ids.Add(1)%1000))
		}
	})
}

func TestSplits(t *testing.T) {
	dir := t.TempDir()
	e := env.NewReal()
	defer e.Close()
	for life, splits := range [][][]byte{{[]byte("b"), []byte("m")}, nil, {[]byte("x")}} {
		m, err := Open(Options{Dir: dir, Release: "test", Env: e, Splits: splits})
		if err != nil {
			t.Fatal(err)
		}
		routes, err := m.Routes(t.Context())
		if err != nil || len(routes) != 3 || routes[0].Span.End.Compare(key("b")) != 0 ||
			routes[1].Span.End.Compare(key("m")) != 0 || len(routes[2].Span.End) != 0 {
			t.Fatalf("life %d: %v, %v", life, routes, err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, splits := range [][][]byte{{{}}, {[]byte("b"), []byte("b")}, {[]byte("c"), []byte("b")}} {
		if _, err := Open(Options{Dir: t.TempDir(), Release: "test", Env: e, Splits: splits}); txn.KindOf(err) !=
			txn.Invalid {
			t.Errorf("splits %q: %v", splits, err)
		}
	}
}

// Many callers add to few counters; every addition counts once.
func TestConcurrentCallers(t *testing.T) {
	m := open(t, t.TempDir())
	const callers, rounds, counters = 16, 25, 3
	done := make(chan int)
	for i := range callers {
		go func() {
			sum := 0
			for round := range rounds {
				k := fmt.Sprint("counter", (i+round)%counters)
				for !increment(t, m, k) {
				}
				sum++
			}
			done <- sum
		}()
	}
	want := 0
	for range callers {
		want += <-done
	}
	got := 0
	for c := range counters {
		v := get(t, m, fmt.Sprint("counter", c))
		got += len(v.Value.Data)
	}
	if got != want {
		t.Errorf("%d additions are left of %d", got, want)
	}
}

// increment makes the value of k one byte longer if nobody else does meanwhile.
func increment(t *testing.T, m *Member, k string) bool {
	v := get(t, m, k)
	p := set(k, string(v.Value.Data)+"x")
	at := v.TS
	p.If = txn.Test{Key: key(k), Cond: txn.Cond{CommitTS: &at}}
	if v.TS == 0 {
		p.If.Cond = txn.Cond{Absent: true}
	}
	resp := commit(t, m, p)
	return resp.Answer == shardrpc.OK && resp.Succeeded
}
