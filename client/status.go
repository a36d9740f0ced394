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
	MemberID  uint64
	Uptime    time.Duration
	DataDir   string // empty where the gateway keeps no data
	DiskFree  int64  // bytes; 0 = unknown
	Shards    []ShardStatus
	Totals    Totals
}

// ShardStatus is one range of keys as the answering member has it.
type ShardStatus struct {
	ID       uint64
	Keyspace string // empty for the meta group
	StartKey []byte // as stored
	EndKey   []byte // as stored; empty = to the last there is
	Leader   bool   // the answering member leads its group
	Keys     int64
	Bytes    int64 // keys and values, all versions; an estimate
	Applied  uint64
	Intents  int64 // writes prepared and not yet resolved
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
	for _, w := range res.Shards {
		s.Shards = append(s.Shards, ShardStatus{
			ID: w.Id, Keyspace: w.Keyspace, StartKey: w.StartKey, EndKey: w.EndKey,
			Leader: w.Leader, Keys: w.Keys, Bytes: w.Bytes, Applied: w.AppliedIndex,
			Intents: w.Intents,
		})
	}
	return s, nil
}
