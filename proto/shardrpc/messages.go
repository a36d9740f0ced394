package shardrpc

import "github.com/cairnkv/cairn/txn"

// Route says where a shard is and what it holds.
type Route struct {
	Shard ShardID
	Epoch uint64
	Span  txn.Span
}

// Target is the part that every request shares.
type Target struct {
	Shard ShardID
	Epoch uint64 // of the sender's Route; a shard of another epoch answers Moved
}

// Where is the shard that a request is for.
func (t *Target) Where() ShardID { return t.Shard }

// ReadRequest reads at a timestamp that the oracle issued after the read was
// asked for (or that the user named). With At 0 the leader of the shard takes one
// itself, if it leads the meta group too; otherwise it answers Retry.
type ReadRequest struct {
	Target
	At   txn.Timestamp
	Keys []txn.Key
	// Revision, if set, asks for that revision of Keys[0] (not later than At).
	Revision *int64
	Scan     *Scan
	// History, if set, asks for the history of Keys, which is one then.
	History *History
}

// History is the part of a read that asks for a key's history, as it is seen at
// the time of the read.
type History struct {
	From     txn.Timestamp // not later than At: from this version downwards
	KeysOnly bool
	Limit    int // versions; 0: as many as fit into Bytes
	Bytes    int // of the versions in the answer; at least one is sent
}

// Scan is the range part of a read.
type Scan struct {
	Span     txn.Span // within the shard
	Reverse  bool
	KeysOnly bool
	Limit    int // entries; 0: as many as fit into Bytes
	Bytes    int // of keys and values in the answer; at least one entry is sent
	// Since, if not 0, asks for no entries, but whether Span has changed since.
	Since txn.Timestamp
}

// ReadResponse answers a ReadRequest whole or not at all.
type ReadResponse struct {
	At    txn.Timestamp // what was read at; 0 if nothing was
	Moved bool
	// Err is why this can never be answered; nothing else is set then.
	Err *txn.Error
	// Blocked names undecided transactions that the answer depends on. The
	// reader finds out what became of them (Query), resolves, and asks again.
	Blocked []Blocker
	TooOld  txn.Timestamp // not 0: history before this is collected
	Retry   bool          // not serving now; ask again
	// Versions answers Keys in order; newest at At, tombstones too, zero if none. Or
	// it is the history that was asked for, newest first.
	Versions []txn.Version
	Entries  []txn.Entry // live ones, in scan order
	More     bool        // Limit or Bytes cut the scan after the last entry
	// Changed answers Scan.Since: Span has a version that was committed after, or
	// a value that was there has expired. If not, Expiry is when the first of its
	// values expires; 0: none does.
	Changed bool
	Expiry  txn.Timestamp
	// Next is where the rest of a history begins that Limit or Bytes have cut; 0:
	// this is its end.
	Next txn.Timestamp
}

// CommitRequest is a whole transaction that lies on one shard (1PC, F3).
type CommitRequest struct {
	Target
	Txn     txn.ID
	Age     txn.Age
	BaseTS  txn.Timestamp
	MaxTS   txn.Timestamp
	Reads   txn.ReadSet
	Program txn.Program
	// Request, if set, is remembered at Anchor, a key of the shard, whatever the
	// program comes to.
	Request *txn.Request
	Anchor  txn.Key
}

// CommitResponse says, with OK, that the program ran at CommitTS. A program that wrote
// nothing (its test failed) still took effect as a read at CommitTS.
type CommitResponse struct {
	Reply
	CommitTS  txn.Timestamp
	Succeeded bool
	Results   []txn.Result
	Written   []txn.Written
}

// ValidateRequest asks whether what was read still holds at At,
// on a shard where the transaction writes nothing.
type ValidateRequest struct {
	Target
	Txn   txn.ID
	At    txn.Timestamp // C0
	Reads txn.ReadSet
}

// PrewriteRequest lays down the intents of one shard (F4, F5).
type PrewriteRequest struct {
	Target
	Txn     txn.ID
	Age     txn.Age
	BaseTS  txn.Timestamp // C0
	MaxTS   txn.Timestamp
	Primary txn.Key
	Hash    uint64 // of the whole transaction's key list
	// Record is the status of the record to write too, if Primary is in this
	// shard: Pending, or Staging with Keys, which are all that the transaction
	// writes, in order. Absent: another shard has the record.
	Record txn.Status
	Keys   []txn.Key
	Reads  txn.ReadSet // of this shard: keys written and keys only read
	Writes []txn.Write // by key; none if the shard has nothing but the record
	// Request, if set, is remembered at Primary beside the record.
	Request *txn.Request
	// Annotation goes to every version that Writes make.
	Annotation txn.Annotation
}

// PrewriteResponse says, with OK, that the intents are durable at TS.
type PrewriteResponse struct {
	Reply
	TS      txn.Timestamp
	Written []txn.Written
}

// DecideRequest moves the record at its primary (RecordCAS).
type DecideRequest struct {
	Target
	Txn      txn.ID
	Primary  txn.Key
	BaseTS   txn.Timestamp
	From     txn.Mask
	To       txn.Status
	CommitTS txn.Timestamp
}

// DecideResponse carries the status that the record has now, with OK. A final
// one is the outcome, whoever moved it there; any other says that From did not
// fit. With Retry, Moved and Gone nothing is known.
type DecideResponse struct {
	Answer   Answer
	Status   txn.Status
	CommitTS txn.Timestamp
}

// ResolveRequest turns the intents of a decided transaction into versions, or
// removes them. Intents that are not there are passed over; an abort also
// keeps a prewrite of Txn that is still travelling from ever being carried out.
type ResolveRequest struct {
	Target
	Txn      txn.ID
	BaseTS   txn.Timestamp
	Commit   bool
	CommitTS txn.Timestamp
	Keys     []txn.Key // within the shard; empty: every intent of Txn there
	// Done is the primary of a transaction of which no other shard has an intent
	// any more: its record is needed by nobody who meets one. With Commit it is
	// committed by that, if it is staging. Nil: not so.
	Done txn.Key
}

// ResolveResponse is OK when no intent of the request is left.
type ResolveResponse struct {
	Answer Answer
}

// QueryRequest asks the primary's shard what became of a transaction (F7).
type QueryRequest struct {
	Target
	Txn     txn.ID
	Primary txn.Key
	BaseTS  txn.Timestamp
}

// QueryResponse tells, with OK, the Status: Committed or Aborted for ever,
// Pending (ask again), or Staging: nobody works on it any more and its intents
// on Keys decide (QueryIntents). With Gone, nothing is left that could tell.
type QueryResponse struct {
	Answer   Answer
	Status   txn.Status
	CommitTS txn.Timestamp
	Hash     uint64    // of Keys
	Keys     []txn.Key // of Staging
}

// QueryIntentsRequest asks what is left of a transaction on some keys of one
// shard, and keeps what is not there yet from ever coming (C1).
type QueryIntentsRequest struct {
	Target
	Txn    txn.ID
	BaseTS txn.Timestamp
	Hash   uint64
	Keys   []txn.Key
}

// QueryIntentsResponse tells it with OK. Refused: an intent there belongs to
// another key list, which cannot be.
type QueryIntentsResponse struct {
	Answer Answer
	txn.Found
}

// StaleRequest asks the leader of a shard for transactions with a record there
// that should have been done with long ago.
type StaleRequest struct {
	Target
}

// StaleResponse names some of them, with OK: undecided, or decided and perhaps
// with intents left somewhere. Who has resolved them says so by ResolveRequest.Done.
type StaleResponse struct {
	Answer Answer
	Stale  []Blocker
}

// InquireRequest asks what became of a request, of which nothing may be known
// but its name and its anchor.
type InquireRequest struct {
	Target
	Anchor txn.Key
	ID     txn.RequestID
	BaseTS txn.Timestamp // fresh when the inquiry began
	// Prevent keeps a request that has left no trace from ever being carried out.
	Prevent bool
	// Fingerprint, if not 0, is of the request's content: the answer is Refused if it
	// was another one that was carried out under its name, or may be.
	Fingerprint uint64
}

// InquireResponse tells it with OK: Committed or Aborted for ever, Pending
// where the transaction of Blocker decides, or Absent: nothing is known of it,
// and nothing was asked to be prevented.
type InquireResponse struct {
	Answer   Answer
	Status   txn.Status
	CommitTS txn.Timestamp
	Txn      txn.ID   // of Committed: who did it
	Blocker  *Blocker // of Pending
}

// SessionRequest opens a session for a gateway at the meta group.
type SessionRequest struct {
	Target
	Address string // of the gateway, for others
	// Sole says that no other gateway lives: all earlier sessions are over.
	Sole bool
	// Leased says that the session ends when it is not renewed. It ends those that are not
	// leased: they were of a gateway inside the member's process, of which there is none now.
	Leased bool
}

// SessionResponse carries the session: 1 to 2^24-1, never used before.
type SessionResponse struct {
	Answer  Answer
	Session uint32
}

// RenewRequest keeps a leased session from ending.
type RenewRequest struct {
	Target
	Session uint32
}

// RenewResponse says, with OK, that the lease begins anew; with Gone, that the
// session has ended or was never open.
type RenewResponse struct {
	Answer Answer
}

// FindSessionRequest asks the meta group where the gateway of a session is.
type FindSessionRequest struct {
	Target
	Session uint32
}

// FindSessionResponse says, with OK, that the session is open, and where its
// gateway can be reached; with Gone, that it has ended or was never open.
type FindSessionResponse struct {
	Answer  Answer
	Address string
}
