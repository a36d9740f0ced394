package client

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// deletePage is how many keys DeleteRangeBatched removes at once: even the longest are half of
// what a transaction may write.
const deletePage = 1000

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

// DeleteRangeBatched removes what r selects, however much it is, page by page.
// It is not atomic: others see some keys gone and some not, and what was written
// after it began stays unless it is one of the keys that were there. After an
// error the keys that it counted are gone, and it may be called again.
func (k *KV) DeleteRangeBatched(ctx context.Context, r Range, message string) (int64, error) {
	r.KeysOnly, r.Page = true, deletePage
	count := int64(0)
	var page []string
	flush := func() error {
		results, err := k.BatchDelete(ctx, page, BatchOptions{Message: message})
		for i := range results {
			if results[i].Deleted {
				count++
			}
		}
		page = page[:0]
		return err
	}
	for e, err := range k.Scan(ctx, r) {
		if err != nil {
			return count, err
		}
		if page = append(page, e.Key); len(page) == deletePage {
			if err := flush(); err != nil {
				return count, err
			}
		}
	}
	if len(page) == 0 {
		return count, nil
	}
	err := flush()
	return count, err
}
