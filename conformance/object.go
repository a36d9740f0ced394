package conformance

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnkv/cairn/txn"
)

// object writes JSON that keeps the order of its fields, and of its values every byte.
type object struct{ text strings.Builder }

// raw adds a field whose JSON is there already.
func (o *object) raw(name, text string) {
	if o.text.Len() > 0 {
		o.text.WriteByte(',')
	}
	o.text.WriteString(`"` + name + `":` + text)
}

func (o *object) String() string { return "{" + o.text.String() + "}" }

// quote is a JSON string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ':
			b.WriteString(`\u00` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func (o *object) string(name, s string) { o.raw(name, quote(s)) }

func (o *object) int(name string, n int64) { o.raw(name, strconv.FormatInt(n, 10)) }

// flag adds what is true.
func (o *object) flag(name string, yes bool) {
	if yes {
		o.raw(name, "true")
	}
}

// key adds a key, and how it is encoded if it is not text.
func (o *object) key(key string) {
	if utf8.ValidString(key) {
		o.string("key", key)
		return
	}
	o.string("key", base64.StdEncoding.EncodeToString([]byte(key)))
	o.string("key_encoding", "base64")
}

// keys adds many, all of them encoded in the same way.
func (o *object) keys(keys []string) {
	var list []string
	text := utf8.ValidString(strings.Join(keys, ""))
	for _, key := range keys {
		if !text {
			key = base64.StdEncoding.EncodeToString([]byte(key))
		}
		list = append(list, quote(key))
	}
	o.raw("keys", "["+strings.Join(list, ",")+"]")
	if !text {
		o.string("key_encoding", "base64")
	}
}

// value adds a value in the HTTP endpoint's own JSON: with its type, unless JSON itself says it.
func (o *object) value(name string, v *txn.Value) {
	switch v.Type {
	case txn.Int, txn.Bool, txn.Null:
		o.raw(name, ValueText(v))
		return
	case txn.String:
		if utf8.Valid(v.Data) {
			o.string(name, string(v.Data))
			return
		}
		o.string(name, base64.StdEncoding.EncodeToString(v.Data))
		o.string("type", "string")
		o.string("encoding", "base64")
		return
	case txn.Float:
		text := FloatText(v.Float())
		if strings.ContainsAny(text, "aI") { // NaN and the infinities
			text = quote(text)
		}
		o.raw(name, text)
	case txn.JSON:
		o.raw(name, string(v.Data))
	default:
		if utf8.Valid(v.Data) {
			o.string(name, string(v.Data))
		} else {
			o.string(name, base64.StdEncoding.EncodeToString(v.Data))
			o.string("encoding", "base64")
		}
	}
	o.string("type", v.Type.String())
}

// conditions adds the conditions of a write.
func (o *object) conditions(c *Conditions) {
	o.flag("if_absent", c.Absent)
	o.flag("if_present", c.Present)
	if c.Value != nil {
		v := &object{}
		v.value("value", c.Value)
		o.raw("if_value", v.String())
	}
	if c.Revision != nil {
		o.int("if_revision", *c.Revision)
	}
	if c.CommitTS != nil {
		o.int("if_commit_ts", c.CommitTS.At)
	}
}

// selection adds which keys.
func (o *object) selection(s *Selection) {
	if s == nil {
		return
	}
	text := utf8.ValidString(s.Start + s.End + s.Glob)
	put := func(name, v string) {
		if !text {
			v = base64.StdEncoding.EncodeToString([]byte(v))
		}
		o.string(name, v)
	}
	switch s.By {
	case "span":
		put("start", s.Start)
		put("end", s.End)
	default:
		put(s.By, s.Start)
	}
	if s.Glob != "" {
		put("glob", s.Glob)
	}
	if !text {
		o.string("key_encoding", "base64")
	}
}

func (o *object) notes(s *Step) {
	if s.ID != "" {
		o.string("request_id", s.ID)
	}
	if s.Message != "" {
		o.string("message", s.Message)
	}
	if s.Eph {
		o.string("durability", "ephemeral")
	}
}
