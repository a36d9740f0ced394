package gateway

import (
	"fmt"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// conditionIn is a test under its name, in the transaction's keyspace or in its own.
type conditionIn struct {
	Keyspace  string               `json:"keyspace"` // of what is in it, too
	Compare   *compareIn           `json:"compare"`
	Count     *countIn             `json:"count"`
	Unchanged *unchangedIn         `json:"unchanged"`
	All       *listIn[conditionIn] `json:"all"`
	Any       *listIn[conditionIn] `json:"any"`
	Not       *conditionIn         `json:"not"`
}

// conditionsOf is the tests of a list; path says where it is in the body.
func conditionsOf(
	path string, in []conditionIn, keyspace string,
) ([]*cairnv1.Condition, *txn.Error) {
	out := make([]*cairnv1.Condition, len(in))
	for i := range in {
		var failed *txn.Error
		if out[i], failed = in[i].wire(fmt.Sprintf("%s/%d", path, i), keyspace); failed != nil {
			return nil, failed
		}
	}
	return out, nil
}

func (c *conditionIn) wire(path, keyspace string) (*cairnv1.Condition, *txn.Error) {
	if failed := c.single(); failed != nil {
		return nil, within(failed, "%s", path)
	}
	if c.Keyspace != "" {
		keyspace = c.Keyspace
	}
	switch {
	case c.Compare != nil:
		of, failed := c.Compare.wire(keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: of}},
			within(failed, "%s/compare", path)
	case c.Count != nil:
		of, failed := c.Count.wire(keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Count{Count: of}},
			within(failed, "%s/count", path)
	case c.Unchanged != nil:
		of, failed := c.Unchanged.wire(keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Unchanged{Unchanged: of}},
			within(failed, "%s/unchanged", path)
	case c.All != nil:
		of, failed := conditionsOf(path+"/all", *c.All, keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_All{
			All: &cairnv1.ConditionList{Conditions: of},
		}}, failed
	case c.Any != nil:
		of, failed := conditionsOf(path+"/any", *c.Any, keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Any{
			Any: &cairnv1.ConditionList{Conditions: of},
		}}, failed
	default:
		of, failed := c.Not.wire(path+"/not", keyspace)
		return &cairnv1.Condition{Test: &cairnv1.Condition_Not{Not: of}}, failed
	}
}

// single refuses a condition that is none, or more than one.
func (c *conditionIn) single() *txn.Error {
	given := 0
	for _, one := range []bool{
		c.Compare != nil, c.Count != nil, c.Unchanged != nil, c.All != nil, c.Any != nil, c.Not != nil,
	} {
		if one {
			given++
		}
	}
	if given != 1 {
		return badRequest("condition_ambiguous", "a condition has to be exactly one of compare, count, "+
			"unchanged, all, any and not; %d are given", given)
	}
	return nil
}

// compareIn is `key <op> target`.
type compareIn struct {
	keyText
	valueIn
	Op       string `json:"op"`
	Revision *int64 `json:"revision"`
	CommitTS *int64 `json:"commit_ts"`
	CreateTS *int64 `json:"create_ts"`
	Exists   *bool  `json:"exists"`
}

func (c *compareIn) wire(keyspace string) (out *cairnv1.Compare, failed *txn.Error) {
	out = &cairnv1.Compare{Keyspace: keyspace}
	if out.Key, failed = c.bytes(); failed != nil {
		return nil, failed
	}
	if out.Op, failed = compareOp(c.Op); failed != nil {
		return nil, failed
	}
	given := 0
	if c.Revision != nil {
		given++
		out.Target = &cairnv1.Compare_Revision{Revision: *c.Revision}
	}
	if c.CommitTS != nil {
		given++
		out.Target = &cairnv1.Compare_CommitTs{CommitTs: *c.CommitTS}
	}
	if c.CreateTS != nil {
		given++
		out.Target = &cairnv1.Compare_CreateTs{CreateTs: *c.CreateTS}
	}
	if c.Exists != nil {
		given++
		out.Target = &cairnv1.Compare_Exists{Exists: *c.Exists}
	}
	if c.Value != nil || given == 0 {
		given++
		v, failed := c.valueIn.wire()
		if failed != nil {
			return nil, failed
		}
		out.Target = &cairnv1.Compare_Value{Value: v}
	}
	if given != 1 {
		return nil, badRequest("compare_target_ambiguous", "a comparison is with exactly one of value, "+
			"revision, commit_ts, create_ts and exists; %d are given", given)
	}
	return out, nil
}

func compareOp(name string) (cairnv1.CompareOp, *txn.Error) {
	switch name {
	case "", "equal":
		return cairnv1.CompareOp_COMPARE_OP_EQUAL, nil
	case "not_equal":
		return cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL, nil
	case "less":
		return cairnv1.CompareOp_COMPARE_OP_LESS, nil
	case "less_or_equal":
		return cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL, nil
	case "greater":
		return cairnv1.CompareOp_COMPARE_OP_GREATER, nil
	case "greater_or_equal":
		return cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL, nil
	default:
		return 0, badRequest("compare_unsupported", "op %q is none of equal, not_equal, less, "+
			"less_or_equal, greater and greater_or_equal", name)
	}
}

// countIn is `count <op> n`.
type countIn struct {
	selectIn
	Op string `json:"op"`
	N  int64  `json:"n"`
}

func (c *countIn) wire(keyspace string) (out *cairnv1.CompareCount, failed *txn.Error) {
	out = &cairnv1.CompareCount{Keyspace: keyspace, N: c.N}
	if out.Op, failed = compareOp(c.Op); failed != nil {
		return nil, failed
	}
	out.Select, failed = c.selection()
	return out, failed
}

// unchangedIn holds if no key of a range has changed.
type unchangedIn struct {
	selectIn
	Since instant `json:"since"`
}

func (u *unchangedIn) wire(keyspace string) (out *cairnv1.Unchanged, failed *txn.Error) {
	out = &cairnv1.Unchanged{Keyspace: keyspace, Since: int64(u.Since)}
	out.Select, failed = u.selection()
	return out, failed
}
