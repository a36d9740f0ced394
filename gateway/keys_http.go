package gateway

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) serveGet(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) (failed *txn.Error) {
	req := &cairnv1.GetRequest{Keyspace: t.keyspace, Key: t.key}
	if req.Revision, failed = t.integer("revision"); failed != nil {
		return failed
	}
	if req.AsOf, failed = t.asOf(); failed != nil {
		return failed
	}
	if req.Durability, failed = t.durability(); failed != nil {
		return failed
	}
	only, failed := preconditionsOf(r)
	if failed != nil {
		return failed
	}
	resp, failed := call(r.Context(), g, methodGet, req, (*Gateway).get)
	if failed != nil {
		return failed
	}
	if !resp.GetFound() {
		writeJSON(w, http.StatusNotFound, notFoundBody(t.key))
		return nil
	}
	contentType, body := httpBody(resp.GetValue())
	asJSON := prefers(r.Header, contentJSON, contentType)
	versionHeaders(w.Header(), resp, asJSON)
	switch only.read(parsedTag{
		revision: resp.GetRevision(), commitTS: resp.GetCommitTs(), json: asJSON,
	}) {
	case http.StatusNotModified:
		w.WriteHeader(http.StatusNotModified)
		return nil
	case http.StatusPreconditionFailed:
		resp.Value = nil // it is another one than was asked for
		writeJSON(w, http.StatusPreconditionFailed, getAnswer(t.key, resp))
		return nil
	}
	if asJSON {
		writeJSON(w, http.StatusOK, getAnswer(t.key, resp))
		return nil
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// versionHeaders describes the version that is answered.
func versionHeaders(h http.Header, resp *cairnv1.GetResponse, asJSON bool) {
	h.Set("ETag", etag(resp.GetRevision(), resp.GetCommitTs(), asJSON))
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

func (g *Gateway) servePut(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) *txn.Error {
	req, failed := t.setRequest()
	if failed != nil {
		return failed
	}
	only, failed := preconditionsOf(r)
	if failed != nil {
		return failed
	}
	n, failed := t.note(&noteIn{})
	if failed != nil {
		return failed
	}
	sent, failed := readLimited(w, r, txn.ValueBytesMax)
	if failed != nil {
		return failed
	}
	if req.Value, failed = valueOfBody(r.Header.Get("Content-Type"), sent); failed != nil {
		return failed
	}
	resp, failed := g.setIf(r, t, req, &only, n)
	if failed != nil {
		return failed
	}
	status := http.StatusPreconditionFailed
	if resp.GetSet() {
		if status = http.StatusOK; resp.GetPrevRevision() == txn.NoRevision {
			status = http.StatusCreated
		}
	}
	// A tag must not be answered for what is stored otherwise than it was sent (RFC 9110, 9.3.4).
	_, stored := httpBody(req.GetValue())
	writtenHeaders(w.Header(), resp.GetRevision(), resp.GetCommitTs(),
		!resp.GetSet() || bytes.Equal(sent, stored))
	writeJSON(w, status, setAnswer(resp))
	return nil
}

// setRequest is what the path and the query of a PUT say.
func (t *httpTarget) setRequest() (req *cairnv1.SetRequest, failed *txn.Error) {
	req = &cairnv1.SetRequest{Keyspace: t.keyspace, Key: t.key}
	if req.TtlMs, failed = t.ttl(); failed != nil {
		return nil, failed
	}
	if req.KeepTtl, failed = t.boolean("keep_ttl"); failed != nil {
		return nil, failed
	}
	if req.NoHistory, failed = t.boolean("no_history"); failed != nil {
		return nil, failed
	}
	if req.ReturnPrev, failed = t.boolean("return_prev"); failed != nil {
		return nil, failed
	}
	req.Durability, failed = t.durability()
	return req, failed
}

// setIf is a set under the conditions of its headers.
func (g *Gateway) setIf(
	r *http.Request, t *httpTarget, req *cairnv1.SetRequest, only *preconditions, n note,
) (*cairnv1.SetResponse, *txn.Error) {
	var ok bool
	if req.Conditions, ok = only.alone(); ok {
		req.RequestId, req.Message = n.requestID, n.message
		return call(r.Context(), g, methodSet, req, (*Gateway).set)
	}
	req.Conditions = nil
	if req.GetDurability() == cairnv1.Durability_DURABILITY_EPHEMERAL {
		return nil, errTransaction()
	}
	op := &cairnv1.Op{Request: &cairnv1.Op_Set{Set: req}}
	done, exists, failed := g.conditionally(r, t, only, op, n)
	if failed != nil || exists == nil {
		return done.GetSet(), failed
	}
	return &cairnv1.SetResponse{
		Revision: exists.GetRevision(), CommitTs: exists.GetCommitTs(),
		CreateTs: exists.GetCreateTs(), ExpiresAt: exists.GetExpiresAt(),
		PrevRevision: exists.GetRevision(),
	}, nil
}

func (g *Gateway) serveDelete(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) (failed *txn.Error) {
	req := &cairnv1.DeleteRequest{Keyspace: t.keyspace, Key: t.key}
	if req.ReturnPrev, failed = t.boolean("return_prev"); failed != nil {
		return failed
	}
	if req.Durability, failed = t.durability(); failed != nil {
		return failed
	}
	only, failed := preconditionsOf(r)
	if failed != nil {
		return failed
	}
	n, failed := t.note(&noteIn{})
	if failed != nil {
		return failed
	}
	resp, failed := g.deleteIf(r, t, req, &only, n)
	if failed != nil {
		return failed
	}
	status := http.StatusOK
	switch {
	case resp.GetDeleted():
	case resp.GetRevision() == txn.NoRevision: // whatever the conditions are: RFC 9110, 13.2.1
		status = http.StatusNotFound
	default:
		status = http.StatusPreconditionFailed
	}
	writtenHeaders(w.Header(), resp.GetRevision(), resp.GetCommitTs(), !resp.GetDeleted())
	writeJSON(w, status, deleteAnswer(resp))
	return nil
}

// deleteIf is a delete under the conditions of its headers.
func (g *Gateway) deleteIf(
	r *http.Request, t *httpTarget, req *cairnv1.DeleteRequest, only *preconditions, n note,
) (*cairnv1.DeleteResponse, *txn.Error) {
	var ok bool
	if req.Conditions, ok = only.alone(); ok {
		req.RequestId, req.Message = n.requestID, n.message
		return call(r.Context(), g, methodDelete, req, (*Gateway).del)
	}
	req.Conditions = nil
	if req.GetDurability() == cairnv1.Durability_DURABILITY_EPHEMERAL {
		return nil, errTransaction()
	}
	op := &cairnv1.Op{Request: &cairnv1.Op_Delete{Delete: req}}
	done, exists, failed := g.conditionally(r, t, only, op, n)
	if failed != nil || exists == nil {
		return done.GetDelete(), failed
	}
	return &cairnv1.DeleteResponse{
		Revision: exists.GetRevision(), CommitTs: exists.GetCommitTs(),
		PrevRevision: exists.GetRevision(),
	}, nil
}
