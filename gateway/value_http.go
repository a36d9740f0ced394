package gateway

import (
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// valueIn is a value as a body gives it, and as every answer in JSON does.
type valueIn struct {
	Type     string         `json:"type"`
	Value    jsontext.Value `json:"value"`
	Encoding string         `json:"encoding"`
}

func (v *valueIn) wire() (*cairnv1.Value, *txn.Error) {
	return jsonToValue("value", v.Value, v.Type, v.Encoding)
}

// jsonToValue is the value that a JSON text stands for. Without a type it is what JSON says: a
// string, bool or null; a number with a point or an exponent is a float, any other an int; objects
// and arrays are JSON, as they stand there. With an encoding it is bytes.
func jsonToValue(
	field string, raw jsontext.Value, kind, encoding string,
) (v *cairnv1.Value, failed *txn.Error) {
	if raw == nil {
		return nil, badRequest("value_missing", "%s is missing; a null has to be written, too", field)
	}
	if kind == "" {
		kind = naturalType(raw)
		if encoding != "" {
			kind = txn.Bytes.String()
		}
	}
	if encoding != "" && kind != txn.Bytes.String() {
		return nil, badRequest("encoding_invalid", "%s is of type %s; only bytes have an encoding",
			field, kind)
	}
	ok := false
	switch kind {
	case txn.Bytes.String():
		var b []byte
		if b, failed = decodeText(field, stringOf(raw), encoding); failed != nil {
			return nil, failed
		}
		v, ok = &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: b}}, raw.Kind() == '"'
	case txn.String.String():
		v = &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: stringOf(raw)}}
		ok = raw.Kind() == '"'
	case txn.Int.String():
		i, err := strconv.ParseInt(string(raw), 10, 64)
		v, ok = &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: i}}, err == nil
	case txn.Float.String():
		var f float64
		f, ok = jsonToFloat(raw)
		v = &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: f}}
	case txn.Bool.String():
		v = &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{BoolValue: raw.Kind() == 't'}}
		ok = raw.Kind() == 't' || raw.Kind() == 'f'
	case txn.JSON.String():
		v, ok = &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: string(raw)}}, true
	case txn.Null.String():
		v, ok = wireValue(txn.NullValue()), raw.Kind() == 'n'
	default:
		return nil, badRequest("type_unknown", "%s: there is no type %q", field, kind)
	}
	if !ok {
		return nil, badRequest("value_invalid", "%s: %s is not of type %s",
			field, clip(string(raw)), kind)
	}
	return v, nil
}

func naturalType(raw jsontext.Value) string {
	switch raw.Kind() {
	case '"':
		return txn.String.String()
	case '0':
		if strings.ContainsAny(string(raw), ".eE") {
			return txn.Float.String()
		}
		return txn.Int.String()
	case 't', 'f':
		return txn.Bool.String()
	case 'n':
		return txn.Null.String()
	default:
		return txn.JSON.String()
	}
}

// stringOf is what a JSON string says; empty for what is none.
func stringOf(raw jsontext.Value) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return ""
	}
	return s
}

func jsonToFloat(raw jsontext.Value) (float64, bool) {
	if raw.Kind() == '0' {
		f, err := strconv.ParseFloat(string(raw), 64)
		return f, err == nil
	}
	switch stringOf(raw) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	default:
		return 0, false
	}
}

// conditionsIn are conditions of a write.
type conditionsIn struct {
	IfAbsent   bool     `json:"if_absent"`
	IfPresent  bool     `json:"if_present"`
	IfValue    *valueIn `json:"if_value"`
	IfRevision *int64   `json:"if_revision"`
	IfCommitTS *int64   `json:"if_commit_ts"`
}

func (c *conditionsIn) conditions() (*cairnv1.WriteConditions, *txn.Error) {
	if *c == (conditionsIn{}) {
		return nil, nil
	}
	out := &cairnv1.WriteConditions{
		IfAbsent: c.IfAbsent, IfPresent: c.IfPresent,
		IfRevision: c.IfRevision, IfCommitTs: c.IfCommitTS,
	}
	if c.IfValue == nil {
		return out, nil
	}
	var failed *txn.Error
	out.IfValue, failed = c.IfValue.wire()
	return out, within(failed, "if_value")
}

// selectIn is which keys a body or a query asks for.
type selectIn struct {
	Prefix      *string `json:"prefix"`
	Start       *string `json:"start"`
	End         *string `json:"end"`
	Bucket      *string `json:"bucket"`
	Glob        *string `json:"glob"`
	KeyEncoding string  `json:"key_encoding"` // of all of them
}

// selection is nil if nothing is said.
func (s *selectIn) selection() (*cairnv1.Selection, *txn.Error) {
	var failed *txn.Error
	text := func(field string, given *string) []byte {
		if given == nil || failed != nil {
			return nil
		}
		var b []byte
		b, failed = decodeText(field, *given, s.KeyEncoding)
		return b
	}
	span := s.Start != nil || s.End != nil
	if s.Prefix != nil && (span || s.Bucket != nil) || s.Bucket != nil && span {
		return nil, badRequest("selection_ambiguous",
			"prefix, bucket, and start with end exclude each other; give one")
	}
	out := &cairnv1.Selection{Glob: text("glob", s.Glob)}
	switch {
	case s.Prefix != nil:
		out.By = &cairnv1.Selection_Prefix{Prefix: text("prefix", s.Prefix)}
	case s.Bucket != nil:
		out.By = &cairnv1.Selection_Bucket{Bucket: text("bucket", s.Bucket)}
	case span:
		out.By = &cairnv1.Selection_Span{
			Span: &cairnv1.Span{Start: text("start", s.Start), End: text("end", s.End)},
		}
	case s.Glob == nil:
		return nil, nil
	}
	return out, failed
}
