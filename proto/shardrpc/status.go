package shardrpc

// MemberStatus is what a member tells operators.
type MemberStatus struct {
	ClusterID string
	MemberID  uint64
	Address   string
	// Down is why the member did not answer; nothing else but id and address is known then.
	Down      string
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
	LeaderID     uint64 // member that leads, as far as this one knows; 0: none
	Voters       []uint64
	Learners     []uint64
	Term         uint64
	AppliedIndex uint64
	LastIndex    uint64 // of the log; the leader's tells how far a replica lags
	FirstIndex   uint64 // oldest entry still in the log
	Keys         int64  // stored live keys; expired ones count until swept
	Bytes        int64  // of their keys and values
	Collected    int64  // records and rows of requests removed since the member started
	Intents      int    // of undecided or unresolved transactions
	Locks        int    // that are held; only the leader has any
	LockWaits    int    // requests that wait for locks
}
