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
	rs := c.held()
	if rs == nil {
		return nil, 0, false
	}
	groups, err := rs.groups(r.Keys)
	if err != nil || len(groups) != 1 {
		return nil, 0, false
	}
	target := rs.target(groups[0].route)
	asked := c.env.Now()
	if !c.present.asks(target.Shard, asked) {
		return nil, 0, false
	}
	resp, err := send(ctx, c, until, func(ctx context.Context) (*shardrpc.ReadResponse, error) {
		return c.shards.Read(ctx,
			&shardrpc.ReadRequest{Target: target, Keys: r.Keys, Revision: r.Revision})
	})
	if err != nil || resp.At == 0 || len(resp.Versions) != len(r.Keys) {
		if err == nil && resp.Retry {
			c.present.avoid(target.Shard, c.env.Now())
		}
		return nil, 0, false
	}
	c.raise(resp.At, asked)
	return resp.Versions, resp.At, true
}
