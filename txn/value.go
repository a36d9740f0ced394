package txn

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
)

// Type is the tag beside a value. The numbers are on disk and on the wire.
type Type uint8

const (
	Bytes Type = iota
	String
	Int
	Float
	Bool
	JSON
	Null
	typeEnd
)

var typeNames = [...]string{"bytes", "string", "int", "float", "bool", "json", "null"}

// String is the name that users see.
func (t Type) String() string {
	if t < typeEnd {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Value is a typed value in its stored form: bytes, strings and JSON text as
// they were sent; ints as 8 bytes big endian; floats as 8 bytes IEEE 754;
// bools as one byte 0 or 1; null empty.
type Value struct {
	Type Type
	Data []byte
}

// BytesValue keeps b, which must not change afterwards.
func BytesValue(b []byte) Value { return Value{Bytes, b} }

// StringValue copies s.
func StringValue(s string) Value { return Value{String, []byte(s)} }

// JSONValue keeps text, which must be valid JSON (the edges check it).
func JSONValue(text []byte) Value { return Value{JSON, text} }

// IntValue keeps all 64 bits.
func IntValue(i int64) Value {
	return Value{Int, binary.BigEndian.AppendUint64(nil, uint64(i))}
}

// FloatValue keeps the bits, NaN and -0.0 included.
func FloatValue(f float64) Value {
	return Value{Float, binary.BigEndian.AppendUint64(nil, math.Float64bits(f))}
}

// BoolValue is one byte.
func BoolValue(b bool) Value {
	if b {
		return Value{Bool, []byte{1}}
	}
	return Value{Bool, []byte{0}}
}

// NullValue has no payload.
func NullValue() Value { return Value{Type: Null} }

// Int is the number of an Int value.
func (v Value) Int() int64 { return int64(binary.BigEndian.Uint64(v.Data)) }

// Float is the number of a Float value.
func (v Value) Float() float64 { return math.Float64frombits(binary.BigEndian.Uint64(v.Data)) }

// Bool is the truth of a Bool value.
func (v Value) Bool() bool { return v.Data[0] == 1 }

// Check reports a payload that does not fit its type.
func (v Value) Check() error {
	want := -1
	switch v.Type {
	case Bytes, String, JSON:
	case Int, Float:
		want = 8
	case Bool:
		want = 1
	case Null:
		want = 0
	default:
		return fmt.Errorf("unknown value type %d", v.Type)
	}
	if want >= 0 && len(v.Data) != want {
		return fmt.Errorf("a %v has %d bytes, not %d", v.Type, want, len(v.Data))
	}
	if v.Type == Bool && v.Data[0] > 1 {
		return fmt.Errorf("a bool is 0 or 1, not %d", v.Data[0])
	}
	return nil
}

// Matches is the equality of if_value: the same type and the same bytes.
// Bytes and strings match each other, since curl and a shell cannot tell them
// apart.
func (v Value) Matches(o Value) bool {
	text := func(t Type) bool { return t == Bytes || t == String }
	return (v.Type == o.Type || text(v.Type) && text(o.Type)) && bytes.Equal(v.Data, o.Data)
}

// Compare orders v and o where that makes sense: numbers, be they ints or
// floats, by what they are exactly; bytes and strings, as one type, by their
// bytes; false before true. Two nulls are equal, and so are JSON texts of the
// same bytes. All else has no order and is not equal: values of other types
// than each other, other JSON texts, and NaN whatever the other side is.
func (v Value) Compare(o Value) (order int, ordered bool) {
	switch {
	case v.Type == Int && o.Type == Int:
		return cmp.Compare(v.Int(), o.Int()), true
	case v.Type == Float && o.Type == Float:
		a, b := v.Float(), o.Float()
		return cmp.Compare(a, b), !math.IsNaN(a) && !math.IsNaN(b)
	case v.Type == Int && o.Type == Float:
		return compareIntFloat(v.Int(), o.Float())
	case v.Type == Float && o.Type == Int:
		order, ordered = compareIntFloat(o.Int(), v.Float())
		return -order, ordered
	case v.Type <= String && o.Type <= String, v.Type == Bool && o.Type == Bool:
		return bytes.Compare(v.Data, o.Data), true
	}
	return 0, v.Matches(o)
}

// compareIntFloat converts neither to the type of the other where that rounds.
func compareIntFloat(i int64, f float64) (order int, ordered bool) {
	const beyond = 1 << 63 // the first float that no int64 reaches
	switch {
	case math.IsNaN(f):
		return 0, false
	case f >= beyond:
		return -1, true
	case f < -beyond:
		return 1, true
	}
	whole := math.Trunc(f)
	if order = cmp.Compare(i, int64(whole)); order == 0 {
		order = cmp.Compare(whole, f)
	}
	return order, true
}
