package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// fields are a JSON object of the HTTP endpoint or of the CLI, which use the same names.
type fields map[string]json.RawMessage

func parseFields(text []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return f, nil
}

func (f fields) text(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// decoded is a text field with its encoding.
func (f fields) decoded(name, encoding string) string {
	s := f.text(name)
	if f.text(encoding) == "base64" {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "no base64: " + s
		}
		return string(b)
	}
	return s
}

func (f fields) int(name string) *int64 {
	n, err := strconv.ParseInt(string(f[name]), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// zeroed is int, 0 if there is nothing.
func (f fields) zeroed(name string) *int64 {
	if n := f.int(name); n != nil {
		return n
	}
	var zero int64
	return &zero
}

// value is the typed value beside its type, nil if there is none.
func (f fields) value() (*txn.Value, error) {
	raw, ok := f["value"]
	if !ok {
		return nil, nil
	}
	var v txn.Value
	var err error
	switch kind := f.text("type"); kind {
	case "int":
		var n int64
		n, err = strconv.ParseInt(string(raw), 10, 64)
		v = txn.IntValue(n)
	case "float":
		var x float64
		x, err = strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
		if whole := strings.Trim(string(raw), `"`); !strings.ContainsAny(whole, ".eaI") {
			err = fmt.Errorf("float %s looks like an int", whole)
		}
		v = txn.FloatValue(x)
	case "bool":
		v = txn.BoolValue(string(raw) == "true")
	case "null":
		v = txn.NullValue()
	case "json":
		v = txn.JSONValue(raw)
	case "string":
		v = txn.StringValue(f.decoded("value", "encoding"))
	case "bytes":
		v = txn.BytesValue([]byte(f.decoded("value", "encoding")))
	default:
		err = fmt.Errorf("a value of type %q", kind)
	}
	return &v, err
}

// doneFields say whether something was found or done.
var doneFields = []string{"found", "exists", "set", "deleted", "extended", "updated", "succeeded", "created"}

// answer reads an object by the names of its fields.
func (f fields) answer() (a answer, err error) {
	for _, name := range doneFields {
		if raw, ok := f[name]; ok && len(raw) < 6 { // a bool: an operation's answer is longer
			done := string(raw) == "true"
			a.done = &done
		}
	}
	a.key = f.decoded("key", "key_encoding")
	a.revision, a.prev, a.count = f.int("revision"), f.int("prev_revision"), f.int("count")
	a.commit, a.create = f.int("commit_ts"), f.int("create_ts")
	if a.expires = f.zeroed("expires_at"); a.revision == nil {
		a.expires = nil
	}
	a.operation, a.message = f.text("operation"), f.text("message")
	if n := f.int("ttl_ms"); n != nil {
		found := *n >= 0
		a.ttl, a.done = n, &found
	}
	if a.value, err = f.value(); err != nil {
		return a, err
	}
	if prev, ok := f["prev"]; ok {
		var was answer
		if was, err = answerOfJSON(prev); err != nil {
			return a, err
		}
		a.was = &was
	}
	for _, name := range []string{"entries", "results", "changes"} {
		if err := f.items(&a, name); err != nil {
			return a, err
		}
	}
	if _, ok := f["from"]; ok {
		err = f.change(&a)
	}
	return a, err
}

func answerOfJSON(text []byte) (answer, error) {
	no := int64(-1)
	done := false
	if string(text) == "null" {
		return answer{done: &done, revision: &no}, nil
	}
	f, err := parseFields(text)
	if err != nil {
		return answer{}, err
	}
	a, err := f.answer()
	if a.done == nil { // an entry that is there
		done = true
		a.done = &done
	}
	return a, err
}

func (f fields) items(a *answer, name string) error {
	if f[name] == nil {
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(f[name], &list); err != nil {
		return err
	}
	for _, text := range list {
		item, err := parseFields(text)
		if err != nil {
			return err
		}
		var b answer
		if inner, ok := item.operation(); ok {
			b, err = answerOfJSON(inner)
		} else {
			b, err = answerOfJSON(text)
		}
		if err != nil {
			return err
		}
		a.items = append(a.items, b)
	}
	return nil
}

// operation is what is under the one name of a transaction's result.
func (f fields) operation() (json.RawMessage, bool) {
	if len(f) != 1 {
		return nil, false
	}
	for _, inner := range f {
		return inner, bytes.HasPrefix(inner, []byte("{"))
	}
	return nil, false
}

func (f fields) change(a *answer) error {
	for _, side := range []string{"from", "to"} {
		b, err := answerOfJSON(f[side])
		if err != nil {
			return err
		}
		a.items = append(a.items, b)
	}
	return nil
}

// options are a keyspace.
func (f fields) options() map[string]int64 {
	out := make(map[string]int64)
	for _, name := range optionNames {
		out[name] = *f.zeroed(name + unitOf(name))
	}
	for _, name := range []string{"keys", "bytes", "versions"} {
		out[name] = *f.zeroed(name)
	}
	return out
}
