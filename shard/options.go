package shard

import (
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// Raft's numbers (docs/transactions.md 2.3 and 4.2). Times are in ticks.
const (
	ElectionTicks       = 10
	HeartbeatTicks      = 2
	messageBytesMax     = 1 << 20
	committedBytesMax   = 8 << 20
	uncommittedBytesMax = 64 << 20
	inflightMessagesMax = 256
	inflightBytesMax    = 16 << 20
)

// Limits of one replica.
const (
	applyBatchBytesMax = 4 << 20  // cut between entries
	entryBytesMax      = 64 << 10 // a larger command travels alone
	entryCommandsMax   = 256
	writesMax          = 4096 // admitted and unanswered; more get Retry
	queriesMax         = 4096 // unanswered; more get Retry
	evaluationsMax     = 8    // of one write, each with a newer timestamp
	stallTicks         = 2    // how long a write waits for another's intent
	queryTicks         = 2    // how long a Query waits for a decision
	readWaitMax        = 5 * time.Second
	intentWaitMax      = 2 * time.Millisecond // then the reader asks the primary
	scanBytesDefault   = 1 << 20

	// AheadMax is how far a timestamp from elsewhere may lie ahead of a member's
	// own time (T5).
	AheadMax = 10 * time.Second
)

// TruncateBytesMin is how much a log must have grown before it is truncated.
// KeepBytesMax is how much of it is kept for replicas that are away; one that
// lags further gets a snapshot.
const (
	TruncateBytesMin = 4 << 20
	KeepBytesMax     = 32 << 20
)

// catchUpKeeps is how many times KeepBytes of log are kept for replicas that are
// catching up. What is written while a snapshot travels and is installed must
// still be there, or the next snapshot follows, and so on.
const catchUpKeeps = 32

// installMax is how long a replica that is catching up may say nothing.
const installMax = 10 * time.Second

// LeaseDefault is how long a follower keeps its promise to a leader, and thus
// about how long it takes to miss one.
const LeaseDefault = 400 * time.Millisecond

// Options are fixed for the life of a Replica. All but the last few are required.
type Options struct {
	Member uint64 // this replica's raft id
	Route  shardrpc.Route
	State  mvcc.Engine
	Log    mvcc.Engine
	Points *locks.TSCache // of the process
	Newest *Newest        // of the process
	Env    env.Env
	Meta   *meta.State                // of the meta group's replica only
	Full   *atomic.Pointer[txn.Error] // set while the disk has no room for growth; nil: never

	// Versions is the memory for the newest versions of keys, of the process. nil: none
	Versions *mvcc.VersionCache
	// Ephemeral is the memory for ephemeral keys, of the process. One of its own
	Ephemeral *Ephemeral
	// Wake, from any goroutine, makes the driver step Confirm soon. Required
	// where there are several replicas.
	Wake func()
	// Hold reports whether commands should wait because the log engine is being written for
	// others. When that is over the driver takes the effects again. nil: it never is.
	Hold func() bool
	// Now is a timestamp that the oracle issues now, if it is in this process and can
	// without waiting. Any goroutine may call it. nil: it cannot.
	Now func() (txn.Timestamp, bool)
	// Lease is that of docs/transactions.md 2.3: ElectionTicks ticks. LeaseDefault
	Lease time.Duration
	// Quorum makes every read ask a quorum, for clocks that cannot be trusted.
	Quorum bool
	// Wanted are the members that should have a replica, in ascending order; the
	// leader works towards it. nil: those that do. Any goroutine may call it.
	Wanted func() []uint64
	// Retention is how long decided records are kept. RetentionDefault
	Retention time.Duration
	// Keyspace tells the options of a keyspace, as far as this member knows; nil if
	// it knows none. nil: there are no limits but the largest. Any goroutine may call it.
	Keyspace func(txn.KeyspaceID) *txn.Keyspace
	// RequestWindow is how many of a key's newest versions are asked for the requests that they
	// carry out; the same for all replicas, and never less than before. RequestWindowDefault
	RequestWindow int
	// TruncateBytes and KeepBytes stand in for TruncateBytesMin and
	// KeepBytesMax, for tests. 0: those.
	TruncateBytes, KeepBytes int64
}

func (o *Options) setDefaults() {
	if o.Full == nil {
		o.Full = new(atomic.Pointer[txn.Error])
	}
	if o.Ephemeral == nil {
		o.Ephemeral = NewEphemeral(EphemeralBytesDefault)
	}
	if o.Now == nil {
		o.Now = func() (txn.Timestamp, bool) { return 0, false }
	}
	if o.Hold == nil {
		o.Hold = func() bool { return false }
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Lease == 0 {
		o.Lease = LeaseDefault
	}
	if o.TruncateBytes == 0 {
		o.TruncateBytes = TruncateBytesMin
	}
	if o.RequestWindow == 0 {
		o.RequestWindow = RequestWindowDefault
	}
	if o.Retention == 0 {
		o.Retention = RetentionDefault
	}
	if o.KeepBytes == 0 {
		o.KeepBytes = KeepBytesMax
	}
	if o.Meta != nil { // it holds no user's keys
		o.Route.Span = txn.Span{Start: txn.Key{0}, End: txn.Key{0}}
	}
}
