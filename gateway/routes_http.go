package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// handler serves one route. What it returns is answered as an error.
type handler func(*Gateway, http.ResponseWriter, *http.Request, *httpTarget) *txn.Error

// route is one thing that the HTTP endpoint can do. openapi.json describes the same ones, and a
// test holds the two against each other.
type route struct {
	method  string // GET stands for HEAD, too
	path    string // below /v1 and, unless it is clusterWide, below /v1/keyspaces/{keyspace}
	query   []string
	serve   handler
	options routeOptions
}

// routeOptions are what only some routes have.
type routeOptions uint8

const (
	clusterWide routeOptions = 1 << iota // of no keyspace
	conditional                          // it takes If-Match and If-None-Match
)

const (
	pathKeys      = "/keys"
	pathKey       = "/keys/{key}"
	pathKeyspaces = "/keyspaces"
	pathKeyspace  = "/keyspaces/{keyspace}"
)

var routes = [...]route{
	{http.MethodGet, pathKeys, []string{
		"prefix", "start", "end", "bucket", "glob", "limit", "cursor", "reverse", "keys_only",
		"count_only", "as_of",
	}, (*Gateway).serveList, 0},
	{http.MethodGet, pathKey, []string{"revision", "as_of", "durability"},
		(*Gateway).serveGet, conditional},
	{http.MethodPut, pathKey, []string{
		"ttl", "keep_ttl", "no_history", "return_prev", "durability",
	}, (*Gateway).servePut, conditional},
	{http.MethodDelete, pathKey, []string{"return_prev", "durability"},
		(*Gateway).serveDelete, conditional},
	{http.MethodPost, "/increment", nil, post(
		methodUpdate, (*Gateway).update, (*incrementBody).request, updateAnswer), 0},
	{http.MethodPost, "/append", nil, post(
		methodUpdate, (*Gateway).update, (*operandBody).appending, updateAnswer), 0},
	{http.MethodPost, "/min", nil, post(
		methodUpdate, (*Gateway).update, (*operandBody).minimum, updateAnswer), 0},
	{http.MethodPost, "/max", nil, post(
		methodUpdate, (*Gateway).update, (*operandBody).maximum, updateAnswer), 0},
	{http.MethodPost, "/extend", nil, post(
		methodExtend, (*Gateway).extend, (*extendBody).request, extendAnswer), 0},
	{http.MethodGet, "/ttl", []string{"key", "durability"}, (*Gateway).serveTTL, 0},
	{http.MethodPost, "/batch/get", nil, post(
		methodBatchGet, (*Gateway).batchGet, (*batchGetBody).request, batchGetAnswer), 0},
	{http.MethodPost, "/batch/set", nil, post(
		methodBatchSet, (*Gateway).batchSet, (*batchSetBody).request, batchSetAnswer), 0},
	{http.MethodPost, "/batch/delete", nil, post(
		methodBatchDelete, (*Gateway).batchDelete, (*batchDeleteBody).request, batchDeleteAnswer), 0},
	{http.MethodPost, "/delete-range", nil, post(
		methodDeleteRange, (*Gateway).deleteRange, (*deleteRangeBody).request, deleteRangeAnswer), 0},
	{http.MethodGet, "/history", []string{"key", "limit", "cursor", "keys_only"},
		(*Gateway).serveHistory, 0},
	{http.MethodPost, "/revert", nil, post(
		methodRevert, (*Gateway).revert, (*revertBody).request, revertAnswer), 0},
	{http.MethodPost, "/txn", nil, (*Gateway).serveTxn, 0},
	{http.MethodGet, pathKeyspaces, nil, (*Gateway).serveKeyspaces, clusterWide},
	{http.MethodGet, pathKeyspace, nil, (*Gateway).serveKeyspace, clusterWide},
	{http.MethodPut, pathKeyspace, nil, (*Gateway).serveKeyspacePut, clusterWide},
	{http.MethodPatch, pathKeyspace, nil, (*Gateway).serveKeyspacePatch, clusterWide},
	{http.MethodDelete, pathKeyspace, nil, (*Gateway).serveKeyspaceDelete, clusterWide},
	{http.MethodGet, "/openapi.json", nil, (*Gateway).serveOpenAPI, clusterWide},
}

// httpTarget is what a request to the HTTP endpoint is about.
type httpTarget struct {
	path     string // of its route
	below    bool   // it names the keyspace that it works in
	keyspace string
	key      []byte
	query    url.Values
	header   http.Header
}

// serveV1 serves /v1/…. path is the escaped path.
func (g *Gateway) serveV1(w http.ResponseWriter, r *http.Request, path string) {
	t, failed := targetOf(path)
	if failed == nil {
		t.header = r.Header
		failed = g.serveRoute(w, r, &t)
	}
	if failed != nil {
		writeError(w, failed)
	}
}

// targetOf cuts keyspace and key out of an escaped path. The key is everything behind /keys/,
// unescaped once, so that no "//", "." or ".." in it means anything.
func targetOf(path string) (t httpTarget, failed *txn.Error) {
	rest := strings.TrimPrefix(path, "/v1")
	if after, ok := strings.CutPrefix(rest, pathKeyspaces+"/"); ok {
		escaped, below, found := strings.Cut(after, "/")
		name, err := url.PathUnescape(escaped)
		if err != nil {
			return t, errNoPath(path)
		}
		if t.keyspace = name; name == "" {
			return t, badRequest("keyspace_empty", "the keyspace's name is empty")
		}
		if !found {
			t.path = pathKeyspace
			return t, nil
		}
		t.below, rest = true, "/"+below
	}
	t.path = rest
	if escaped, ok := strings.CutPrefix(rest, pathKeys+"/"); ok {
		key, err := url.PathUnescape(escaped)
		if err != nil {
			return t, badRequest("key_escape_invalid", "the key is not well escaped: %w", err)
		}
		t.path, t.key = pathKey, []byte(key)
	}
	return t, nil
}

// serveRoute finds the route, and refuses what it does not know.
func (g *Gateway) serveRoute(w http.ResponseWriter, r *http.Request, t *httpTarget) *txn.Error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	var allow []string
	for i := range routes {
		known := &routes[i]
		if known.path != t.path || t.below && known.options&clusterWide != 0 {
			continue
		}
		if known.method == method {
			if failed := t.admit(r, known); failed != nil {
				return failed
			}
			return known.serve(g, w, r, t)
		}
		if allow = append(allow, known.method); known.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if len(allow) == 0 {
		return errNoPath(r.URL.EscapedPath())
	}
	methodNotAllowed(w, r, strings.Join(allow, ", "))
	return nil
}

// admit refuses query parameters that the route does not know, repeated ones, and conditions of a
// write that takes none: one that is passed over would be a write that nobody wanted.
func (t *httpTarget) admit(r *http.Request, known *route) *txn.Error {
	var err error
	if t.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return badRequest("query_invalid", "the query cannot be read: %w", err)
	}
	given := make([]string, 0, len(t.query))
	for name := range t.query {
		given = append(given, name)
	}
	slices.Sort(given)
	for _, name := range given {
		if !slices.Contains(known.query, name) {
			list := "it takes none"
			if len(known.query) > 0 {
				list = "it takes " + strings.Join(known.query, ", ")
			}
			return badRequest("parameter_unknown",
				"query parameter %q is unknown to this request; %s", name, list)
		}
		if n := len(t.query[name]); n > 1 {
			return badRequest("parameter_repeated", "query parameter %q is given %d times", name, n)
		}
	}
	if known.method == http.MethodGet || known.options&conditional != 0 {
		return nil
	}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if len(r.Header.Values(name)) > 0 {
			return badRequest(reasonCondition,
				"%s is for requests to %s; this one says its conditions in its body", name, pathKey)
		}
	}
	return nil
}

func errNoPath(path string) *txn.Error {
	return txn.Errorf(txn.NotFound, "path_unknown",
		"there is nothing at %q; keys are at /v1/keys/{key}, and /v1/openapi.json lists the rest", path)
}
