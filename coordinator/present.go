package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// presentPause is for how long the leader of a shard is not asked for the present, once it
// could not tell it.
const presentPause = 200 * time.Millisecond

// present is which shards have lately been unable to read as of now: whose leaders do not
// have the oracle beside them.
type present struct {
	mu  sync.Mutex
	not map[shardrpc.ShardID]time.Duration // until when, by Env.Now
}

func (p *present) asks(id shardrpc.ShardID, now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now >= p.not[id]
}

func (p *present) avoid(id shardrpc.ShardID, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.not == nil {
		p.not = make(map[shardrpc.ShardID]time.Duration)
	}
	p.not[id] = now + presentPause
}

// getNow reads keys of one shard as of now: its leader takes the timestamp, which spares a
// call to the oracle before the read. The timestamp is as fresh as one that we would have
// asked for (T4). Whatever is in the way leaves the read to Get, with ok false.
func (c *Coordinator) getNow(ctx context.Context, r *Read, until time.Duration) (
	versions []txn.Version, at txn.Timestamp, ok bool,
) {
	ask, ok := c.askNow(r.Keys)
	if !ok {
		return nil, 0, false
	}
	resp, err := send(ctx, c, until, func(ctx context.Context) (*shardrpc.ReadResponse, error) {
		return c.shards.Read(ctx,
			&shardrpc.ReadRequest{Target: ask.target, Keys: r.Keys, Revision: r.Revision})
	})
	if !c.toldNow(ask, len(r.Keys), resp, err) {
		return nil, 0, false
	}
	return resp.Versions, resp.At, true
}

// GetSoon is Get of one key as of now for whoever does not wait. It tries once, and calls
// then as Options.ReadSoon does; ok is false if the read is to be left to Get. A nil end says
// so at once.
func (c *Coordinator) GetSoon(
	ctx context.Context, key txn.Key, then func(v *txn.Version, at txn.Timestamp, ok bool),
) (end func(cause error)) {
	if c.opts.ReadSoon == nil {
		return nil
	}
	keys := []txn.Key{key}
	ask, ok := c.askNow(keys)
	if !ok {
		return nil
	}
	req := &shardrpc.ReadRequest{Target: ask.target, Keys: keys}
	return c.opts.ReadSoon(ctx, req, c.opts.AttemptTimeout,
		func(resp *shardrpc.ReadResponse, err error) {
			if !c.toldNow(ask, 1, resp, err) {
				then(nil, 0, false)
				return
			}
			then(&resp.Versions[0], resp.At, true)
		})
}

// askedNow is a read as of now under way.
type askedNow struct {
	target shardrpc.Target
	at     time.Duration // by Env.Now
}

// askNow finds out whether one shard has all of keys, and may be asked for the present.
func (c *Coordinator) askNow(keys []txn.Key) (a askedNow, ok bool) {
	rs := c.held()
	if rs == nil {
		return a, false
	}
	route, one := rs.only(keys)
	if !one {
		return a, false
	}
	a = askedNow{rs.target(route), c.env.Now()}
	return a, c.present.asks(a.target.Shard, a.at)
}

// toldNow reports whether a read of n keys was answered.
func (c *Coordinator) toldNow(a askedNow, n int, resp *shardrpc.ReadResponse, err error) bool {
	if err != nil || resp.At == 0 || len(resp.Versions) != n {
		if err == nil && resp.Retry {
			c.present.avoid(a.target.Shard, c.env.Now())
		}
		return false
	}
	c.raise(resp.At, a.at)
	return true
}
