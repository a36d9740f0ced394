package txn

import (
	"errors"
	"fmt"
)

// ErrorKind is the caller's next move. Kinds cross the wire: append, never reorder.
type ErrorKind uint8

const (
	Internal        ErrorKind = iota // A bug here. Do not retry; report it.
	Invalid                          // Can never succeed. Fix the request.
	NotFound                         // Demanded and missing.
	Conflict                         // Run the transaction again from the start.
	Wounded                          // An older transaction took the lock. The same.
	Moved                            // Refresh routes, then repeat this call.
	Unavailable                      // Nothing happened. Back off and repeat this call.
	Exhausted                        // Over a limit or shed. Wait as told.
	TooOld                           // That history is gone; the error names the oldest.
	Unauthenticated                  // Say who you are.
	Denied                           // You may not.
	Deadline                         // Time is up, and provably nothing was committed.
	Unknown                          // Commit may have happened. Ask with the token.
	errorKindEnd
)

var errorKindNames = [...]string{
	"internal", "invalid argument", "not found", "conflict", "wounded", "moved",
	"unavailable", "resource exhausted", "history gone", "unauthenticated",
	"permission denied", "deadline exceeded", "outcome unknown",
}

// String is the phrase that opens an error message.
func (k ErrorKind) String() string {
	if k < errorKindEnd {
		return errorKindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is the only error type that leaves a package of this module.
type Error struct {
	Kind   ErrorKind
	Op     string // "coordinator.Commit"
	Reason string // short and stable: "key_too_long", "write_conflict"
	Txn    ID     // zero outside a transaction
	Key    Key    // nil unless one key is to blame
	Next   string // what to do now; empty: Kind says it all
	Oldest Timestamp
	// Other is the transaction that was in the way, and OtherAge when its first
	// attempt began; 0: unknown, or there was none.
	Other    ID
	OtherAge Timestamp
	Token    string // of Unknown: what to ask for the outcome with
	Err      error
}

// Error prints kind, key and cause; Op is for logs and tests, which use %+v.
func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	switch {
	case e.Key != nil && e.Other != 0:
		s += fmt.Sprintf(" (key %v, transaction %v)", e.Key, e.Other)
	case e.Key != nil:
		s += fmt.Sprintf(" (key %v)", e.Key)
	case e.Other != 0:
		s += fmt.Sprintf(" (transaction %v)", e.Other)
	}
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf reports the outermost kind, so a wrapper may change the advice.
// An error that is none of ours is Internal.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Errorf builds an Error of a kind and reason with a formatted cause.
func Errorf(kind ErrorKind, reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Reason: reason, Err: fmt.Errorf(format, args...)}
}
