package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// HTTPRequest is a step for the HTTP endpoint.
type HTTPRequest struct {
	Method string
	Path   string // escaped, with the query
	Header [][2]string
	Body   string
}

func (r *HTTPRequest) header(name, value string) {
	r.Header = append(r.Header, [2]string{name, value})
}

// HTTP is the step as a request to the HTTP endpoint; empty if the endpoint cannot do it.
func (s *Step) HTTP() *HTTPRequest {
	switch s.Op {
	case "get", "exists":
		return s.read()
	case "set", "delete":
		if s.headersSuffice() {
			return s.write()
		}
		return s.alone()
	case "range", "stream", "count":
		return s.listing()
	case "ttl", "history":
		return s.about()
	case "make", "change", "drop", "keyspace", "keyspaces":
		return s.administration()
	case "begin", "commit", "rollback":
		return nil
	}
	return s.post()
}

// at is the path of something in the step's keyspace.
func (s *Step) at(path string, query url.Values) string {
	if s.Keyspace != "" {
		path = "/keyspaces/" + url.PathEscape(s.Keyspace) + path
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return "/v1" + path
}

// keyPath escapes what would mean something in a path, and leaves slashes as they are.
func (s *Step) keyPath() string {
	return "/keys/" + strings.ReplaceAll(url.PathEscape(s.Keys[0]), "%2F", "/")
}

// reading is the query of a read.
func (s *Step) reading() url.Values {
	q := url.Values{}
	if s.Revision != nil {
		q.Set("revision", strconv.FormatInt(*s.Revision, 10))
	}
	if s.AsOf != nil {
		q.Set("as_of", strconv.FormatInt(s.AsOf.At, 10))
	}
	if s.Eph {
		q.Set("durability", "ephemeral")
	}
	return q
}

func (s *Step) read() *HTTPRequest {
	method := http.MethodGet
	if s.Op == "exists" {
		method = http.MethodHead
	}
	return &HTTPRequest{Method: method, Path: s.at(s.keyPath(), s.reading())}
}

// headersSuffice reports whether a PUT or DELETE can say the conditions: at most one of those that
// HTTP knows.
func (s *Step) headersSuffice() bool {
	c := s.If
	if c.None() {
		return true
	}
	revision := c.Revision != nil && *c.Revision >= 0
	return c == Conditions{Absent: true} && s.Op == "set" || c == Conditions{Present: true} ||
		revision && c == Conditions{Revision: c.Revision}
}

func (s *Step) write() *HTTPRequest {
	q := s.reading()
	r := &HTTPRequest{Method: http.MethodDelete}
	if s.Op == "set" {
		r.Method = http.MethodPut
		r.header("Content-Type", contentType(s.Value.Type))
		r.Body = bodyText(s.Value)
	}
	if s.TTL != nil {
		q.Set("ttl", fmt.Sprint(*s.TTL, "ms"))
	}
	for name, yes := range map[string]bool{
		"keep_ttl": s.KeepTTL, "no_history": s.NoRev, "return_prev": s.Prev,
	} {
		if yes {
			q.Set(name, "true")
		}
	}
	switch {
	case s.If.Absent:
		r.header("If-None-Match", "*")
	case s.If.Present:
		r.header("If-Match", "*")
	case s.If.Revision != nil:
		r.header("If-Match", fmt.Sprintf(`"r%d"`, *s.If.Revision))
	}
	if s.ID != "" {
		r.header("X-Cairn-Request-Id", s.ID)
	}
	if s.Message != "" {
		r.header("X-Cairn-Message", url.PathEscape(s.Message))
	}
	r.Path = s.at(s.keyPath(), q)
	return r
}

func contentType(t txn.Type) string {
	switch t {
	case txn.String:
		return "text/plain; charset=utf-8"
	case txn.JSON:
		return "application/json"
	case txn.Int, txn.Float, txn.Bool, txn.Null:
		return "application/x-cairn-" + t.String()
	}
	return "application/octet-stream"
}

// bodyText is a value as the body of a request.
func bodyText(v *txn.Value) string {
	switch v.Type {
	case txn.Int, txn.Float, txn.Bool:
		return ValueText(v)
	case txn.Null:
		return ""
	}
	return string(v.Data)
}

// alone is a write whose conditions no header can say: a transaction of one operation. What is
// ephemeral is in none, but in a batch.
func (s *Step) alone() *HTTPRequest {
	o := &object{}
	if s.Eph {
		o.raw("items", "["+s.body().String()+"]")
		o.notes(s)
		return s.posted("/batch/set", o)
	}
	o.raw("then", "["+s.op()+"]")
	o.notes(s)
	return s.posted("/txn", o)
}

func (s *Step) posted(path string, body *object) *HTTPRequest {
	r := &HTTPRequest{Method: http.MethodPost, Path: s.at(path, nil), Body: body.String()}
	r.header("Content-Type", "application/json")
	return r
}

func (s *Step) listing() *HTTPRequest {
	q := s.reading()
	switch {
	case s.Select == nil:
	case s.Select.By == "span":
		q.Set("start", s.Select.Start)
		q.Set("end", s.Select.End)
	default:
		q.Set(s.Select.By, s.Select.Start)
	}
	if s.Select != nil && s.Select.Glob != "" {
		q.Set("glob", s.Select.Glob)
	}
	if n := s.most(); n != 0 {
		q.Set("limit", strconv.FormatInt(n, 10))
	}
	for name, yes := range map[string]bool{
		"reverse": s.Reverse, "keys_only": s.KeysOnly, "count_only": s.Op == "count",
	} {
		if yes {
			q.Set(name, "true")
		}
	}
	if s.Cursor != nil {
		q.Set("cursor", *s.Cursor)
	}
	r := &HTTPRequest{Method: http.MethodGet, Path: s.at("/keys", q)}
	if s.Op == "stream" {
		r.header("Accept", "application/x-ndjson")
	}
	return r
}

// about is a question whose key is in the query.
func (s *Step) about() *HTTPRequest {
	q := s.reading()
	q.Set("key", s.Keys[0])
	if n := s.most(); n != 0 {
		q.Set("limit", strconv.FormatInt(n, 10))
	}
	if s.KeysOnly {
		q.Set("keys_only", "true")
	}
	if s.Cursor != nil {
		q.Set("cursor", *s.Cursor)
	}
	return &HTTPRequest{Method: http.MethodGet, Path: s.at("/"+s.Op, q)}
}

func (s *Step) administration() *HTTPRequest {
	r := &HTTPRequest{Path: "/v1/keyspaces/" + url.PathEscape(s.Keyspace)}
	switch s.Op {
	case "make":
		r.Method = http.MethodPut
	case "change":
		r.Method = http.MethodPatch
	case "drop":
		r.Method = http.MethodDelete
		return r
	case "keyspaces":
		return &HTTPRequest{Method: http.MethodGet, Path: "/v1/keyspaces"}
	default:
		r.Method = http.MethodGet
		return r
	}
	o := &object{}
	for _, name := range optionNames {
		if n, ok := s.Options[name]; ok {
			o.int(name+unitOf(name), n)
		}
	}
	r.Body = o.String()
	r.header("Content-Type", "application/json")
	return r
}

// optionNames are the options of a keyspace, without units.
var optionNames = []string{
	"history_age", "history_count", "default_ttl", "value_bytes_max", "bytes_max",
}

func unitOf(option string) string {
	if option == "history_age" || option == "default_ttl" {
		return "_ms"
	}
	return ""
}
