package gateway

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// testBuilder turns the conditions of a one-shot transaction into tests.
type testBuilder struct {
	left int // conditions that may still come
}

func (b *testBuilder) list(in []*cairnv1.Condition, depth int) ([]txn.Test, error) {
	tests := make([]txn.Test, len(in))
	for i := range in {
		var err error
		if tests[i], err = b.test(in[i], depth); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func (b *testBuilder) test(in *cairnv1.Condition, depth int) (t txn.Test, err error) {
	if depth > ConditionDepthMax {
		return t, invalid("conditions_too_deep", "the conditions are more than %d deep",
			ConditionDepthMax)
	}
	if b.left--; b.left < 0 {
		return t, invalid("too_many_conditions", "more than %d conditions are given", OpsMax)
	}
	switch k := in.GetTest().(type) {
	case *cairnv1.Condition_Compare:
		return compareTest(k.Compare)
	case *cairnv1.Condition_All:
		t.Kind = txn.TestAll
		t.Of, err = b.list(k.All.GetConditions(), depth+1)
	case *cairnv1.Condition_Any:
		t.Kind = txn.TestAny
		t.Of, err = b.list(k.Any.GetConditions(), depth+1)
	case *cairnv1.Condition_Not:
		t.Kind = txn.TestNot
		t.Of, err = b.list([]*cairnv1.Condition{k.Not}, depth+1)
	default:
		err = invalid("condition_missing", "a condition tests nothing")
	}
	return t, err
}

// compareTest is `key <op> target`. Only equality can be asked of a key for now.
func compareTest(c *cairnv1.Compare) (txn.Test, error) {
	var t txn.Test
	negate := false
	switch c.GetOp() {
	case cairnv1.CompareOp_COMPARE_OP_UNSPECIFIED, cairnv1.CompareOp_COMPARE_OP_EQUAL:
	case cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL:
		negate = true
	default:
		return t, invalid("compare_unsupported",
			"comparison %v is not offered; equal and not-equal are", c.GetOp())
	}
	key, err := storedKey(c.GetKeyspace(), c.GetKey())
	if err != nil {
		return t, err
	}
	t = txn.Test{Kind: txn.TestKey, Key: key}
	if err = target(c, &t.Cond, key); err != nil {
		return t, err
	}
	if negate {
		t = txn.Test{Kind: txn.TestNot, Of: []txn.Test{t}}
	}
	return t, nil
}

func target(c *cairnv1.Compare, cond *txn.Cond, key txn.Key) error {
	switch k := c.GetTarget().(type) {
	case *cairnv1.Compare_Value:
		v, err := storedValue(k.Value, key)
		cond.Value = &v
		return err
	case *cairnv1.Compare_Revision:
		if k.Revision < txn.NoRevision {
			return invalid("compare_revision_invalid",
				"revision %d is compared with; it must be 0 or more, or -1 for a missing key", k.Revision)
		}
		cond.Revision = &k.Revision
	case *cairnv1.Compare_CommitTs:
		at := txn.Timestamp(k.CommitTs)
		switch {
		case at < 0:
			return invalid("compare_commit_ts_invalid",
				"commit_ts %d is compared with; it must be positive, or 0 for a missing key", at)
		case at == 0:
			cond.Absent = true
		default:
			cond.CommitTS = &at
		}
	case *cairnv1.Compare_Exists:
		cond.Present, cond.Absent = k.Exists, !k.Exists
	case *cairnv1.Compare_CreateTs:
		if k.CreateTs != 0 {
			return invalid("compare_unsupported",
				"create_ts can be compared with 0 (missing) only, not with %d", k.CreateTs)
		}
		cond.Absent = true
	default:
		return invalid("compare_target_missing", "a comparison of key %v has no target", key)
	}
	return nil
}
