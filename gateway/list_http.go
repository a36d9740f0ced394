package gateway

import (
	"bufio"
	"encoding/base64"
	"net/http"
	"strconv"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// listing is the body of an answer to GET /v1/keys.
type listing struct {
	Entries  []*jsonEntry `json:"entries"`
	Count    int64        `json:"count"`
	CommitTS int64        `json:"commit_ts"`
	Cursor   string       `json:"cursor,omitempty"`
}

// serveList answers a page as JSON, or the whole range line by line.
func (g *Gateway) serveList(w http.ResponseWriter, r *http.Request, t httpTarget) {
	req, failed := t.rangeRequest()
	if failed != nil {
		writeError(w, failed)
		return
	}
	if accepts(r.Header, contentLines) {
		g.streamList(w, r, req)
		return
	}
	resp, failed := call(r.Context(), g, methodRange, req, (*Gateway).rangePage)
	if failed != nil {
		writeError(w, failed)
		return
	}
	out := &listing{
		Entries: make([]*jsonEntry, len(resp.GetEntries())), Count: resp.GetCount(),
		CommitTS: resp.GetCommitTs(),
		Cursor:   base64.RawURLEncoding.EncodeToString(resp.GetCursor()),
	}
	for i, e := range resp.GetEntries() {
		out.Entries[i] = jsonEntryOf(e)
	}
	w.Header().Add("Vary", "Accept")
	w.Header().Set("X-Cairn-Commit-Ts", strconv.FormatInt(resp.GetCommitTs(), 10))
	writeJSON(w, http.StatusOK, out)
}

func (t *httpTarget) rangeRequest() (*cairnv1.RangeRequest, *txn.Error) {
	failed := t.allow("prefix", "start", "end", "limit", "cursor", "reverse", "keys_only", "as_of")
	if failed != nil {
		return nil, failed
	}
	req := &cairnv1.RangeRequest{Keyspace: t.keyspace}
	start, end := t.query.Get("start"), t.query.Get("end")
	switch {
	case t.query.Has("prefix") && (t.query.Has("start") || t.query.Has("end")):
		return nil, badRequest("prefix_and_span", "prefix excludes start and end")
	case t.query.Has("prefix"):
		req.Select = &cairnv1.Selection{
			By: &cairnv1.Selection_Prefix{Prefix: []byte(t.query.Get("prefix"))},
		}
	default:
		req.Select = &cairnv1.Selection{By: &cairnv1.Selection_Span{
			Span: &cairnv1.Span{Start: []byte(start), End: []byte(end)},
		}}
	}
	limit, failed := t.integer("limit")
	if failed != nil {
		return nil, failed
	}
	if limit != nil {
		req.Limit = *limit
	}
	cursor, err := base64.RawURLEncoding.DecodeString(t.query.Get("cursor"))
	if err != nil {
		return nil, badRequest(reasonCursor, "the cursor is none that was given out here")
	}
	req.Cursor = cursor
	if req.Reverse, failed = t.boolean("reverse"); failed != nil {
		return nil, failed
	}
	if req.KeysOnly, failed = t.boolean("keys_only"); failed != nil {
		return nil, failed
	}
	req.AsOf, failed = t.asOf()
	return req, failed
}

// streamList sends one entry a line, all from one snapshot. If it must stop in between, it sends
// the error as the last line and then cuts the connection, so that nobody takes a part for all.
func (g *Gateway) streamList(w http.ResponseWriter, r *http.Request, req *cairnv1.RangeRequest) {
	out := bufio.NewWriterSize(w, 64<<10)
	control := http.NewResponseController(w)
	begun := false
	_, failed := callStream(r.Context(), g, req, func(entries []txn.Entry, wk *walk, _ bool) error {
		if !begun {
			w.Header().Set("Content-Type", contentLines)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("X-Cairn-Commit-Ts", strconv.FormatInt(int64(wk.at), 10))
			w.WriteHeader(http.StatusOK)
			begun = true
		}
		for i := range entries {
			e := jsonEntryOf(wireEntry(entries[i].Key, &entries[i].Version, wk.keysOnly))
			_, _ = out.Write(append(encodeJSON(e), '\n')) // the writer keeps its first error
		}
		if err := out.Flush(); err != nil {
			return errGaveUp(r.Context().Err())
		}
		_ = control.Flush()
		return nil
	})
	switch {
	case failed == nil:
	case !begun:
		writeError(w, failed)
	default:
		_, _ = out.Write(append(encodeJSON(errorBody(failed)), '\n'))
		_ = out.Flush()
		_ = control.Flush()
		panic(http.ErrAbortHandler)
	}
}
