package run

import (
	"context"
	"sync"
	"time"

	"github.com/cairnkv/cairn/gateway"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// locksTimeout is how long a shard has to show its locks.
	locksTimeout = time.Second
	// lockAsksMax bounds how many shards are asked at a time.
	lockAsksMax = 16
)

// lockShower is a member, or the links to members.
type lockShower interface {
	Routes(context.Context) ([]shardrpc.Route, error)
	Locks(context.Context, *shardrpc.LocksRequest) (*shardrpc.LocksResponse, error)
}

// showLocks asks the leader of every shard for its locks. Of one that does not
// answer it says why.
func showLocks(ctx context.Context, from lockShower) ([]gateway.ShardLocks, error) {
	timed, cancel := context.WithTimeout(ctx, locksTimeout)
	defer cancel()
	routes, err := from.Routes(timed)
	if err != nil {
		return nil, &txn.Error{Kind: txn.Unavailable, Op: "run.showLocks",
			Reason: "member_unreachable", Err: err}
	}
	all := make([]gateway.ShardLocks, len(routes))
	places := make(chan struct{}, lockAsksMax)
	var asking sync.WaitGroup
	for i := range routes {
		places <- struct{}{}
		asking.Go(func() {
			all[i] = locksOf(ctx, from, &routes[i])
			<-places
		})
	}
	asking.Wait()
	return all, ctx.Err()
}

func locksOf(ctx context.Context, from lockShower, r *shardrpc.Route) gateway.ShardLocks {
	ctx, cancel := context.WithTimeout(ctx, locksTimeout)
	defer cancel()
	resp, err := from.Locks(ctx, &shardrpc.LocksRequest{
		Target: shardrpc.Target{Shard: r.Shard, Epoch: r.Epoch}})
	switch {
	case err != nil:
		return gateway.ShardLocks{Shard: r.Shard, Silent: err.Error()}
	case resp.Answer != shardrpc.OK:
		return gateway.ShardLocks{Shard: r.Shard, Silent: "the shard does not serve now"}
	}
	return gateway.ShardLocks{Shard: r.Shard, Locks: resp.Locks, More: resp.More}
}
