package shardrpc

import (
	"errors"
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// ShardID names a shard for ever; 1 is the meta group.
type ShardID uint64

// MetaShard is the group of the oracle, descriptors and sessions.
const MetaShard ShardID = 1

// ErrUnsent is in the error of a call that never left this process: nothing came of it.
var ErrUnsent = errors.New("not sent")

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

	// Of a txn.Request: it was carried out by another attempt, another attempt is
	// undecided, or somebody was told that it will not be carried out.
	ReasonRepeated = "repeated"
	ReasonOpen     = "request_open"
	ReasonForgone  = "request_aborted"
)

// Blocker is an undecided transaction that stands in the way.
type Blocker struct {
	Key     txn.Key // where it was met
	Txn     txn.ID
	Primary txn.Key
	BaseTS  txn.Timestamp
	Age     txn.Age // zero where it is not known
}

// Reply is the part that every answer to a write request shares.
type Reply struct {
	Answer  Answer
	Reason  string   // of a refusal
	Key     txn.Key  // of a conflict; where Holder has a lock
	Writer  txn.ID   // of a conflict: who wrote Key; of ReasonRepeated: who did it
	Blocker *Blocker // of ReasonIntent and ReasonOpen
	// Holder is who has or took the lock: ReasonLocked, ReasonWounded, ReasonLockTimeout.
	Holder *LockOwner
	// RepeatAt is where the effect of a ReasonRepeated was committed.
	RepeatAt txn.Timestamp
	// Err explains a refusal with ReasonInvalid (a limit, a type).
	Err *txn.Error
}
