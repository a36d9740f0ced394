package coordinator

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// recoverStaging ends a transaction that nobody works on any more, and whose
// intents on the keys of its record decide (F7). Of several tasks that meet it
// one does the work; the others wait and ask again.
func (c *Coordinator) recoverStaging(
	ctx context.Context, b *shardrpc.Blocker, rec *shardrpc.QueryResponse, until time.Duration,
) error {
	c.mu.Lock()
	busy, working := c.mu.recovering[b.Txn]
	if !working {
		busy = new(env.Future)
		c.mu.recovering[b.Txn] = busy
	}
	c.mu.Unlock()
	if working {
		return timeIsUp(c.env.Wait(ctx, busy, until))
	}
	defer func() {
		c.mu.Lock()
		delete(c.mu.recovering, b.Txn)
		c.mu.Unlock()
		busy.Resolve()
	}()
	found, err := c.queryIntents(ctx, b, rec, until)
	if err != nil {
		return err
	}
	status, commit := txn.Settle(b.BaseTS, found)
	if err := c.env.Point("coordinator.recover.decide"); err != nil {
		return err
	}
	d := &shardrpc.DecideRequest{Txn: b.Txn, Primary: b.Primary, BaseTS: b.BaseTS,
		From: txn.In(txn.Staging), To: status, CommitTS: commit}
	got, err := c.move(ctx, &deciding{req: *d}, until)
	if err == nil && got.Status.Final() {
		c.resolveLater(b, rec.Keys, got)
	}
	return err
}

// queryIntents asks every shard what is left of a staging transaction.
func (c *Coordinator) queryIntents(
	ctx context.Context, b *shardrpc.Blocker, rec *shardrpc.QueryResponse, until time.Duration,
) ([]txn.Found, error) {
	rs, err := c.routes(ctx, until)
	if err != nil {
		return nil, err
	}
	groups, err := rs.groups(rec.Keys)
	if err != nil {
		return nil, err
	}
	found := make([]txn.Found, len(groups))
	err = c.parallel("coordinator.query-intents", len(groups), func(i int) error {
		req := &shardrpc.QueryIntentsRequest{Txn: b.Txn, BaseTS: b.BaseTS, Hash: rec.Hash,
			Keys: pickKeys(rec.Keys, groups[i].places)}
		got, err := c.queryIntentsOf(ctx, req, until)
		found[i] = got
		return err
	})
	return found, err
}

func pickKeys(keys []txn.Key, places []int) []txn.Key {
	some := make([]txn.Key, len(places))
	for i, at := range places {
		some[i] = keys[at]
	}
	return some
}

func (c *Coordinator) queryIntentsOf(
	ctx context.Context, req *shardrpc.QueryIntentsRequest, until time.Duration,
) (found txn.Found, err error) {
	var answer shardrpc.Answer
	err = c.deliver(ctx, delivery{key: req.Keys[0], until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			got, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.QueryIntentsResponse, error) {
					return c.shards.QueryIntents(ctx, &r)
				})
			if err == nil {
				err = c.env.Point("coordinator.query-intents.after-k")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			found, answer = got.Found, got.Answer
			return got.Answer, nil
		}})
	if err == nil && answer != shardrpc.OK {
		err = txn.Errorf(txn.Internal, "intents", "intents of transaction %v: %v", req.Txn, answer)
	}
	return found, err
}

// resolveLater does behind the caller's back for all keys of a transaction what
// its record says now.
func (c *Coordinator) resolveLater(
	b *shardrpc.Blocker, keys []txn.Key, got shardrpc.DecideResponse,
) {
	req := &shardrpc.ResolveRequest{Txn: b.Txn, BaseTS: b.BaseTS,
		Commit: got.Status == txn.Committed, CommitTS: got.CommitTS}
	c.inBackground("coordinator.recover-resolve", func(until time.Duration) {
		rs, err := c.routes(context.Background(), until)
		if err != nil {
			return
		}
		groups, err := rs.groups(keys)
		if err != nil {
			return
		}
		err = c.parallel("coordinator.recover-resolve", len(groups), func(i int) error {
			r := *req
			r.Keys = pickKeys(keys, groups[i].places)
			return c.resolve(context.Background(), &r, r.Keys[0], until)
		})
		if err == nil {
			r := *req
			r.Keys, r.Done = []txn.Key{b.Primary}, b.Primary
			_ = c.resolve(context.Background(), &r, b.Primary, until) // the collector's business, too
		}
	})
}
