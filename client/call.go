package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// effect is what a call may leave behind, and so what its loss means.
type effect uint8

const (
	reads   effect = iota // nothing that anyone sees: repeat it
	buffers               // a change within an open transaction: run that one again
	commits               // a change for all to see: its outcome is unknown
)

// call is one call of a unary method.
type call struct {
	method cairnv1.Method
	effect effect
	req    proto.Message
	res    proto.Message // made by the verb, filled or replaced by the caller
	handle *string       // the request's txn field; nil if it has none
	// begin is the request's begin field; nil if it has none.
	begin **cairnv1.BeginRequest
	// request is the request's request_id field, nil if it has none. Of a one-shot anchor is where
	// it will be remembered, of a commit commits is that, and since when; nil: nobody knows.
	request *[]byte
	anchor  anchor
	commits *token.Token
}

func (c *call) op() string {
	name := strings.TrimPrefix(c.method.String(), "METHOD_")
	_, name, _ = strings.Cut(name, "_")
	return "client." + strings.ToLower(name)
}

// harmlessTwice reports whether a copy of c does no harm where c has been done.
func (c *call) harmlessTwice() bool {
	named := c.request != nil && len(*c.request) > 0 && !c.ephemeral()
	return c.effect == reads || c.effect == commits && named
}

// caller carries a call to the server and its answer back. Its errors are
// *txn.Error where the server said what happened, *lostError where nobody did.
type caller interface {
	call(ctx context.Context, c *call) error
}

// repeater repeats what is safe to repeat, and turns every loss into the kind
// that tells the truth about it. Its errors are all *txn.Error.
type repeater struct {
	next        caller
	host        string
	attemptsMax int
	anonymous   bool          // it draws no request_ids
	patience    time.Duration // of a pursuit whose context has no deadline
	newest      atomic.Int64  // the newest timestamp of all answers
}

func (r *repeater) call(ctx context.Context, c *call) error {
	if ctx.Err() != nil {
		return timeUp(ctx, c.op())
	}
	r.nameRequest(c)
	since := txn.Timestamp(time.Now().UnixMicro())
	for attempt := 1; ; attempt++ {
		err := r.next.call(ctx, c)
		if err == nil {
			r.learn(c.res)
			return nil
		}
		e := r.classify(c, err)
		if e.Reason == reasonRequestEarly { // another cluster than the one that was there before
			r.newest.Store(0)
		}
		if e.Kind == txn.Unknown && !errors.Is(err, errClosed) {
			return r.pursue(ctx, c, e, since)
		}
		if attempt >= r.attemptsMax || !repeatable(ctx, c, e) {
			return e
		}
		if backoff(ctx, attempt) != nil {
			out := timeUp(ctx, c.op())
			out.Reason, out.Err = e.Reason, fmt.Errorf("%w, after %w", out.Err, e)
			return out
		}
	}
}

// reasonNotMoved is what a gateway says that has waited seconds for a new
// leader.
const reasonNotMoved = "leader_not_moved"

// reasonLockTimeout is what a call gets that has waited for a lock for nearly as long as its caller
// has time.
const reasonLockTimeout = "lock_timeout"

// repeatable reports whether the same call may be sent again. One that is a
// transaction of its own may be also after a conflict, unless that took all its time.
func repeatable(ctx context.Context, c *call, e *txn.Error) bool {
	switch e.Kind {
	case txn.Unavailable, txn.Moved:
		return e.Reason != reasonNotMoved // for its caller to look into
	case txn.Conflict, txn.Wounded:
		if e.Reason == reasonRequestAborted {
			return false
		}
		if _, bounded := ctx.Deadline(); bounded && e.Reason == reasonLockTimeout {
			return false
		}
		return c.effect == commits && c.method != cairnv1.Method_METHOD_TXN_COMMIT
	}
	return false
}

func (r *repeater) classify(c *call, err error) *txn.Error {
	lost, ok := errors.AsType[*lostError](err)
	if !ok {
		e, ok := errors.AsType[*txn.Error](err)
		if !ok {
			e = &txn.Error{Kind: txn.Internal, Err: err}
		}
		if e.Op == "" {
			e.Op = c.op()
		}
		return e
	}
	e := &txn.Error{Op: c.op(), Err: lost.err}
	switch {
	case !lost.sent:
		e.Kind, e.Reason = txn.Unavailable, "unreachable"
		e.Err = fmt.Errorf("cannot reach %s: %w", r.host, lost.err)
	case c.effect == commits:
		e.Kind, e.Reason = txn.Unknown, "answer_lost"
		e.Next = "it may have happened or not: ask for its outcome, or read before writing again"
	case c.effect == buffers:
		e.Kind, e.Reason = txn.Conflict, "answer_lost"
		e.Next = "nothing was committed: run the transaction again"
	default:
		e.Kind, e.Reason = lost.kind, "answer_lost"
	}
	return e
}
