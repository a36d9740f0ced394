package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// attempt is one transaction id on its way to a decision: what was read and
// what is to be written. It has one id for one try (C2).
type attempt struct {
	id     txn.ID
	age    txn.Age
	reads  txn.ReadSet
	writes []txn.Write // by key
	retry  bool        // an earlier id of the same transaction was refused
	open   bool        // an undecided attempt of the same request was met
	until  time.Duration
	// request, if set, is remembered at anchor, which is the primary then.
	request *txn.Request
	anchor  txn.Key
	note    txn.Annotation
}

// primary is where the record lies; nil for an attempt that only read.
func (a *attempt) primary() txn.Key {
	switch {
	case a.anchor != nil:
		return a.anchor
	case len(a.writes) > 0:
		return a.writes[0].Key
	}
	return nil
}

// program is one that comes to the attempt's writes.
func (a *attempt) program() *txn.Program {
	return &txn.Program{Then: writeOps(a.writes), Annotation: a.note}
}

// footprint is everything that the attempt touches.
func (a *attempt) footprint() *footprint {
	f := &footprint{keys: []txn.Key{a.primary()}, spans: a.reads.Ranges()}
	for i := range a.writes {
		f.keys = append(f.keys, a.writes[i].Key)
	}
	for i := range a.reads.Keys {
		f.keys = append(f.keys, a.reads.Keys[i].Key)
	}
	return f
}

// commit decides an attempt: it is committed, or refused, or err tells what
// is known. The way is chosen here and, for a program that can run at its
// shard, in execution.attempt; both ask routes.holder.
func (c *Coordinator) commit(ctx context.Context, a *attempt) (*Committed, *refusal, error) {
	rs, err := c.routes(ctx, a.until)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case len(a.writes) == 0 && a.request == nil:
		return c.commitReads(ctx, a, rs)
	case !rs.oneHolds(a.footprint()):
		return c.commitTwoPhase(ctx, a, rs)
	}
	resp, refused, err := c.commitOnePhase(ctx, &onePhase{
		req: shardrpc.CommitRequest{Txn: a.id, Age: a.age, MaxTS: a.reads.MaxTS,
			Reads: a.reads, Program: *a.program(),
			Request: a.request, Anchor: a.anchor},
		key: a.primary(), retry: a.retry, until: a.until,
	})
	if resp == nil {
		return nil, refused, err
	}
	return &Committed{resp.CommitTS, resp.Written}, nil, nil
}

// writeOps are operations that Buffer folds back into the same writes.
func writeOps(writes []txn.Write) []txn.Op {
	ops := make([]txn.Op, len(writes))
	for i := range writes {
		w := &writes[i]
		op := txn.Op{Key: w.Key}
		switch w.Kind {
		case txn.KindSet:
			op.Kind, op.Value, op.TTL = txn.OpSet, w.Value, w.TTL
			op.KeepTTL, op.NoHistory = w.KeepTTL, w.NoHistory
		case txn.KindDelete:
			op.Kind = txn.OpDelete
		case txn.KindExtend:
			op.Kind, op.Value, op.TTL = txn.OpExtend, w.Value, w.TTL
			op.KeepTTL, op.NoHistory = w.KeepTTL, w.NoHistory
		}
		ops[i] = op
	}
	return ops
}

// onePhase is a transaction that one shard decides alone (F3).
type onePhase struct {
	req   shardrpc.CommitRequest
	key   txn.Key // any key of it; the first that it may write
	retry bool
	until time.Duration
}

// commitOnePhase sends the same request until a shard says that it is done
// or refused. Anything else proves nothing, and neither does its repetition:
// a copy may still be travelling.
func (c *Coordinator) commitOnePhase(
	ctx context.Context, o *onePhase,
) (*shardrpc.CommitResponse, *refusal, error) {
	if err := c.stampOnePhase(ctx, o); err != nil {
		return nil, nil, err
	}
	if o.req.BaseTS > o.req.MaxTS {
		return nil, locallyPushed(o.req.Txn), nil
	}
	if err := c.beforeFirst(ctx, "coordinator.1pc.before"); err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx) // C3
	var resp *shardrpc.CommitResponse
	sent, asked := false, c.env.Now()
	err := c.deliver(ctx, delivery{key: o.key, until: o.until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			req := o.req
			req.Target = to
			got, err := send(ctx, c, o.until,
				func(ctx context.Context) (*shardrpc.CommitResponse, error) {
					return c.shards.Commit(ctx, &req)
				})
			sent = sent || !errors.Is(err, shardrpc.ErrUnsent)
			if err == nil {
				err = c.env.Point("coordinator.1pc.after")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			resp = got
			return got.Answer, nil
		}})
	c.stage(StageOnePhase, asked)
	switch {
	case stopped(err), err != nil && !sent:
		return nil, nil, err
	case err != nil:
		return nil, nil, o.unknown(err)
	case resp.Answer == shardrpc.Refused:
		return nil, &refusal{id: o.req.Txn, reply: resp.Reply}, nil
	case resp.Answer != shardrpc.OK:
		return nil, nil, o.unknown(errGone)
	}
	c.raise(resp.CommitTS, asked)
	switch err := c.env.Point("coordinator.ack.before"); {
	case stopped(err):
		return nil, nil, err
	case err != nil:
		return nil, nil, o.unknown(err)
	}
	return resp, nil, nil
}

// stampOnePhase sets base_ts, and the age if this is the first attempt.
func (c *Coordinator) stampOnePhase(ctx context.Context, o *onePhase) (err error) {
	if o.retry { // the one that is held may be what was refused
		o.req.BaseTS, err = c.fresh(ctx, o.until)
	} else {
		o.req.BaseTS, err = c.base(ctx, o.until)
	}
	if o.req.Age == (txn.Age{}) {
		o.req.Age = txn.Age{At: o.req.BaseTS, ID: o.req.Txn}
	}
	return err
}

// beforeFirst is the last chance to give up as if nothing had been asked.
func (c *Coordinator) beforeFirst(ctx context.Context, point string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.env.Point(point)
}

// locallyPushed refuses an attempt of which nothing was sent.
func locallyPushed(id txn.ID) *refusal {
	return &refusal{id: id, reply: shardrpc.Reply{
		Answer: shardrpc.Refused, Reason: shardrpc.ReasonPushed,
	}}
}
