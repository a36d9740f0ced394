package txn

import (
	"crypto/sha256"
	"encoding/binary"
)

const (
	// RequestIDBytesMax is the longest request_id that users may give.
	RequestIDBytesMax = 64
	// RequestRandomBytes of a dated request_id are random.
	RequestRandomBytes = 16
	// RequestIDBytes is how much of its hash names it inside.
	RequestIDBytes = 16
	// RequestRetention is how long a request is remembered after its outcome, in
	// microseconds. Later its request_id names a new request.
	RequestRetention Timestamp = 15 * 60 * 1_000_000
)

// RequestID names a request: the first bytes of SHA-256 of the user's request_id.
type RequestID [RequestIDBytes]byte

// HashRequestID is the name of the request that a user calls user.
func HashRequestID(user []byte) RequestID {
	sum := sha256.Sum256(user)
	return RequestID(sum[:RequestIDBytes])
}

// A dated request_id is this mark, a timestamp as 8 bytes big endian, and
// RequestRandomBytes more, which nobody else draws.
const (
	requestMark       = "\x00cts"
	datedRequestBytes = len(requestMark) + 8 + RequestRandomBytes
)

// DatedRequestID is a request_id that says about itself that it was made up when its
// maker had seen since.
func DatedRequestID(since Timestamp, random [RequestRandomBytes]byte) []byte {
	id := append(make([]byte, 0, datedRequestBytes), requestMark...)
	return append(binary.BigEndian.AppendUint64(id, uint64(since)), random[:]...)
}

// RequestSince is what the request_id user says about itself; 0: nothing.
func RequestSince(user []byte) Timestamp {
	if len(user) != datedRequestBytes || string(user[:len(requestMark)]) != requestMark {
		return 0
	}
	return Timestamp(binary.BigEndian.Uint64(user[len(requestMark):]) & uint64(MaxTimestamp))
}

// NamedRequest is the request that a user calls user; what it asks for is left open.
func NamedRequest(user []byte) Request {
	return Request{ID: HashRequestID(user), Since: SinceSeen(RequestSince(user))}
}

// requestMargin is more than a commit's timestamp is ahead of those that the oracle has
// issued: it may be one above that of a read, or of a version, that was in its way (T6).
const requestMargin Timestamp = 1000

// SinceSeen is the Since of a request that was made up when its maker had seen a timestamp.
func SinceSeen(seen Timestamp) Timestamp { return max(0, seen-requestMargin) }

// Request is what makes a transaction happen once, however often it is asked
// for: all attempts that carry it leave at most one effect.
type Request struct {
	ID RequestID
	// Fingerprint is of what it asks for: another one under the same ID is a
	// mistake of the user's.
	Fingerprint uint64
	// Since was issued before the ID was made up; 0: unknown. All copies of a request
	// have the same one, and no version carries it out at Since or before. Nobody keeps
	// it beyond the commit.
	Since Timestamp
}

// RequestRow is what is remembered of a Request at its anchor, a key that all
// of its attempts have as their primary. It is written with the effect, so
// whoever holds the anchor's latch sees both or neither.
type RequestRow struct {
	// Status is Absent for a row that is not there; Pending while the record of
	// Txn, at the same primary, decides; Committed; or Aborted once somebody was
	// told so by an inquiry, after which no attempt may succeed.
	Status      Status
	Fingerprint uint64
	Txn         ID        // the attempt that wrote it; 0 of an inquiry
	BaseTS      Timestamp // of that attempt or inquiry
	CommitTS    Timestamp // of a Committed row
}

// RequestVerdict is what a row has to say to another attempt of its request.
type RequestVerdict uint8

const (
	RequestProceed RequestVerdict = iota // nothing has been done, and no attempt lives
	RequestRepeat                        // it was done: answer what came of it
	RequestBusy                          // the attempt Txn is undecided
	RequestReused                        // the row is of a request that asks for something else
	RequestAborted                       // an inquiry was told that nothing would be done
)

// Judge says what the transaction self, which carries q, has to do. Rec is the
// record of r.Txn at the anchor, if r is Pending. With RequestRepeat comes the
// commit timestamp. A nil q is an inquiry, to which Proceed means that it may
// write the row that nobody proceeds from.
func (r *RequestRow) Judge(q *Request, self ID, rec *Record) (RequestVerdict, Timestamp) {
	own := q != nil && r.Txn == self
	// A record that was collected is no better than an aborted one: nobody asks
	// for that outcome any more.
	dead := r.Status == Pending && !own && (rec.Status == Aborted || rec.Status == Absent)
	switch {
	case r.Status == Absent, dead:
		return RequestProceed, 0
	case r.Status == Aborted: // no attempt wrote that, so it has no fingerprint
		return RequestAborted, 0
	case q != nil && q.Fingerprint != r.Fingerprint:
		return RequestReused, 0
	case r.Status == Committed:
		return RequestRepeat, r.CommitTS
	case own: // it knows its own intents and record
		return RequestProceed, 0
	case rec.Status == Committed:
		return RequestRepeat, rec.CommitTS
	default:
		return RequestBusy, 0
	}
}

// EarlyRequest is the error of a request that cannot have been made up when its name
// says.
func EarlyRequest(anchor Key) *Error {
	e := Errorf(Invalid, "request_id_early",
		"the request_id was made up at a timestamp that was not issued yet")
	e.Key = anchor
	e.Next = "make up another one"
	return e
}

// ReusedRequest is the error of a request whose name another one has, at anchor.
func ReusedRequest(anchor Key) *Error {
	e := Errorf(Invalid, "request_id_reused",
		"the request_id was given to a request with other content")
	e.Key = anchor
	e.Next = "give every request a request_id of its own"
	return e
}
