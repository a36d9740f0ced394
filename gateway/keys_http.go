package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// serveKeys serves /v1/keys… and /v1/keyspaces/{name}/keys…. path is the escaped path.
func (g *Gateway) serveKeys(w http.ResponseWriter, r *http.Request, path string) {
	t, err := g.targetOf(r.Context(), path)
	if err == nil {
		t.query, err = queryOf(r.URL.RawQuery)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	if t.list {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methodNotAllowed(w, r, "GET, HEAD")
			return
		}
		g.serveList(w, r, t)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		err = g.serveGet(w, r, t)
	case http.MethodPut:
		err = g.servePut(w, r, t)
	case http.MethodDelete:
		err = g.serveDelete(w, r, t)
	default:
		methodNotAllowed(w, r, "GET, HEAD, PUT, DELETE")
	}
	if err != nil {
		writeError(w, err)
	}
}

// httpTarget is what a request to the HTTP endpoint is about.
type httpTarget struct {
	keyspace string
	key      []byte
	list     bool // all keys instead of one
	query    url.Values
}

// targetOf cuts keyspace and key out of an escaped path. The key is everything behind /keys/,
// unescaped once, so that no "//", "." or ".." in it means anything.
func (g *Gateway) targetOf(
	ctx context.Context, path string,
) (t httpTarget, failed *txn.Error) {
	rest := strings.TrimPrefix(path, "/v1")
	if after, ok := strings.CutPrefix(rest, "/keyspaces/"); ok {
		escaped, below, found := strings.Cut(after, "/")
		name, err := url.PathUnescape(escaped)
		if !found || err != nil {
			return t, errNoPath(path)
		}
		if t.keyspace = name; name == "" {
			return t, badRequest("keyspace_empty", "the keyspace's name is empty")
		}
		if _, err := g.keyspaceID(ctx, name); err != nil {
			return t, classify(err, false)
		}
		rest = "/" + below
	}
	if rest == "/keys" {
		t.list = true
		return t, nil
	}
	escaped, ok := strings.CutPrefix(rest, "/keys/")
	if !ok {
		return t, errNoPath(path)
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return t, badRequest("key_escape_invalid", "the key is not well escaped: %w", err)
	}
	t.key = []byte(key)
	return t, nil
}

func errNoPath(path string) *txn.Error {
	return txn.Errorf(txn.NotFound, "path_unknown",
		"there is nothing at %q; keys are at /v1/keys/{key}", path)
}

func queryOf(raw string) (url.Values, *txn.Error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("query_invalid", "the query cannot be read: %w", err)
	}
	return q, nil
}

// allow refuses query parameters that the request does not know, and repeated ones.
func (t *httpTarget) allow(names ...string) *txn.Error {
	given := make([]string, 0, len(t.query))
	for name := range t.query {
		given = append(given, name)
	}
	slices.Sort(given)
	for _, name := range given {
		if !slices.Contains(names, name) {
			list := "it takes none"
			if len(names) > 0 {
				list = "it takes " + strings.Join(names, ", ")
			}
			return badRequest("parameter_unknown",
				"query parameter %q is unknown to this request; %s", name, list)
		}
		if n := len(t.query[name]); n > 1 {
			return badRequest("parameter_repeated", "query parameter %q is given %d times", name, n)
		}
	}
	return nil
}

// integer is a query parameter's number, nil if it is not given.
func (t *httpTarget) integer(name string) (*int64, *txn.Error) {
	if !t.query.Has(name) {
		return nil, nil
	}
	n, err := strconv.ParseInt(t.query.Get(name), 10, 64)
	if err != nil {
		return nil, badRequest("parameter_invalid", "%s=%q is not an integer of 64 bits",
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
		return false, badRequest("parameter_invalid", "%s=%q is neither true nor false",
			name, t.query.Get(name))
	}
	return b, nil
}

// asOf is a time in microseconds or RFC 3339. An unescaped + has become a space on its way.
func (t *httpTarget) asOf() (*int64, *txn.Error) {
	if !t.query.Has("as_of") {
		return nil, nil
	}
	text := t.query.Get("as_of")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return &n, nil
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(text, " ", "+"))
	if err != nil {
		return nil, badRequest("parameter_invalid",
			"as_of=%q is neither microseconds since 1970 nor a time of RFC 3339", text)
	}
	n := at.UnixMicro()
	return &n, nil
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
		return 0, badRequest("parameter_invalid",
			"ttl=%q is neither milliseconds nor a duration like 30s or 5m", text)
	}
	if d != 0 && d.Abs() < time.Millisecond {
		return 0, badRequest("parameter_invalid", "ttl=%q is shorter than 1ms", text)
	}
	return d.Milliseconds(), nil
}

func (g *Gateway) serveGet(w http.ResponseWriter, r *http.Request, t httpTarget) *txn.Error {
	if err := t.allow("revision", "as_of"); err != nil {
		return err
	}
	req := &cairnv1.GetRequest{Keyspace: t.keyspace, Key: t.key}
	var failed *txn.Error
	if req.Revision, failed = t.integer("revision"); failed != nil {
		return failed
	}
	if req.AsOf, failed = t.asOf(); failed != nil {
		return failed
	}
	unless, failed := ifNoneMatch(r.Header)
	if failed != nil {
		return failed
	}
	if len(r.Header.Values("If-Match")) > 0 {
		return badRequest("condition_unsupported", "If-Match is for PUT and DELETE; "+
			"a GET takes If-None-Match")
	}
	resp, failed := call(r.Context(), g, methodGet, req, (*Gateway).get)
	if failed != nil {
		return failed
	}
	if !resp.GetFound() {
		writeJSON(w, http.StatusNotFound, notFoundBody(t.key))
		return nil
	}
	versionHeaders(w.Header(), resp)
	if unless.matches(resp.GetRevision(), resp.GetCommitTs()) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if wantsJSON(r.Header) {
		writeJSON(w, http.StatusOK, jsonEntryOf(&cairnv1.Entry{
			Key: t.key, Value: resp.GetValue(), Revision: resp.GetRevision(),
			CommitTs: resp.GetCommitTs(), CreateTs: resp.GetCreateTs(),
			ExpiresAt: resp.GetExpiresAt(),
		}))
		return nil
	}
	contentType, body := httpBody(resp.GetValue())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// versionHeaders describes the version that is answered.
func versionHeaders(h http.Header, resp *cairnv1.GetResponse) {
	h.Set("ETag", etag(resp.GetRevision(), resp.GetCommitTs()))
	h.Set("X-Cairn-Revision", strconv.FormatInt(resp.GetRevision(), 10))
	h.Set("X-Cairn-Commit-Ts", strconv.FormatInt(resp.GetCommitTs(), 10))
	h.Set("X-Cairn-Type", typeName(resp.GetValue()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache") // caches may keep it, and must ask whether it still holds
	h.Add("Vary", "Accept")
	if ms := resp.GetExpiresAt(); ms != 0 {
		h.Set("X-Cairn-Expires-At", strconv.FormatInt(ms, 10))
		h.Set("Expires", time.UnixMilli(ms).UTC().Format(http.TimeFormat))
	}
}

func (g *Gateway) servePut(w http.ResponseWriter, r *http.Request, t httpTarget) *txn.Error {
	if err := t.allow("ttl"); err != nil {
		return err
	}
	req := &cairnv1.SetRequest{Keyspace: t.keyspace, Key: t.key}
	var failed *txn.Error
	if req.TtlMs, failed = t.ttl(); failed != nil {
		return failed
	}
	if req.Conditions, failed = writeConditions(r.Header); failed != nil {
		return failed
	}
	if req.RequestId, failed = requestIDOf(r.Header); failed != nil {
		return failed
	}
	if req.Value, failed = readValue(w, r); failed != nil {
		return failed
	}
	resp, failed := call(r.Context(), g, methodSet, req, (*Gateway).set)
	if failed != nil {
		return failed
	}
	outcome := writeOutcome{
		Set: &resp.Set, Revision: resp.GetRevision(), CommitTS: resp.GetCommitTs(),
		ExpiresAt: resp.GetExpiresAt(),
	}
	status := http.StatusPreconditionFailed
	if resp.GetSet() {
		prev := resp.GetPrevRevision()
		outcome.PrevRevision, outcome.CreateTS = &prev, resp.GetCreateTs()
		if status = http.StatusOK; prev == txn.NoRevision {
			status = http.StatusCreated
		}
	}
	outcome.write(w, status)
	return nil
}

func (g *Gateway) serveDelete(w http.ResponseWriter, r *http.Request, t httpTarget) *txn.Error {
	if err := t.allow(); err != nil {
		return err
	}
	req := &cairnv1.DeleteRequest{Keyspace: t.keyspace, Key: t.key}
	var failed *txn.Error
	if req.Conditions, failed = writeConditions(r.Header); failed != nil {
		return failed
	}
	if req.RequestId, failed = requestIDOf(r.Header); failed != nil {
		return failed
	}
	if req.GetConditions().GetIfAbsent() {
		return badRequest("condition_unsupported", "If-None-Match is for GET and PUT")
	}
	resp, failed := call(r.Context(), g, methodDelete, req, (*Gateway).del)
	if failed != nil {
		return failed
	}
	outcome := writeOutcome{
		Deleted: &resp.Deleted, Revision: resp.GetRevision(), CommitTS: resp.GetCommitTs(),
	}
	switch {
	case resp.GetDeleted():
		prev := resp.GetPrevRevision()
		outcome.PrevRevision = &prev
		outcome.write(w, http.StatusOK)
	case resp.GetRevision() == txn.NoRevision:
		outcome.write(w, http.StatusNotFound)
	default:
		outcome.write(w, http.StatusPreconditionFailed)
	}
	return nil
}

// readValue reads a body no larger than a value may be.
func readValue(w http.ResponseWriter, r *http.Request) (*cairnv1.Value, *txn.Error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, badRequest(reasonEncoding,
			"Content-Encoding %q is not taken; send the value as it is", e)
	}
	if r.Header.Get("Content-Range") != "" {
		return nil, badRequest("condition_unsupported", "Content-Range: a value is written whole")
	}
	if r.ContentLength > txn.ValueBytesMax {
		return nil, errBodyTooLarge(r.ContentLength)
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, txn.ValueBytesMax), r.ContentLength)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errBodyTooLarge(tooLarge.Limit + 1)
	}
	if err != nil {
		return nil, badRequest("body_unreadable", "the body cannot be read: %w", err)
	}
	return valueOfBody(r.Header.Get("Content-Type"), body)
}

func errBodyTooLarge(atLeast int64) *txn.Error {
	return badRequest(reasonBodyTooLarge, "the body has %d bytes or more, the limit of a value is %d",
		atLeast, txn.ValueBytesMax)
}
