package coordinator

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// reasonRecovered: somebody aborted the record before it was decided.
const reasonRecovered = "recovered"

// failed turns an error into the one that leaves the package. Stopped tasks
// pass env.ErrStopped on as it is.
func failed(op string, id txn.ID, err error) error {
	if err == nil || stopped(err) {
		return err
	}
	if known, ok := errors.AsType[*txn.Error](err); ok {
		e := *known // a shard's error may be shared
		if e.Op == "" {
			e.Op = op
		}
		if e.Txn == 0 {
			e.Txn = id
		}
		return &e
	}
	e := &txn.Error{Kind: txn.Unavailable, Op: op, Txn: id, Err: err}
	switch {
	case errors.Is(err, errNoAnswer): // whatever each try died of
		e.Reason = "no_leader"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Reason = txn.Deadline, "cancelled"
	case errors.Is(err, errTimeIsUp), errors.Is(err, env.ErrTimeout):
		e.Kind, e.Reason = txn.Deadline, "deadline"
	}
	return e
}

// refusal is the proof that an attempt is dead (L5, C2): a shard refused it,
// or its record says so.
type refusal struct {
	id    txn.ID
	reply shardrpc.Reply
	// cleaned happens when nothing of the attempt is left that the next one
	// would meet; nil: nothing ever was.
	cleaned *env.Future
}

// err is what the caller of a refused transaction gets.
func (r *refusal) err() error {
	if r.reply.Reason == shardrpc.ReasonInvalid {
		if r.reply.Err != nil {
			return r.reply.Err
		}
		return &txn.Error{Kind: txn.Invalid, Reason: r.reply.Reason, Key: r.reply.Key,
			Err: errors.New("a shard cannot serve the request")}
	}
	e := &txn.Error{Kind: txn.Conflict, Reason: r.reply.Reason, Txn: r.id, Key: r.reply.Key,
		Other: r.reply.Writer, Err: errors.New(refusalText(r.reply.Reason))}
	if e.Reason == shardrpc.ReasonWounded {
		e.Kind = txn.Wounded
	}
	switch b, h := r.reply.Blocker, r.reply.Holder; {
	case h != nil:
		e.Other, e.OtherAge = h.Txn, h.Age.At
	case b != nil:
		e.Key, e.Other, e.OtherAge = b.Key, b.Txn, b.Age.At
	}
	return e
}

func refusalText(reason string) string {
	switch reason {
	case shardrpc.ReasonConflict:
		return "something that the transaction read has changed"
	case shardrpc.ReasonPushed:
		return "it would commit later than what it read stays true"
	case shardrpc.ReasonStale:
		return "the shard's leader changed or the request took too long"
	case shardrpc.ReasonDead:
		return "the attempt was refused before"
	case shardrpc.ReasonIntent:
		return "another transaction holds the key"
	case shardrpc.ReasonLocked:
		return "an older transaction has locked a key to be written"
	case shardrpc.ReasonWounded:
		return "an older transaction took a lock away"
	case shardrpc.ReasonLockTimeout:
		return "another transaction holds the lock"
	case shardrpc.ReasonOpen:
		return "another attempt of the same request is undecided"
	case shardrpc.ReasonForgone:
		return "somebody asked for the outcome of the request and was told that it is aborted; " +
			"send it with a new request_id"
	case reasonRecovered:
		return "another transaction took it for abandoned and aborted it"
	default:
		return "a shard refused it: " + reason
	}
}

func stopped(err error) bool { return errors.Is(err, env.ErrStopped) }
