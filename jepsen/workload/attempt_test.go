package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/jepsen/history"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// TestLastAttempt: what an attempt read that ended with a conflict is not in the answer, which
// has the timestamp of the attempt that committed.
func TestLastAttempt(t *testing.T) {
	for _, m := range []mode{update, updateLocking} {
		t.Run(string(m), func(t *testing.T) { testLastAttempt(t, m) })
	}
}

func testLastAttempt(t *testing.T, m mode) {
	var db *client.DB
	var once sync.Once
	s, err := clienttest.NewServer(clienttest.Options{
		Hook: func(ctx context.Context, m cairnv1.Method, _ proto.Message) (err error) {
			if m == cairnv1.Method_METHOD_TXN_COMMIT {
				once.Do(func() {
					_, err = db.Set(ctx, spread.store("x1"), client.IntValue(2), client.SetOptions{})
					if err == nil {
						err = txn.Errorf(txn.Conflict, "conflict", "by the test")
					}
				})
			}
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if db, err = client.Dial(s.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Set(t.Context(), spread.store("x1"), client.IntValue(1), client.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	a := attempts{db: db, rand: rand.New(rand.NewPCG(1, 1)), name: "this one"}
	p := &plan{mode: m, steps: []step{{way: get, key: "x1"}, {way: put, key: "y2", n: 7}}}
	got, err := a.carryOut(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got.ts != 0 || got.late == nil {
		t.Fatalf("it says that it committed at %d before it was asked", got.ts)
	}
	got.ts = got.late([]*client.DB{db})
	if len(got.mops) != 2 || got.mops[0].N != 2 || got.mops[1].N != 7 {
		t.Errorf("%+v", got.mops)
	}
	e, err := db.Get(t.Context(), spread.store("y2"))
	if err != nil || e.CommitTS == 0 || e.CommitTS != got.ts {
		t.Errorf("it committed at %d, and said %d: %v", e.CommitTS, got.ts, err)
	}
}

// TestJudge: an error is fail where it says that nothing happened, and info where it does not.
func TestJudge(t *testing.T) {
	reads := &plan{steps: []step{{way: get, key: "a1"}, {way: scan, key: "b"}}}
	writes := &plan{steps: []step{{way: get, key: "a1"}, {way: push, key: "a1", n: 1}}}
	for _, c := range []struct {
		kind       txn.ErrorKind
		want       history.Type
		impossible bool
	}{
		{txn.Internal, history.Info, true}, {txn.Unknown, history.Info, false},
		{txn.Invalid, history.Fail, true}, {txn.NotFound, history.Fail, true},
		{txn.Conflict, history.Fail, false}, {txn.Wounded, history.Fail, false},
		{txn.Moved, history.Fail, false}, {txn.Unavailable, history.Fail, false},
		{txn.Exhausted, history.Fail, false}, {txn.TooOld, history.Fail, true},
		{txn.Unauthenticated, history.Fail, true}, {txn.Denied, history.Fail, true},
		{txn.Deadline, history.Fail, false},
	} {
		err := txn.Errorf(c.kind, "test", "by the test")
		if got := judge(writes, err); got != c.want {
			t.Errorf("%v of a plan that writes is %v", c.kind, got)
		}
		if got := judge(reads, err); got != history.Fail {
			t.Errorf("%v of a plan that reads is %v", c.kind, got)
		}
		if got := impossible(err); got != c.impossible {
			t.Errorf("%v is impossible: %v", c.kind, got)
		}
	}
	if impossible(nil) || impossible(errConditions) || !impossible(contradicts("by the test")) {
		t.Error("what ended well is impossible, or a contradiction is not")
	}
	if got := judge(writes, context.Canceled); got != history.Info {
		t.Errorf("an error of no kind is %v", got)
	}
}

// TestLayout: keys and ranges lie on all four shards, and can be told from the others.
func TestLayout(t *testing.T) {
	for _, c := range []struct {
		l         layout
		key, want string
	}{
		{spread, "l0", "0l0"}, {spread, "l5", "al5"}, {spread, "account/10", "maccount/10"},
		{spread, "s1/7", "zs1/7"}, {pinned, "p3/k4", "zp3/k4"}, {pinned, "limit/p2", "mlimit/p2"},
	} {
		if got := c.l.store(c.key); got != c.want || named(got) != c.key {
			t.Errorf("%s is stored as %s, not %s", c.key, got, c.want)
		}
	}
	if got, want := spread.prefixes("s1"), []string{"0s1/", "as1/", "ms1/", "zs1/"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got, want := pinned.prefixes("p3"), []string{"zp3/"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestListsLearn: a list at a revision is known from those who only read it. One that appends, reads
// and appends again reads what its revision does not come to (cell 28, seed 28: the next one who
// wrote on that revision lost the second append, and the store was blamed).
func TestListsLearn(t *testing.T) {
	s := newLists(1).(*lists)
	saw := map[string]sight{"l0": {found: true, list: []int64{1}, revision: 3}}
	read := history.Mop{Kind: history.Read, Key: "l0", List: []int64{1}, Listed: true, Known: true}
	again := history.Mop{Kind: history.Append, Key: "l0", N: 2, Known: true}
	s.learn(&ending{outcome: history.OK, answer: answer{mops: []history.Mop{read, again}, seen: saw}})
	if len(s.seen) > 0 {
		t.Errorf("%v is taken for the list at its revision", s.seen)
	}
	s.learn(&ending{outcome: history.OK, answer: answer{mops: []history.Mop{read}, seen: saw}})
	if s.seen["l0"].revision != 3 {
		t.Errorf("%v: the list was not learnt", s.seen)
	}
}

// TestContradictions: answers that cannot be are no results.
func TestContradictions(t *testing.T) {
	text := func(s string) client.Entry { return client.Entry{Key: "0s0/4", Value: client.StringValue(s)} }
	entry := client.Entry{Key: "0s0/4", Value: client.IntValue(4)}
	other := client.Entry{Key: "0s0/8", Value: client.IntValue(8)}
	s := step{way: clean, key: "p0", keys: []string{"p0/k1", "p0/k2"}}
	insert := written(history.Insert, "s0/4", 4)
	least := step{way: add, key: "account/1", delta: -5, floor: new(int64)}
	came := func(n int64) *client.UpdateResult {
		return &client.UpdateResult{Updated: true, Value: client.IntValue(n)}
	}
	when := &plan{permits: func(a *answer) bool { return a.seen["m1"].n == 4 }}
	for _, c := range []struct {
		name string
		odd  bool
		do   func(a *answer) error
	}{
		{"a list", false, func(a *answer) error { return a.got("l0", text("1 22 ")) }},
		{"a cut list", true, func(a *answer) error { return a.got("l0", text("1 2")) }},
		{"no list", true, func(a *answer) error { return a.got("l0", text("1 x ")) }},
		{"a float", true, func(a *answer) error { return a.got("l0", client.Entry{Value: client.FloatValue(1)}) }},
		{"a scan", false, func(a *answer) error { return a.scanned("s0", []client.Entry{entry, other}) }},
		{"a row twice", true, func(a *answer) error { return a.scanned("s0", []client.Entry{entry, entry}) }},
		{"a row of another range", true, func(a *answer) error { return a.scanned("s1", []client.Entry{entry}) }},
		{"a row of no number", true, func(a *answer) error { return a.scanned("s0", []client.Entry{text("")}) }},
		{"two deleted", false, func(a *answer) error { return a.cleaned(pinned, &s, &client.DeleteRangeResult{Count: 2}) }},
		{"one deleted", true, func(a *answer) error { return a.cleaned(pinned, &s, &client.DeleteRangeResult{Count: 1}) }},
		{"not appended", true, func(a *answer) error { return a.appended(pinned, &s, &client.UpdateResult{}) }},
		{"not deleted", true, func(a *answer) error { return a.removed(pinned, &s, &client.DeleteResult{Revision: 3}) }},
		{"inserted", false, func(a *answer) error {
			return a.put(spread, &insert, &client.SetResult{Set: true, PrevRevision: -1})
		}},
		{"inserted over", true, func(a *answer) error {
			return a.put(spread, &insert, &client.SetResult{Set: true, PrevRevision: 2})
		}},
		{"the least", false, func(a *answer) error { return a.added(spread, &least, came(0)) }},
		{"below the least", true, func(a *answer) error { return a.added(spread, &least, came(-1)) }},
		{"its condition", false, func(a *answer) error { a.seen["m1"] = sight{n: 4}; a.conditional(when); return nil }},
		{"not its condition", true, func(a *answer) error { a.seen["m1"] = sight{n: 5}; a.conditional(when); return nil }},
		{"not set", true, func(a *answer) error { return a.put(pinned, &history.Mop{}, &client.SetResult{Revision: 3}) }},
	} {
		a := newAnswer()
		err := errors.Join(c.do(&a), a.odd)
		if _, odd := errors.AsType[*contradiction](err); odd != c.odd {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
