package shardrpc

import (
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// ShardID names a shard for ever; 1 is the meta group.
type ShardID uint64

// MetaShard is the group of the oracle, descriptors and sessions.
const MetaShard ShardID = 1

// Answer is what a shard says to a write request. A lost answer says nothing.
type Answer uint8

const (
	// Retry proves nothing: send the same request again.
	Retry Answer = iota
	// Moved proves nothing: refresh routes, then send it again.
	Moved
	// OK: it is done, durably, and done once.
	OK
	// Refused proves that this transaction id can never write at this shard (L5).
	Refused
	// Gone proves nothing and never will: what could tell has been collected.
	Gone
)

var answerNames = [...]string{"retry", "moved", "ok", "refused", "gone"}

func (a Answer) String() string {
	if int(a) < len(answerNames) {
		return answerNames[a]
	}
	return fmt.Sprintf("answer(%d)", uint8(a))
}

// Reasons of a refusal; short, stable, shown to users.
const (
	ReasonConflict = "conflict"   // something read has changed
	ReasonPushed   = "pushed"     // it would commit after its max_ts
	ReasonStale    = "stale_base" // L3: too old, or older than the leadership
	ReasonDead     = "dead"       // refused or prevented before
	ReasonIntent   = "intent"     // another undecided transaction is in the way
	ReasonInvalid  = "invalid"    // the request itself cannot be served
	ReasonLocked   = "locked"     // an older transaction has locked a key to be written
	// Of lock requests only.
	ReasonWounded     = "wounded"      // an older transaction took its locks
	ReasonLockTimeout = "lock_timeout" // others held what it wants all the while
)

// Blocker is an undecided transaction that stands in the way.
type Blocker struct {
	Key     txn.Key // where it was met
	Txn     txn.ID
	Primary txn.Key
	BaseTS  txn.Timestamp
}

// Reply is the part that every answer to a write request shares.
type Reply struct {
	Answer  Answer
	Reason  string   // of a refusal
	Key     txn.Key  // of a conflict; where Holder has a lock
	Blocker *Blocker // of ReasonIntent
	// Holder is who has or took the lock: ReasonLocked, ReasonWounded, ReasonLockTimeout.
	Holder *LockOwner
	// Err explains a refusal with ReasonInvalid (a limit, a type).
	Err *txn.Error
}
