package gateway

import (
	"google.golang.org/protobuf/types/known/structpb"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// storedValue checks a value that came in for key and brings it into its stored form, sharing its
// bytes.
func storedValue(v *cairnv1.Value, key txn.Key) (txn.Value, error) {
	var s txn.Value
	switch k := v.GetKind().(type) {
	case *cairnv1.Value_BytesValue:
		s = txn.BytesValue(k.BytesValue)
	case *cairnv1.Value_StringValue:
		s = txn.StringValue(k.StringValue)
	case *cairnv1.Value_IntValue:
		s = txn.IntValue(k.IntValue)
	case *cairnv1.Value_FloatValue:
		s = txn.FloatValue(k.FloatValue)
	case *cairnv1.Value_BoolValue:
		s = txn.BoolValue(k.BoolValue)
	case *cairnv1.Value_JsonValue:
		s = txn.JSONValue([]byte(k.JsonValue))
	case *cairnv1.Value_NullValue:
		s = txn.NullValue()
	default:
		e := txn.Errorf(txn.Invalid, "value_missing", "the value has no kind; even null is one")
		e.Key = key
		return s, e
	}
	return s, checkValue(s, key)
}

// wireValue is v as the services carry it, sharing the bytes of v. It is nil for what is no value.
func wireValue(v txn.Value) *cairnv1.Value {
	if v.Check() != nil {
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
	default:
		return &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: v.Data}}
	}
}

// wireEntry is a version of a key that exists.
func wireEntry(key txn.Key, v *txn.Version, keysOnly bool) *cairnv1.Entry {
	e := &cairnv1.Entry{
		Key:       key.User(),
		Revision:  v.Revision,
		CommitTs:  int64(v.TS),
		CreateTs:  int64(v.CreateTS),
		ExpiresAt: v.Expiry.Millis(),
	}
	if !keysOnly {
		e.Value = wireValue(v.Value)
	}
	return e
}

func wireEntries(entries []txn.Entry, keysOnly bool) []*cairnv1.Entry {
	out := make([]*cairnv1.Entry, len(entries))
	for i := range entries {
		out[i] = wireEntry(entries[i].Key, &entries[i].Version, keysOnly)
	}
	return out
}
