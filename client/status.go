package client

import (
	"context"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// Status describes the cluster as one gateway sees it.
type Status struct {
	Version   string // of the answering program
	ClusterID string
	MemberID  uint64 // that DataDir and DiskFree speak of: the first one that is up
	Uptime    time.Duration
	DataDir   string // empty where nobody answered for one
	DiskFree  int64  // bytes; 0 = unknown
	Members   []MemberStatus
	Shards    []ShardStatus
	Totals    Totals
}

// MemberStatus is one process that keeps replicas.
type MemberStatus struct {
	ID      uint64
	Address string // empty where the member is in the gateway's process
	// Down is why it does not answer; empty = it is up. Of one that is down
	// nothing but id and address is known.
	Down        string
	DataDir     string
	DiskFree    int64 // bytes; 0 = unknown
	DiskTotal   int64 // bytes; 0 = unknown
	DiskUsed    int64 // bytes, by data and log
	Leaderships int64
	Replicas    []ReplicaStatus // the meta group's first, then in key order
}

// LagUnknown is the Lag of a copy whose member does not answer.
const LagUnknown = -1

// ReplicaStatus is one member's copy of one shard.
type ReplicaStatus struct {
	Shard   uint64
	Member  uint64
	Leader  bool   // it says that it leads
	Learner bool   // it only listens; one that does not votes
	Applied uint64 // log index
	Last    uint64 // log index
	// Lag is how many entries of the log it has not applied yet, or LagUnknown.
	Lag int64
}

// ShardStatus is one range of keys as its leader has it, or another copy where
// no leader answers.
type ShardStatus struct {
	ID       uint64
	Keyspace string // empty for the meta group
	StartKey []byte // as stored
	EndKey   []byte // as stored; empty = to the last there is
	Leader   bool   // the copy that answered leads its group
	Keys     int64
	Bytes    int64 // keys and values, all versions; an estimate
	Applied  uint64
	Intents  int64  // writes prepared and not yet resolved
	LeaderID uint64 // as far as known, although it may be down by now; 0 = nobody
	Term     uint64 // raised by every change of leader
	Voters   []uint64
	Learners []uint64
	Replicas []ReplicaStatus // by member, also of those that do not answer
}

// Totals are sums over all shards but the meta group.
type Totals struct{ Shards, Keys, Bytes, Intents int64 }

// Status asks the gateway for its view. It is cheap: no key is read.
func (db *DB) Status(ctx context.Context) (Status, error) {
	c := &call{
		method: cairnv1.Method_METHOD_STATUS_STATUS,
		req:    &cairnv1.StatusRequest{}, res: &cairnv1.StatusResponse{},
	}
	if err := db.do(ctx, c); err != nil {
		return Status{}, err
	}
	res := c.res.(*cairnv1.StatusResponse)
	t := res.GetTotals()
	s := Status{
		Version: res.Version, ClusterID: res.ClusterId, MemberID: res.MemberId,
		Uptime: time.Duration(res.UptimeMs) * time.Millisecond, DataDir: res.DataDir,
		DiskFree: res.DiskFreeBytes, Totals: Totals{
			Shards: t.GetShards(), Keys: t.GetKeys(), Bytes: t.GetBytes(),
			Intents: t.GetIntents(),
		},
	}
	for _, w := range res.Members {
		s.Members = append(s.Members, MemberStatus{
			ID: w.Id, Address: w.Address, Down: w.Down, DataDir: w.DataDir,
			DiskFree: w.DiskFreeBytes, DiskTotal: w.DiskTotalBytes, DiskUsed: w.DiskUsedBytes,
			Leaderships: w.Leaderships, Replicas: replicasFromWire(w.Replicas),
		})
	}
	for _, w := range res.Shards {
		s.Shards = append(s.Shards, ShardStatus{
			ID: w.Id, Keyspace: w.Keyspace, StartKey: w.StartKey, EndKey: w.EndKey,
			Leader: w.Leader, Keys: w.Keys, Bytes: w.Bytes, Applied: w.AppliedIndex,
			Intents: w.Intents, LeaderID: w.LeaderId, Term: w.Term, Voters: w.Voters,
			Learners: w.Learners, Replicas: replicasFromWire(w.Replicas),
		})
	}
	return s, nil
}

func replicasFromWire(all []*cairnv1.ReplicaStatus) []ReplicaStatus {
	var out []ReplicaStatus
	for _, w := range all {
		out = append(out, ReplicaStatus{
			Shard: w.Shard, Member: w.Member, Leader: w.Leader, Learner: w.Learner,
			Applied: w.AppliedIndex, Last: w.LastIndex, Lag: w.Lag,
		})
	}
	return out
}

// TransferLeader hands the leadership of a shard to a member, 0: to whichever
// other one has most of its log. It returns the member that leads and serves
// the shard then, which may be a third one that was faster. Nobody within 5 s:
// txn.Unavailable.
func (db *DB) TransferLeader(ctx context.Context, shard, member uint64) (uint64, error) {
	c := &call{
		method: cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER, effect: commits,
		req: &cairnv1.TransferLeaderRequest{Shard: shard, ToMember: member},
		res: &cairnv1.TransferLeaderResponse{},
	}
	if err := db.do(ctx, c); err != nil {
		return 0, err
	}
	return c.res.(*cairnv1.TransferLeaderResponse).LeaderId, nil
}
