package gateway

import (
	"net/http"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

type historyOut struct {
	Entries []*historyEntryOut `json:"entries"`
	Cursor  string             `json:"cursor,omitempty"`
}

type historyEntryOut struct {
	*jsonEntry
	Operation string `json:"operation"`
	Principal string `json:"principal,omitempty"`
	Message   string `json:"message,omitempty"`
}

func (g *Gateway) serveHistory(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) (failed *txn.Error) {
	req := &cairnv1.HistoryRequest{Keyspace: t.keyspace}
	if req.Key, failed = t.queryKey(); failed != nil {
		return failed
	}
	limit, failed := t.integer("limit")
	if failed != nil {
		return failed
	}
	if limit != nil {
		req.Limit = *limit
	}
	if req.Cursor, failed = t.cursor(); failed != nil {
		return failed
	}
	if req.KeysOnly, failed = t.boolean("keys_only"); failed != nil {
		return failed
	}
	resp, failed := call(r.Context(), g, methodHistory, req, (*Gateway).history)
	if failed != nil {
		return failed
	}
	writeJSON(w, http.StatusOK, historyAnswer(resp))
	return nil
}

func historyAnswer(resp *cairnv1.HistoryResponse) any {
	out := &historyOut{
		Entries: make([]*historyEntryOut, len(resp.GetEntries())), Cursor: cursorText(resp.GetCursor()),
	}
	for i, e := range resp.GetEntries() {
		out.Entries[i] = &historyEntryOut{
			jsonEntry: jsonEntryOf(e.GetEntry()), Operation: operationName(e.GetOperation()),
			Principal: e.GetPrincipal(), Message: e.GetMessage(),
		}
	}
	return out
}

func operationName(op cairnv1.HistoryOperation) string {
	switch op {
	case cairnv1.HistoryOperation_HISTORY_OPERATION_DELETE:
		return "delete"
	case cairnv1.HistoryOperation_HISTORY_OPERATION_EXTEND:
		return "extend"
	default:
		return "set"
	}
}
