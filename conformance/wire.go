package conformance

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Request is the step as a message of the RPC services, without a transaction's handle.
func (s *Step) Request() (proto.Message, error) {
	switch s.Op {
	case "mget":
		return &cairnv1.BatchGetRequest{
			Keyspace: s.Keyspace, Keys: s.bytes(), RequireAll: s.All, AsOf: s.AsOf.wire(),
			ForUpdate: s.Locking, Durability: s.durability(),
		}, nil
	case "mset":
		return s.batchSet(), nil
	case "mdelete":
		return &cairnv1.BatchDeleteRequest{
			Keyspace: s.Keyspace, Keys: s.bytes(), RequireAll: s.All, RequestId: []byte(s.ID),
			Durability: s.durability(), Message: s.Message,
		}, nil
	case "stream":
		return &cairnv1.RangeStreamRequest{
			Keyspace: s.Keyspace, Select: s.Select.wire(), Limit: s.Limit, Reverse: s.Reverse,
			KeysOnly: s.KeysOnly, AsOf: s.AsOf.wire(),
		}, nil
	case "history":
		return &cairnv1.HistoryRequest{
			Keyspace: s.Keyspace, Key: s.key(), Limit: s.most(), KeysOnly: s.KeysOnly,
			Cursor: s.cursor(),
		}, nil
	case "execute":
		return s.program()
	case "begin":
		return s.begin(), nil
	case "commit":
		return &cairnv1.CommitRequest{Message: s.Message}, nil
	case "rollback":
		return &cairnv1.RollbackRequest{}, nil
	case "make", "change", "drop", "keyspace", "keyspaces":
		return s.administer(), nil
	}
	op, err := s.operation()
	if err != nil {
		return nil, err
	}
	m := op.ProtoReflect()
	return m.Get(m.WhichOneof(m.Descriptor().Oneofs().Get(0))).Message().Interface(), nil
}

// operation is the step as an operation of a one-shot transaction.
func (s *Step) operation() (*cairnv1.Op, error) {
	switch s.Op {
	case "get":
		return &cairnv1.Op{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{
			Keyspace: s.Keyspace, Key: s.key(), Revision: s.Revision, AsOf: s.AsOf.wire(),
			ForUpdate: s.Locking, Durability: s.durability(),
		}}}, nil
	case "exists":
		return &cairnv1.Op{Request: &cairnv1.Op_Exists{Exists: &cairnv1.ExistsRequest{
			Keyspace: s.Keyspace, Key: s.key(), Revision: s.Revision, AsOf: s.AsOf.wire(),
			ForUpdate: s.Locking, Durability: s.durability(),
		}}}, nil
	case "set":
		return &cairnv1.Op{Request: &cairnv1.Op_Set{Set: s.set()}}, nil
	case "delete":
		return &cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: &cairnv1.DeleteRequest{
			Keyspace: s.Keyspace, Key: s.key(), Conditions: s.If.wire(), ReturnPrev: s.Prev,
			RequestId: []byte(s.ID), Durability: s.durability(), Message: s.Message,
		}}}, nil
	case "extend":
		return &cairnv1.Op{Request: &cairnv1.Op_Extend{Extend: &cairnv1.ExtendRequest{
			Keyspace: s.Keyspace, Key: s.key(), TtlMs: s.ttl(), RequestId: []byte(s.ID),
			Durability: s.durability(), Message: s.Message,
		}}}, nil
	case "ttl":
		return &cairnv1.Op{Request: &cairnv1.Op_TimeToLive{TimeToLive: &cairnv1.TimeToLiveRequest{
			Keyspace: s.Keyspace, Key: s.key(), Durability: s.durability(),
		}}}, nil
	case "increment", "append", "min", "max":
		return &cairnv1.Op{Request: &cairnv1.Op_Update{Update: s.update()}}, nil
	case "range", "count":
		return &cairnv1.Op{Request: &cairnv1.Op_Range{Range: s.rangeRequest()}}, nil
	case "delete-range":
		return &cairnv1.Op{Request: &cairnv1.Op_DeleteRange{DeleteRange: &cairnv1.DeleteRangeRequest{
			Keyspace: s.Keyspace, Select: s.Select.wire(), DryRun: s.DryRun,
			RequestId: []byte(s.ID), Message: s.Message,
		}}}, nil
	case "revert":
		return &cairnv1.Op{Request: &cairnv1.Op_Revert{Revert: s.revert()}}, nil
	}
	return nil, fmt.Errorf("%s is no operation of a transaction", s.Op)
}

func (s *Step) key() []byte {
	if len(s.Keys) == 0 {
		return nil
	}
	return []byte(s.Keys[0])
}

func (s *Step) bytes() [][]byte {
	keys := make([][]byte, len(s.Keys))
	for i, key := range s.Keys {
		keys[i] = []byte(key)
	}
	return keys
}

func (s *Step) ttl() int64 {
	if s.TTL == nil {
		return 0
	}
	return *s.TTL
}

// most is how many entries a page has.
func (s *Step) most() int64 {
	if s.Page != 0 {
		return s.Page
	}
	return s.Limit
}

func (s *Step) cursor() []byte {
	if s.Cursor == nil {
		return nil
	}
	return []byte(*s.Cursor)
}

func (s *Step) durability() cairnv1.Durability {
	if s.Eph {
		return cairnv1.Durability_DURABILITY_EPHEMERAL
	}
	return cairnv1.Durability_DURABILITY_UNSPECIFIED
}

func (m *Moment) wire() *int64 {
	if m == nil {
		return nil
	}
	return &m.At
}

// WireValue is a value of the RPC services.
func WireValue(v *txn.Value) *cairnv1.Value {
	if v == nil {
		return nil
	}
	switch v.Type {
	case txn.String:
		return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: string(v.Data)}}
	case txn.Int:
		return &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: v.Int()}}
	case txn.Float:
		return &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: v.Float()}}
	case txn.Bool:
		return &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{BoolValue: v.Bool()}}
	case txn.JSON:
		return &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: string(v.Data)}}
	case txn.Null:
		return &cairnv1.Value{
			Kind: &cairnv1.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE},
		}
	}
	return &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: v.Data}}
}

func (c *Conditions) wire() *cairnv1.WriteConditions {
	if c.None() {
		return nil
	}
	return &cairnv1.WriteConditions{
		IfAbsent: c.Absent, IfPresent: c.Present, IfValue: WireValue(c.Value),
		IfRevision: c.Revision, IfCommitTs: c.CommitTS.wire(),
	}
}

func (s *Selection) wire() *cairnv1.Selection {
	if s == nil {
		return nil
	}
	w := &cairnv1.Selection{Glob: []byte(s.Glob)}
	switch s.By {
	case "span":
		span := &cairnv1.Span{Start: []byte(s.Start), End: []byte(s.End)}
		w.By = &cairnv1.Selection_Span{Span: span}
	case "bucket":
		w.By = &cairnv1.Selection_Bucket{Bucket: []byte(s.Start)}
	default:
		w.By = &cairnv1.Selection_Prefix{Prefix: []byte(s.Start)}
	}
	return w
}

func (s *Step) set() *cairnv1.SetRequest {
	return &cairnv1.SetRequest{
		Keyspace: s.Keyspace, Key: s.key(), Value: WireValue(s.Value), Conditions: s.If.wire(),
		TtlMs: s.ttl(), KeepTtl: s.KeepTTL, NoHistory: s.NoRev, ReturnPrev: s.Prev,
		RequestId: []byte(s.ID), Durability: s.durability(), Message: s.Message,
	}
}

func (s *Step) update() *cairnv1.UpdateRequest {
	req := &cairnv1.UpdateRequest{
		Keyspace: s.Keyspace, Key: s.key(), LowerBound: WireValue(s.Lower),
		UpperBound: WireValue(s.Upper), Conditions: s.If.wire(), TtlIfNewMs: s.ttl(),
		NoHistory: s.NoRev, RequestId: []byte(s.ID), Durability: s.durability(), Message: s.Message,
	}
	v := WireValue(s.Value)
	switch s.Op {
	case "increment":
		req.By = &cairnv1.UpdateRequest_Increment{Increment: v}
	case "append":
		req.By = &cairnv1.UpdateRequest_Append{Append: v}
	case "min":
		req.By = &cairnv1.UpdateRequest_Min{Min: v}
	default:
		req.By = &cairnv1.UpdateRequest_Max{Max: v}
	}
	return req
}

func (s *Step) batchSet() *cairnv1.BatchSetRequest {
	req := &cairnv1.BatchSetRequest{
		Keyspace: s.Keyspace, RequireAll: s.All, RequestId: []byte(s.ID),
		Durability: s.durability(), Message: s.Message,
	}
	for _, item := range s.Items {
		w := item.set()
		req.Items = append(req.Items, &cairnv1.SetItem{
			Key: w.Key, Value: w.Value, Conditions: w.Conditions, TtlMs: w.TtlMs,
			KeepTtl: w.KeepTtl, NoHistory: w.NoHistory,
		})
	}
	return req
}

func (s *Step) rangeRequest() *cairnv1.RangeRequest {
	return &cairnv1.RangeRequest{
		Keyspace: s.Keyspace, Select: s.Select.wire(), Limit: s.most(),
		Reverse: s.Reverse, KeysOnly: s.KeysOnly, CountOnly: s.Op == "count",
		AsOf: s.AsOf.wire(), Cursor: s.cursor(),
	}
}

func (s *Step) revert() *cairnv1.RevertRequest {
	req := &cairnv1.RevertRequest{
		Keyspace: s.Keyspace, DryRun: s.DryRun, RequestId: []byte(s.ID), Message: s.Message,
	}
	if s.Select != nil {
		req.What = &cairnv1.RevertRequest_Select{Select: s.Select.wire()}
	} else if len(s.Keys) > 0 {
		req.What = &cairnv1.RevertRequest_Key{Key: s.key()}
	}
	if s.Revision != nil {
		req.To = &cairnv1.RevertRequest_Revision{Revision: *s.Revision}
	} else if s.AsOf != nil {
		req.To = &cairnv1.RevertRequest_AsOf{AsOf: s.AsOf.At}
	}
	return req
}

func (s *Step) begin() *cairnv1.BeginRequest {
	req := &cairnv1.BeginRequest{ReadOnly: s.Begin.ReadOnly, AsOf: s.AsOf.wire()}
	if s.Begin.Pessimistic {
		req.Mode = cairnv1.TxnMode_TXN_MODE_PESSIMISTIC
	}
	if s.Begin.Snapshot {
		req.Isolation = cairnv1.Isolation_ISOLATION_SNAPSHOT
	}
	return req
}
