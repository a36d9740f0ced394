package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// testBuilder turns the conditions of a one-shot transaction into tests.
type testBuilder struct {
	g    *Gateway
	left int // conditions that may still come
}

func (b *testBuilder) list(
	ctx context.Context, in []*cairnv1.Condition, depth int,
) ([]txn.Test, error) {
	tests := make([]txn.Test, len(in))
	for i := range in {
		var err error
		if tests[i], err = b.test(ctx, in[i], depth); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func (b *testBuilder) test(
	ctx context.Context, in *cairnv1.Condition, depth int,
) (t txn.Test, err error) {
	if depth > ConditionDepthMax {
		return t, invalid("conditions_too_deep", "the conditions are more than %d deep",
			ConditionDepthMax)
	}
	if b.left--; b.left < 0 {
		return t, invalid("too_many_conditions", "more than %d conditions are given", OpsMax)
	}
	switch k := in.GetTest().(type) {
	case *cairnv1.Condition_Compare:
		return b.g.compareTest(ctx, k.Compare)
	case *cairnv1.Condition_Count:
		return b.g.countTest(ctx, k.Count)
	case *cairnv1.Condition_Unchanged:
		return b.g.unchangedTest(ctx, k.Unchanged)
	case *cairnv1.Condition_All:
		t.Kind = txn.TestAll
		t.Of, err = b.list(ctx, k.All.GetConditions(), depth+1)
	case *cairnv1.Condition_Any:
		t.Kind = txn.TestAny
		t.Of, err = b.list(ctx, k.Any.GetConditions(), depth+1)
	case *cairnv1.Condition_Not:
		t.Kind = txn.TestNot
		t.Of, err = b.list(ctx, []*cairnv1.Condition{k.Not}, depth+1)
	default:
		err = invalid("condition_missing", "a condition tests nothing")
	}
	return t, err
}

// compareTest is `key <op> target`.
func (g *Gateway) compareTest(ctx context.Context, c *cairnv1.Compare) (t txn.Test, err error) {
	t.Kind = txn.TestCompare
	if t.Is, err = relation(c.GetOp()); err != nil {
		return t, err
	}
	if t.Key, err = g.storedKey(ctx, c.GetKeyspace(), c.GetKey()); err != nil {
		return t, err
	}
	switch k := c.GetTarget().(type) {
	case *cairnv1.Compare_Value:
		t.Value, err = storedValue(k.Value, t.Key)
		return t, firstErr(err, ordered(&t, t.Value.Type))
	case *cairnv1.Compare_Revision:
		t.Attribute, t.N = txn.AttributeRevision, k.Revision
		return t, atLeast("revision", t.N, txn.NoRevision)
	case *cairnv1.Compare_CommitTs:
		t.Attribute, t.N = txn.AttributeCommitTS, k.CommitTs
		return t, atLeast("commit_ts", t.N, 0)
	case *cairnv1.Compare_CreateTs:
		t.Attribute, t.N = txn.AttributeCreateTS, k.CreateTs
		return t, atLeast("create_ts", t.N, 0)
	case *cairnv1.Compare_Exists:
		return existsTest(t, k.Exists)
	default:
		return t, invalid("compare_target_missing", "a comparison of key %v has no target", t.Key)
	}
}

// relation is op as the store has it.
func relation(op cairnv1.CompareOp) (txn.Relation, error) {
	switch op {
	case cairnv1.CompareOp_COMPARE_OP_UNSPECIFIED, cairnv1.CompareOp_COMPARE_OP_EQUAL:
		return txn.Equal, nil
	case cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL:
		return txn.NotEqual, nil
	case cairnv1.CompareOp_COMPARE_OP_LESS:
		return txn.Less, nil
	case cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL:
		return txn.LessOrEqual, nil
	case cairnv1.CompareOp_COMPARE_OP_GREATER:
		return txn.Greater, nil
	case cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL:
		return txn.GreaterOrEqual, nil
	default:
		return 0, invalid("compare_unsupported", "comparison %d is not one of those there are", op)
	}
}

// ordered refuses to ask for less or greater where that can never hold.
func ordered(t *txn.Test, with txn.Type) error {
	equality := t.Is == txn.Equal || t.Is == txn.NotEqual
	if !equality && (with == txn.JSON || with == txn.Null) {
		return invalid("compare_unordered",
			"values of type %v have no order; equal and not-equal are offered for them", with)
	}
	return nil
}

func atLeast(what string, n, least int64) error {
	if n < least {
		return invalid("compare_"+what+"_invalid",
			"%s %d is compared with; it must be %d (a missing key) or more", what, n, least)
	}
	return nil
}

func existsTest(t txn.Test, exists bool) (txn.Test, error) {
	switch t.Is {
	case txn.Equal:
	case txn.NotEqual:
		exists = !exists
	default:
		return t, invalid("compare_unordered",
			"exists has no order; equal and not-equal are offered for it")
	}
	return txn.Test{Key: t.Key, Cond: txn.Cond{Present: exists, Absent: !exists}}, nil
}

// countTest is `count <op> n`.
func (g *Gateway) countTest(ctx context.Context, c *cairnv1.CompareCount) (txn.Test, error) {
	t := txn.Test{Kind: txn.TestCount, N: c.GetN()}
	is, err := relation(c.GetOp())
	if err != nil {
		return t, err
	}
	if t.N < 0 || t.N > txn.CountMax {
		return t, invalid("count_invalid", "a count is compared with %d; it must be 0 to %d",
			t.N, txn.CountMax)
	}
	t.Is = is
	t.Span, err = g.spanOnly(ctx, c.GetKeyspace(), c.GetSelect())
	return t, err
}

// unchangedTest leaves it to the coordinator to refuse the future, which only the oracle knows.
func (g *Gateway) unchangedTest(ctx context.Context, u *cairnv1.Unchanged) (txn.Test, error) {
	t := txn.Test{Kind: txn.TestUnchanged, Since: txn.Timestamp(u.GetSince())}
	if t.Since <= 0 || t.Since > txn.MaxTimestamp {
		return t, invalid("since_invalid",
			"since is %d; it must be microseconds since 1970, from 1 to %d", t.Since, txn.MaxTimestamp)
	}
	var err error
	t.Span, err = g.spanOnly(ctx, u.GetKeyspace(), u.GetSelect())
	return t, err
}

// spanOnly is what a condition can range over.
func (g *Gateway) spanOnly(
	ctx context.Context, keyspace string, in *cairnv1.Selection,
) (txn.Span, error) {
	sel, err := g.selectionOf(ctx, keyspace, in)
	if err == nil && !sel.filter.Empty() {
		err = invalid("filter_in_condition",
			"a condition cannot range over a bucket or a glob; name a prefix or a span")
	}
	return sel.span, err
}
