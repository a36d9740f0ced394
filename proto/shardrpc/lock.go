package shardrpc

import "github.com/cairnkv/cairn/txn"

// LockRequest asks for locks: for all that it names, or none yet. It reads
// nothing and costs no consensus. The locks belong to Age, whatever attempts
// follow, and never conflict with each other; Txn is the attempt that asks.
//
// A lock promises nothing to a commit: it may be gone at any moment (its
// leader, an older transaction), and what was read under it is validated.
type LockRequest struct {
	Target
	Txn txn.ID
	Age txn.Age
	// BaseTS is the newest timestamp that the sender holds when it sends the
	// first copy. One that is old is refused with ReasonStale: a late copy must
	// not lock for a transaction that is over.
	BaseTS txn.Timestamp
	Mode   txn.LockMode
	Keys   []txn.Key
	Spans  []txn.Span
	// Wait is how long to wait for others, in ms; 0: not at all. The shard may
	// wait less. Who asks again has kept its place, which goes by age.
	Wait int64
}

// LockResponse says, with OK, that all of it is locked by the leader of Term.
//
// Refused says that nothing of it is locked by this request, and unlike to a
// write nothing more: ReasonWounded (an older transaction took what this one
// held in the shard, all of it; Holder is that one; this attempt gets no more
// locks there), ReasonLockTimeout (Key is in the way, Holder has it),
// ReasonDead (the attempt has been unlocked, resolved or committed there, has
// begun to commit, or a later one of the same Age has come), ReasonStale,
// ReasonInvalid.
type LockResponse struct {
	Reply
	Term uint64
}

// UnlockRequest ends a transaction in a shard as far as locks go: whatever Age
// holds or waits for there is released, unless a later attempt than Txn asked
// for it, and copies of Txn's lock requests that still travel get nothing.
type UnlockRequest struct {
	Target
	Txn    txn.ID
	Age    txn.Age
	BaseTS txn.Timestamp // at least that of every LockRequest of Txn
}

// UnlockResponse is OK when Txn has no lock in the shard, now and for ever.
type UnlockResponse struct {
	Answer Answer
}

// LocksRequest asks for the lock table of a shard, for operators.
type LocksRequest struct {
	Target
}

// LocksResponse carries, with OK, the range locks, then those of keys in order;
// of each what is held, then who waits, oldest first.
type LocksResponse struct {
	Answer Answer
	Locks  []LockInfo
	More   bool // there are more locks than an answer has
}

// LockInfo is a lock that is held or waited for.
type LockInfo struct {
	Key   txn.Key  // nil: Span
	Span  txn.Span // of a range lock
	Mode  txn.LockMode
	Owner LockOwner
	// Waits says that it is not held. It is a request's for all that it names:
	// Behind may hold another key of it.
	Waits bool
	// Committing says that the owner is committing in this shard: nobody can
	// wound it there.
	Committing bool
	Since      txn.Timestamp // by the member's wall clock
	Behind     []LockOwner   // of one that waits: whom it waits for
}

// LockOwner is a transaction as the lock table knows it.
type LockOwner struct {
	Txn txn.ID // the attempt that spoke last
	Age txn.Age
}
