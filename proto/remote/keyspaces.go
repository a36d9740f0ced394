package remote

import (
	"context"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

// Keyspaces implements coordinator.Shards.
func (c *Client) Keyspaces(
	ctx context.Context, req *shardrpc.KeyspacesRequest,
) (*shardrpc.KeyspacesResponse, error) {
	return call[shardrpc.KeyspacesResponse](ctx, c,
		request{req, shardrpc.MethodKeyspaces, req.Shard})
}

// ChangeKeyspace implements coordinator.Shards.
func (c *Client) ChangeKeyspace(
	ctx context.Context, req *shardrpc.ChangeKeyspaceRequest,
) (*shardrpc.ChangeKeyspaceResponse, error) {
	return call[shardrpc.ChangeKeyspaceResponse](ctx, c,
		request{req, shardrpc.MethodChangeKeyspace, req.Shard})
}

// Drop implements coordinator.Shards.
func (c *Client) Drop(
	ctx context.Context, req *shardrpc.DropRequest,
) (*shardrpc.DropResponse, error) {
	return call[shardrpc.DropResponse](ctx, c, request{req, shardrpc.MethodDrop, req.Shard})
}

// Usage implements coordinator.Shards.
func (c *Client) Usage(
	ctx context.Context, req *shardrpc.UsageRequest,
) (*shardrpc.UsageResponse, error) {
	return call[shardrpc.UsageResponse](ctx, c, request{req, shardrpc.MethodUsage, req.Shard})
}
