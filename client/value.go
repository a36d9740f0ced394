package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Value is up to 4,000,000 bytes with a type. What is stored is what comes
// back. The zero Value is no bytes at all, of type bytes.
type Value = txn.Value

// Type is the tag beside a value.
type Type = txn.Type

// The types of values.
const (
	TypeBytes  = txn.Bytes
	TypeString = txn.String
	TypeInt    = txn.Int
	TypeFloat  = txn.Float
	TypeBool   = txn.Bool
	TypeJSON   = txn.JSON
	TypeNull   = txn.Null
)

// BytesValue keeps b, which must not change until the call that uses it is over.
func BytesValue(b []byte) Value { return txn.BytesValue(b) }

// StringValue is text; writing what is not UTF-8 is invalid.
func StringValue(s string) Value { return txn.StringValue(s) }

// IntValue keeps all 64 bits.
func IntValue(i int64) Value { return txn.IntValue(i) }

// FloatValue keeps the bits, NaN and -0.0 included.
func FloatValue(f float64) Value { return txn.FloatValue(f) }

// BoolValue is true or false.
func BoolValue(b bool) Value { return txn.BoolValue(b) }

// JSONValue is JSON text, stored byte for byte; writing what is not JSON is invalid.
func JSONValue(text []byte) Value { return txn.JSONValue(text) }

// NullValue is present, and nothing more.
func NullValue() Value { return txn.NullValue() }

// ParseType finds a type by its name, such as "json".
func ParseType(name string) (Type, error) {
	for t := TypeBytes; t <= TypeNull; t++ {
		if t.String() == name {
			return t, nil
		}
	}
	return 0, invalid("value_type", fmt.Errorf(
		"no value type %q: bytes, string, int, float, bool, json, null", name))
}

func invalid(reason string, err error) *txn.Error {
	return &txn.Error{Kind: txn.Invalid, Reason: reason, Err: err}
}

func valueToWire(v Value) (*cairnv1.Value, error) {
	if err := v.Check(); err != nil {
		return nil, invalid("value", err)
	}
	w := &cairnv1.Value{}
	switch v.Type {
	case TypeBytes:
		w.Kind = &cairnv1.Value_BytesValue{BytesValue: v.Data}
	case TypeString:
		if !utf8.Valid(v.Data) {
			return nil, invalid("value", errors.New("the string is not UTF-8"))
		}
		w.Kind = &cairnv1.Value_StringValue{StringValue: string(v.Data)}
	case TypeInt:
		w.Kind = &cairnv1.Value_IntValue{IntValue: v.Int()}
	case TypeFloat:
		w.Kind = &cairnv1.Value_FloatValue{FloatValue: v.Float()}
	case TypeBool:
		w.Kind = &cairnv1.Value_BoolValue{BoolValue: v.Bool()}
	case TypeJSON:
		if !json.Valid(v.Data) || !utf8.Valid(v.Data) {
			return nil, invalid("value", errors.New("the value is not JSON"))
		}
		w.Kind = &cairnv1.Value_JsonValue{JsonValue: string(v.Data)}
	case TypeNull:
		w.Kind = &cairnv1.Value_NullValue{NullValue: structpb.NullValue_NULL_VALUE}
	}
	return w, nil
}

func valueFromWire(w *cairnv1.Value) Value {
	switch k := w.GetKind().(type) {
	case *cairnv1.Value_BytesValue:
		return BytesValue(k.BytesValue)
	case *cairnv1.Value_StringValue:
		return StringValue(k.StringValue)
	case *cairnv1.Value_IntValue:
		return IntValue(k.IntValue)
	case *cairnv1.Value_FloatValue:
		return FloatValue(k.FloatValue)
	case *cairnv1.Value_BoolValue:
		return BoolValue(k.BoolValue)
	case *cairnv1.Value_JsonValue:
		return JSONValue([]byte(k.JsonValue))
	case *cairnv1.Value_NullValue:
		return NullValue()
	}
	return Value{}
}
