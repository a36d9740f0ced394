package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Content types of values that have none of their own.
const (
	contentInt   = "application/x-cairn-int"
	contentFloat = "application/x-cairn-float"
	contentBool  = "application/x-cairn-bool"
	contentNull  = "application/x-cairn-null"
	contentJSON  = "application/json"
	contentText  = "text/plain; charset=utf-8"
	contentBytes = "application/octet-stream"
	contentLines = "application/x-ndjson"
)

// encodingBase64 says that a text beside it is base64 of what is not UTF-8.
const encodingBase64 = "base64"

// valueOfBody makes the value that a body of some content type is. Unknown types are bytes.
func valueOfBody(contentType string, body []byte) (*cairnv1.Value, *txn.Error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return nil, badRequest("content_type_invalid", "Content-Type %q cannot be read: %w",
			contentType, err)
	}
	text := strings.TrimSpace(string(body))
	switch kind {
	case contentJSON:
		return &cairnv1.Value{Kind: &cairnv1.Value_JsonValue{JsonValue: string(body)}}, nil
	case "text/plain":
		set := strings.ToLower(params["charset"])
		if set != "" && set != "utf-8" && set != "us-ascii" {
			return nil, badRequest(reasonEncoding, "charset %q is not taken; text is UTF-8", set)
		}
		return &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: string(body)}}, nil
	case contentInt:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, badBody("%q is not an integer of 64 bits", text)
		}
		return &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: i}}, nil
	case contentFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, badBody("%q is not a floating-point number of 64 bits", text)
		}
		return &cairnv1.Value{Kind: &cairnv1.Value_FloatValue{FloatValue: f}}, nil
	case contentBool:
		if text != "true" && text != "false" {
			return nil, badBody("%q is neither true nor false", text)
		}
		return &cairnv1.Value{Kind: &cairnv1.Value_BoolValue{BoolValue: text == "true"}}, nil
	case contentNull:
		if text != "" && text != "null" {
			return nil, badBody("%q is neither null nor empty", text)
		}
		return wireValue(txn.NullValue()), nil
	default:
		return &cairnv1.Value{Kind: &cairnv1.Value_BytesValue{BytesValue: body}}, nil
	}
}

func badBody(format, text string) *txn.Error {
	return badRequest("value_invalid", "the body "+format, clip(text))
}

// clip is the beginning of a text, for people.
func clip(text string) string {
	const most = 64
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// httpBody is v as the body of an answer: what a PUT of that content type would store again.
func httpBody(v *cairnv1.Value) (contentType string, body []byte) {
	switch k := v.GetKind().(type) {
	case *cairnv1.Value_StringValue:
		return contentText, []byte(k.StringValue)
	case *cairnv1.Value_IntValue:
		return contentInt, strconv.AppendInt(nil, k.IntValue, 10)
	case *cairnv1.Value_FloatValue:
		return contentFloat, []byte(floatText(k.FloatValue))
	case *cairnv1.Value_BoolValue:
		return contentBool, strconv.AppendBool(nil, k.BoolValue)
	case *cairnv1.Value_JsonValue:
		return contentJSON, []byte(k.JsonValue)
	case *cairnv1.Value_NullValue:
		return contentNull, nil
	default:
		return contentBytes, v.GetBytesValue()
	}
}

// floatText keeps a float a float: 3 is 3.0. Infinities and NaN are JavaScript's words.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

func typeName(v *cairnv1.Value) string {
	switch v.GetKind().(type) {
	case *cairnv1.Value_StringValue:
		return txn.String.String()
	case *cairnv1.Value_IntValue:
		return txn.Int.String()
	case *cairnv1.Value_FloatValue:
		return txn.Float.String()
	case *cairnv1.Value_BoolValue:
		return txn.Bool.String()
	case *cairnv1.Value_JsonValue:
		return txn.JSON.String()
	case *cairnv1.Value_NullValue:
		return txn.Null.String()
	default:
		return txn.Bytes.String()
	}
}

// jsonText is text that says when it had to be encoded.
func jsonText(b []byte) (text, encoding string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return base64.StdEncoding.EncodeToString(b), encodingBase64
}

// jsonValue is v as JSON, and how its text is encoded.
func jsonValue(v *cairnv1.Value) (raw json.RawMessage, encoding string) {
	switch k := v.GetKind().(type) {
	case *cairnv1.Value_IntValue:
		return strconv.AppendInt(nil, k.IntValue, 10), ""
	case *cairnv1.Value_FloatValue:
		text := floatText(k.FloatValue)
		if math.IsNaN(k.FloatValue) || math.IsInf(k.FloatValue, 0) {
			return quoteJSON(text), ""
		}
		return json.RawMessage(text), ""
	case *cairnv1.Value_BoolValue:
		return strconv.AppendBool(nil, k.BoolValue), ""
	case *cairnv1.Value_JsonValue:
		return json.RawMessage(k.JsonValue), ""
	case *cairnv1.Value_NullValue:
		return json.RawMessage("null"), ""
	case *cairnv1.Value_StringValue:
		return quoteJSON(k.StringValue), ""
	default:
		text, encoding := jsonText(v.GetBytesValue())
		return quoteJSON(text), encoding
	}
}

func quoteJSON(s string) json.RawMessage { return encodeJSON(s) }

// encodeJSON is v on one line without a line's end, < and > as they are.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // a value that was stored before it was checked
		return []byte(`{"error":{"kind":"internal","reason":"unencodable"}}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// jsonEntry is a version of a key in the endpoint's own JSON.
type jsonEntry struct {
	Key         string          `json:"key"`
	KeyEncoding string          `json:"key_encoding,omitempty"`
	Type        string          `json:"type,omitempty"`
	Value       json.RawMessage `json:"value,omitempty"`
	Encoding    string          `json:"encoding,omitempty"`
	Revision    int64           `json:"revision"`
	CommitTS    int64           `json:"commit_ts"`
	CreateTS    int64           `json:"create_ts"`
	ExpiresAt   int64           `json:"expires_at"`
}

// jsonEntryOf is nil for no entry.
func jsonEntryOf(e *cairnv1.Entry) *jsonEntry {
	if e == nil {
		return nil
	}
	out := &jsonEntry{
		Revision: e.GetRevision(), CommitTS: e.GetCommitTs(), CreateTS: e.GetCreateTs(),
		ExpiresAt: e.GetExpiresAt(),
	}
	out.Key, out.KeyEncoding = jsonText(e.GetKey())
	if e.GetValue() != nil {
		out.Type = typeName(e.GetValue())
		out.Value, out.Encoding = jsonValue(e.GetValue())
	}
	return out
}

// getOut is an entry that was asked for, or that there is none: then only key and revision mean
// anything.
type getOut struct {
	Found bool `json:"found"`
	*jsonEntry
}

func getAnswer(key []byte, resp *cairnv1.GetResponse) any {
	if !resp.GetFound() {
		return notFoundBody(key)
	}
	return &getOut{Found: true, jsonEntry: jsonEntryOf(&cairnv1.Entry{
		Key: key, Value: resp.GetValue(), Revision: resp.GetRevision(),
		CommitTs: resp.GetCommitTs(), CreateTs: resp.GetCreateTs(), ExpiresAt: resp.GetExpiresAt(),
	})}
}

type existsOut struct {
	Exists    bool  `json:"exists"`
	Revision  int64 `json:"revision"`
	CommitTS  int64 `json:"commit_ts,omitempty"`
	CreateTS  int64 `json:"create_ts,omitempty"`
	ExpiresAt int64 `json:"expires_at,omitempty"`
}

func existsAnswer(resp *cairnv1.ExistsResponse) any {
	return &existsOut{
		Exists: resp.GetExists(), Revision: resp.GetRevision(), CommitTS: resp.GetCommitTs(),
		CreateTS: resp.GetCreateTs(), ExpiresAt: resp.GetExpiresAt(),
	}
}

// setOut is what came of a set.
type setOut struct {
	Set          bool       `json:"set"`
	Revision     int64      `json:"revision"`
	PrevRevision *int64     `json:"prev_revision,omitempty"`
	CommitTS     int64      `json:"commit_ts,omitempty"`
	CreateTS     int64      `json:"create_ts,omitempty"`
	ExpiresAt    int64      `json:"expires_at,omitempty"`
	Prev         *jsonEntry `json:"prev,omitempty"`
}

func setAnswer(resp *cairnv1.SetResponse) *setOut {
	out := &setOut{
		Set: resp.GetSet(), Revision: resp.GetRevision(), CommitTS: resp.GetCommitTs(),
		ExpiresAt: resp.GetExpiresAt(), Prev: jsonEntryOf(resp.GetPrev()),
	}
	if resp.GetSet() {
		out.PrevRevision, out.CreateTS = &resp.PrevRevision, resp.GetCreateTs()
	}
	return out
}

// deleteOut is what came of a delete.
type deleteOut struct {
	Deleted      bool       `json:"deleted"`
	Revision     int64      `json:"revision"`
	PrevRevision *int64     `json:"prev_revision,omitempty"`
	CommitTS     int64      `json:"commit_ts,omitempty"`
	Prev         *jsonEntry `json:"prev,omitempty"`
}

func deleteAnswer(resp *cairnv1.DeleteResponse) *deleteOut {
	out := &deleteOut{
		Deleted: resp.GetDeleted(), Revision: resp.GetRevision(), CommitTS: resp.GetCommitTs(),
		Prev: jsonEntryOf(resp.GetPrev()),
	}
	if resp.GetDeleted() {
		out.PrevRevision = &resp.PrevRevision
	}
	return out
}

// writtenHeaders describe the version that is there after a write. tagged says that it is one, and
// as it was sent.
func writtenHeaders(h http.Header, revision, commitTS int64, tagged bool) {
	h.Set("X-Cairn-Revision", strconv.FormatInt(revision, 10))
	if revision == txn.NoRevision {
		return
	}
	h.Set("X-Cairn-Commit-Ts", strconv.FormatInt(commitTS, 10))
	if tagged {
		h.Set("ETag", etag(revision, commitTS, false))
	}
}

type notFound struct {
	Found       bool   `json:"found"`
	Key         string `json:"key"`
	KeyEncoding string `json:"key_encoding,omitempty"`
	Revision    int64  `json:"revision"`
}

func notFoundBody(key []byte) *notFound {
	n := &notFound{Revision: txn.NoRevision}
	n.Key, n.KeyEncoding = jsonText(key)
	return n
}

type jsonError struct {
	Error jsonErrorBody `json:"error"`
}

type jsonErrorBody struct {
	Kind           string `json:"kind"`
	Reason         string `json:"reason,omitempty"`
	Message        string `json:"message"`
	Key            string `json:"key,omitempty"`
	KeyEncoding    string `json:"key_encoding,omitempty"`
	Next           string `json:"next,omitempty"`
	Token          string `json:"token,omitempty"`
	OldestCommitTS int64  `json:"oldest_commit_ts,omitempty"`
	BlockerTxn     string `json:"blocker_txn,omitempty"`
	BlockerAge     int64  `json:"blocker_age,omitempty"`
}

func errorBody(e *txn.Error) *jsonError {
	b := jsonErrorBody{
		Kind: classOf(e.Kind).word, Reason: e.Reason, Message: message(e), Next: nextStep(e),
		Token: e.Token, OldestCommitTS: int64(e.Oldest),
		BlockerTxn: blockerTxn(e), BlockerAge: int64(e.OtherAge),
	}
	b.Key, b.KeyEncoding = jsonText(userKey(e))
	return &jsonError{Error: b}
}

func writeError(w http.ResponseWriter, e *txn.Error) {
	status := httpStatus(e)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, errorBody(e))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text := append(encodeJSON(body), '\n')
	h := w.Header()
	h.Set("Content-Type", contentJSON)
	h.Set("Content-Length", strconv.Itoa(len(text))) // for HEAD, too
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store") // not even a 404, which caches may keep by default
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
