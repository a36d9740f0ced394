package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/txn"
)

// baseAgeMax is how old a held timestamp may be to serve as base_ts: a shard
// refuses those of 5 s (L3), and the request may wait on its way.
const baseAgeMax = time.Second

// t4More is how many callers a planted bug serves by a request on its way.
const t4More = 8

// oracle shares requests for timestamps among callers. One request is in
// flight; whoever comes meanwhile waits for the next one, since a timestamp
// must come from a request that was sent after it was asked for (T4).
type oracle struct {
	mu       sync.Mutex
	inFlight bool
	filling  *batch // to be sent when the one in flight is back
	sent     *batch // the one in flight; only of interest to a planted bug

	// newest was issued after the moment newestAt.
	newest   txn.Timestamp
	newestAt time.Duration
}

// batch is one request to the oracle; its waiters share the answer out by
// the order in which they came, so no two get the same timestamp.
type batch struct {
	env.Future
	n     int
	more  int // with a planted bug: how many more were asked for
	first txn.Timestamp
	err   error
}

// fresh is a timestamp of nobody else, issued after the call began.
func (c *Coordinator) fresh(ctx context.Context, until time.Duration) (txn.Timestamp, error) {
	pause := backoff{c: c}
	if c.env.Now() >= until {
		return 0, errTimeIsUp
	}
	for {
		ts, err := c.join(ctx, until)
		if err == nil || stopped(err) {
			return ts, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if perr := pause.sleep(ctx, until); perr != nil {
			return 0, noAnswer(perr, err)
		}
	}
}

func (c *Coordinator) join(ctx context.Context, until time.Duration) (txn.Timestamp, error) {
	o := &c.oracle
	o.mu.Lock()
	if o.filling == nil {
		o.filling = new(batch)
	}
	b := o.filling
	if mutant.On(mutant.T4) && o.sent != nil && o.sent.more > 0 {
		b = o.sent
		b.more--
		if o.filling.n == 0 {
			o.filling = nil
		}
	}
	place := b.n
	b.n++
	send := !o.inFlight
	if send {
		o.inFlight, o.filling = true, nil
	}
	o.mu.Unlock()
	if send { // alone in b: nobody else depends on this caller's ctx
		c.sendBatch(ctx, b, until)
	} else if err := c.env.Wait(ctx, &b.Future, until); err != nil {
		return 0, err
	}
	return b.first + txn.Timestamp(place), b.err
}

func (c *Coordinator) sendBatch(ctx context.Context, b *batch, until time.Duration) {
	asked, n := c.env.Now(), b.n
	if mutant.On(mutant.T4) {
		c.oracle.mu.Lock()
		b.more = t4More
		c.oracle.sent, n = b, n+b.more
		c.oracle.mu.Unlock()
	}
	b.first, b.err = send(ctx, c, until, func(ctx context.Context) (txn.Timestamp, error) {
		return c.shards.Timestamp(ctx, n)
	})
	if b.err == nil {
		c.raise(b.first+txn.Timestamp(n-1), asked)
	}
	b.Resolve()

	o := &c.oracle
	o.mu.Lock()
	o.sent = nil
	next := o.filling
	o.filling, o.inFlight = nil, next != nil
	o.mu.Unlock()
	if next != nil {
		c.env.Go("coordinator.timestamps", func() {
			c.sendBatch(context.Background(), next, c.env.Now()+c.opts.AttemptTimeout)
		})
	}
}

// raise notes a timestamp that the oracle issued after the moment since.
func (c *Coordinator) raise(ts txn.Timestamp, since time.Duration) {
	o := &c.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	if ts > o.newest {
		o.newest = ts
		o.newestAt = max(o.newestAt, since)
	}
}

func (c *Coordinator) newest() (ts txn.Timestamp, age time.Duration) {
	now := c.env.Now()
	c.oracle.mu.Lock()
	defer c.oracle.mu.Unlock()
	return c.oracle.newest, now - c.oracle.newestAt
}

// base is a base_ts for a commit on one shard: the newest one held, if it is
// young enough.
func (c *Coordinator) base(ctx context.Context, until time.Duration) (txn.Timestamp, error) {
	if ts, age := c.newest(); ts != 0 && age <= baseAgeMax {
		return ts, nil
	}
	return c.fresh(ctx, until)
}

// snapshot is the timestamp to read at: a fresh one, or the caller's, unless
// that lies in the future (T5).
func (c *Coordinator) snapshot(
	ctx context.Context, at txn.Timestamp, until time.Duration,
) (txn.Timestamp, error) {
	if at == 0 {
		return c.fresh(ctx, until)
	}
	newest, _ := c.newest()
	if at > newest {
		var err error
		if newest, err = c.fresh(ctx, until); err != nil {
			return 0, err
		}
	}
	if at < 0 || at > newest {
		return 0, txn.Errorf(txn.Invalid, "future_timestamp",
			"timestamp %d was not issued yet, the newest is %d", at, newest)
	}
	return at, nil
}
