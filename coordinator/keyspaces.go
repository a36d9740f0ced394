package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Keyspaces is the table of keyspaces, unless it is still the one of which known is the Changes.
func (c *Coordinator) Keyspaces(
	ctx context.Context, known uint64, deadline time.Duration,
) (*shardrpc.KeyspacesResponse, error) {
	until := c.until(deadline)
	var got *shardrpc.KeyspacesResponse
	err := c.deliver(ctx, delivery{meta: true, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.KeyspacesResponse, error) {
					return c.shards.Keyspaces(ctx,
						&shardrpc.KeyspacesRequest{Target: to, Known: known})
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			got = resp
			return resp.Answer, nil
		}})
	return got, failed("coordinator.Keyspaces", 0, err)
}

// Timestamp is one that was issued after the call began.
func (c *Coordinator) Timestamp(
	ctx context.Context, deadline time.Duration,
) (txn.Timestamp, error) {
	at, err := c.fresh(ctx, c.until(deadline))
	return at, failed("coordinator.Timestamp", 0, err)
}

// ChangeKeyspace changes the table of keyspaces. After an error of the kind
// Unavailable or Deadline it may have been changed all the same: every change may
// be asked for again.
func (c *Coordinator) ChangeKeyspace(
	ctx context.Context, change txn.KeyspaceChange, deadline time.Duration,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	until := c.until(deadline)
	var got *shardrpc.ChangeKeyspaceResponse
	err := c.deliver(ctx, delivery{meta: true, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.ChangeKeyspaceResponse, error) {
					return c.shards.ChangeKeyspace(ctx,
						&shardrpc.ChangeKeyspaceRequest{Target: to, Change: change})
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			got = resp
			return resp.Answer, nil
		}})
	if err == nil && got.Err != nil {
		err = got.Err
	}
	return got, failed("coordinator.ChangeKeyspace", 0, err)
}

// DropKeyspace removes all that the shards have of a keyspace which the table
// says is being deleted. Any gateway may do it, several at once, and again from the
// beginning after one has stopped halfway. When it has returned nil, every shard
// refuses the keyspace for ever, and nothing of it is left.
func (c *Coordinator) DropKeyspace(
	ctx context.Context, id txn.KeyspaceID, deadline time.Duration,
) error {
	d := &dropping{c: c, id: id, until: c.until(deadline)}
	return failed("coordinator.DropKeyspace", 0, d.run(ctx))
}

// dropping is the deletion of a keyspace under way.
type dropping struct {
	c     *Coordinator
	id    txn.KeyspaceID
	until time.Duration
}

// dropRoundsClean is how many rounds in a row must find nothing. After the first
// no shard has an intent there, nor ever will have: whatever has been committed
// there has its record. The second finds the records that do not say so yet.
const dropRoundsClean = 2

func (d *dropping) run(ctx context.Context) error {
	if err := d.everywhere(ctx, &shardrpc.DropRequest{Step: shardrpc.DropMark}); err != nil {
		return err
	}
	at, err := d.c.fresh(ctx, d.until)
	if err != nil {
		return err
	}
	marked := d.c.env.Now()
	if err := d.drain(ctx); err != nil {
		return err
	}
	// Nobody sends a base_ts any more that was issued before at (see Coordinator.base):
	// who comes to the keyspace from now on is told for certain that it is not there.
	if pause := marked + baseAgeMax - d.c.env.Now(); pause > 0 {
		if err := d.c.env.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return d.everywhere(ctx, &shardrpc.DropRequest{Step: shardrpc.DropErase, At: at})
}

// drain ends the transactions whose outcome depends on what is in the keyspace.
func (d *dropping) drain(ctx context.Context) error {
	pause := backoff{c: d.c}
	for clean := 0; clean < dropRoundsClean; {
		found, err := d.round(ctx)
		if err != nil {
			return err
		}
		if clean++; found {
			clean = 0
			if err := timeIsUp(pause.sleep(ctx, d.until)); err != nil {
				return err
			}
		}
	}
	return nil
}

var errDropOrder = errors.New("a shard is not as far with the deletion of a keyspace as it was")

// everywhere takes a step at all shards.
func (d *dropping) everywhere(ctx context.Context, req *shardrpc.DropRequest) error {
	return d.eachShard(ctx, func(start txn.Key) error {
		resp, err := d.ask(ctx, start, req)
		if err == nil && resp.Answer != shardrpc.OK {
			err = errDropOrder
		}
		return err
	})
}

// round looks at all shards, and sees to every transaction that it finds.
func (d *dropping) round(ctx context.Context) (found bool, err error) {
	rs, err := d.c.routes(ctx, d.until)
	if err != nil {
		return false, err
	}
	each := make([]bool, len(rs))
	err = d.c.parallel("coordinator.drop", len(rs), func(i int) error {
		var err error
		each[i], err = d.look(ctx, rs[i].Span.Start)
		return err
	})
	for _, f := range each {
		found = found || f
	}
	return found, err
}

func (d *dropping) look(ctx context.Context, start txn.Key) (found bool, err error) {
	req := &shardrpc.DropRequest{Step: shardrpc.DropLook}
	for {
		resp, err := d.ask(ctx, start, req)
		switch {
		case err != nil:
			return found, err
		case resp.Answer != shardrpc.OK:
			return found, errDropOrder
		}
		for i := range resp.Blocked {
			found = true
			if err := d.settle(ctx, &resp.Blocked[i]); err != nil {
				return found, err
			}
		}
		if len(resp.Next) == 0 {
			return found, nil
		}
		req.From = resp.Next
	}
}

// settle ends a transaction everywhere. One of which nothing can be told any more
// goes where it was met (A13). One that cannot be ended now is met again.
func (d *dropping) settle(ctx context.Context, b *shardrpc.Blocker) error {
	until := min(d.until, d.c.env.Now()+d.c.opts.AttemptTimeout)
	err := d.c.unblock(ctx, b, until)
	if err == nil {
		err = d.c.clear(ctx, b, until)
	}
	switch {
	case err == nil, stopped(err):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case d.c.env.Now() >= d.until:
		return errTimeIsUp
	}
	return nil
}

func (d *dropping) eachShard(ctx context.Context, do func(start txn.Key) error) error {
	rs, err := d.c.routes(ctx, d.until)
	if err != nil {
		return err
	}
	return d.c.parallel("coordinator.drop", len(rs), func(i int) error {
		return do(rs[i].Span.Start)
	})
}

func (d *dropping) ask(
	ctx context.Context, start txn.Key, req *shardrpc.DropRequest,
) (got *shardrpc.DropResponse, err error) {
	err = d.c.deliver(ctx, delivery{key: start, until: d.until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target, r.Keyspace = to, d.id
			resp, err := send(ctx, d.c, d.until,
				func(ctx context.Context) (*shardrpc.DropResponse, error) {
					return d.c.shards.Drop(ctx, &r)
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			got = resp
			return resp.Answer, nil
		}})
	return got, err
}

// Usage is what keyspaces hold in all shards together.
func (c *Coordinator) Usage(
	ctx context.Context, deadline time.Duration,
) (map[txn.KeyspaceID]txn.Usage, error) {
	until := c.until(deadline)
	rs, err := c.routes(ctx, until)
	if err != nil {
		return nil, failed("coordinator.Usage", 0, err)
	}
	said := make([]*shardrpc.UsageResponse, len(rs))
	err = c.parallel("coordinator.usage", len(rs), func(i int) error {
		return c.deliver(ctx, delivery{key: rs[i].Span.Start, until: until,
			send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
				resp, err := send(ctx, c, until,
					func(ctx context.Context) (*shardrpc.UsageResponse, error) {
						return c.shards.Usage(ctx, &shardrpc.UsageRequest{Target: to})
					})
				if err != nil {
					return shardrpc.Retry, err
				}
				said[i] = resp
				return resp.Answer, nil
			}})
	})
	if err != nil {
		return nil, failed("coordinator.Usage", 0, err)
	}
	all := make(map[txn.KeyspaceID]txn.Usage)
	for _, s := range said {
		for i := range s.Usage {
			u := all[s.Usage[i].ID]
			u.Add(s.Usage[i].Usage)
			all[s.Usage[i].ID] = u
		}
	}
	return all, nil
}
