package gateway

import (
	"context"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) revert(
	ctx context.Context, req *cairnv1.RevertRequest,
) (*cairnv1.RevertResponse, error) {
	op, err := g.revertOp(ctx, req)
	if err != nil {
		return nil, err
	}
	done, err := g.writeRange(ctx, req, &op)
	if err != nil {
		return nil, err
	}
	return revertResponse(&done.Result, done.at, done.next), nil
}

// rangeWritten is what a write to a range came to.
type rangeWritten struct {
	txn.Result
	at   txn.Timestamp
	next string // the handle to use next
}

// writeRange runs an operation over a range, in the open transaction that m names or in its own.
func (g *Gateway) writeRange(
	ctx context.Context, m mutation, op *txn.Op,
) (done rangeWritten, err error) {
	request, err := g.requestOf(m)
	if err != nil {
		return done, err
	}
	if m.GetTxn() != "" {
		done.next, err = g.held.use(ctx, m.GetTxn(),
			func(ctx context.Context, t *coordinator.Txn) error {
				done.Result, err = t.Do(ctx, op, g.deadline(ctx))
				return err
			})
		return done, err
	}
	res, err := g.execute(ctx, &txn.Program{
		Then: []txn.Op{*op}, Annotation: txn.Annotation{Message: m.GetMessage()},
	}, request)
	if err != nil {
		return done, err
	}
	done.Result, done.at = res.Results[0], res.CommitTS
	return done, nil
}

func (g *Gateway) revertOp(ctx context.Context, req *cairnv1.RevertRequest) (txn.Op, error) {
	op := txn.Op{Kind: txn.OpRevert, DryRun: req.GetDryRun()}
	switch what := req.GetWhat().(type) {
	case *cairnv1.RevertRequest_Key:
		key, err := g.storedKey(ctx, req.GetKeyspace(), what.Key)
		if err != nil {
			return op, err
		}
		op.Span = txn.KeySpan(key)
	case *cairnv1.RevertRequest_Select:
		sel, err := g.required(ctx, req.GetKeyspace(), what.Select)
		if err != nil {
			return op, err
		}
		op.Span, op.Filter = sel.span, sel.filter
	default:
		return op, invalid("revert_what_missing", "neither a key nor a selection says what goes back")
	}
	switch to := req.GetTo().(type) {
	case *cairnv1.RevertRequest_Revision:
		if req.GetSelect() != nil {
			return op, invalid("revision_of_range",
				"a revision is one key's; give as_of to bring a range back")
		}
		var err error
		op.To, err = g.timeOf(ctx, op.Span.Start, to.Revision)
		return op, err
	case *cairnv1.RevertRequest_AsOf:
		at, err := pastTime(&to.AsOf)
		op.To = at
		return op, err
	default:
		return op, invalid("revert_to_missing", "neither a revision nor as_of says to when")
	}
}

// timeOf is when key had a revision. That never changes, so a repeat finds the same.
func (g *Gateway) timeOf(
	ctx context.Context, key txn.Key, revision int64,
) (txn.Timestamp, error) {
	if err := checkRevision(&revision, nil); err != nil {
		return 0, err
	}
	versions, _, err := g.Coordinator.Get(ctx, coordinator.Read{
		Keys: []txn.Key{key}, Revision: &revision, Deadline: g.deadline(ctx),
	})
	if err != nil {
		return 0, err
	}
	if versions[0].TS == 0 {
		e := txn.Errorf(txn.NotFound, "revision_not_found",
			"the history has no revision %d of the key", revision)
		e.Key, e.Next = key, "ask for the history of the key"
		return 0, e
	}
	return versions[0].TS, nil
}

func revertResponse(res *txn.Result, at txn.Timestamp, handle string) *cairnv1.RevertResponse {
	resp := &cairnv1.RevertResponse{Count: res.Count, CommitTs: int64(at), Txn: handle}
	for i := range res.Changes {
		c := &res.Changes[i]
		change := &cairnv1.RevertChange{Key: c.Key.User()}
		if c.From != nil {
			unwritten(&c.From.Version)
			change.From = wireEntry(c.Key, &c.From.Version, false)
		}
		if c.To != nil {
			change.To = wireEntry(c.Key, &c.To.Version, false)
		}
		resp.Changes = append(resp.Changes, change)
	}
	return resp
}
