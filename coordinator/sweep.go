package coordinator

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Sweep sees to transactions that somebody has left behind: undecided, or
// decided and not known to be resolved everywhere, although they are old. Any
// gateway may do it, and several at once. It stops at deadline (by Env.Now)
// and says how many it has finished.
func (c *Coordinator) Sweep(ctx context.Context, deadline time.Duration) (int, error) {
	until, swept := c.until(deadline), 0
	rs, err := c.routes(ctx, until)
	for i := 0; err == nil && i < len(rs); i++ {
		var stale []shardrpc.Blocker
		stale, err = c.stale(ctx, rs.target(i), until)
		for b := 0; err == nil && b < len(stale) && c.env.Now() < until; b++ {
			switch e := c.clear(ctx, &stale[b], min(until, c.env.Now()+c.opts.AttemptTimeout)); {
			case e == nil:
				swept++
			case stopped(e), ctx.Err() != nil:
				err = e
			}
		}
	}
	return swept, failed("coordinator.Sweep", 0, err)
}

// stale asks one shard once; one that does not answer is asked the next time.
func (c *Coordinator) stale(
	ctx context.Context, to shardrpc.Target, until time.Duration,
) ([]shardrpc.Blocker, error) {
	resp, err := send(ctx, c, until,
		func(ctx context.Context) (*shardrpc.StaleResponse, error) {
			return c.shards.Stale(ctx, &shardrpc.StaleRequest{Target: to})
		})
	switch {
	case stopped(err):
		return nil, err
	case err != nil || resp.Answer != shardrpc.OK:
		return nil, ctx.Err()
	}
	return resp.Stale, nil
}

// clear resolves a transaction everywhere, deciding it if need be, and tells
// its primary. The record has no list of keys any more: every shard is told.
func (c *Coordinator) clear(
	ctx context.Context, b *shardrpc.Blocker, until time.Duration,
) error {
	got, err := c.decided(ctx, b, until)
	if err != nil || got.Answer != shardrpc.OK {
		return err // Gone: somebody else was faster
	}
	if err := c.env.Point("coordinator.sweep.before-first"); err != nil {
		return err
	}
	rs, err := c.routes(ctx, until)
	if err != nil {
		return err
	}
	req := &shardrpc.ResolveRequest{Txn: b.Txn, BaseTS: b.BaseTS,
		Commit: got.Status == txn.Committed, CommitTS: got.CommitTS}
	err = c.parallel("coordinator.sweep", len(rs), func(i int) error {
		if err := c.resolve(ctx, req, rs[i].Span.Start, until); err != nil {
			return err
		}
		return c.env.Point("coordinator.sweep.after-k")
	})
	if err != nil {
		return err
	}
	done := *req
	done.Done = b.Primary
	return c.resolve(ctx, &done, b.Primary, until)
}
