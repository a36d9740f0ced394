package sim

import (
	"context"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

func (s *shards) Keyspaces(ctx context.Context, m *shardrpc.KeyspacesRequest) (
	*shardrpc.KeyspacesResponse, error,
) {
	return ask[*shardrpc.KeyspacesResponse](ctx, s, m.Shard, m)
}

func (s *shards) ChangeKeyspace(ctx context.Context, m *shardrpc.ChangeKeyspaceRequest) (
	*shardrpc.ChangeKeyspaceResponse, error,
) {
	return ask[*shardrpc.ChangeKeyspaceResponse](ctx, s, m.Shard, m)
}

func (s *shards) Drop(ctx context.Context, m *shardrpc.DropRequest) (
	*shardrpc.DropResponse, error,
) {
	return ask[*shardrpc.DropResponse](ctx, s, m.Shard, m)
}

func (s *shards) Usage(ctx context.Context, m *shardrpc.UsageRequest) (
	*shardrpc.UsageResponse, error,
) {
	return ask[*shardrpc.UsageResponse](ctx, s, m.Shard, m)
}
