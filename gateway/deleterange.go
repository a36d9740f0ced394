package gateway

import (
	"context"
	"errors"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) deleteRange(
	ctx context.Context, req *cairnv1.DeleteRangeRequest,
) (*cairnv1.DeleteRangeResponse, error) {
	if req.GetDryRun() {
		return g.countDeleted(ctx, req)
	}
	op, err := g.deleteRangeOp(ctx, req)
	if err != nil {
		return nil, err
	}
	done, err := g.writeRange(ctx, req, &op)
	if err != nil {
		return nil, g.counted(ctx, req, err)
	}
	return &cairnv1.DeleteRangeResponse{
		Count: done.Count, CommitTs: int64(done.at), Txn: done.next,
	}, nil
}

// counted tells, if err says that they are too many, how many keys there are. The transaction
// stopped at the first that was too many, and a whole count is nothing to keep locks for.
func (g *Gateway) counted(
	ctx context.Context, req *cairnv1.DeleteRangeRequest, err error,
) error {
	e, ours := errors.AsType[*txn.Error](err)
	if !ours || e.Reason != txn.ReasonTooLarge || req.GetTxn() != "" {
		return err
	}
	all, failed := g.countDeleted(ctx, req)
	if failed != nil || all.GetCount() <= txn.WriteKeysMax { // it is not the number of keys
		return err
	}
	e = txn.Errorf(txn.Exhausted, txn.ReasonTooLarge,
		"%d keys are to be deleted, the limit of a transaction is %d",
		all.GetCount(), txn.WriteKeysMax)
	e.Next = "nothing was done: take smaller ranges, or page by page (cairn delete --batched)"
	return e
}

// countDeleted counts in constant memory, however many there are.
func (g *Gateway) countDeleted(
	ctx context.Context, req *cairnv1.DeleteRangeRequest,
) (*cairnv1.DeleteRangeResponse, error) {
	sel, err := g.required(ctx, req.GetKeyspace(), req.GetSelect())
	if err == nil {
		_, err = g.requestOf(req)
	}
	if err != nil {
		return nil, err
	}
	w := &walk{g: g, handle: req.GetTxn(), sel: sel, rest: sel.span, keysOnly: true}
	n, err := w.count(ctx)
	return &cairnv1.DeleteRangeResponse{Count: n, CommitTs: int64(w.at), Txn: w.handle}, err
}

// deleteRangeOp makes of a dry run a range that is counted.
func (g *Gateway) deleteRangeOp(
	ctx context.Context, req *cairnv1.DeleteRangeRequest,
) (txn.Op, error) {
	sel, err := g.required(ctx, req.GetKeyspace(), req.GetSelect())
	op := txn.Op{Kind: txn.OpDeleteRange, Span: sel.span, Filter: sel.filter}
	if req.GetDryRun() {
		op.Kind, op.CountOnly = txn.OpRange, true
	}
	return op, err
}
