package gateway

import (
	"cmp"
	"context"
	"slices"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

func (g *Gateway) statusOf(
	ctx context.Context, _ *cairnv1.StatusRequest,
) (*cairnv1.StatusResponse, error) {
	members, err := g.Status(ctx)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.StatusResponse{
		Version:  g.Version,
		UptimeMs: (g.Env.Now() - g.started).Milliseconds(),
		Totals:   &cairnv1.StatusTotals{},
	}
	if len(members) > 0 {
		m := &members[0]
		resp.ClusterId, resp.MemberId = m.ClusterID, m.MemberID
		resp.DataDir, resp.DiskFreeBytes = m.DataDir, int64(m.DiskFree)
	}
	for _, s := range oneReplicaEach(members) {
		resp.Shards = append(resp.Shards, wireShard(&s))
		if s.Shard == shardrpc.MetaShard {
			continue
		}
		resp.Totals.Shards++
		resp.Totals.Keys += s.Keys
		resp.Totals.Bytes += s.Bytes
		resp.Totals.Intents += int64(s.Intents)
	}
	return resp, nil
}

// oneReplicaEach is every shard once, as its leader has it where that is known: the meta group
// first, then in key order.
func oneReplicaEach(members []shardrpc.MemberStatus) []shardrpc.ShardStatus {
	var all []shardrpc.ShardStatus
	for i := range members {
		all = append(all, members[i].Shards...)
	}
	slices.SortStableFunc(all, func(a, b shardrpc.ShardStatus) int {
		return cmp.Or(
			-cmp.Compare(b2i(a.Shard == shardrpc.MetaShard), b2i(b.Shard == shardrpc.MetaShard)),
			a.Span.Start.Compare(b.Span.Start),
			cmp.Compare(a.Shard, b.Shard),
			-cmp.Compare(b2i(a.Leader), b2i(b.Leader)),
		)
	})
	return slices.CompactFunc(all, func(a, b shardrpc.ShardStatus) bool { return a.Shard == b.Shard })
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func wireShard(s *shardrpc.ShardStatus) *cairnv1.ShardStatus {
	out := &cairnv1.ShardStatus{
		Id: uint64(s.Shard), StartKey: s.Span.Start, EndKey: s.Span.End,
		Leader: s.Leader, Keys: s.Keys, Bytes: s.Bytes,
		AppliedIndex: s.AppliedIndex, Intents: int64(s.Intents),
	}
	if s.Shard != shardrpc.MetaShard {
		out.Keyspace = defaultKeyspace
	}
	return out
}
