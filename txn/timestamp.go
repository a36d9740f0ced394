package txn

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Timestamp is microseconds since the Unix epoch, issued by the timestamp
// oracle and by nobody else. Valid ones are positive and below 2^53, so that
// JSON and JavaScript carry them exactly. Zero means none.
type Timestamp int64

const (
	// MaxTimestamp is the largest timestamp that JavaScript can carry (year 2255).
	MaxTimestamp Timestamp = 1<<53 - 1
	// Forever bounds a transaction that nothing else bounds.
	Forever Timestamp = math.MaxInt64
)

// Time converts to wall time.
func (t Timestamp) Time() time.Time { return time.UnixMicro(int64(t)) }

// Millis is t in Unix milliseconds, rounded down.
func (t Timestamp) Millis() int64 { return int64(t) / 1000 }

// Add moves t by d, which is cut to microseconds.
func (t Timestamp) Add(d time.Duration) Timestamp { return t + Timestamp(d.Microseconds()) }

// Duration is t as a length of time.
func (t Timestamp) Duration() time.Duration { return time.Duration(t) * time.Microsecond }

// Sub is the time from u to t.
func (t Timestamp) Sub(u Timestamp) time.Duration {
	return time.Duration(t-u) * time.Microsecond
}

// SessionBits is the width of a gateway session inside an ID.
const SessionBits = 24

// ID names one attempt to commit: session in the upper 24 bits, a counter of
// that session in the lower 40. A retry is another ID of the same Age.
type ID uint64

// NewID joins a session (1 to 2^24-1) and its counter (below 2^40).
func NewID(session uint32, counter uint64) ID {
	return ID(uint64(session)<<(64-SessionBits) | counter&(1<<(64-SessionBits)-1))
}

// Session is the gateway session that allocated the id.
func (id ID) Session() uint32 { return uint32(id >> (64 - SessionBits)) }

// String prints session and counter, as in "3.17".
func (id ID) String() string {
	return fmt.Sprintf("%d.%d", id.Session(), uint64(id)&(1<<(64-SessionBits)-1))
}

// ParseID undoes String.
func ParseID(s string) (ID, error) {
	session, counter, _ := strings.Cut(s, ".")
	hi, err := strconv.ParseUint(session, 10, SessionBits)
	lo, err2 := strconv.ParseUint(counter, 10, 64-SessionBits)
	if err != nil || err2 != nil {
		return 0, Errorf(Invalid, "transaction_id", "%q is no transaction id", s)
	}
	return NewID(uint32(hi), lo), nil
}

// Age orders logical transactions for wound-wait: the timestamp of the first
// attempt, ties broken by its id. Retries keep it, so nobody starves.
type Age struct {
	At Timestamp
	ID ID
}

// PrioritySkew is by how much a priority makes a transaction older or younger
// than it is; no age lies further in the future. Whoever waits for that long is
// older than all of a higher priority that begin then: nobody starves.
const PrioritySkew = 10 * time.Second

// Older reports whether a began before b.
func (a Age) Older(b Age) bool {
	if a.At != b.At {
		return a.At < b.At
	}
	return a.ID < b.ID
}

// SessionID stands for a session as a whole where somebody is asked whether
// there is still an owner: counters begin at 1.
func SessionID(session uint32) ID { return NewID(session, 0) }
