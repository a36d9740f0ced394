package shardrpc

// MemberStatus is what a member tells operators.
type MemberStatus struct {
	ClusterID string
	MemberID  uint64
	DataDir   string
	DiskFree  uint64 // bytes
	DiskTotal uint64 // bytes
	DiskUsed  uint64 // bytes, by both engines
	Shards    []ShardStatus
}

// ShardStatus is one replica of a member.
type ShardStatus struct {
	Route
	Leader       bool
	Serving      bool
	Term         uint64
	AppliedIndex uint64
	FirstIndex   uint64 // oldest entry still in the log
	Keys         int64  // stored live keys; expired ones count until swept
	Bytes        int64  // of their keys and values
	Intents      int    // of undecided or unresolved transactions
}
