package link

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

var (
	// ErrLost says that no answer came: the call may have been carried out, or may still be.
	ErrLost = errors.New("no answer")
	// ErrUnsent says that the call or posted message never left this process.
	ErrUnsent = fmt.Errorf("%w", shardrpc.ErrUnsent)
	// ErrClosed is the cause when this side closed the link.
	ErrClosed = errors.New("the link is closed")

	errGreetingTimeout = errors.New("the other side did not open the stream in time")
	errEnded           = errors.New("the other side ended the stream")
	errSilent          = fmt.Errorf("the other side was silent for %v", silenceMax)
	errStopped         = errors.New("this side ended the stream")
	errNotConnected    = errors.New("the other side has not answered yet")
	errPostsFull       = errors.New("too much waits to be sent already")
)

// What an error names as its operation.
const (
	opCall = "link.Call"
	opPost = "link.Post"
)

// Mismatch says that two processes must not talk to each other.
type Mismatch struct {
	What         string // "protocol version", "cluster", "member", "setting"
	Ours, Theirs string
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("%s mismatch: here it is %s, on the other side %s", m.What, m.Ours, m.Theirs)
}

func lost(cause error) error {
	return &txn.Error{
		Kind: txn.Unknown, Op: opCall, Reason: "answer_lost",
		Err: fmt.Errorf("%w: %w", ErrLost, cause),
	}
}

func unsent(cause error) error {
	kind := txn.Unavailable
	if errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled) {
		kind = txn.Deadline
	}
	return &txn.Error{
		Kind: kind, Op: opCall, Reason: "not_sent", Err: fmt.Errorf("%w: %w", ErrUnsent, cause),
	}
}

func unposted(cause error) error {
	kind := txn.Unavailable
	if errors.Is(cause, errPostsFull) {
		kind = txn.Exhausted
	}
	return &txn.Error{
		Kind: kind, Op: opPost, Reason: "not_sent", Err: fmt.Errorf("%w: %w", ErrUnsent, cause),
	}
}

// tooLarge refuses a payload over PayloadBytesMax before it is queued.
func tooLarge(op string, payload []byte) error {
	if len(payload) <= PayloadBytesMax {
		return nil
	}
	return &txn.Error{
		Kind: txn.Invalid, Op: op, Reason: "payload_too_large",
		Err: fmt.Errorf("%w: the payload has %d bytes, the limit is %d", ErrUnsent,
			len(payload), PayloadBytesMax),
	}
}

// violation is a peer that broke the rules; the stream cannot go on.
func violation(format string, args ...any) error {
	return txn.Errorf(txn.Invalid, "link_violation", format, args...)
}

// appendFailure encodes what a handler returned. What is neither a *txn.Error nor a
// *shardrpc.NotLeader is a bug of the handler.
func appendFailure(err error) []byte {
	if n, ok := errors.AsType[*shardrpc.NotLeader](err); ok {
		return shardrpc.Encode(&shardrpc.Failure{NotLeader: true, Shard: n.Shard, Leader: n.Leader})
	}
	e, ok := errors.AsType[*txn.Error](err)
	if !ok {
		e = &txn.Error{Kind: txn.Internal, Op: "link.Serve", Reason: "error_unclassified", Err: err}
	}
	return shardrpc.Encode(&shardrpc.Failure{Err: *e})
}

func decodeFailure(b []byte) error {
	f, err := shardrpc.Decode[shardrpc.Failure](b)
	if err != nil {
		return lost(err)
	}
	if f.NotLeader {
		return &shardrpc.NotLeader{Shard: f.Shard, Leader: f.Leader}
	}
	return &f.Err
}
