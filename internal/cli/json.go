package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"unicode/utf8"

	"github.com/cairnkv/cairn/client"
)

// object is a JSON object that keeps the order of its fields.
type object struct{ fields bytes.Buffer }

func newObject() *object { return &object{} }

// put adds a field whose value always marshals.
func (o *object) put(name string, value any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		text.Reset()
		text.WriteString("null")
	}
	o.raw(name, bytes.TrimSpace(text.Bytes()))
}

func (o *object) raw(name string, text []byte) {
	if o.fields.Len() > 0 {
		o.fields.WriteByte(',')
	}
	o.fields.WriteString(`"` + name + `":`)
	o.fields.Write(text)
}

// text adds a text field, or base64 and a field that says so.
func (o *object) text(name, encoding string, s []byte) {
	if utf8.Valid(s) {
		o.put(name, string(s))
		return
	}
	o.put(encoding, "base64")
	o.put(name, base64.StdEncoding.EncodeToString(s))
}

// MarshalJSON closes the object.
func (o *object) MarshalJSON() ([]byte, error) {
	return append(append([]byte{'{'}, o.fields.Bytes()...), '}'), nil
}

// entryObject is an entry as the HTTP endpoint writes it: numbers are numbers
// with all their digits, keys and strings are text, and what is not UTF-8 is
// base64 and says so.
func entryObject(e client.Entry, value bool) *object {
	o := newObject()
	o.text("key", "key_encoding", []byte(e.Key))
	o.put("revision", e.Revision)
	o.put("commit_ts", int64(e.CommitTS))
	o.put("create_ts", int64(e.CreateTS))
	o.put("expires_at", unixMS(e.ExpiresAt))
	if !value {
		return o
	}
	o.value(e.Value)
	return o
}

// value adds the fields of a value.
func (o *object) value(v client.Value) {
	o.put("type", v.Type.String())
	switch v.Type {
	case client.TypeJSON:
		o.raw("value", v.Data)
	case client.TypeInt, client.TypeBool:
		o.raw("value", valueBytes(v))
	case client.TypeNull:
		o.put("value", nil)
	case client.TypeFloat:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			o.put("value", floatText(f))
		} else {
			o.raw("value", valueBytes(v))
		}
	default:
		o.text("value", "encoding", v.Data)
	}
}
