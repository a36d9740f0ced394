package remote

import (
	"context"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Timestamp implements coordinator.Shards.
func (c *Client) Timestamp(ctx context.Context, n int) (txn.Timestamp, error) {
	resp, err := call[shardrpc.TimestampResponse](ctx, c, shardrpc.MethodTimestamp,
		&shardrpc.TimestampRequest{N: n})
	if err != nil {
		return 0, err
	}
	return resp.First, nil
}

// Routes implements coordinator.Shards.
func (c *Client) Routes(ctx context.Context) ([]shardrpc.Route, error) {
	resp, err := call[shardrpc.RoutesResponse](ctx, c, shardrpc.MethodRoutes,
		&shardrpc.RoutesRequest{})
	if err != nil {
		return nil, err
	}
	return resp.Routes, nil
}

// Read implements coordinator.Shards.
func (c *Client) Read(
	ctx context.Context, req *shardrpc.ReadRequest,
) (*shardrpc.ReadResponse, error) {
	return call[shardrpc.ReadResponse](ctx, c, shardrpc.MethodRead, req)
}

// Commit implements coordinator.Shards.
func (c *Client) Commit(
	ctx context.Context, req *shardrpc.CommitRequest,
) (*shardrpc.CommitResponse, error) {
	return call[shardrpc.CommitResponse](ctx, c, shardrpc.MethodCommit, req)
}

// Validate implements coordinator.Shards.
func (c *Client) Validate(
	ctx context.Context, req *shardrpc.ValidateRequest,
) (*shardrpc.Reply, error) {
	return call[shardrpc.Reply](ctx, c, shardrpc.MethodValidate, req)
}

// Prewrite implements coordinator.Shards.
func (c *Client) Prewrite(
	ctx context.Context, req *shardrpc.PrewriteRequest,
) (*shardrpc.PrewriteResponse, error) {
	return call[shardrpc.PrewriteResponse](ctx, c, shardrpc.MethodPrewrite, req)
}

// Decide implements coordinator.Shards.
func (c *Client) Decide(
	ctx context.Context, req *shardrpc.DecideRequest,
) (*shardrpc.DecideResponse, error) {
	return call[shardrpc.DecideResponse](ctx, c, shardrpc.MethodDecide, req)
}

// Resolve implements coordinator.Shards.
func (c *Client) Resolve(
	ctx context.Context, req *shardrpc.ResolveRequest,
) (*shardrpc.ResolveResponse, error) {
	return call[shardrpc.ResolveResponse](ctx, c, shardrpc.MethodResolve, req)
}

// Query implements coordinator.Shards.
func (c *Client) Query(
	ctx context.Context, req *shardrpc.QueryRequest,
) (*shardrpc.QueryResponse, error) {
	return call[shardrpc.QueryResponse](ctx, c, shardrpc.MethodQuery, req)
}
