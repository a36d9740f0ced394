package gateway

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) commit(
	ctx context.Context, req *cairnv1.CommitRequest,
) (*cairnv1.CommitResponse, error) {
	request, err := commitRequest(req)
	if err != nil {
		return nil, err
	}
	note, err := annotation(ctx, req.GetMessage())
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.CommitResponse{}
	err = g.held.end(ctx, req.GetTxn(), func(held *heldTxn) error {
		o := g.commitOptions(ctx, request)
		o.Annotation = note
		c, err := g.commitHeld(ctx, held, req, o)
		g.metrics.countTxn(err)
		if err != nil {
			return err
		}
		resp.CommitTs = int64(c.CommitTS)
		for i := range c.Written {
			if w := &c.Written[i]; w.Wrote {
				resp.Written = append(resp.Written, &cairnv1.Written{
					Key: w.Key.User(), Revision: w.Version.Revision,
					Keyspace: g.keyspaceName(w.Key.Keyspace()),
				})
			}
		}
		return nil
	})
	if isOver(err) {
		return g.committedBefore(ctx, req, err)
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// commitHeld commits by a handle of the transaction, if that is good for asking what came of it.
func (g *Gateway) commitHeld(
	ctx context.Context, held *heldTxn, req *cairnv1.CommitRequest, o coordinator.CommitOptions,
) (*coordinator.Committed, error) {
	handle, _ := token.ParseHandle(req.GetTxn()) // by which held was found
	err := held.knows(handle)
	if err == nil {
		err = g.setAll(ctx, held.txn, req.GetSets())
	}
	if err != nil {
		held.txn.Rollback()
		return nil, err
	}
	handle.Anchor = held.txn.Anchor()
	c, err := held.txn.Commit(ctx, o)
	return c, named(err, handle.Commit(o.Request.ID))
}

// setAll does the sets that come with a commit, all of them or none.
func (g *Gateway) setAll(
	ctx context.Context, t *coordinator.Txn, sets []*cairnv1.SetRequest,
) error {
	if len(sets) == 0 {
		return nil
	}
	if len(sets) > BatchKeysMax {
		return tooManyItems("set", len(sets))
	}
	ops := make([]txn.Op, len(sets))
	for i, set := range sets {
		var err error
		if ops[i], err = g.setOp(ctx, set); err != nil {
			return err
		}
		if err := bareSet(set, &ops[i]); err != nil {
			return err
		}
	}
	if err := g.applyOptions(ops); err != nil {
		return err
	}
	_, err := t.DoAll(ctx, ops, g.deadline(ctx))
	return err
}

// bareSet refuses a set of a commit that wants more than to be done: its result nobody is told.
func bareSet(set *cairnv1.SetRequest, op *txn.Op) error {
	_, volatile := ephemeral(set)
	if !op.Blind() || volatile || set.GetTxn() != "" || len(set.GetRequestId()) > 0 ||
		set.GetMessage() != "" {
		return invalid("set_in_commit", "a set that comes with a commit has no conditions, "+
			"return_prev, txn, request_id, message or durability")
	}
	return nil
}

func (g *Gateway) rollback(
	ctx context.Context, req *cairnv1.RollbackRequest,
) (*cairnv1.RollbackResponse, error) {
	err := g.held.end(ctx, req.GetTxn(), func(held *heldTxn) error {
		held.txn.Rollback()
		g.metrics.txns.WithLabelValues(outcomeRolledBack).Inc()
		return nil
	})
	if isOver(err) {
		err = nil // nothing is left of it, as asked for
	}
	if err != nil {
		return nil, err
	}
	return &cairnv1.RollbackResponse{}, nil
}

// isOver reports whether err says that the transaction has ended by itself.
func isOver(err error) bool {
	e, ok := errors.AsType[*txn.Error](err)
	return ok && (e.Reason == reasonTxnGone || e.Reason == reasonGatewayLost)
}

// execute runs a one-shot transaction, once for all calls that carry the request, and counts it. It
// annotates p with who calls, and checks the message that p has.
func (g *Gateway) execute(
	ctx context.Context, p *txn.Program, request txn.Request,
) (*coordinator.Result, error) {
	note, err := annotation(ctx, p.Annotation.Message)
	if err != nil {
		return nil, err
	}
	p.Annotation = note
	o := g.commitOptions(ctx, request)
	o.Refused = firstErr(g.applyOptions(p.Then), g.applyOptions(p.Else))
	since := g.Coordinator.Newest()
	res, err := g.Coordinator.Execute(ctx, p, o)
	if _, ours := errors.AsType[*txn.Error](err); !ours { // which the coordinator has named
		err = named(err, token.Token{Anchor: p.Anchor(), ID: request.ID, Since: since})
	}
	g.metrics.countTxn(err)
	return res, err
}
