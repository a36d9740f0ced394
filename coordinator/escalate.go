package coordinator

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// escalateAfter is how many attempts of a one-shot transaction others may
// spoil before it locks what it touches, so that it gets its turn.
const escalateAfter = 2

// contention is how much r counts towards escalateAfter: something if another
// transaction was the cause, and a lock would have kept it away. Where one holds
// a lock there is nothing else to do but to queue for it.
func (r *refusal) contention() int {
	switch r.reply.Reason {
	case shardrpc.ReasonLocked:
		return escalateAfter
	case shardrpc.ReasonConflict, shardrpc.ReasonPushed, shardrpc.ReasonIntent,
		shardrpc.ReasonWounded:
		return 1
	default:
		return 0
	}
}

// lock takes exclusive locks on all that the program may write and shared ones
// on what it may read. Locks of attempts before are of the same age, so they
// are granted again where they still exist.
func (x *execution) lock(ctx context.Context) (*refusal, error) {
	if x.locks == nil {
		x.locks = x.c.newLockSet(x.id, x.age)
	}
	x.locks.again(x.id)
	writes, reads := x.touches()
	err := x.locks.acquire(ctx, writes, x.until)
	if err == nil {
		err = x.locks.acquire(ctx, reads, x.until)
	}
	if e, ok := errors.AsType[*txn.Error](err); ok && e.Kind == txn.Wounded {
		return &refusal{id: x.id, reply: shardrpc.Reply{
			Answer: shardrpc.Refused, Reason: e.Reason, Key: e.Key,
			Holder: &shardrpc.LockOwner{Txn: e.Other, Age: txn.Age{At: e.OtherAge}},
		}}, nil
	}
	return nil, err
}

// touches is all that the program may write and read.
func (x *execution) touches() (writes, reads wanted) {
	writes.mode, reads.mode = txn.LockExclusive, txn.LockShared
	x.program.WrittenKeys(func(k txn.Key) { writes.keys = append(writes.keys, k) })
	x.program.WrittenSpans(func(s txn.Span) { writes.spans = append(writes.spans, s) })
	x.program.Keys(func(k txn.Key) { reads.keys = append(reads.keys, k) })
	x.program.Spans(func(s txn.Span) { reads.spans = append(reads.spans, s) })
	return writes, reads
}

func (x *execution) unlock() {
	if x.locks != nil {
		x.locks.release(x.done)
	}
}
