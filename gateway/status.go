package gateway

import (
	"cmp"
	"context"
	"slices"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
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
	up := slices.IndexFunc(members, func(m shardrpc.MemberStatus) bool { return m.Down == "" })
	if up >= 0 {
		m := &members[up]
		resp.ClusterId, resp.MemberId = m.ClusterID, m.MemberID
		resp.DataDir, resp.DiskFreeBytes = m.DataDir, int64(m.DiskFree)
	}
	shards := shardsOf(members)
	for i := range shards {
		s := &shards[i]
		resp.Shards = append(resp.Shards, s.wire(g))
		if s.best().Shard == shardrpc.MetaShard {
			continue
		}
		resp.Totals.Shards++
		resp.Totals.Keys += s.best().Keys
		resp.Totals.Bytes += s.best().Bytes
		resp.Totals.Intents += int64(s.best().Intents)
	}
	for i := range members {
		resp.Members = append(resp.Members, wireMember(&members[i], resp.Shards))
	}
	slices.SortStableFunc(resp.Members, func(a, b *cairnv1.MemberStatus) int {
		return cmp.Compare(a.Id, b.Id)
	})
	return resp, nil
}

// replica is one member's copy of a shard.
type replica struct {
	*shardrpc.ShardStatus
	member uint64
}

// last is the index up to which the replica has the log.
func (r replica) last() uint64 { return max(r.LastIndex, r.AppliedIndex) }

// byAuthority sorts replicas of a shard by how much they know about it: its leader first, and of
// two that believe they lead the one of the later term.
func byAuthority(a, b replica) int {
	return cmp.Or(
		-cmp.Compare(b2i(a.Leader), b2i(b.Leader)),
		-cmp.Compare(a.Term, b.Term),
		-cmp.Compare(b2i(a.LeaderID != 0), b2i(b.LeaderID != 0)),
		-cmp.Compare(a.last(), b.last()),
		cmp.Compare(a.member, b.member),
	)
}

// shardView is a shard as those that answered have it, by authority; there is at least one.
type shardView struct{ replicas []replica }

func (s *shardView) best() replica { return s.replicas[0] }

// leader is the member that leads the shard as far as anyone knows, 0: nobody.
func (s *shardView) leader() uint64 {
	if s.best().Leader {
		return s.best().member
	}
	return s.best().LeaderID
}

// serving is the member that leads the shard and serves it, 0: nobody.
func (s *shardView) serving() uint64 {
	if s.best().Leader && s.best().Serving {
		return s.best().member
	}
	return 0
}

// last is the index up to which there is a log, as the leader has it, or else the longest.
func (s *shardView) last() uint64 {
	if s.best().Leader {
		return s.best().last()
	}
	last := uint64(0)
	for _, r := range s.replicas {
		last = max(last, r.last())
	}
	return last
}

// shardsOf is all shards, the meta group first, then in key order.
func shardsOf(members []shardrpc.MemberStatus) []shardView {
	of := make(map[shardrpc.ShardID]int)
	var all []shardView
	for i := range members {
		for j := range members[i].Shards {
			s := &members[i].Shards[j]
			at, known := of[s.Shard]
			if !known {
				at = len(all)
				of[s.Shard], all = at, append(all, shardView{})
			}
			all[at].replicas = append(all[at].replicas, replica{s, members[i].MemberID})
		}
	}
	for i := range all {
		slices.SortFunc(all[i].replicas, byAuthority)
	}
	slices.SortFunc(all, func(a, b shardView) int {
		x, y := a.best(), b.best()
		return cmp.Or(
			-cmp.Compare(b2i(x.Shard == shardrpc.MetaShard), b2i(y.Shard == shardrpc.MetaShard)),
			x.Span.Start.Compare(y.Span.Start),
			cmp.Compare(x.Shard, y.Shard),
		)
	})
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (s *shardView) wire(g *Gateway) *cairnv1.ShardStatus {
	b := s.best()
	out := &cairnv1.ShardStatus{
		Id: uint64(b.Shard), StartKey: b.Span.Start, EndKey: b.Span.End,
		Leader: b.Leader, Keys: b.Keys, Bytes: b.Bytes,
		AppliedIndex: b.AppliedIndex, Intents: int64(b.Intents),
		LeaderId: s.leader(), Term: b.Term,
		Voters:   slices.Sorted(slices.Values(b.Voters)),
		Learners: slices.Sorted(slices.Values(b.Learners)),
		Replicas: s.wireReplicas(),
	}
	if b.Shard != shardrpc.MetaShard {
		out.Keyspace = g.keyspaceName(cutKeyspace(b.Span))
	}
	return out
}

// cutKeyspace is the keyspace that the bounds of a shard lie in: shards are cut inside of one.
func cutKeyspace(s txn.Span) txn.KeyspaceID {
	for _, k := range []txn.Key{s.Start, s.End} {
		if len(k) >= 4 {
			return k.Keyspace()
		}
	}
	return txn.DefaultKeyspace
}

// lagUnknown stands for the lag of a copy that nobody answered for.
const lagUnknown = -1

// wireReplicas is every copy that answered or should have.
func (s *shardView) wireReplicas() []*cairnv1.ReplicaStatus {
	b, last := s.best(), s.last()
	var out []*cairnv1.ReplicaStatus
	answered := make(map[uint64]bool)
	for _, r := range s.replicas {
		answered[r.member] = true
		lag := int64(0)
		if last > r.AppliedIndex {
			lag = int64(last - r.AppliedIndex)
		}
		out = append(out, &cairnv1.ReplicaStatus{
			Shard: uint64(b.Shard), Member: r.member, Leader: r.Leader,
			Learner:      slices.Contains(b.Learners, r.member),
			AppliedIndex: r.AppliedIndex, LastIndex: r.last(), Lag: lag,
		})
	}
	for _, member := range slices.Concat(b.Voters, b.Learners) {
		if !answered[member] {
			out = append(out, &cairnv1.ReplicaStatus{
				Shard: uint64(b.Shard), Member: member,
				Learner: slices.Contains(b.Learners, member), Lag: lagUnknown,
			})
		}
	}
	slices.SortFunc(out, func(a, b *cairnv1.ReplicaStatus) int {
		return cmp.Compare(a.Member, b.Member)
	})
	return out
}

// wireMember is a member with those of the replicas that it answered for.
func wireMember(m *shardrpc.MemberStatus, shards []*cairnv1.ShardStatus) *cairnv1.MemberStatus {
	out := &cairnv1.MemberStatus{Id: m.MemberID, Address: m.Address, Down: m.Down}
	if m.Down != "" {
		return out
	}
	out.DataDir = m.DataDir
	out.DiskFreeBytes, out.DiskTotalBytes = int64(m.DiskFree), int64(m.DiskTotal)
	out.DiskUsedBytes = int64(m.DiskUsed)
	for _, s := range shards {
		if s.LeaderId == m.MemberID {
			out.Leaderships++
		}
		for _, r := range s.Replicas {
			if r.Member == m.MemberID && r.Lag != lagUnknown {
				out.Replicas = append(out.Replicas, r)
			}
		}
	}
	return out
}
