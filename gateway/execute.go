package gateway

import (
	"context"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// ExecuteRangeMax is how many entries a range inside a one-shot transaction answers at most.
const ExecuteRangeMax = 10_000

func (g *Gateway) executeProgram(
	ctx context.Context, req *cairnv1.ExecuteRequest,
) (*cairnv1.ExecuteResponse, error) {
	p, err := g.program(ctx, req)
	if err != nil {
		return nil, err
	}
	request, err := g.requestID(req.GetRequestId())
	if err != nil {
		return nil, err
	}
	res, err := g.execute(ctx, p, request)
	if err != nil {
		return nil, err
	}
	ran := req.GetThen()
	ops := p.Then
	if !res.Succeeded {
		ran, ops = req.GetElse(), p.Else
	}
	resp := &cairnv1.ExecuteResponse{Succeeded: res.Succeeded, CommitTs: int64(res.CommitTS)}
	resp.Results = make([]*cairnv1.OpResult, len(ran))
	for i := range ran {
		resp.Results[i] = opResult(ran[i], &ops[i], &res.Results[i], res)
	}
	return resp, nil
}

// program checks req as a whole.
func (g *Gateway) program(
	ctx context.Context, req *cairnv1.ExecuteRequest,
) (*txn.Program, error) {
	n := len(req.GetThen()) + len(req.GetElse())
	if n == 0 {
		return nil, invalid("operations_missing", "neither then nor else has an operation")
	}
	if n > OpsMax {
		return nil, invalid("too_many_operations", "%d operations are given, the limit is %d",
			n, OpsMax)
	}
	p := &txn.Program{
		If:         txn.Test{Kind: txn.TestAll},
		Annotation: txn.Annotation{Message: req.GetMessage()},
	}
	tests := testBuilder{g: g, left: OpsMax}
	var err error
	if p.If.Of, err = tests.list(ctx, req.GetIf(), 1); err != nil {
		return nil, err
	}
	if p.Then, err = g.programOps(ctx, req.GetThen()); err != nil {
		return nil, err
	}
	p.Else, err = g.programOps(ctx, req.GetElse())
	return p, err
}

func (g *Gateway) programOps(ctx context.Context, in []*cairnv1.Op) ([]txn.Op, error) {
	ops := make([]txn.Op, len(in))
	for i := range in {
		var err error
		if ops[i], err = g.programOp(ctx, in[i]); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func (g *Gateway) programOp(ctx context.Context, in *cairnv1.Op) (txn.Op, error) {
	switch r := in.GetRequest().(type) {
	case *cairnv1.Op_Get:
		op, err := g.readOp(ctx, r.Get, false, r.Get.Revision, r.Get.AsOf)
		return op, firstErr(noBegin(r.Get), noUpdate(r.Get.GetForUpdate()), err)
	case *cairnv1.Op_Exists:
		op, err := g.readOp(ctx, r.Exists, true, r.Exists.Revision, r.Exists.AsOf)
		return op, firstErr(noUpdate(r.Exists.GetForUpdate()), err)
	case *cairnv1.Op_Set:
		op, err := g.setOp(ctx, r.Set)
		return op, firstErr(bare(r.Set), err)
	case *cairnv1.Op_Delete:
		op, err := g.deleteOp(ctx, r.Delete)
		return op, firstErr(bare(r.Delete), err)
	case *cairnv1.Op_Extend:
		op, err := g.extendOp(ctx, r.Extend)
		return op, firstErr(bare(r.Extend), err)
	case *cairnv1.Op_Range:
		return g.rangeOp(ctx, r.Range)
	case *cairnv1.Op_Update:
		op, err := g.updateOp(ctx, r.Update)
		return op, firstErr(bare(r.Update), err)
	case *cairnv1.Op_TimeToLive:
		return g.readOp(ctx, r.TimeToLive, true, nil, nil)
	case *cairnv1.Op_DeleteRange:
		op, err := g.deleteRangeOp(ctx, r.DeleteRange)
		return op, firstErr(bare(r.DeleteRange), err)
	case *cairnv1.Op_Revert:
		op, err := g.revertOp(ctx, r.Revert)
		return op, firstErr(bare(r.Revert), err)
	default:
		return txn.Op{}, invalid("operation_missing", "an operation names nothing to do")
	}
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func noHandle(handle string) error {
	if handle != "" {
		return invalid("transaction_in_operation",
			"an operation of a one-shot transaction names another transaction")
	}
	return nil
}

func noBegin(r opener) error {
	if r.GetBegin() != nil {
		return invalid("transaction_in_operation",
			"an operation of a one-shot transaction begins another transaction")
	}
	return nil
}

func noUpdate(forUpdate bool) error {
	if forUpdate {
		return invalid("for_update_in_execute",
			"a one-shot transaction locks by itself what it has to; leave for_update out")
	}
	return nil
}

// keyRequest is what a get and an exists have in common.
type keyRequest interface {
	GetKeyspace() string
	GetKey() []byte
	GetTxn() string
}

func (g *Gateway) readOp(
	ctx context.Context, r keyRequest, keysOnly bool, revision, asOf *int64,
) (txn.Op, error) {
	op := txn.Op{Kind: txn.OpGet, KeysOnly: keysOnly}
	if err := firstErr(noHandle(r.GetTxn()), noEphemeral(r)); err != nil {
		return op, err
	}
	if revision != nil || asOf != nil {
		return op, invalid("past_in_transaction",
			"a one-shot transaction reads the present; revision and as_of are not for it")
	}
	var err error
	op.Key, err = g.storedKey(ctx, r.GetKeyspace(), r.GetKey())
	return op, err
}

func (g *Gateway) rangeOp(ctx context.Context, r *cairnv1.RangeRequest) (txn.Op, error) {
	op := txn.Op{
		Kind: txn.OpRange, Reverse: r.GetReverse(), KeysOnly: r.GetKeysOnly(),
		CountOnly: r.GetCountOnly(),
	}
	if err := firstErr(noHandle(r.GetTxn()), noUpdate(r.GetForUpdate()), checkRange(r)); err != nil {
		return op, err
	}
	if r.AsOf != nil || len(r.GetCursor()) > 0 {
		return op, invalid("past_in_transaction",
			"a one-shot transaction reads the present; as_of and cursor are not for it")
	}
	sel, err := g.selectionOf(ctx, r.GetKeyspace(), r.GetSelect())
	if err != nil {
		return op, err
	}
	if limit := r.GetLimit(); limit > ExecuteRangeMax {
		return op, invalid("limit_too_large",
			"limit is %d; inside a one-shot transaction it is at most %d", limit, ExecuteRangeMax)
	}
	op.Span, op.Filter = sel.span, sel.filter
	if op.Limit = int(r.GetLimit()); op.Limit == 0 && !op.CountOnly {
		op.Limit = ExecuteRangeMax
	}
	return op, nil
}

func opResult(
	in *cairnv1.Op, op *txn.Op, res *txn.Result, whole *coordinator.Result,
) *cairnv1.OpResult {
	var found *txn.Version
	if res.OK {
		found = &res.Entry.Version
	}
	switch in.GetRequest().(type) {
	case *cairnv1.Op_Get:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Get{Get: getResponse(found, "")}}
	case *cairnv1.Op_Exists:
		return &cairnv1.OpResult{
			Response: &cairnv1.OpResult_Exists{Exists: existsResponse(found, "")},
		}
	case *cairnv1.Op_Set:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Set{Set: setResponse(res, "")}}
	case *cairnv1.Op_Delete:
		return &cairnv1.OpResult{
			Response: &cairnv1.OpResult_Delete{Delete: deleteResponse(res, "")},
		}
	case *cairnv1.Op_Extend:
		return &cairnv1.OpResult{
			Response: &cairnv1.OpResult_Extend{Extend: extendResponse(res, "")},
		}
	case *cairnv1.Op_Range:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Range{
			Range: rangeResult(op, res, whole.CommitTS),
		}}
	default:
		return opResultMore(in, op, res, whole)
	}
}

func opResultMore(
	in *cairnv1.Op, op *txn.Op, res *txn.Result, whole *coordinator.Result,
) *cairnv1.OpResult {
	switch in.GetRequest().(type) {
	case *cairnv1.Op_Update:
		return &cairnv1.OpResult{
			Response: &cairnv1.OpResult_Update{Update: updateResponse(op, res, "")},
		}
	case *cairnv1.Op_TimeToLive:
		found := pointFound{at: whole.CommitTS}
		if res.OK {
			found.version = &res.Entry.Version
		}
		return &cairnv1.OpResult{
			Response: &cairnv1.OpResult_TimeToLive{TimeToLive: timeToLiveResponse(&found)},
		}
	case *cairnv1.Op_DeleteRange:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_DeleteRange{
			DeleteRange: &cairnv1.DeleteRangeResponse{
				Count: res.Count, CommitTs: int64(whole.CommitTS),
			},
		}}
	default:
		return &cairnv1.OpResult{Response: &cairnv1.OpResult_Revert{
			Revert: revertResponse(res, whole.CommitTS, ""),
		}}
	}
}

// rangeResult answers a range. What the limit cut off can be read afterwards with the cursor, as
// it was when the transaction had committed.
func rangeResult(op *txn.Op, res *txn.Result, at txn.Timestamp) *cairnv1.RangeResponse {
	resp := &cairnv1.RangeResponse{
		Entries:  wireEntries(res.Entries, op.KeysOnly),
		Count:    res.Count,
		CommitTs: int64(at),
	}
	if n := len(res.Entries); res.More && n > 0 {
		c := cursor{
			at: at, next: after(res.Entries[n-1].Key, op.Reverse),
			of: selection{op.Span, op.Filter}, reverse: op.Reverse,
		}
		resp.Cursor = c.encode()
	}
	return resp
}
