package member

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// ours is how many timestamps the test asks for at a time: that tells its requests from members'.
const ours = 977

// apart makes a cluster in which a shard and the oracle have different leaders, and takes so long
// to answer members that ask for timestamps of others.
func apart(t *testing.T, takes time.Duration) (c *cluster, of shardrpc.ShardID, leader *process) {
	t.Helper()
	c = newCluster(t, 3)
	var slow atomic.Bool
	for _, p := range c.all {
		p.serve = func(ctx context.Context, method uint8, b []byte, next link.Serve) ([]byte, error) {
			req, err := shardrpc.Decode[shardrpc.TimestampRequest](b)
			asks := shardrpc.Method(method) == shardrpc.MethodTimestamp && err == nil
			if asks && req.N != ours && slow.Load() {
				select {
				case <-time.After(takes):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return next(ctx, method, b)
		}
	}
	c.start()
	of = c.target(key("a")).Shard
	leader = c.all[1]
	eventually(t, "the shard and the oracle have different leaders", func() bool {
		for id, want := range map[shardrpc.ShardID]uint64{of: 2, shardrpc.MetaShard: 1} {
			h := c.leader(id).member.shards[id]
			if h.Leader() != want {
				h.worker.post(h, shard.Transfer{To: want})
				return false
			}
		}
		return true
	})
	slow.Store(true)
	return c, of, leader
}

// commit writes a key until that is acknowledged.
func (c *cluster) commit(k string) {
	c.t.Helper()
	to := c.target(key(k))
	eventually(c.t, "a commit", func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		base, err := c.remote().Timestamp(ctx, ours)
		if err != nil {
			return false
		}
		id := txn.NewID(1, ids.Add(1))
		resp, err := c.remote().Commit(ctx, &shardrpc.CommitRequest{Target: to, Txn: id,
			Age: txn.Age{At: base, ID: id}, BaseTS: base, MaxTS: math.MaxInt64, Program: set(k, "1")})
		return err == nil && resp.Answer == shardrpc.OK
	})
}

// A network that is slower than what a request to the oracle may take at first: it takes longer, and
// nobody gives anything up.
func TestSlowOracle(t *testing.T) {
	c, of, leader := apart(t, 500*time.Millisecond)
	c.commit("a")
	if now := c.leader(of); now != leader {
		t.Errorf("the leadership of the shard went from member %d to %d", leader.o.ID, now.o.ID)
	}
}

// A leader that does not reach the oracle, while others reach both: it hands its shard to one of
// them.
func TestOracleOutOfReach(t *testing.T) {
	c, of, _ := apart(t, time.Hour)
	c.commit("a")
	if a, b := c.leader(of), c.leader(shardrpc.MetaShard); a != b {
		t.Errorf("member %d leads the shard, and member %d the oracle", a.o.ID, b.o.ID)
	}
}
