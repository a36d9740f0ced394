package gateway

import (
	"bufio"
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

func listingOf(resp *cairnv1.RangeResponse) *listing {
	out := &listing{
		Entries: make([]*jsonEntry, len(resp.GetEntries())), Count: resp.GetCount(),
		CommitTS: resp.GetCommitTs(), Cursor: cursorText(resp.GetCursor()),
	}
	for i, e := range resp.GetEntries() {
		out.Entries[i] = jsonEntryOf(e)
	}
	return out
}

// serveList answers a page as JSON, or the whole range line by line. A count is always JSON.
func (g *Gateway) serveList(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	req, failed := t.rangeRequest()
	if failed != nil {
		return failed
	}
	w.Header().Add("Vary", "Accept")
	if !req.GetCountOnly() && prefers(r.Header, contentLines, contentJSON) {
		if r.Method == http.MethodHead {
			req.Limit, req.KeysOnly = 1, true // the headers are the same
		}
		return g.streamList(w, r, req)
	}
	resp, failed := call(r.Context(), g, methodRange, req, (*Gateway).rangePage)
	if failed != nil {
		return failed
	}
	w.Header().Set("X-Cairn-Commit-Ts", strconv.FormatInt(resp.GetCommitTs(), 10))
	writeJSON(w, http.StatusOK, listingOf(resp))
	return nil
}

func (t *httpTarget) rangeRequest() (req *cairnv1.RangeRequest, failed *txn.Error) {
	req = &cairnv1.RangeRequest{Keyspace: t.keyspace}
	if req.Select, failed = t.selection(); failed != nil {
		return nil, failed
	}
	limit, failed := t.integer("limit")
	if failed != nil {
		return nil, failed
	}
	if limit != nil {
		req.Limit = *limit
	}
	if req.Cursor, failed = t.cursor(); failed != nil {
		return nil, failed
	}
	if req.Reverse, failed = t.boolean("reverse"); failed != nil {
		return nil, failed
	}
	if req.KeysOnly, failed = t.boolean("keys_only"); failed != nil {
		return nil, failed
	}
	if req.CountOnly, failed = t.boolean("count_only"); failed != nil {
		return nil, failed
	}
	req.AsOf, failed = t.asOf()
	return req, failed
}

// streamList sends one entry a line, all from one snapshot. If it must stop in between, it sends
// the error as the last line and then cuts the connection, so that nobody takes a part for all.
func (g *Gateway) streamList(
	w http.ResponseWriter, r *http.Request, req *cairnv1.RangeRequest,
) *txn.Error {
	out := bufio.NewWriterSize(w, 64<<10)
	control := http.NewResponseController(w)
	begun := false
	_, failed := callStream(r.Context(), g, req, func(entries []txn.Entry, wk *walk, _ bool) error {
		if !begun {
			w.Header().Set("Content-Type", contentLines)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
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
	if failed != nil && begun {
		_, _ = out.Write(append(encodeJSON(errorBody(failed)), '\n'))
		_ = out.Flush()
		_ = control.Flush()
		panic(http.ErrAbortHandler)
	}
	return failed
}
