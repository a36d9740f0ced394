package shardrpc

import "github.com/cairnkv/cairn/txn"

// TimestampRequest asks the oracle for N consecutive timestamps.
type TimestampRequest struct {
	N int
}

// TimestampResponse carries the first of them.
type TimestampResponse struct {
	First txn.Timestamp
}

// RoutesRequest asks for the shard map.
type RoutesRequest struct{}

// RoutesResponse is the shard map, by span, without gaps, and who the members are.
type RoutesResponse struct {
	Routes  []Route
	Members []Member
}

// Member is one process that keeps replicas.
type Member struct {
	ID      uint64 // from 1, never used again
	Address string // host:port for gateways and for other members; empty: only this process
}

// StatusRequest asks what operators want to know.
type StatusRequest struct{}

// StatusResponse has an entry for every member that the answering one speaks for.
type StatusResponse struct {
	Members []MemberStatus
}

// TransferRequest asks the leader of a shard to hand its leadership to a member.
type TransferRequest struct {
	Target
	To uint64 // 0: to whichever follower is furthest
}

// TransferResponse says, with OK, that the handing over has begun; with Refused, that To has no
// replica that could lead. Whether it has led to anything is seen in the status.
type TransferResponse struct {
	Answer Answer
}

// FoundRequest is how a member with an empty data directory asks a founder of its cluster to be
// let in, at the first start of all of them.
type FoundRequest struct {
	ID       uint64 // of the asking member
	Nonce    uint64 // random, made with the data directory: another one is another disk
	Founders []string
	Splits   [][]byte
}

// FoundResponse carries the cluster, once all founders have asked.
type FoundResponse struct {
	Formed    bool // false: not yet, ask again
	ClusterID string
	Splits    [][]byte
	Nonces    []uint64 // of the founders, in order
}

// ReplaceRequest asks the meta group to put a new member in the place of one that is lost.
type ReplaceRequest struct {
	Target
	Old     uint64
	New     uint64
	Nonce   uint64 // of New's data directory
	Address string // of New
}

// ReplaceResponse says, with OK, that New belongs to the cluster and will be given replicas; with
// Refused, why not.
type ReplaceResponse struct {
	Reply
	ClusterID string
	Routes    []Route
	Members   []Member
}

// SnapshotRequest is one part of a replica's state on its way to another member, in order.
type SnapshotRequest struct {
	Shard  ShardID
	From   uint64 // member
	Stream uint64 // names all parts of one snapshot
	Part   uint64 // from 0
	Header []byte // of part 0: raft's message
	Data   []byte
	Last   bool
}

// SnapshotResponse says that a part was taken in; after the last one, that raft has the snapshot.
type SnapshotResponse struct{}
