package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// unblockParallelMax is how many transactions are asked about at a time.
const unblockParallelMax = 16

// unblockAll finds out what became of undecided transactions that are in the
// way, and makes their intents in those shards go away.
func (c *Coordinator) unblockAll(
	ctx context.Context, blocked []shardrpc.Blocker, until time.Duration,
) error {
	met := make(map[txn.ID]bool, len(blocked))
	var each []shardrpc.Blocker
	for i := range blocked {
		if !met[blocked[i].Txn] {
			met[blocked[i].Txn] = true
			each = append(each, blocked[i])
		}
	}
	for len(each) > 0 {
		some := each[:min(len(each), unblockParallelMax)]
		each = each[len(some):]
		err := c.parallel("coordinator.recover", len(some), func(i int) error {
			return c.unblock(ctx, &some[i], until)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unblock is the asker's side of F7.
func (c *Coordinator) unblock(
	ctx context.Context, b *shardrpc.Blocker, until time.Duration,
) error {
	if err := c.env.Point("coordinator.recover.before"); err != nil {
		return err
	}
	got, err := c.decided(ctx, b, until)
	if err == nil {
		err = c.env.Point("coordinator.recover.after-query")
	}
	if err != nil {
		return err
	}
	// Gone tells clients nothing. But an intent outlives neither the commit of
	// its transaction nor the record of that: one that is still there may go
	// (A13), and Resolve touches no other.
	commit := got.Answer == shardrpc.OK && got.Status == txn.Committed
	return c.resolve(ctx, &shardrpc.ResolveRequest{
		Txn: b.Txn, BaseTS: b.BaseTS, Commit: commit, CommitTS: got.CommitTS,
	}, b.Key, until)
}

// decided asks until a transaction is decided, or nobody can tell any more
// (Gone). The primary's shard answers when it knows, or has aborted what nobody
// works on; what is staging is recovered here.
func (c *Coordinator) decided(
	ctx context.Context, b *shardrpc.Blocker, until time.Duration,
) (*shardrpc.QueryResponse, error) {
	pause := backoff{c: c}
	for {
		got, err := c.query(ctx, b, until)
		switch {
		case err != nil:
			return nil, err
		case got.Answer == shardrpc.Gone || got.Status.Final():
			return got, nil
		case got.Status == txn.Staging:
			if err := c.recoverStaging(ctx, b, got, until); err != nil {
				return nil, err
			}
			continue
		}
		err = pause.sleep(ctx, until)
		if errors.Is(err, env.ErrTimeout) {
			return nil, &txn.Error{Kind: txn.Deadline, Reason: shardrpc.ReasonIntent, Key: b.Key,
				Other: b.Txn, OtherAge: b.Age.At,
				Err: errors.New("another transaction holds the key and is undecided")}
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *Coordinator) query(
	ctx context.Context, b *shardrpc.Blocker, until time.Duration,
) (got *shardrpc.QueryResponse, err error) {
	req := &shardrpc.QueryRequest{Txn: b.Txn, Primary: b.Primary, BaseTS: b.BaseTS}
	err = c.deliver(ctx, delivery{key: b.Primary, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.QueryResponse, error) {
					return c.shards.Query(ctx, &r)
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			got = resp
			return resp.Answer, nil
		}})
	return got, err
}

// resolve carries out a decision at the shard that holds key. An answer other
// than OK leaves nothing to do either.
func (c *Coordinator) resolve(
	ctx context.Context, req *shardrpc.ResolveRequest, key txn.Key, until time.Duration,
) error {
	return c.deliver(ctx, delivery{key: key, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.ResolveResponse, error) {
					return c.shards.Resolve(ctx, &r)
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			return resp.Answer, nil
		}})
}
