package client

import (
	"context"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// RevertOptions of Revert and RevertRange.
type RevertOptions struct {
	DryRun    bool   // change nothing, only answer the Changes
	RequestID string // see SetOptions
	Message   string // see SetOptions
}

// RevertResult says what went back.
type RevertResult struct {
	Count    int64          // keys that were changed, or would be
	CommitTS Timestamp      // where nothing was changed, the snapshot that was read
	Changes  []RevertChange // of a dry run, in key order
}

// RevertChange is what a revert does to one key.
type RevertChange struct {
	Key  string
	From *Entry // what is there; nil = nothing
	To   *Entry // what comes back; nil = the key is deleted
}

// Revert brings a key back to what it was AtRevision or AsOf, by a new revision,
// with the time to live that it had left. A key that is as it was stays
// untouched. A revision that is not in its history is txn.NotFound.
func (k *KV) Revert(
	ctx context.Context, key string, to ReadOption, o RevertOptions,
) (RevertResult, error) {
	req := revertToWire(k.keyspace, to, &o)
	req.What = &cairnv1.RevertRequest_Key{Key: []byte(key)}
	return k.revert(ctx, req, anchor{k.keyspace, []byte(key)})
}

// RevertRange is Revert for all that r selects, also what exists at one of the
// two times only, in one transaction. More than 10,000 changes or 8 MiB of them
// are txn.Exhausted; see RevertRangeBatched. Of r only what it selects matters; it
// must come from All, Prefix, Bucket or Span.
func (k *KV) RevertRange(
	ctx context.Context, r Range, at Timestamp, o RevertOptions,
) (RevertResult, error) {
	req := revertToWire(k.keyspace, AsOf(at), &o)
	req.What = &cairnv1.RevertRequest_Select{Select: r.selection()}
	return k.revert(ctx, req, rangeAnchor(k.keyspace, r.selection()))
}

func (k *KV) revert(
	ctx context.Context, req *cairnv1.RevertRequest, first anchor,
) (RevertResult, error) {
	if err := k.persistentOnly("revert"); err != nil {
		return RevertResult{}, err
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_REVERT, effect: commits, req: req,
		res: &cairnv1.RevertResponse{}, handle: &req.Txn,
		request: &req.RequestId, anchor: first,
	}
	if req.DryRun {
		c.effect = reads
	}
	if err := k.do(ctx, c); err != nil {
		return RevertResult{}, err
	}
	return revertFromWire(c.res.(*cairnv1.RevertResponse)), nil
}

// revertToWire is a request that does not yet say what goes back.
func revertToWire(keyspace string, to ReadOption, o *RevertOptions) *cairnv1.RevertRequest {
	req := &cairnv1.RevertRequest{
		Keyspace: keyspace, DryRun: o.DryRun, RequestId: []byte(o.RequestID), Message: o.Message,
	}
	switch v := versionOf([]ReadOption{to}); {
	case v.revision != nil:
		req.To = &cairnv1.RevertRequest_Revision{Revision: *v.revision}
	case v.asOf != nil:
		req.To = &cairnv1.RevertRequest_AsOf{AsOf: *v.asOf}
	}
	return req
}

func revertFromWire(res *cairnv1.RevertResponse) RevertResult {
	out := RevertResult{Count: res.Count, CommitTS: Timestamp(res.CommitTs)}
	for _, w := range res.Changes {
		out.Changes = append(out.Changes, RevertChange{
			Key: string(w.Key), From: prevFromWire(w.From), To: prevFromWire(w.To),
		})
	}
	return out
}
