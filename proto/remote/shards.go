package remote

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Timestamp implements coordinator.Shards.
func (c *Client) Timestamp(ctx context.Context, n int) (txn.Timestamp, error) {
	resp, err := call[shardrpc.TimestampResponse](ctx, c, request{
		Message: &shardrpc.TimestampRequest{N: n},
		method:  shardrpc.MethodTimestamp, shard: shardrpc.MetaShard})
	if err != nil {
		return 0, err
	}
	return resp.First, nil
}

// Read implements coordinator.Shards.
func (c *Client) Read(
	ctx context.Context, req *shardrpc.ReadRequest,
) (*shardrpc.ReadResponse, error) {
	return call[shardrpc.ReadResponse](ctx, c, request{req, shardrpc.MethodRead, req.Shard})
}

// ReadSoon is a coordinator.ReadSoon. It asks one member: whether to ask another is up to its
// caller.
func (c *Client) ReadSoon(
	ctx context.Context, req *shardrpc.ReadRequest, within time.Duration,
	then func(*shardrpc.ReadResponse, error),
) (end func(cause error)) {
	to, ok := c.leaders.begin(req.Shard)
	if !ok {
		return nil
	}
	a := asked{to, req.Shard, time.Now()}
	r := link.Request{
		Method: uint8(shardrpc.MethodRead), Payload: shardrpc.Encode(req), Until: a.began.Add(within),
	}
	r.Deadline, _ = ctx.Deadline()
	begun := to.peer.link.Begin(r, func(payload []byte, err error) {
		c.note(ctx, a, err)
		then(decode[shardrpc.ReadResponse](payload, err))
	})
	if begun == nil {
		return nil
	}
	return begun.End
}

// Commit implements coordinator.Shards.
func (c *Client) Commit(
	ctx context.Context, req *shardrpc.CommitRequest,
) (*shardrpc.CommitResponse, error) {
	return call[shardrpc.CommitResponse](ctx, c, request{req, shardrpc.MethodCommit, req.Shard})
}

// Validate implements coordinator.Shards.
func (c *Client) Validate(
	ctx context.Context, req *shardrpc.ValidateRequest,
) (*shardrpc.Reply, error) {
	return call[shardrpc.Reply](ctx, c, request{req, shardrpc.MethodValidate, req.Shard})
}

// Prewrite implements coordinator.Shards.
func (c *Client) Prewrite(
	ctx context.Context, req *shardrpc.PrewriteRequest,
) (*shardrpc.PrewriteResponse, error) {
	return call[shardrpc.PrewriteResponse](ctx, c, request{req, shardrpc.MethodPrewrite, req.Shard})
}

// Decide implements coordinator.Shards.
func (c *Client) Decide(
	ctx context.Context, req *shardrpc.DecideRequest,
) (*shardrpc.DecideResponse, error) {
	return call[shardrpc.DecideResponse](ctx, c, request{req, shardrpc.MethodDecide, req.Shard})
}

// Resolve implements coordinator.Shards.
func (c *Client) Resolve(
	ctx context.Context, req *shardrpc.ResolveRequest,
) (*shardrpc.ResolveResponse, error) {
	return call[shardrpc.ResolveResponse](ctx, c, request{req, shardrpc.MethodResolve, req.Shard})
}

// Query implements coordinator.Shards.
func (c *Client) Query(
	ctx context.Context, req *shardrpc.QueryRequest,
) (*shardrpc.QueryResponse, error) {
	return call[shardrpc.QueryResponse](ctx, c, request{req, shardrpc.MethodQuery, req.Shard})
}

// Inquire implements coordinator.Shards.
func (c *Client) Inquire(
	ctx context.Context, req *shardrpc.InquireRequest,
) (*shardrpc.InquireResponse, error) {
	return call[shardrpc.InquireResponse](ctx, c, request{req, shardrpc.MethodInquire, req.Shard})
}

// QueryIntents implements coordinator.Shards.
func (c *Client) QueryIntents(
	ctx context.Context, req *shardrpc.QueryIntentsRequest,
) (*shardrpc.QueryIntentsResponse, error) {
	return call[shardrpc.QueryIntentsResponse](ctx, c,
		request{req, shardrpc.MethodQueryIntents, req.Shard})
}

// Stale implements coordinator.Shards.
func (c *Client) Stale(
	ctx context.Context, req *shardrpc.StaleRequest,
) (*shardrpc.StaleResponse, error) {
	return call[shardrpc.StaleResponse](ctx, c, request{req, shardrpc.MethodStale, req.Shard})
}

// Lock implements coordinator.Shards.
func (c *Client) Lock(
	ctx context.Context, req *shardrpc.LockRequest,
) (*shardrpc.LockResponse, error) {
	return call[shardrpc.LockResponse](ctx, c, request{req, shardrpc.MethodLock, req.Shard})
}

// Unlock implements coordinator.Shards.
func (c *Client) Unlock(
	ctx context.Context, req *shardrpc.UnlockRequest,
) (*shardrpc.UnlockResponse, error) {
	return call[shardrpc.UnlockResponse](ctx, c, request{req, shardrpc.MethodUnlock, req.Shard})
}

// Ephemeral implements coordinator.Shards.
func (c *Client) Ephemeral(
	ctx context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	return call[shardrpc.EphemeralResponse](ctx, c,
		request{req, shardrpc.MethodEphemeral, req.Shard})
}

// Locks is the lock table of a shard, for operators.
func (c *Client) Locks(
	ctx context.Context, req *shardrpc.LocksRequest,
) (*shardrpc.LocksResponse, error) {
	return call[shardrpc.LocksResponse](ctx, c, request{req, shardrpc.MethodLocks, req.Shard})
}
