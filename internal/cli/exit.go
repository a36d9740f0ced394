package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/cairnkv/cairn/txn"
)

// Exit codes.
const (
	exitOK           = 0
	exitFailure      = 1
	exitUsage        = 2
	exitNotMet       = 3 // not found, or a condition does not hold
	exitConflict     = 4
	exitUnavailable  = 5
	exitUnknown      = 6
	exitUnauthorized = 7
	exitInterrupted  = 130
)

// errNotMet ends a command whose output already said that the key is missing
// or the condition does not hold.
var errNotMet = errors.New("not found or condition not met")

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// advised is an error with what to do next, where its kind does not say it.
type advised struct {
	err  error
	next string
}

func (e *advised) Error() string { return e.err.Error() }
func (e *advised) Unwrap() error { return e.err }

// kindAdvice is what to do after an error that does not say itself.
var kindAdvice = map[txn.ErrorKind]string{
	txn.Internal:        "see the server's log",
	txn.Invalid:         "fix the command and run it again",
	txn.NotFound:        "check the key and the keyspace",
	txn.Conflict:        "run it again",
	txn.Wounded:         "run it again",
	txn.Unavailable:     "nothing happened; run it again in a moment",
	txn.Moved:           "nothing happened; run it again",
	txn.Exhausted:       "ask for less, or wait",
	txn.TooOld:          "read a later time",
	txn.Unauthenticated: "say who you are",
	txn.Denied:          "ask for the permission",
	txn.Deadline:        "nothing happened; run it again, or raise --timeout",
	txn.Unknown:         "it may have happened or not; read before you write again",
}

// exitCode of an error's kind.
func exitCode(kind txn.ErrorKind) int {
	switch kind {
	case txn.Invalid:
		return exitUsage
	case txn.NotFound:
		return exitNotMet
	case txn.Conflict, txn.Wounded:
		return exitConflict
	case txn.Unavailable, txn.Moved, txn.Deadline:
		return exitUnavailable
	case txn.Unknown:
		return exitUnknown
	case txn.Unauthenticated, txn.Denied:
		return exitUnauthorized
	}
	return exitFailure
}

// report says on one line what went wrong and what to do, and picks the code.
func report(ctx context.Context, w io.Writer, err error) int {
	usage, isUsage := errors.AsType[*usageError](err)
	ours, isOurs := errors.AsType[*txn.Error](err)
	advice, isAdvised := errors.AsType[*advised](err)
	kind, next, code := "failure", "", exitFailure
	var message string
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotMet):
		return exitNotMet
	case errors.Is(context.Cause(ctx), ErrInterrupted):
		kind, message, code = "interrupted", "stopped by a signal", exitInterrupted
		next = "what was sent may have happened"
	case isUsage:
		kind, message, next, code = "usage", usage.Error(), "see cairn help", exitUsage
	case isOurs:
		kind, code, next = ours.Kind.String(), exitCode(ours.Kind), ours.Next
		message = messageOf(ours)
		if next == "" {
			next = kindAdvice[ours.Kind]
		}
	default:
		message = err.Error()
	}
	if isAdvised {
		message = advice.Error()
		if next = advice.next; isOurs && advice.err == error(ours) {
			message = messageOf(ours)
		}
	}
	line := "cairn: " + kind + ": " + message
	if next != "" {
		line += "; " + next
	}
	_, _ = fmt.Fprintln(w, oneLine(line))
	return code
}

func messageOf(e *txn.Error) string {
	message := "no more is known"
	if e.Err != nil {
		message = e.Err.Error()
	}
	if len(e.Key) > 4 {
		message += " (key " + quoteKey(string(e.Key.User())) + ")"
	}
	return message
}

// unreachable says what to do when nothing listens.
func (s *session) unreachable(err error) error {
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Reason != "unreachable" {
		return err
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return &advised{err: err, next: "name a file of who signs it with --cacert or CAIRN_CACERT"}
	}
	host := s.endpoint
	if u, err := url.Parse(s.endpoint); err == nil && u.Host != "" {
		host = u.Host
	}
	return &advised{
		err: &txn.Error{Kind: e.Kind, Reason: e.Reason, Err: fmt.Errorf("cannot reach %s", host)},
		next: "start it with `go run ./cmd/gateway`, or name another with --endpoint" +
			" or CAIRN_ENDPOINT",
	}
}
