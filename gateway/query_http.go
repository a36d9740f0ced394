package gateway

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// integer is a query parameter's number, nil if it is not given.
func (t *httpTarget) integer(name string) (*int64, *txn.Error) {
	if !t.query.Has(name) {
		return nil, nil
	}
	n, err := strconv.ParseInt(t.query.Get(name), 10, 64)
	if err != nil {
		return nil, badRequest(reasonParameter, "%s=%q is not an integer of 64 bits",
			name, t.query.Get(name))
	}
	return &n, nil
}

// boolean is a query parameter's truth: a parameter without a value is true.
func (t *httpTarget) boolean(name string) (bool, *txn.Error) {
	if !t.query.Has(name) || t.query.Get(name) == "" {
		return t.query.Has(name), nil
	}
	b, err := strconv.ParseBool(t.query.Get(name))
	if err != nil {
		return false, badRequest(reasonParameter, "%s=%q is neither true nor false",
			name, t.query.Get(name))
	}
	return b, nil
}

// text is a query parameter's text, nil if it is not given.
func (t *httpTarget) text(name string) *string {
	if !t.query.Has(name) {
		return nil
	}
	text := t.query.Get(name)
	return &text
}

// asOf is a time, nil if it is not given. An unescaped + has become a space on its way.
func (t *httpTarget) asOf() (*int64, *txn.Error) {
	if !t.query.Has("as_of") {
		return nil, nil
	}
	at, err := parseInstant(strings.ReplaceAll(t.query.Get("as_of"), " ", "+"))
	if err != nil {
		return nil, badRequest(reasonParameter, "as_of=%w", err)
	}
	return &at, nil
}

// ttl is a duration in Go's syntax or bare milliseconds; 0 if it is not given.
func (t *httpTarget) ttl() (int64, *txn.Error) {
	if !t.query.Has("ttl") {
		return 0, nil
	}
	text := t.query.Get("ttl")
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, badRequest(reasonParameter,
			"ttl=%q is neither milliseconds nor a duration like 30s or 5m", text)
	}
	if d != 0 && d.Abs() < time.Millisecond {
		return 0, badRequest(reasonParameter, "ttl=%q is shorter than 1ms", text)
	}
	return d.Milliseconds(), nil
}

// cursor is the opaque bytes that an answer gave out; nil if it is not given.
func (t *httpTarget) cursor() ([]byte, *txn.Error) {
	b, err := base64.RawURLEncoding.DecodeString(t.query.Get("cursor"))
	if err != nil {
		return nil, badRequest(reasonCursor, "the cursor is none that was given out here")
	}
	return b, nil
}

func cursorText(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// selection is which keys the query asks for, nil if it does not say.
func (t *httpTarget) selection() (*cairnv1.Selection, *txn.Error) {
	in := selectIn{
		Prefix: t.text("prefix"), Start: t.text("start"), End: t.text("end"),
		Bucket: t.text("bucket"), Glob: t.text("glob"),
	}
	return in.selection()
}

func (t *httpTarget) durability() (cairnv1.Durability, *txn.Error) {
	return durabilityNamed(t.query.Get("durability"))
}

// queryKey is the key that a query names.
func (t *httpTarget) queryKey() ([]byte, *txn.Error) {
	if !t.query.Has("key") {
		return nil, badRequest("key_empty", "the query names no key; say ?key=…")
	}
	return []byte(t.query.Get("key")), nil
}
