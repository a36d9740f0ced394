package gateway

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) update(
	ctx context.Context, req *cairnv1.UpdateRequest,
) (*cairnv1.UpdateResponse, error) {
	op, err := g.updateOp(ctx, req)
	if err != nil {
		return nil, err
	}
	res, next, err := g.write(ctx, req, &op)
	if err != nil {
		return nil, err
	}
	if req.GetTxn() != "" {
		unwritten(&res.Entry.Version)
	}
	return updateResponse(&op, &res, next), nil
}

// unwritten takes the times off a version that an open transaction has made, whenever that was.
func unwritten(v *txn.Version) { undate(v, v.TS) }

func (g *Gateway) updateOp(
	ctx context.Context, req *cairnv1.UpdateRequest,
) (op txn.Op, err error) {
	op = txn.Op{Kind: txn.OpUpdate, TTL: req.GetTtlIfNewMs(), NoHistory: req.GetNoHistory()}
	if op.Key, err = g.storedKey(ctx, req.GetKeyspace(), req.GetKey()); err != nil {
		return op, err
	}
	var operand *cairnv1.Value
	switch by := req.GetBy().(type) {
	case *cairnv1.UpdateRequest_Increment:
		op.Update, operand = txn.UpdateAdd, by.Increment
	case *cairnv1.UpdateRequest_Append:
		op.Update, operand = txn.UpdateAppend, by.Append
	case *cairnv1.UpdateRequest_Min:
		op.Update, operand = txn.UpdateMin, by.Min
	case *cairnv1.UpdateRequest_Max:
		op.Update, operand = txn.UpdateMax, by.Max
	default:
		return op, invalid("update_missing",
			"the update of key %v is none of increment, append, min and max", op.Key)
	}
	if op.Value, err = storedValue(operand, op.Key); err != nil {
		return op, err
	}
	if op.Lower, err = bound(req.GetLowerBound(), op.Key); err != nil {
		return op, err
	}
	if op.Upper, err = bound(req.GetUpperBound(), op.Key); err != nil {
		return op, err
	}
	if op.Cond, err = condition(req.GetConditions(), op.Key); err != nil {
		return op, err
	}
	return op, firstErr(checkTTL(op.TTL), op.CheckUpdate())
}

// bound is nil for one that is not given.
func bound(v *cairnv1.Value, key txn.Key) (*txn.Value, error) {
	if v == nil {
		return nil, nil
	}
	stored, err := storedValue(v, key)
	return &stored, err
}

func updateResponse(op *txn.Op, res *txn.Result, handle string) *cairnv1.UpdateResponse {
	v := &res.Entry.Version
	resp := &cairnv1.UpdateResponse{
		Updated:      res.OK,
		Revision:     v.Revision,
		CommitTs:     int64(v.TS),
		CreateTs:     int64(v.CreateTS),
		ExpiresAt:    v.Expiry.Millis(),
		PrevRevision: res.PrevRevision,
		ValueBytes:   res.Count,
		Txn:          handle,
	}
	if (res.OK || v.Revision != txn.NoRevision) && op.Update != txn.UpdateAppend {
		resp.Value = wireValue(v.Value)
	}
	return resp
}
