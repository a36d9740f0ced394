package clienttest

import (
	"fmt"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// shardsMax is how many shards there are: the meta group and that of the keys.
const shardsMax = 2

// followerLag is how many entries every follower claims to be behind, so that
// there is something to see.
const followerLag = 3

// fakeShard is a raft group that is not there.
type fakeShard struct {
	leader uint64
	term   uint64
	last   uint64
}

func newShards() [shardsMax]fakeShard {
	return [shardsMax]fakeShard{{leader: 1, term: 1, last: 10}, {leader: 1, term: 1, last: 20}}
}

// Down makes a member not answer, for the reason given; an empty one: it does
// again. What it led has no leader until a transfer.
func (s *Server) Down(member uint64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.down, member)
	if why != "" {
		s.down[member] = why
	}
}

func (s *Server) status() *cairnv1.StatusResponse {
	var keys, bytes int64
	at := s.store.tick()
	for _, key := range s.store.keys {
		if v := s.store.newest(key, at); v.Live(at) {
			keys++
			bytes += int64(len(key.User()) + len(v.Value.Data))
		}
	}
	res := &cairnv1.StatusResponse{
		Version: Version, ClusterId: "test", MemberId: 1, UptimeMs: 61_000,
		DataDir: "memory", Totals: &cairnv1.StatusTotals{Shards: 1, Keys: keys, Bytes: bytes},
	}
	for id := range uint64(s.opts.Members) {
		res.Members = append(res.Members, s.member(id+1))
	}
	for i := range s.shards {
		sh := s.shard(i, res.Members)
		if i > 0 {
			sh.Keyspace, sh.Keys, sh.Bytes = "default", keys, bytes
		}
		res.Shards = append(res.Shards, sh)
	}
	return res
}

// member is what is known of one before its replicas are.
func (s *Server) member(id uint64) *cairnv1.MemberStatus {
	m := &cairnv1.MemberStatus{Id: id, Address: fmt.Sprintf("127.0.0.1:%d", 7700+id)}
	if m.Down = s.down[id]; m.Down == "" {
		m.DataDir = "memory"
		m.DiskFreeBytes, m.DiskTotalBytes, m.DiskUsedBytes = 5e9, 20e9, 1_500_000
	}
	return m
}

// shard is one with its replicas, which it adds to those of the members.
func (s *Server) shard(i int, members []*cairnv1.MemberStatus) *cairnv1.ShardStatus {
	f := s.shards[i]
	sh := &cairnv1.ShardStatus{
		Id: uint64(i + 1), Leader: s.down[f.leader] == "", LeaderId: f.leader, Term: f.term,
	}
	for _, m := range members {
		r := &cairnv1.ReplicaStatus{Shard: sh.Id, Member: m.Id, Lag: -1}
		sh.Voters = append(sh.Voters, m.Id)
		sh.Replicas = append(sh.Replicas, r)
		if m.Down != "" {
			continue
		}
		r.AppliedIndex, r.LastIndex, r.Lag = f.last-followerLag, f.last, followerLag
		if r.Leader = m.Id == f.leader; r.Leader {
			r.AppliedIndex, r.Lag = f.last, 0
			m.Leaderships++
		}
		sh.AppliedIndex = max(sh.AppliedIndex, r.AppliedIndex)
		m.Replicas = append(m.Replicas, r)
	}
	return sh
}

func (s *Server) transferLeader(
	r *cairnv1.TransferLeaderRequest,
) (*cairnv1.TransferLeaderResponse, error) {
	switch {
	case s.opts.Members == 1:
		return nil, txn.Errorf(txn.Invalid, "single_member", "a single member leads everything")
	case r.Shard == 0 || r.Shard > shardsMax:
		return nil, txn.Errorf(txn.Invalid, "shard_unknown", "there is no shard %d", r.Shard)
	case r.ToMember > uint64(s.opts.Members):
		return nil, txn.Errorf(txn.Invalid, "member_unknown", "there is no member %d", r.ToMember)
	case s.down[r.ToMember] != "":
		return nil, txn.Errorf(txn.Unavailable, "member_down", "member %d does not answer: %s",
			r.ToMember, s.down[r.ToMember])
	}
	f, to := &s.shards[r.Shard-1], r.ToMember
	for to == 0 || to == f.leader && r.ToMember == 0 || s.down[to] != "" {
		if to++; to > uint64(s.opts.Members) {
			return nil, &txn.Error{Kind: txn.Unavailable, Reason: "leader_not_moved",
				Err: fmt.Errorf("no other member has come to lead shard %d", r.Shard)}
		}
	}
	if f.leader != to {
		f.leader, f.term = to, f.term+1
	}
	return &cairnv1.TransferLeaderResponse{LeaderId: to}, nil
}
