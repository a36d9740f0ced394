package shard

import (
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Event is what may happen to a Replica: one of the types below.
type Event any

type (
	// Request is a *shardrpc.CommitRequest, PrewriteRequest, DecideRequest,
	// ResolveRequest, QueryRequest, SessionRequest or RenewRequest. Its answer
	// is a Reply of the same ID; one that proves nothing if the leadership ends first.
	Request struct {
		ID  uint64
		Msg any
	}
	// Tick passes one TickInterval.
	Tick struct{}
	// Appended says that the last Append effect is durable.
	Appended struct{}
	// Timestamps answers the last AskOracle effect with N consecutive ones
	// from First. First 0: the oracle did not answer; the replica asks again.
	Timestamps struct {
		First txn.Timestamp
		N     int
	}
	// OwnerSays answers an AskOwner effect.
	OwnerSays struct {
		Txn   txn.ID
		Owner txn.Owner
	}
	// Durable says up to which index the state engine would survive a crash.
	Durable struct{ Index uint64 }
	// Message is a raft message from another replica.
	Message struct{ Msg *raftpb.Message }
	// ExtendOracle asks the meta leader for more room for the oracle.
	ExtendOracle struct{}
)

// Reply answers a Request: a response of package shardrpc.
type Reply struct {
	ID  uint64
	Msg any
}

// Effects is what the driver must do after Step. It may take the effects of
// several Steps together.
type Effects struct {
	// Append must be durable before Appended is stepped. At most one is
	// outstanding.
	Append *Append
	// Messages may be sent now; those that must wait for the log come later.
	Messages []*raftpb.Message
	Replies  []Reply
	// AskOracle is how many timestamps are wanted, by a request that is sent
	// after this. At most one is outstanding.
	AskOracle int
	// AskOwner are transactions whose coordinators may have lost interest.
	AskOwner []txn.ID
	// Failed ends the process: the replica cannot go on, and says why.
	Failed error
}

// Empty reports whether there is nothing to do.
func (e *Effects) Empty() bool {
	return e.Append == nil && len(e.Messages) == 0 && len(e.Replies) == 0 &&
		e.AskOracle == 0 && len(e.AskOwner) == 0 && e.Failed == nil
}

// Append is what one replica adds to the log engine.
type Append struct {
	Shard    shardrpc.ShardID
	Sync     bool // before Appended; without it the write may wait for another's
	Hard     *raftpb.HardState
	Entries  []*raftpb.Entry
	lastOld  uint64 // last index of the log before it
	truncate *truncation
}

type truncation struct{ first, index, term uint64 }

// WriteTo adds a to a batch of the log engine.
func (a *Append) WriteTo(b mvcc.Batch) {
	writeLog(b, a)
}
