package client

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// DeleteRangeOptions of DeleteRange.
type DeleteRangeOptions struct {
	DryRun    bool   // delete nothing, only count
	RequestID string // see SetOptions
	Message   string // see SetOptions
}

// DeleteRangeResult says how many keys went.
type DeleteRangeResult struct {
	Count    int64     // keys that were deleted, or would be
	CommitTS Timestamp // where nothing was deleted, the snapshot that was read
}

// DeleteRange removes what r selects in one transaction: all of it, or nothing.
// More than 10,000 keys or 8 MiB of them are txn.Exhausted; see
// DeleteRangeBatched. Of r only what it selects matters; it must come from All,
// Prefix, Bucket or Span.
func (k *KV) DeleteRange(
	ctx context.Context, r Range, o DeleteRangeOptions,
) (DeleteRangeResult, error) {
	if err := k.persistentOnly("delete_range"); err != nil {
		return DeleteRangeResult{}, err
	}
	req := deleteRangeToWire(k.keyspace, &r, &o)
	c := &call{
		method: cairnv1.Method_METHOD_KV_DELETE_RANGE, effect: commits, req: req,
		res: &cairnv1.DeleteRangeResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: rangeAnchor(k.keyspace, req.Select),
	}
	if o.DryRun {
		c.effect = reads
	}
	if err := k.do(ctx, c); err != nil {
		return DeleteRangeResult{}, err
	}
	return deleteRangeFromWire(c.res.(*cairnv1.DeleteRangeResponse)), nil
}

func deleteRangeToWire(
	keyspace string, r *Range, o *DeleteRangeOptions,
) *cairnv1.DeleteRangeRequest {
	return &cairnv1.DeleteRangeRequest{
		Keyspace: keyspace, Select: r.selection(), DryRun: o.DryRun,
		RequestId: []byte(o.RequestID), Message: o.Message,
	}
}

func deleteRangeFromWire(res *cairnv1.DeleteRangeResponse) DeleteRangeResult {
	return DeleteRangeResult{Count: res.Count, CommitTS: Timestamp(res.CommitTs)}
}
