package cli

import (
	"fmt"

	"github.com/cairnkv/cairn/client"
)

type statusJSON struct {
	Version   string       `json:"version"`
	ClusterID string       `json:"cluster_id"`
	MemberID  uint64       `json:"member_id"`
	UptimeMS  int64        `json:"uptime_ms"`
	DataDir   string       `json:"data_dir"`
	DiskFree  int64        `json:"disk_free_bytes"`
	Keys      int64        `json:"keys"`
	Bytes     int64        `json:"bytes"`
	Intents   int64        `json:"intents"`
	Members   []memberJSON `json:"members"`
	Shards    []shardJSON  `json:"shards"`
}

type shardJSON struct {
	ID       uint64        `json:"id"`
	Keyspace string        `json:"keyspace"`
	Start    string        `json:"start"` // as stored, in hexadecimal
	End      string        `json:"end"`
	Leader   bool          `json:"leader"`
	LeaderID uint64        `json:"leader_id"`
	Term     uint64        `json:"term"`
	Keys     int64         `json:"keys"`
	Bytes    int64         `json:"bytes"`
	Applied  uint64        `json:"applied_index"`
	Intents  int64         `json:"intents"`
	Replicas []replicaJSON `json:"replicas"`
}

type memberJSON struct {
	ID          uint64        `json:"id"`
	Address     string        `json:"address"`
	State       string        `json:"state"` // up or down
	Why         string        `json:"why,omitempty"`
	Leaderships int64         `json:"leaderships"`
	MaxLag      *int64        `json:"max_lag"` // null where nobody knows
	DataDir     string        `json:"data_dir"`
	DiskFree    int64         `json:"disk_free_bytes"`
	DiskTotal   int64         `json:"disk_total_bytes"`
	DiskUsed    int64         `json:"disk_used_bytes"`
	Replicas    []replicaJSON `json:"replicas"`
}

type replicaJSON struct {
	Shard   uint64 `json:"shard"`
	Member  uint64 `json:"member"`
	Leader  bool   `json:"leader"`
	Voter   bool   `json:"voter"`
	Applied uint64 `json:"applied_index"`
	Last    uint64 `json:"last_index"`
	Lag     *int64 `json:"lag"` // null where the member does not answer
}

func newStatusJSON(st client.Status) statusJSON {
	out := statusJSON{
		Version: st.Version, ClusterID: st.ClusterID, MemberID: st.MemberID,
		UptimeMS: st.Uptime.Milliseconds(), DataDir: st.DataDir, DiskFree: st.DiskFree,
		Keys: st.Totals.Keys, Bytes: st.Totals.Bytes, Intents: st.Totals.Intents,
		Members: []memberJSON{}, Shards: []shardJSON{},
	}
	for i := range st.Members {
		out.Members = append(out.Members, newMemberJSON(&st.Members[i]))
	}
	for i := range st.Shards {
		sh := &st.Shards[i]
		out.Shards = append(out.Shards, shardJSON{
			ID: sh.ID, Keyspace: sh.Keyspace, Start: fmt.Sprintf("%x", sh.StartKey),
			End: fmt.Sprintf("%x", sh.EndKey), Leader: sh.Leader, LeaderID: sh.LeaderID,
			Term: sh.Term, Keys: sh.Keys, Bytes: sh.Bytes, Applied: sh.Applied,
			Intents: sh.Intents, Replicas: newReplicasJSON(sh.Replicas),
		})
	}
	return out
}

func newMemberJSON(m *client.MemberStatus) memberJSON {
	out := memberJSON{
		ID: m.ID, Address: m.Address, State: "up", Why: m.Down, Leaderships: m.Leaderships,
		MaxLag: knownLag(maxLag(m)), DataDir: m.DataDir, DiskFree: m.DiskFree,
		DiskTotal: m.DiskTotal, DiskUsed: m.DiskUsed, Replicas: newReplicasJSON(m.Replicas),
	}
	if m.Down != "" {
		out.State = "down"
	}
	return out
}

func newReplicasJSON(all []client.ReplicaStatus) []replicaJSON {
	out := []replicaJSON{}
	for _, r := range all {
		out = append(out, replicaJSON{
			Shard: r.Shard, Member: r.Member, Leader: r.Leader, Voter: !r.Learner,
			Applied: r.Applied, Last: r.Last, Lag: knownLag(r.Lag),
		})
	}
	return out
}

func knownLag(entries int64) *int64 {
	if entries == client.LagUnknown {
		return nil
	}
	return &entries
}
