package shardrpc

import "github.com/cairnkv/cairn/txn"

// KeyspacesRequest asks the meta group for the table of keyspaces.
type KeyspacesRequest struct {
	Target
	// Known is the Changes of the table that the caller has; 0: it has none.
	Known uint64
}

// KeyspacesResponse is, with OK, the table by name, unless it is the one that is known.
type KeyspacesResponse struct {
	Answer    Answer
	Same      bool
	Changes   uint64
	Keyspaces []txn.Keyspace
}

// ChangeKeyspaceRequest changes the table of keyspaces. What asks for what is so
// already changes nothing, so it may be sent again.
type ChangeKeyspaceRequest struct {
	Target
	Change txn.KeyspaceChange
}

// ChangeKeyspaceResponse tells, with OK, what came of it.
type ChangeKeyspaceResponse struct {
	Answer   Answer
	Changed  bool
	Keyspace *txn.Keyspace // as it is now; nil: there is none
	Err      *txn.Error    // why it was not done
}

// DropStep is a step of the deletion of a keyspace. Every shard takes one before
// any of them takes the next (docs/transactions.md 2.6).
type DropStep uint8

const (
	// DropMark makes the shard refuse whatever else would write or read there.
	DropMark DropStep = iota
	// DropLook finds the transactions that are not done with and touch it.
	DropLook
	// DropErase removes all of it.
	DropErase
)

// DropRequest takes a step. Each may be taken again.
type DropRequest struct {
	Target
	Keyspace txn.KeyspaceID
	Step     DropStep
	// At, of DropErase, was issued after every shard had been marked: a request
	// that began later can have left nothing there.
	At txn.Timestamp
	// From, of DropLook, is the Next of the answer before.
	From []byte
}

// DropResponse says, with OK, that the step is taken.
type DropResponse struct {
	Answer Answer
	// Blocked, of DropLook, are transactions to be resolved everywhere first.
	Blocked []Blocker
	Next    []byte // where to go on looking; nil: all has been looked at
}

// UsageRequest asks a shard what its keyspaces hold.
type UsageRequest struct{ Target }

// UsageResponse tells it with OK, by id.
type UsageResponse struct {
	Answer Answer
	Usage  []KeyspaceUsage
}

// KeyspaceUsage is what a shard has of a keyspace.
type KeyspaceUsage struct {
	ID txn.KeyspaceID
	txn.Usage
}
