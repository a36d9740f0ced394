package gateway

import (
	"context"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func (g *Gateway) batchSet(
	ctx context.Context, req *cairnv1.BatchSetRequest,
) (*cairnv1.BatchSetResponse, error) {
	items := req.GetItems()
	if err := checkBatch("item", len(items)); err != nil {
		return nil, err
	}
	ops := make([]txn.Op, len(items))
	for i, item := range items {
		var err error
		ops[i], err = g.setOp(ctx, &cairnv1.SetRequest{
			Keyspace: req.GetKeyspace(), Key: item.GetKey(), Value: item.GetValue(),
			Conditions: item.GetConditions(), TtlMs: item.GetTtlMs(),
			KeepTtl: item.GetKeepTtl(), NoHistory: item.GetNoHistory(),
		})
		if err != nil {
			return nil, err
		}
	}
	done, err := g.writeBatch(ctx, req, ops)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.BatchSetResponse{CommitTs: int64(done.at), Txn: done.next}
	for i := range done.results {
		resp.Results = append(resp.Results, setResponse(&done.results[i], ""))
	}
	return resp, nil
}

func (g *Gateway) batchDelete(
	ctx context.Context, req *cairnv1.BatchDeleteRequest,
) (*cairnv1.BatchDeleteResponse, error) {
	if err := checkBatch("key", len(req.GetKeys())); err != nil {
		return nil, err
	}
	ops := make([]txn.Op, len(req.GetKeys()))
	for i, user := range req.GetKeys() {
		key, err := g.storedKey(ctx, req.GetKeyspace(), user)
		if err != nil {
			return nil, err
		}
		ops[i] = txn.Op{Kind: txn.OpDelete, Key: key}
	}
	done, err := g.writeBatch(ctx, req, ops)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.BatchDeleteResponse{CommitTs: int64(done.at), Txn: done.next}
	for i := range done.results {
		resp.Results = append(resp.Results, deleteResponse(&done.results[i], ""))
	}
	return resp, nil
}

func checkBatch(what string, n int) error {
	if n == 0 {
		return invalid(what+"s_missing", "no %s is given; 1 to %d are needed", what, BatchKeysMax)
	}
	if n > BatchKeysMax {
		return tooManyItems(what, n)
	}
	return nil
}

func tooManyItems(what string, n int) *txn.Error {
	e := txn.Errorf(txn.Exhausted, txn.ReasonTooLarge,
		"%d %ss are given, the limit is %d", n, what, BatchKeysMax)
	e.Next = "nothing was done: take fewer at a time"
	return e
}

// batchMutation is what the requests of batches have in common.
type batchMutation interface {
	mutation
	GetRequireAll() bool
}

// batchWritten is what a batch came to.
type batchWritten struct {
	results []txn.Result
	at      txn.Timestamp
	next    string // the handle to use next
}

// writeBatch does all ops, in the open transaction that m names or in their own.
func (g *Gateway) writeBatch(
	ctx context.Context, m batchMutation, ops []txn.Op,
) (done batchWritten, err error) {
	if req, ok := ephemeral(m); ok {
		return g.writeEphemeral(ctx, req, m.GetRequireAll(), ops)
	}
	request, err := g.requestOf(m)
	if err != nil {
		return done, err
	}
	if m.GetTxn() != "" {
		if err := g.applyOptions(ops); err != nil {
			return done, err
		}
		done.next, err = g.held.use(ctx, m.GetTxn(),
			func(ctx context.Context, t *coordinator.Txn) error {
				if m.GetRequireAll() {
					if err := g.requireIn(ctx, t, ops); err != nil {
						return err
					}
				}
				done.results, err = t.DoAll(ctx, ops, g.deadline(ctx))
				return err
			})
		return done, err
	}
	p := &txn.Program{Then: ops, Annotation: txn.Annotation{Message: m.GetMessage()}}
	if m.GetRequireAll() {
		p.If.Kind = txn.TestAll
		p.Else = looks(ops)
		for i := range ops {
			p.If.Of = append(p.If.Of, txn.Test{Key: ops[i].Key, Cond: txn.Cond{Present: true}})
		}
	}
	res, err := g.execute(ctx, p, request)
	switch {
	case err != nil:
		return done, err
	case !res.Succeeded:
		return done, missingKeys(missingOf(p.Else, res.Results))
	}
	return batchWritten{results: res.Results, at: res.CommitTS}, nil
}

// looks asks for each key that ops write whether it exists.
func looks(ops []txn.Op) []txn.Op {
	gets := make([]txn.Op, len(ops))
	for i := range ops {
		gets[i] = txn.Op{Kind: txn.OpGet, Key: ops[i].Key, KeysOnly: true}
	}
	return gets
}

// requireIn fails unless all keys of ops exist as the open transaction sees them.
func (g *Gateway) requireIn(ctx context.Context, t *coordinator.Txn, ops []txn.Op) error {
	gets := looks(ops)
	results, err := t.DoAll(ctx, gets, g.deadline(ctx))
	if err != nil {
		return err
	}
	if missing := missingOf(gets, results); len(missing) > 0 {
		return missingKeys(missing)
	}
	return nil
}

func missingOf(gets []txn.Op, results []txn.Result) []txn.Key {
	var missing []txn.Key
	for i := range gets {
		if !results[i].OK {
			missing = append(missing, gets[i].Key)
		}
	}
	return missing
}
