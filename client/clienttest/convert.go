package clienttest

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// stored keeps a value as the bytes of its message: nothing here looks inside.
func stored(w *cairnv1.Value) txn.Value {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(w)
	if err != nil {
		panic(fmt.Sprintf("a value that was unmarshalled does not marshal: %v", err))
	}
	return txn.BytesValue(data)
}

func wireValue(v txn.Value) *cairnv1.Value {
	w := &cairnv1.Value{}
	if err := proto.Unmarshal(v.Data, w); err != nil {
		panic(fmt.Sprintf("a value that was marshalled does not unmarshal: %v", err))
	}
	return w
}

// typed is a value that can be compared.
func typed(w *cairnv1.Value) txn.Value {
	switch k := w.GetKind().(type) {
	case *cairnv1.Value_BytesValue:
		return txn.BytesValue(k.BytesValue)
	case *cairnv1.Value_StringValue:
		return txn.StringValue(k.StringValue)
	case *cairnv1.Value_IntValue:
		return txn.IntValue(k.IntValue)
	case *cairnv1.Value_FloatValue:
		return txn.FloatValue(k.FloatValue)
	case *cairnv1.Value_BoolValue:
		return txn.BoolValue(k.BoolValue)
	case *cairnv1.Value_JsonValue:
		return txn.JSONValue([]byte(k.JsonValue))
	}
	return txn.NullValue()
}

func entry(key txn.Key, v *txn.Version, value bool) *cairnv1.Entry {
	e := &cairnv1.Entry{
		Key: key.User(), Revision: v.Revision, CommitTs: int64(v.TS),
		CreateTs: int64(v.CreateTS), ExpiresAt: v.Expiry.Millis(),
	}
	if value {
		e.Value = wireValue(v.Value)
	}
	return e
}

func getResponse(v txn.Version, handle string) *cairnv1.GetResponse {
	if v.TS == 0 {
		return &cairnv1.GetResponse{Revision: txn.NoRevision, Txn: handle}
	}
	return &cairnv1.GetResponse{
		Found: true, Value: wireValue(v.Value), Revision: v.Revision, CommitTs: int64(v.TS),
		CreateTs: int64(v.CreateTS), ExpiresAt: v.Expiry.Millis(), Txn: handle,
	}
}

func cond(w *cairnv1.WriteConditions) txn.Cond {
	if w == nil {
		return txn.Cond{}
	}
	c := txn.Cond{Absent: w.IfAbsent, Present: w.IfPresent, Revision: w.IfRevision}
	if w.IfCommitTs != nil {
		c.CommitTS = new(txn.Timestamp(*w.IfCommitTs))
	}
	if w.IfValue != nil {
		c.Value = new(stored(w.IfValue))
	}
	return c
}

// writeOp is the operation that a writing request asks for.
func writeOp(s *store, req proto.Message) (*txn.Op, error) {
	op := &txn.Op{}
	var user []byte
	switch r := req.(type) {
	case *cairnv1.SetRequest:
		if n := proto.Size(r.Value); n > txn.ValueBytesMax+16 {
			return nil, txn.Errorf(txn.Invalid, "value_too_large",
				"the value has %d bytes, the limit is %d", n, txn.ValueBytesMax)
		}
		op.Kind, user, op.Key = txn.OpSet, r.Key, s.key(r.Keyspace, r.Key)
		op.Cond, op.Value, op.TTL = cond(r.Conditions), stored(r.Value), r.TtlMs
		op.KeepTTL, op.NoHistory, op.ReturnPrev = r.KeepTtl, r.NoHistory, r.ReturnPrev
	case *cairnv1.DeleteRequest:
		op.Kind, user, op.Key = txn.OpDelete, r.Key, s.key(r.Keyspace, r.Key)
		op.Cond, op.ReturnPrev = cond(r.Conditions), r.ReturnPrev
	case *cairnv1.ExtendRequest:
		op.Kind, user, op.Key = txn.OpExtend, r.Key, s.key(r.Keyspace, r.Key)
		op.TTL = r.TtlMs
	default:
		return nil, errNoOp
	}
	if op.TTL < 0 {
		return nil, txn.Errorf(txn.Invalid, "ttl", "the TTL of %d ms is negative", op.TTL)
	}
	return op, checkKey(user)
}

// writeResponse is the answer to op as far as it is known before it commits.
func writeResponse(op *txn.Op, r *txn.Result, handle string) proto.Message {
	v := &r.Entry.Version
	var prev *cairnv1.Entry
	if r.Prev != nil {
		prev = entry(r.Prev.Key, &r.Prev.Version, true)
	}
	switch op.Kind {
	case txn.OpSet:
		return &cairnv1.SetResponse{
			Set: r.OK, Revision: v.Revision, CommitTs: int64(v.TS), CreateTs: int64(v.CreateTS),
			ExpiresAt: v.Expiry.Millis(), PrevRevision: r.PrevRevision, Prev: prev, Txn: handle,
		}
	case txn.OpDelete:
		return &cairnv1.DeleteResponse{
			Deleted: r.OK, Revision: v.Revision, CommitTs: int64(v.TS),
			PrevRevision: r.PrevRevision, Prev: prev, Txn: handle,
		}
	default:
		return &cairnv1.ExtendResponse{
			Extended: r.OK, Revision: v.Revision, CommitTs: int64(v.TS),
			ExpiresAt: v.Expiry.Millis(), Txn: handle,
		}
	}
}

// fill completes the answer to a write with what its commit made of it.
func fill(req, res proto.Message, written []txn.Written) {
	switch r := req.(type) {
	case *cairnv1.BatchSetRequest:
		for i, item := range r.Items {
			fill(item, res.(*cairnv1.BatchSetResponse).Results[i], written)
		}
		return
	case *cairnv1.BatchDeleteRequest:
		for i, key := range r.Keys {
			fill(&cairnv1.DeleteRequest{Key: key}, res.(*cairnv1.BatchDeleteResponse).Results[i], written)
		}
		return
	}
	r, ok := req.(interface{ GetKey() []byte })
	if !ok {
		return
	}
	for i := range written {
		w := &written[i]
		v := &w.Version
		if !w.Wrote || string(w.Key.User()) != string(r.GetKey()) {
			continue
		}
		switch a := res.(type) {
		case *cairnv1.SetResponse:
			if a.Set {
				a.Revision, a.CommitTs, a.CreateTs = v.Revision, int64(v.TS), int64(v.CreateTS)
				a.ExpiresAt, a.PrevRevision = v.Expiry.Millis(), w.PrevRevision
			}
		case *cairnv1.UpdateResponse:
			if a.Updated {
				a.Revision, a.CommitTs, a.CreateTs = v.Revision, int64(v.TS), int64(v.CreateTS)
				a.ExpiresAt, a.PrevRevision = v.Expiry.Millis(), w.PrevRevision
			}
		case *cairnv1.DeleteResponse:
			if a.Deleted {
				a.Revision, a.CommitTs, a.PrevRevision = v.Revision, int64(v.TS), w.PrevRevision
			}
		case *cairnv1.ExtendResponse:
			if a.Extended {
				a.Revision, a.CommitTs = v.Revision, int64(v.TS)
				a.ExpiresAt = v.Expiry.Millis()
			}
		}
	}
}
