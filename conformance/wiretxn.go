package conformance

import (
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// program is an execute.
func (s *Step) program() (*cairnv1.ExecuteRequest, error) {
	req := &cairnv1.ExecuteRequest{RequestId: []byte(s.ID), Message: s.Message}
	if s.Test != nil {
		req.If = []*cairnv1.Condition{s.Test.wire()}
	}
	for _, branch := range []struct {
		from []*Step
		to   *[]*cairnv1.Op
	}{{s.Then, &req.Then}, {s.Else, &req.Else}} {
		for _, step := range branch.from {
			op, err := step.operation()
			if err != nil {
				return nil, err
			}
			*branch.to = append(*branch.to, op)
		}
	}
	return req, nil
}

var relations = map[string]cairnv1.CompareOp{
	"=":  cairnv1.CompareOp_COMPARE_OP_EQUAL,
	"!=": cairnv1.CompareOp_COMPARE_OP_NOT_EQUAL,
	"<":  cairnv1.CompareOp_COMPARE_OP_LESS,
	"<=": cairnv1.CompareOp_COMPARE_OP_LESS_OR_EQUAL,
	">":  cairnv1.CompareOp_COMPARE_OP_GREATER,
	">=": cairnv1.CompareOp_COMPARE_OP_GREATER_OR_EQUAL,
}

func (t *Test) wire() *cairnv1.Condition {
	list := &cairnv1.ConditionList{}
	for _, of := range t.Of {
		list.Conditions = append(list.Conditions, of.wire())
	}
	switch t.Op {
	case "and":
		return &cairnv1.Condition{Test: &cairnv1.Condition_All{All: list}}
	case "or":
		return &cairnv1.Condition{Test: &cairnv1.Condition_Any{Any: list}}
	case "not":
		return &cairnv1.Condition{Test: &cairnv1.Condition_Not{Not: list.Conditions[0]}}
	case "count":
		return &cairnv1.Condition{Test: &cairnv1.Condition_Count{Count: &cairnv1.CompareCount{
			Select: t.Select.wire(), Op: relations[t.Relation], N: t.Number,
		}}}
	case "unchanged":
		return &cairnv1.Condition{Test: &cairnv1.Condition_Unchanged{Unchanged: &cairnv1.Unchanged{
			Select: t.Select.wire(), Since: t.Moment.At,
		}}}
	}
	c := &cairnv1.Compare{Key: []byte(t.Key), Op: relations[t.Relation]}
	switch t.Op {
	case "value":
		c.Target = &cairnv1.Compare_Value{Value: WireValue(t.Value)}
	case "revision":
		c.Target = &cairnv1.Compare_Revision{Revision: t.Number}
	case "commit_ts":
		c.Target = &cairnv1.Compare_CommitTs{CommitTs: t.Moment.At}
	case "create_ts":
		c.Target = &cairnv1.Compare_CreateTs{CreateTs: t.Moment.At}
	default:
		c.Target = &cairnv1.Compare_Exists{Exists: t.Op == "exists"}
	}
	return &cairnv1.Condition{Test: &cairnv1.Condition_Compare{Compare: c}}
}

// administer is what KeyspaceService does.
func (s *Step) administer() proto.Message {
	option := func(name string) *int64 {
		if n, ok := s.Options[name]; ok {
			return &n
		}
		return nil
	}
	switch s.Op {
	case "make":
		return &cairnv1.CreateKeyspaceRequest{Keyspace: &cairnv1.Keyspace{
			Name: s.Keyspace, HistoryAgeMs: s.Options["history_age"],
			HistoryCount: s.Options["history_count"], DefaultTtlMs: s.Options["default_ttl"],
			ValueBytesMax: s.Options["value_bytes_max"], BytesMax: s.Options["bytes_max"],
		}}
	case "change":
		return &cairnv1.UpdateKeyspaceRequest{
			Name: s.Keyspace, HistoryAgeMs: option("history_age"),
			HistoryCount: option("history_count"), DefaultTtlMs: option("default_ttl"),
			ValueBytesMax: option("value_bytes_max"), BytesMax: option("bytes_max"),
		}
	case "drop":
		return &cairnv1.DeleteKeyspaceRequest{Name: s.Keyspace}
	case "keyspace":
		return &cairnv1.GetKeyspaceRequest{Name: s.Keyspace}
	}
	return &cairnv1.ListKeyspacesRequest{}
}
