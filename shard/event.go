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
	// InquireRequest, ResolveRequest, QueryRequest, QueryIntentsRequest, StaleRequest,
	// LockRequest, UnlockRequest, LocksRequest, EphemeralRequest, SessionRequest,
	// RenewRequest, FindSessionRequest, TransferRequest, ReplaceRequest, KeyspacesRequest,
	// ChangeKeyspaceRequest, DropRequest or UsageRequest. Its answer is a Reply of the
	// same ID; one that proves nothing if the leadership ends first.
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
	// OwnerSays answers an AskOwner effect. Of a txn.SessionID it tells whether the
	// session is over.
	OwnerSays struct {
		Txn   txn.ID
		Owner txn.Owner
	}
	// Durable says up to which index the state engine would survive a crash.
	Durable struct{ Index uint64 }
	// Message is a raft message from another replica. A snapshot comes by
	// Snapshot instead.
	Message struct{ Msg *raftpb.Message }
	// Snapshot is another replica's state that has arrived whole: raft's message
	// and, staged in the state engine, what Bounds cover. The replica owns Stage
	// from then on; it comes back by an Install effect, or is discarded.
	Snapshot struct {
		Msg   *raftpb.Message
		Stage mvcc.Stage
	}
	// Installed answers an Install effect: its stage is committed.
	Installed struct{}
	// SnapshotSent answers a SendSnapshot effect: the other side has it, or never will.
	SnapshotSent struct {
		To uint64
		OK bool
	}
	// Unreachable says that messages to a replica were thrown away.
	Unreachable struct{ To uint64 }
	// Confirm makes the replica look for reads that wait for a round of
	// heartbeats (Options.Wake asked for it).
	Confirm struct{}
	// Transfer hands the leadership over, if there is one: to member To, or to
	// whoever is furthest if To is 0.
	Transfer struct{ To uint64 }
	// Gather is Transfer, if To has nearly all of the log: it costs next to nothing
	// then.
	Gather struct{ To uint64 }
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
	// Install must be committed before Installed is stepped. At most one is
	// outstanding, and no Append beside it.
	Install mvcc.Stage
	// Messages may be sent now; those that must wait for the log come later.
	// They may be lost, doubled and come out of order.
	Messages []*raftpb.Message
	// Snapshots are to be sent, each answered by SnapshotSent.
	Snapshots []SendSnapshot
	Replies   []Reply
	// AskOracle is how many timestamps are wanted, by a request that is sent
	// after this. At most one is outstanding.
	AskOracle int
	// AskOwner are transactions whose coordinators may have lost interest, and
	// sessions (txn.SessionID) that have locks.
	AskOwner []txn.ID
	// Failed ends the process: the replica cannot go on, and says why.
	Failed error
}

// Empty reports whether there is nothing to do.
func (e *Effects) Empty() bool {
	return e.Append == nil && e.Install == nil &&
		len(e.Messages) == 0 && len(e.Snapshots) == 0 && len(e.Replies) == 0 &&
		e.AskOracle == 0 && len(e.AskOwner) == 0 && e.Failed == nil
}

// SendSnapshot is the state of the replica on its way to another one, which
// gets it as a Snapshot event. Whoever carries it out closes Export.
type SendSnapshot struct {
	To     uint64
	Msg    *raftpb.Message
	Export mvcc.Export
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

// truncation removes the entries from first to index, and where the log begins
// anew those up to last, its end.
type truncation struct{ first, index, term, last uint64 }

// WriteTo adds a to a batch of the log engine.
func (a *Append) WriteTo(b mvcc.Batch) {
	writeLog(b, a)
}
