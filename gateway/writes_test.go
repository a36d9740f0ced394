package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func glob(pattern string) *cairnv1.Selection {
	return &cairnv1.Selection{Glob: []byte(pattern)}
}

func intValue(i int64) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: i}}
}

func increment(i int64) *cairnv1.UpdateRequest_Increment {
	return &cairnv1.UpdateRequest_Increment{Increment: intValue(i)}
}

// What is wrong with a request is said before any shard is asked.
func TestBadWrites(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	k := []byte("k")
	update := func(r *cairnv1.UpdateRequest) error { r.Key = k; _, err := f.g.update(ctx, r); return err }
	drop := func(r *cairnv1.DeleteRangeRequest) error { _, err := f.g.deleteRange(ctx, r); return err }
	revert := func(r *cairnv1.RevertRequest) error { _, err := f.g.revert(ctx, r); return err }
	back := &cairnv1.RevertRequest_AsOf{AsOf: 1}
	whole := &cairnv1.RevertRequest_Select{Select: glob("*")}
	batch := func(r *cairnv1.BatchSetRequest) error { _, err := f.g.batchSet(ctx, r); return err }
	many := make([][]byte, BatchKeysMax+1)
	_, tooMany := f.g.batchDelete(ctx, &cairnv1.BatchDeleteRequest{Keys: many})
	_, bad := f.g.rangePage(ctx, &cairnv1.RangeRequest{Select: glob("[a")})
	_, long := f.g.rangePage(ctx, &cairnv1.RangeRequest{Select: glob(strings.Repeat("*", txn.KeyBytesMax+1))})
	for i, tc := range []struct {
		err    error
		reason string
	}{
		{update(&cairnv1.UpdateRequest{}), "update_missing"},
		{update(&cairnv1.UpdateRequest{By: &cairnv1.UpdateRequest_Increment{}}), "value_missing"},
		{update(&cairnv1.UpdateRequest{By: &cairnv1.UpdateRequest_Increment{Increment: str("1")}}), "operand_type"},
		{update(&cairnv1.UpdateRequest{By: increment(1), LowerBound: str("1")}), "bound_type"},
		{update(&cairnv1.UpdateRequest{By: &cairnv1.UpdateRequest_Max{Max: intValue(1)}, UpperBound: intValue(2)}),
			"bound_unsupported"},
		{update(&cairnv1.UpdateRequest{By: increment(1), TtlIfNewMs: -1}), "ttl_negative"},
		{update(&cairnv1.UpdateRequest{By: increment(1), RequestId: make([]byte, 65)}), "request_id_too_long"},
		{drop(&cairnv1.DeleteRangeRequest{}), "selection_missing"},
		{drop(&cairnv1.DeleteRangeRequest{DryRun: true, Select: &cairnv1.Selection{}}), "selection_missing"},
		{revert(&cairnv1.RevertRequest{To: back}), "revert_what_missing"},
		{revert(&cairnv1.RevertRequest{What: whole}), "revert_to_missing"},
		{revert(&cairnv1.RevertRequest{What: whole, To: &cairnv1.RevertRequest_Revision{}}), "revision_of_range"},
		{revert(&cairnv1.RevertRequest{What: &cairnv1.RevertRequest_Select{}, To: back}), "selection_missing"},
		{revert(&cairnv1.RevertRequest{What: &cairnv1.RevertRequest_Key{Key: k},
			To: &cairnv1.RevertRequest_Revision{Revision: -1}}), "revision_negative"},
		{revert(&cairnv1.RevertRequest{What: whole, To: &cairnv1.RevertRequest_AsOf{}}), "as_of_invalid"},
		{batch(&cairnv1.BatchSetRequest{}), "items_missing"},
		{batch(&cairnv1.BatchSetRequest{Items: []*cairnv1.SetItem{{Key: k}}}), "value_missing"},
		{tooMany, "transaction_too_large"},
		{bad, "glob_invalid"},
		{long, "glob_too_long"},
	} {
		if e, ok := errors.AsType[*txn.Error](tc.err); !ok || e.Reason != tc.reason {
			t.Errorf("%d: got %v, want reason %s", i, tc.err, tc.reason)
		}
	}
	if f.shards.commits != 0 {
		t.Errorf("%d refused requests reached the shard", f.shards.commits)
	}
}

// Each write works alone, in one call of several, and in an open transaction that rolls back.
func TestWritesInTransactions(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	keys := func(handle string) string {
		t.Helper()
		resp, err := f.g.rangePage(ctx, &cairnv1.RangeRequest{Txn: handle, Select: glob("[ab]*")})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range resp.Entries {
			got = append(got, fmt.Sprintf("%s=%d", e.Key, e.Value.GetIntValue()))
		}
		return strings.Join(got, " ")
	}
	first, err := f.g.batchSet(ctx, &cairnv1.BatchSetRequest{Items: []*cairnv1.SetItem{
		{Key: []byte("a1"), Value: intValue(1)}, {Key: []byte("a2"), Value: intValue(2)},
		{Key: []byte("a1"), Value: intValue(9), Conditions: &cairnv1.WriteConditions{IfAbsent: true}},
	}})
	if err != nil || first.Results[2].Set || !first.Results[1].Set {
		t.Fatal(first, err)
	}
	begun, err := f.g.begin(ctx, &cairnv1.BeginRequest{})
	if err != nil {
		t.Fatal(err)
	}
	h := begun.Txn
	next := func(handle string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		h = handle
	}
	up, err := f.g.update(ctx, &cairnv1.UpdateRequest{Txn: h, Key: []byte("b"), By: increment(7)})
	if next(up.GetTxn(), err); up.Value.GetIntValue() != 7 || up.CommitTs != 0 || up.Revision != 0 {
		t.Errorf("update: %v", up)
	}
	del, err := f.g.deleteRange(ctx, &cairnv1.DeleteRangeRequest{Txn: h, Select: glob("a*")})
	if next(del.GetTxn(), err); del.Count != 2 {
		t.Errorf("delete range: %v", del)
	}
	if got := keys(h); got != "b=7" {
		t.Errorf("inside: %s", got)
	}
	dry, err := f.g.revert(ctx, &cairnv1.RevertRequest{Txn: h, DryRun: true, What: &cairnv1.RevertRequest_Select{
		Select: glob("*")}, To: &cairnv1.RevertRequest_AsOf{AsOf: first.CommitTs}})
	if next(dry.GetTxn(), err); dry.Count != 3 || len(dry.Changes) != 3 || dry.Changes[2].To != nil ||
		dry.Changes[2].From.CommitTs != 0 || dry.Changes[0].To.Value.GetIntValue() != 1 {
		t.Errorf("dry run: %v", dry)
	}
	back, err := f.g.revert(ctx, &cairnv1.RevertRequest{Txn: h, What: &cairnv1.RevertRequest_Select{
		Select: glob("*")}, To: &cairnv1.RevertRequest_AsOf{AsOf: first.CommitTs}})
	if next(back.GetTxn(), err); back.Count != 3 || keys(h) != "a1=1 a2=2" {
		t.Errorf("revert: %v, %s", back, keys(h))
	}
	_, err = f.g.batchDelete(ctx, &cairnv1.BatchDeleteRequest{Txn: h, RequireAll: true,
		Keys: [][]byte{[]byte("z"), []byte("a1"), []byte("y"), []byte("z")}})
	if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != "keys_missing" ||
		!strings.Contains(e.Error(), `"y", "z"`) {
		t.Errorf("require_all: %v", err)
	}
	if _, err := f.g.rollback(ctx, &cairnv1.RollbackRequest{Txn: h}); err != nil {
		t.Fatal(err)
	}
	if got := keys(""); got != "a1=1 a2=2" {
		t.Errorf("after the rollback: %s", got)
	}
	all, err := f.g.executeProgram(ctx, &cairnv1.ExecuteRequest{Then: []*cairnv1.Op{
		{Request: &cairnv1.Op_Update{Update: &cairnv1.UpdateRequest{Key: []byte("b"), By: increment(1)}}},
		{Request: &cairnv1.Op_DeleteRange{DeleteRange: &cairnv1.DeleteRangeRequest{Select: glob("a*")}}},
		{Request: &cairnv1.Op_TimeToLive{TimeToLive: &cairnv1.TimeToLiveRequest{Key: []byte("a1")}}},
		{Request: &cairnv1.Op_Revert{Revert: &cairnv1.RevertRequest{
			What: &cairnv1.RevertRequest_Key{Key: []byte("a2")}, To: &cairnv1.RevertRequest_Revision{}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	counts := []int64{all.Results[0].GetUpdate().GetValue().GetIntValue(), all.Results[1].GetDeleteRange().GetCount(),
		all.Results[2].GetTimeToLive().GetTtlMs(), all.Results[3].GetRevert().GetCount()}
	if !slices.Equal(counts, []int64{1, 2, -1, 1}) || keys("") != "a2=2 b=1" {
		t.Errorf("%v, %s", counts, keys(""))
	}
}

// Over the limit nothing is deleted, and the error says how many there are.
func TestDeleteRangeTooLarge(t *testing.T) {
	f := start(t)
	const extra = 17
	for from := 0; from < txn.WriteKeysMax+extra; from += BatchKeysMax {
		var items []*cairnv1.SetItem
		for i := from; i < min(from+BatchKeysMax, txn.WriteKeysMax+extra); i++ {
			items = append(items, &cairnv1.SetItem{Key: fmt.Appendf(nil, "k%05d", i), Value: intValue(1)})
		}
		if _, err := f.g.batchSet(t.Context(), &cairnv1.BatchSetRequest{Items: items}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := f.g.deleteRange(t.Context(), &cairnv1.DeleteRangeRequest{Select: glob("k*")})
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Kind != txn.Exhausted || !strings.Contains(e.Error(), "10017 keys are") ||
		!strings.Contains(e.Error(), "10000") {
		t.Errorf("%v", err)
	}
	left, err := f.g.deleteRange(t.Context(), &cairnv1.DeleteRangeRequest{Select: glob("k*"), DryRun: true})
	if err != nil || left.Count != txn.WriteKeysMax+extra {
		t.Errorf("%v, %v", left, err)
	}
}
