package gateway

import (
	"net/http"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// extendIn changes when a key expires. ttl_ms is required: 0 means never.
type extendIn struct {
	keyText
	durabilityIn
	TTLMs *int64 `json:"ttl_ms"`
}

func (e *extendIn) wire(keyspace string) (req *cairnv1.ExtendRequest, failed *txn.Error) {
	if e.TTLMs == nil {
		return nil, badRequest("ttl_missing", "ttl_ms is missing; 0 lets the key live for ever")
	}
	req = &cairnv1.ExtendRequest{Keyspace: keyspace, TtlMs: *e.TTLMs}
	if req.Key, failed = e.bytes(); failed != nil {
		return nil, failed
	}
	req.Durability, failed = e.durability()
	return req, failed
}

func (e *extendIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req, failed := e.wire(keyspace)
	return &cairnv1.Op{Request: &cairnv1.Op_Extend{Extend: req}}, failed
}

type extendBody struct {
	extendIn
	noteIn
}

func (b *extendBody) request(t *httpTarget) (*cairnv1.ExtendRequest, *txn.Error) {
	req, failed := b.wire(t.keyspace)
	if failed != nil {
		return nil, failed
	}
	n, failed := t.note(&b.noteIn)
	req.RequestId, req.Message = n.requestID, n.message
	return req, failed
}

type extendOut struct {
	Extended  bool  `json:"extended"`
	Revision  int64 `json:"revision"`
	CommitTS  int64 `json:"commit_ts"`
	ExpiresAt int64 `json:"expires_at"`
}

func extendAnswer(resp *cairnv1.ExtendResponse) any {
	return &extendOut{
		Extended: resp.GetExtended(), Revision: resp.GetRevision(),
		CommitTS: resp.GetCommitTs(), ExpiresAt: resp.GetExpiresAt(),
	}
}

// ttlIn asks when a key expires.
type ttlIn struct {
	keyText
	durabilityIn
}

func (i *ttlIn) op(keyspace string) (*cairnv1.Op, *txn.Error) {
	req := &cairnv1.TimeToLiveRequest{Keyspace: keyspace}
	var failed *txn.Error
	if req.Key, failed = i.bytes(); failed != nil {
		return nil, failed
	}
	req.Durability, failed = i.durability()
	return &cairnv1.Op{Request: &cairnv1.Op_TimeToLive{TimeToLive: req}}, failed
}

type ttlOut struct {
	TTLMs     int64 `json:"ttl_ms"`
	Revision  int64 `json:"revision"`
	ExpiresAt int64 `json:"expires_at"`
}

func ttlAnswer(resp *cairnv1.TimeToLiveResponse) any {
	return &ttlOut{
		TTLMs: resp.GetTtlMs(), Revision: resp.GetRevision(), ExpiresAt: resp.GetExpiresAt(),
	}
}

func (g *Gateway) serveTTL(
	w http.ResponseWriter, r *http.Request, t *httpTarget,
) (failed *txn.Error) {
	req := &cairnv1.TimeToLiveRequest{Keyspace: t.keyspace}
	if req.Key, failed = t.queryKey(); failed != nil {
		return failed
	}
	if req.Durability, failed = t.durability(); failed != nil {
		return failed
	}
	resp, failed := call(r.Context(), g, methodTimeToLive, req, (*Gateway).timeToLive)
	if failed != nil {
		return failed
	}
	writeJSON(w, http.StatusOK, ttlAnswer(resp))
	return nil
}
