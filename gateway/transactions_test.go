package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (f *fixture) begin(req *cairnv1.BeginRequest) string {
	f.Helper()
	resp, err := f.g.begin(f.Context(), req)
	if err != nil {
		f.Fatal(err)
	}
	return resp.Txn
}

// setIn writes in the transaction that began as handle.
func (f *fixture) setIn(handle, key, value string) error {
	resp, err := f.g.set(f.Context(), &cairnv1.SetRequest{
		Txn: f.latest(handle), Key: []byte(key), Value: str(value)})
	if err == nil {
		f.handles.Store(handle, resp.Txn)
	}
	return err
}

// latest is the handle to use next of the transaction that began as handle.
func (f *fixture) latest(handle string) string {
	if h, ok := f.handles.Load(handle); ok {
		return h.(string)
	}
	return handle
}

// getIn is the value, "-" if there is none.
func (f *fixture) getIn(handle, key string) string {
	f.Helper()
	resp, err := f.g.get(f.Context(), &cairnv1.GetRequest{Txn: handle, Key: []byte(key)})
	if err != nil {
		f.Fatal(err)
	}
	if resp.Txn != f.latest(handle) {
		f.Errorf("the answer carries handle %q, not %q", resp.Txn, f.latest(handle))
	}
	if !resp.Found {
		return "-"
	}
	return resp.GetValue().GetStringValue()
}

func reasonOf(err error) string {
	e, _ := errors.AsType[*txn.Error](err)
	if e == nil {
		return fmt.Sprint(err)
	}
	return e.Reason
}

func TestTransaction(t *testing.T) {
	f := start(t)
	f.set("a", "old")
	h := f.begin(&cairnv1.BeginRequest{})
	if err := f.setIn(h, "a", "new"); err != nil {
		t.Fatal(err)
	}
	if err := f.setIn(h, "b", "fresh"); err != nil {
		t.Fatal(err)
	}
	if got := f.getIn(h, "a") + f.getIn(h, "b") + f.getIn(h, "c"); got != "newfresh-" {
		t.Errorf("the transaction sees %q", got)
	}
	own, err := f.g.get(t.Context(), &cairnv1.GetRequest{Txn: h, Key: []byte("b")})
	if err != nil || own.CommitTs != 0 || own.CreateTs != 0 {
		t.Errorf("what is not committed has times: %v %v", own, err)
	}
	old, err := f.g.get(t.Context(), &cairnv1.GetRequest{Txn: h, Key: []byte("a"), Revision: ptr[int64](0)})
	if err != nil || old.GetValue().GetStringValue() != "old" {
		t.Errorf("revision 0 inside: %v %v", old, err)
	}
	if got := f.getIn("", "a"); got != "old" {
		t.Errorf("others see %q", got)
	}
	list, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Txn: h})
	if err != nil || list.Count != 2 || list.Entries[0].CommitTs != 0 {
		t.Errorf("range inside: %v %v", list, err)
	}
	batch, err := f.g.batchGet(t.Context(), &cairnv1.BatchGetRequest{Txn: h, Keys: [][]byte{[]byte("b"), []byte("c")}})
	if err != nil || !batch.Results[0].Found || batch.Results[1].Found {
		t.Errorf("batch inside: %v %v", batch, err)
	}
	c, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: f.latest(h)})
	if err != nil || len(c.Written) != 2 || string(c.Written[0].Key) != "a" || c.Written[0].Revision != 1 {
		t.Fatalf("commit: %v %v", c, err)
	}
	if got := f.getIn("", "a") + f.getIn("", "b"); got != "newfresh" {
		t.Errorf("after the commit: %q", got)
	}
	if _, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: h}); reasonOf(err) != reasonTxnGone {
		t.Errorf("second commit: %v", err)
	}
	if _, err := f.g.rollback(t.Context(), &cairnv1.RollbackRequest{Txn: h}); err != nil {
		t.Errorf("rollback after commit: %v", err)
	}
}

func TestTransactionOverTheWire(t *testing.T) {
	f := start(t)
	_, err := f.txns.Commit(t.Context(), connect.NewRequest(&cairnv1.CommitRequest{Txn: "no such thing"}))
	if d := detail(t, err); connect.CodeOf(err) != connect.CodeAborted || d.Reason != reasonTxnGone {
		t.Errorf("got %v with %v", err, d)
	}
	b, err := f.txns.Begin(t.Context(), connect.NewRequest(&cairnv1.BeginRequest{ReadOnly: true}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.kv.Set(t.Context(), connect.NewRequest(&cairnv1.SetRequest{
		Txn: b.Msg.Txn, Key: []byte("k"), Value: str("v"),
	}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("write in a read-only transaction: %v", err)
	}
}

func TestConflictEndsTransaction(t *testing.T) {
	f := start(t)
	f.set("a", "1")
	h := f.begin(&cairnv1.BeginRequest{})
	f.getIn(h, "a")
	f.set("a", "2")
	if err := f.setIn(h, "b", "x"); err != nil {
		t.Fatal(err)
	}
	_, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: f.latest(h)})
	if classify(err, true).Kind != txn.Conflict || reasonOf(err) == reasonTxnGone {
		t.Errorf("commit: %v", err)
	}
	if err := f.setIn(h, "b", "x"); reasonOf(err) != reasonTxnGone {
		t.Errorf("afterwards: %v", err)
	}
}

func TestReadAsOfInTransaction(t *testing.T) {
	f := start(t)
	first := f.set("a", "1")
	f.set("a", "2")
	h := f.begin(&cairnv1.BeginRequest{AsOf: &first.CommitTs})
	if got := f.getIn(h, "a"); got != "1" {
		t.Errorf("as of the first commit: %q", got)
	}
	_, err := f.g.get(t.Context(), &cairnv1.GetRequest{Txn: h, Key: []byte("a"), AsOf: &first.CommitTs})
	if reasonOf(err) != "as_of_in_transaction" {
		t.Errorf("as_of inside: %v", err)
	}
}

func TestAbandonedTransactionsAreSwept(t *testing.T) {
	f := start(t)
	short := f.begin(&cairnv1.BeginRequest{TimeoutMs: 10_000})
	long := f.begin(&cairnv1.BeginRequest{})
	if n := f.g.held.sweep(); n != 0 {
		t.Errorf("swept %d at once", n)
	}
	f.env.skew.Store(int64(11 * time.Second))
	f.g.held.sweep()
	if err := f.setIn(short, "k", "v"); reasonOf(err) != reasonTxnGone {
		t.Errorf("the short one: %v", err)
	}
	if err := f.setIn(long, "k", "v"); err != nil {
		t.Errorf("the long one: %v", err)
	}
	f.env.skew.Store(int64(60 * time.Second)) // the long one was used at 11 s
	f.g.held.sweep()
	if err := f.setIn(long, "k", "v"); err != nil {
		t.Errorf("the long one, in use: %v", err)
	}
	f.env.skew.Store(int64(121 * time.Second))
	f.g.held.sweep()
	if n := len(f.g.held.mu.open); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestOpenTransactionsAreLimited(t *testing.T) {
	f := start(t)
	h := f.g.held
	var last string
	one, err := f.g.Coordinator.Begin(t.Context(), coordinator.BeginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range OpenTxnsMax {
		if last, err = h.add(one, IdleMax); err != nil {
			t.Fatal(err)
		}
	}
	_, err = f.g.begin(t.Context(), &cairnv1.BeginRequest{})
	if classify(err, false).Kind != txn.Exhausted {
		t.Errorf("one more: %v", err)
	}
	if _, err := f.g.rollback(t.Context(), &cairnv1.RollbackRequest{Txn: last}); err != nil {
		t.Fatal(err)
	}
	f.begin(&cairnv1.BeginRequest{})
}

func TestOneHandleServesOneCallAtATime(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := f.setIn(h, fmt.Sprintf("k%02d", i), "v"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, err := f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: f.latest(h)})
	if err != nil || len(c.Written) != 50 {
		t.Errorf("%v %v", c, err)
	}
}

func TestWaitingForAHandleEnds(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	held, err := f.g.held.enter(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.g.get(ctx, &cairnv1.GetRequest{Txn: h, Key: []byte("k")})
	if classify(err, false).Kind != txn.Deadline {
		t.Errorf("got %v", err)
	}
	f.env.skew.Store(int64(time.Hour))
	if n := f.g.held.sweep(); n != 0 {
		t.Error("a transaction in use was swept")
	}
	f.g.held.leave(held)
}

func TestCloseRollsBack(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	f.g.Close()
	if err := f.setIn(h, "k", "v"); reasonOf(err) != reasonTxnGone {
		t.Errorf("after close: %v", err)
	}
	if _, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{}); reasonOf(err) != "shutting_down" {
		t.Errorf("begin after close: %v", err)
	}
}

func TestExecute(t *testing.T) {
	f := start(t)
	set := f.set("a", "1")
	key := func(s string) []byte { return []byte(s) }
	compare := func(k string, c *cairnv1.Compare) *cairnv1.Condition {
		c.Key = key(k)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: c}}
	}
	not := func(c *cairnv1.Condition) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Not{Not: c}}
	}
	any := func(cs ...*cairnv1.Condition) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Any{Any: &cairnv1.ConditionList{Conditions: cs}}}
	}
	exists := func(k string, yes bool) *cairnv1.Condition {
		return compare(k, &cairnv1.Compare{Target: &cairnv1.Compare_Exists{Exists: yes}})
	}
	const (
		ne = cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL
		lt = cairnv1.CompareOp_COMPARE_OP_LESS
		le = cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL
		gt = cairnv1.CompareOp_COMPARE_OP_GREATER
		ge = cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL
	)
	value := func(op cairnv1.CompareOp, v string) *cairnv1.Condition {
		return compare("a", &cairnv1.Compare{Op: op, Target: &cairnv1.Compare_Value{Value: str(v)}})
	}
	created := func(op cairnv1.CompareOp, at int64) *cairnv1.Condition {
		return compare("a", &cairnv1.Compare{Op: op, Target: &cairnv1.Compare_CreateTs{CreateTs: at}})
	}
	count := func(op cairnv1.CompareOp, n int64) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Count{Count: &cairnv1.CompareCount{
			Select: prefix("a"), Op: op, N: n}}}
	}
	unchanged := func(prefixed string, since int64) *cairnv1.Condition {
		return &cairnv1.Condition{Test: &cairnv1.Condition_Unchanged{Unchanged: &cairnv1.Unchanged{
			Select: prefix(prefixed), Since: since}}}
	}
	for _, tc := range []struct {
		name string
		cond *cairnv1.Condition
		want bool
	}{
		{"value", compare("a", &cairnv1.Compare{Target: &cairnv1.Compare_Value{Value: str("1")}}), true},
		{"value not", compare("a", &cairnv1.Compare{Op: ne, Target: &cairnv1.Compare_Value{Value: str("1")}}), false},
		{"missing", compare("x", &cairnv1.Compare{Op: ne, Target: &cairnv1.Compare_Value{Value: str("")}}), true},
		{"revision", compare("a", &cairnv1.Compare{Target: &cairnv1.Compare_Revision{Revision: 0}}), true},
		{"revision -1", compare("x", &cairnv1.Compare{Target: &cairnv1.Compare_Revision{Revision: -1}}), true},
		{"commit_ts 0", compare("x", &cairnv1.Compare{Target: &cairnv1.Compare_CommitTs{}}), true},
		{"commit_ts", compare("a", &cairnv1.Compare{Target: &cairnv1.Compare_CommitTs{CommitTs: 1}}), false},
		{"create_ts 0", compare("a", &cairnv1.Compare{Target: &cairnv1.Compare_CreateTs{}}), false},
		{"exists", exists("a", true), true},
		{"exists not", exists("a", false), false},
		{"not", not(exists("a", false)), true},
		{"any", any(exists("x", true), exists("a", true)), true},
		{"any of none", any(), false},
		{"not exists", compare("a", &cairnv1.Compare{Op: ne, Target: &cairnv1.Compare_Exists{Exists: true}}), false},
		{"less", value(lt, "2"), true},
		{"not less", value(lt, "1"), false},
		{"less or equal", value(le, "1"), true},
		{"greater", value(gt, "1"), false},
		{"greater or equal", value(ge, "1"), true},
		{"created before", created(lt, set.CommitTs), false},
		{"created at", created(le, set.CommitTs), true},
		{"created after", created(gt, set.CommitTs-1), true},
		{"count", count(cairnv1.CompareOp_COMPARE_OP_EQUAL, 1), true},
		{"count not", count(ne, 1), false},
		{"count less", count(lt, 1), false},
		{"count at least", count(ge, 1), true},
		{"count more", count(gt, 1), false},
		{"unchanged", unchanged("a", set.CommitTs), true},
		{"changed", unchanged("a", set.CommitTs-1), false},
		{"unchanged elsewhere", unchanged("b", 1), true},
	} {
		resp, err := f.g.executeProgram(t.Context(), &cairnv1.ExecuteRequest{
			If:   []*cairnv1.Condition{tc.cond},
			Then: []*cairnv1.Op{{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{Key: key("t"), Value: str("")}}}},
			Else: []*cairnv1.Op{{Request: &cairnv1.Op_Exists{Exists: &cairnv1.ExistsRequest{Key: key("a")}}}},
		})
		if err != nil || resp.Succeeded != tc.want {
			t.Errorf("%s: %v %v, want %v", tc.name, resp, err, tc.want)
		}
		resp, err = f.g.executeProgram(t.Context(), &cairnv1.ExecuteRequest{ // at a snapshot
			If:   []*cairnv1.Condition{tc.cond},
			Then: []*cairnv1.Op{{Request: &cairnv1.Op_Exists{Exists: &cairnv1.ExistsRequest{Key: key("a")}}}},
		})
		if err != nil || resp.Succeeded != tc.want {
			t.Errorf("%s, only read: %v %v, want %v", tc.name, resp, err, tc.want)
		}
	}
	resp, err := f.g.executeProgram(t.Context(), &cairnv1.ExecuteRequest{Then: []*cairnv1.Op{
		{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{Key: key("b"), Value: str("2")}}},
		{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: key("b")}}},
		{Request: &cairnv1.Op_Extend{Extend: &cairnv1.ExtendRequest{Key: key("a"), TtlMs: 1000}}},
		{Request: &cairnv1.Op_Delete{Delete: &cairnv1.DeleteRequest{Key: key("nothing")}}},
		{Request: &cairnv1.Op_Range{Range: &cairnv1.RangeRequest{Limit: 1}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := resp.Results
	if s := r[0].GetSet(); !s.Set || s.Revision != 0 || s.CommitTs != resp.CommitTs {
		t.Errorf("set: %v", s)
	}
	if g := r[1].GetGet(); !g.Found || g.GetValue().GetStringValue() != "2" {
		t.Errorf("get: %v", g)
	}
	if e := r[2].GetExtend(); !e.Extended {
		t.Errorf("extend: %v", e)
	}
	if d := r[3].GetDelete(); d.Deleted || d.Revision != -1 {
		t.Errorf("delete: %v", d)
	}
	page := r[4].GetRange()
	if page.Count != 1 || len(page.Cursor) == 0 {
		t.Fatalf("range: %v", page)
	}
	rest, err := f.g.rangePage(t.Context(), &cairnv1.RangeRequest{Cursor: page.Cursor})
	if err != nil || rest.CommitTs != resp.CommitTs || rest.Count == 0 {
		t.Errorf("the rest of the range: %v %v", rest, err)
	}
}
