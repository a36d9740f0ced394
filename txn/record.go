package txn

import "fmt"

// Status is the state of a transaction record. The numbers are on disk.
type Status uint8

const (
	Absent    Status = iota // no record
	Pending                 // 2PC mode: undecided
	Staging                 // parallel mode: decided by its intents
	Committed               // for ever
	Aborted                 // for ever
)

var statusNames = [...]string{"absent", "pending", "staging", "committed", "aborted"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Final reports whether s can never change.
func (s Status) Final() bool { return s == Committed || s == Aborted }

// Mask is a set of statuses, for conditional moves.
type Mask uint8

// In builds a Mask.
func In(statuses ...Status) Mask {
	var m Mask
	for _, s := range statuses {
		m |= 1 << s
	}
	return m
}

// Has reports whether s is in m.
func (m Mask) Has(s Status) bool { return m&(1<<s) != 0 }

// Record is the one place that decides a transaction of several shards. It
// lies at the primary key; Absent is a record that is not there.
type Record struct {
	Txn      ID
	Primary  Key
	Status   Status
	BaseTS   Timestamp
	MaxTS    Timestamp
	CommitTS Timestamp // of a Committed record
	Hash     uint64    // of the key list
	Keys     []Key     // of an undecided parallel commit
	// Done: no intent is left that could send anybody here.
	Done bool
	// Requested: the row of a request asks here for its outcome.
	Requested bool
}

// CanMove is invariant I5: the only moves a record makes.
func (s Status) CanMove(to Status) bool {
	switch s {
	case Absent:
		return to != Absent
	case Pending, Staging:
		return to.Final()
	default:
		return false
	}
}

// Move makes the move to if the record's status is in from, and reports
// whether it did. A move that I5 forbids panics: no request can ask for one.
func (r *Record) Move(from Mask, to Status, commit Timestamp) bool {
	if !from.Has(r.Status) {
		return false
	}
	if !r.Status.CanMove(to) {
		panic(fmt.Sprintf("record %v: move %v to %v", r.Txn, r.Status, to))
	}
	r.Status, r.CommitTS = to, 0
	if to == Committed {
		r.CommitTS = commit
	}
	if to.Final() {
		r.Keys = nil
	}
	return true
}

// RecoverAfter is how old (by the oracle) an undecided transaction must be
// before anyone but its coordinator decides it (C9), in microseconds.
const RecoverAfter Timestamp = 1_000_000

// ForsakenAfter is how old an undecided transaction must be before anyone
// decides it, whatever is known of its coordinator, in microseconds: that has
// given up by then, a minute after its caller.
const ForsakenAfter Timestamp = 90_000_000

// Verdict is what someone who met an undecided transaction may conclude.
type Verdict uint8

const (
	VerdictWait      Verdict = iota // young: its coordinator is at work
	VerdictAsk                      // old: ask the owner whether it still works on it
	VerdictAbort                    // move the record to Aborted, then say so
	VerdictRecover                  // old and staging: its intents decide, see Settle
	VerdictCommitted                // decided
	VerdictAborted                  // decided
	VerdictGone                     // nothing is left that could tell
)

// Owner is what is known of the coordinator that began a transaction.
type Owner uint8

const (
	OwnerUnknown Owner = iota // not asked, or no answer
	OwnerWorking              // it says the transaction is still its own
	OwnerGone                 // its session is over, or it disowns the transaction
)

// Recover decides what to do about the transaction that has record r (Absent
// if there is none), begun at base, at the oracle's time now, with the
// shard's record floor. It is the F7 of docs/transactions.md.
func Recover(r *Record, base, now, floor Timestamp, owner Owner) Verdict {
	switch r.Status {
	case Committed:
		return VerdictCommitted
	case Aborted:
		return VerdictAborted
	case Absent:
		if base <= floor {
			return VerdictGone
		}
	case Pending, Staging:
	}
	switch {
	case owner == OwnerGone, now-base > ForsakenAfter:
		if r.Status == Staging {
			return VerdictRecover
		}
		return VerdictAbort
	case now-base <= RecoverAfter, owner == OwnerWorking:
		return VerdictWait
	default:
		return VerdictAsk
	}
}

// Found is what is left of a staging transaction on some of its keys.
type Found struct {
	// Missing: on one of them there is nothing, and never will be.
	Missing bool
	// CommitTS is where one of them has been committed already; 0: none has.
	CommitTS Timestamp
	// MaxTS is the highest provisional timestamp of the intents, and Bound the
	// first moment at which something that they replace would have been gone:
	// at or after it they would have come to something else. Forever: never.
	MaxTS, Bound Timestamp
}

// Settle is how a staging transaction begun at base ends, by all that is left
// of it: what its coordinator and everyone who recovers it conclude alike,
// since none of what they look at changes before the record does.
func Settle(base Timestamp, all []Found) (Status, Timestamp) {
	commit, bound, missing := base, Forever, false
	for i := range all {
		f := &all[i]
		if f.CommitTS != 0 {
			return Committed, f.CommitTS
		}
		missing = missing || f.Missing
		commit, bound = max(commit, f.MaxTS), min(bound, f.Bound)
	}
	if missing || commit >= bound {
		return Aborted, 0
	}
	return Committed, commit
}
