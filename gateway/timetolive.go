package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) timeToLive(
	ctx context.Context, req *cairnv1.TimeToLiveRequest,
) (*cairnv1.TimeToLiveResponse, error) {
	key, err := g.storedKey(ctx, req.GetKeyspace(), req.GetKey())
	if err != nil {
		return nil, err
	}
	found, err := g.readPoint(ctx, pointRead{txn: req.GetTxn(), key: key, keysOnly: true, req: req})
	if err != nil {
		return nil, err
	}
	return timeToLiveResponse(&found), nil
}

func timeToLiveResponse(found *pointFound) *cairnv1.TimeToLiveResponse {
	resp := &cairnv1.TimeToLiveResponse{TtlMs: -1, Revision: txn.NoRevision, Txn: found.next}
	v := found.version
	if v == nil {
		return resp
	}
	resp.TtlMs, resp.Revision, resp.ExpiresAt = v.TTLAt(found.at), v.Revision, v.Expiry.Millis()
	return resp
}
