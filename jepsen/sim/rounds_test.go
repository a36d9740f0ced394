package sim

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// quiet is how long a client waits before each operation, so that all of the
// last one is over.
const quiet = 50 * time.Millisecond

// ownKey is a key of r's client alone, at one of three shards.
func (r *runner) ownKey(shard int) txn.Key {
	return userKey(fmt.Sprintf("s%d-c%02d-k%d", shard, r.c.id, r.w.IntN(4)))
}

// ownSpan is all keys of r's client at a shard.
func (r *runner) ownSpan(shard int) txn.Span {
	return txn.PrefixSpan(userKey(fmt.Sprintf("s%d-c%02d-", shard, r.c.id)))
}

func (r *runner) set(shard int) txn.Op {
	return txn.Op{Kind: txn.OpSet, Key: r.ownKey(shard), Value: r.value()}
}

// steps runs an interactive transaction.
func (r *runner) steps(o coordinator.BeginOptions, ops ...txn.Op) error {
	return r.interact(o, func(s *session) error {
		for _, op := range ops {
			if _, err := s.do(op); err != nil {
				return err
			}
		}
		return nil
	})
}

// lock locks keys of r's client at a shard, reads one of them, and unlocks.
func (r *runner) lock(at int) error {
	return r.interact(coordinator.BeginOptions{ReadOnly: true}, func(s *session) error {
		i := slices.IndexFunc(r.w.routes, func(route shardrpc.Route) bool {
			return route.Span.Contains(r.ownKey(at))
		})
		to := shardrpc.Target{Shard: r.w.routes[i].Shard, Epoch: r.w.routes[i].Epoch}
		req := &shardrpc.LockRequest{Target: to, Txn: s.t.ID(), Age: s.t.Age(), BaseTS: s.t.ReadTS(),
			Mode: txn.LockExclusive, Keys: []txn.Key{r.ownKey(at), r.ownKey(at)},
			Spans: []txn.Span{r.ownSpan(at)}, Wait: 100}
		resp, err := (&shards{r.p}).Lock(r.ctx, req)
		if err == nil && resp.Answer != shardrpc.OK {
			err = txn.Errorf(txn.Internal, "lock", "a lock that nobody else wants: %v", resp.Reply)
		}
		if err != nil {
			return err
		}
		if _, err := s.do(txn.Op{Kind: txn.OpGet, Key: req.Keys[0]}); err != nil {
			return err
		}
		_, err = (&shards{r.p}).Unlock(r.ctx, &shardrpc.UnlockRequest{Target: to, Txn: req.Txn, Age: req.Age,
			BaseTS: req.BaseTS})
		return err
	})
}

// counted is an operation, and how many rounds of consensus lie before its
// answer: in two-phase and in parallel mode.
type counted struct {
	name          string
	two, parallel int
	run           func(r *runner) error
}

func countedOperations() []counted {
	get := func(k txn.Key) txn.Op { return txn.Op{Kind: txn.OpGet, Key: k} }
	one := func(r *runner) int { return r.w.IntN(3) }
	return []counted{
		{"set of a key", 1, 1, func(r *runner) error {
			return r.execute(txn.Program{Then: []txn.Op{r.set(one(r))}})
		}},
		{"program on one shard", 1, 1, func(r *runner) error {
			at := one(r)
			k := r.ownKey(at)
			return r.execute(txn.Program{If: txn.Test{Kind: txn.TestNot, Of: []txn.Test{
				{Kind: txn.TestKey, Key: k, Cond: txn.Cond{Value: &txn.Value{Type: txn.Null}}}}},
				Then: []txn.Op{get(k), r.set(at), r.set(at)}, Else: []txn.Op{r.set(at)}})
		}},
		{"interactive, on one shard", 1, 1, func(r *runner) error {
			at := one(r)
			return r.steps(coordinator.BeginOptions{}, get(r.ownKey(at)),
				txn.Op{Kind: txn.OpRange, Span: r.ownSpan(at)}, r.set(at), r.set(at))
		}},
		{"writes on two shards", 2, 1, func(r *runner) error {
			at := one(r)
			return r.execute(txn.Program{Then: []txn.Op{r.set(at), r.set((at + 1) % 3)}})
		}},
		{"writes on three shards", 2, 1, func(r *runner) error {
			return r.execute(txn.Program{Then: []txn.Op{r.set(0), r.set(1), r.set(2), r.set(1)}})
		}},
		{"interactive, on three shards", 2, 1, func(r *runner) error {
			return r.steps(coordinator.BeginOptions{}, get(r.ownKey(0)), get(r.ownKey(1)), r.set(0), r.set(1),
				r.set(2))
		}},
		{"validated on one shard, written on two", 2, 1, func(r *runner) error {
			return r.steps(coordinator.BeginOptions{}, txn.Op{Kind: txn.OpRange, Span: r.ownSpan(0)},
				get(r.ownKey(1)), r.set(1), r.set(2))
		}},
		{"validated on two shards, written on one", 2, 1, func(r *runner) error {
			return r.steps(coordinator.BeginOptions{}, get(r.ownKey(0)), get(r.ownKey(2)), r.set(1))
		}},
		{"locks, a read under them, and their release", 0, 0, func(r *runner) error { return r.lock(one(r)) }},
		{"get on three shards", 0, 0, func(r *runner) error {
			return r.get(coordinator.Read{Keys: []txn.Key{r.ownKey(0), r.ownKey(1), r.ownKey(2)}})
		}},
		{"scan", 0, 0, func(r *runner) error {
			_, err := r.scan(coordinator.Scan{Span: r.ownSpan(one(r))})
			return err
		}},
		{"read-only program", 0, 0, func(r *runner) error {
			return r.execute(txn.Program{Then: []txn.Op{get(r.ownKey(0)), get(r.ownKey(1))}})
		}},
		{"read-only transaction", 0, 0, func(r *runner) error {
			return r.steps(coordinator.BeginOptions{ReadOnly: true}, get(r.ownKey(0)),
				txn.Op{Kind: txn.OpRange, Span: r.ownSpan(1)})
		}},
		{"transaction that writes nothing", 0, 0, func(r *runner) error {
			return r.steps(coordinator.BeginOptions{}, get(r.ownKey(0)), get(r.ownKey(1)))
		}},
	}
}

// roundsPlan is one without faults and conflicts, over three shards of three
// members each.
func roundsPlan(seed uint64, mode coordinator.CommitMode) *plan {
	s := scenario{commit: mode}
	p := s.planOf(seed)
	p.clients, p.active, p.think, p.cacheSlots = 6, 5*time.Second, quiet, 1<<16
	p.cuts, p.patient = []string{"s1", "s2"}, true
	for _, c := range countedOperations() {
		p.mix = append(p.mix, workload{name: c.name, run: func(r *runner) error {
			if err := r.p.Sleep(context.Background(), quiet); err != nil {
				return err
			}
			return c.run(r)
		}})
	}
	return p
}

// TestRounds counts the rounds of consensus of data shards that lie on the way
// of an operation to its answer.
func TestRounds(t *testing.T) {
	for mode, name := range []string{coordinator.TwoPhase: "2pc", coordinator.Parallel: "parallel"} {
		mode := coordinator.CommitMode(mode)
		t.Run(name, func(t *testing.T) {
			met := map[string]int{}
			for seed := uint64(1); seed <= 3; seed++ {
				w := newWorld(roundsPlan(seed, mode))
				w.rounds = newRounds()
				if r := runWorld(w, nil); r.Violation != nil {
					t.Fatalf("seed %d: %v", seed, r.Violation)
				}
				countRounds(t, w, met)
			}
			compareRounds(t, mode, met)
		})
	}
}

// countRounds adds to met how often an operation of some name took so many rounds.
func countRounds(t *testing.T, w *world, met map[string]int) {
	t.Helper()
	for _, what := range w.rounds.nobodys {
		t.Errorf("%s has no request", what)
	}
	for _, op := range w.ops {
		if op.Outcome != Committed || len(op.IDs) > 1 {
			t.Errorf("without faults and conflicts it did not commit at once: %v", op)
			continue
		}
		n, err := w.rounds.before(op)
		if err != nil {
			t.Errorf("%v: %v", err, op)
		}
		met[fmt.Sprintf("%s: %d", op.Name, n)]++
	}
}

func compareRounds(t *testing.T, mode coordinator.CommitMode, met map[string]int) {
	t.Helper()
	for _, c := range countedOperations() {
		want := c.two
		if mode == coordinator.Parallel {
			want = c.parallel
		}
		key := fmt.Sprintf("%s: %d", c.name, want)
		if met[key] < 10 {
			t.Errorf("only %d operations took this many rounds: %s", met[key], key)
		}
		t.Logf("%4d times %s", met[key], key)
		delete(met, key)
	}
	for _, key := range sortedKeys(met) {
		t.Errorf("%d operations took another number of rounds: %s", met[key], key)
	}
}
