package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// recommitMax is how often Commit tries again with another id while what was
// read still holds.
const recommitMax = 8

// Txn is an open interactive transaction: reads at one snapshot and buffered
// writes, nothing of which any shard knows before Commit. One that is
// pessimistic reads the newest each time, and shards know of its locks. It has
// one owner, and must be ended by Commit or Rollback.
type Txn struct {
	c         *Coordinator
	id        txn.ID
	age       txn.Age
	isolation Isolation
	view      *view
	locks     *lockSet // nil: it takes none
	readTimes int      // how often a pessimistic one has read
	buffer    txn.Buffer
	anchor    txn.Key // the first key that was written
	readOnly  bool
	finished  bool
	progress  progress
	// broken is why it cannot commit any more.
	broken error
}

// Committed is where a transaction committed and what its writes came to.
type Committed struct {
	CommitTS txn.Timestamp
	Written  []txn.Written // by key
}

// ID names the attempt to commit. Commit may have to try with further ids;
// then it is the last one.
func (t *Txn) ID() txn.ID { return t.id }

// Locks reports whether the transaction locks what it reads and writes.
func (t *Txn) Locks() bool { return t.locks != nil }

// ReadTS is the snapshot; of a pessimistic transaction that of its last read.
func (t *Txn) ReadTS() txn.Timestamp { return t.view.at }

// Anchor is the first key that was written, where a request of Commit is
// remembered; nil if there is none yet.
func (t *Txn) Anchor() txn.Key { return t.anchor }

// Age is to be passed to the next Begin of the same closure.
func (t *Txn) Age() txn.Age { return t.age }

// Do evaluates op on top of the transaction's own writes. Deadline is by
// Env.Now; 0: CommitTimeout from now. A Do that failed wrote nothing, except
// that a transaction over its limits, or one that lost a lock (Wounded) or got
// none in time (Conflict), cannot commit any more.
func (t *Txn) Do(ctx context.Context, op *txn.Op, deadline time.Duration) (txn.Result, error) {
	res, err := t.do(ctx, op, false, deadline)
	return res, failed("coordinator.Do", t.id, err)
}

// DoForUpdate is Do for a read that a write depends on: it locks exclusively in
// a pessimistic transaction, and must still hold at the commit in any.
func (t *Txn) DoForUpdate(
	ctx context.Context, op *txn.Op, deadline time.Duration,
) (txn.Result, error) {
	res, err := t.do(ctx, op, true, deadline)
	return res, failed("coordinator.Do", t.id, err)
}

// DoAll is Do for many operations on keys, all of them or none. A pessimistic
// transaction locks what all of them need before the first, and what they look at
// is read in one round.
func (t *Txn) DoAll(
	ctx context.Context, ops []txn.Op, deadline time.Duration,
) ([]txn.Result, error) {
	results, err := t.doAll(ctx, ops, deadline)
	return results, failed("coordinator.Do", t.id, err)
}

func (t *Txn) doAll(
	ctx context.Context, ops []txn.Op, deadline time.Duration,
) ([]txn.Result, error) {
	p := txn.Program{Then: ops}
	if keys := lookedAt(&p); len(keys) > 0 || t.locks != nil {
		p.WrittenKeys(func(k txn.Key) { keys = append(keys, k) })
		if err := t.prefetch(ctx, keys, !p.ReadOnly(), deadline); err != nil {
			return nil, err
		}
	}
	before, anchor := t.buffer.Clone(), t.anchor
	results := make([]txn.Result, len(ops))
	for i := range ops {
		var err error
		if results[i], err = t.do(ctx, &ops[i], false, deadline); err != nil {
			t.buffer, t.anchor = before, anchor
			return nil, err
		}
	}
	return results, nil
}

func (t *Txn) do(
	ctx context.Context, op *txn.Op, forUpdate bool, deadline time.Duration,
) (txn.Result, error) {
	writes := op.Writes()
	if err := t.enter(ctx, writes || forUpdate, deadline); err != nil {
		return txn.Result{}, err
	}
	t.view.watch = forUpdate || t.isolation != Snapshot || op.KeepsExpiry()
	if t.locks != nil {
		if err := t.lock(op, lockMode(writes || forUpdate)); err != nil {
			return txn.Result{}, err
		}
	}
	before := t.buffer
	if op.Kind.Ranges() && writes { // it may fail with a part of it done
		before = t.buffer.Clone()
	}
	res, err := t.buffer.Do(op, t.view, t.view.at)
	if err != nil && op.Kind.Ranges() {
		t.buffer = before
	}
	t.progress.set(t)
	if err != nil && !stopped(err) && txn.KindOf(err) == txn.Exhausted {
		t.broken = err
	}
	if err == nil && res.OK && writes && t.anchor == nil {
		t.anchor = op.Anchor().Clone()
	}
	return res, err
}

// enter begins a call on an open transaction.
func (t *Txn) enter(ctx context.Context, forUpdate bool, deadline time.Duration) error {
	switch {
	case t.finished:
		return errFinished()
	case t.readOnly && forUpdate:
		return errReadOnly()
	case t.broken != nil && t.locks != nil:
		return t.broken
	}
	t.view.during(ctx, t.c.until(deadline))
	return nil
}

func errReadOnly() error {
	return txn.Errorf(txn.Invalid, "read_only", "a read-only transaction cannot write")
}

func errFinished() error {
	return txn.Errorf(txn.Invalid, "transaction_finished", "the transaction has ended")
}

// Commit ends the transaction, whatever it answers. Its request is remembered at
// the first key that was written.
func (t *Txn) Commit(ctx context.Context, o CommitOptions) (*Committed, error) {
	done, err := t.commit(ctx, o)
	return done, failed("coordinator.Commit", t.id, err)
}

func (t *Txn) commit(ctx context.Context, o CommitOptions) (*Committed, error) {
	if t.finished {
		return nil, errFinished()
	}
	t.finished = true
	var done *Committed
	defer func() { t.unlock(done) }()
	if t.broken != nil {
		return nil, t.broken
	}
	if err := t.buffer.Annotate(&o.Annotation); err != nil {
		return nil, err
	}
	until := t.c.until(o.Deadline)
	a := attempt{id: t.id, age: t.age, until: until, note: o.Annotation,
		reads: t.readSet(), writes: t.buffer.Writes()}
	if t.anchor != nil {
		a.request = requestFor(o.Request, a.program())
	}
	if a.request != nil {
		a.anchor = t.anchor
	} else if len(a.writes) == 0 && t.readTimes <= 1 { // all reads were at one snapshot
		return &Committed{CommitTS: t.view.at}, nil
	}
	pause := backoff{c: t.c}
	for n := 1; ; n++ {
		this := a // requests under way keep pointing to it
		got, refused, err := t.c.commit(ctx, &this)
		if refused == nil {
			done = got
			return done, a.ended(err)
		}
		if refused.reply.Reason == shardrpc.ReasonRepeated {
			return this.repeat(ctx, t.c, refused.repeated())
		}
		a.open = a.open || refused.reply.Reason == shardrpc.ReasonOpen
		if n == recommitMax || !refused.again(&a.reads) {
			return nil, a.ended(refused.err())
		}
		if err := t.c.settle(ctx, refused, &pause, until); err != nil {
			if gaveUp(err) {
				err = refused.err()
			}
			return nil, a.ended(err)
		}
		if a.id, err = t.c.newID(); err != nil {
			return nil, a.ended(refused.err())
		}
		t.id, a.retry = a.id, true
		t.c.retried(refused.reply.Reason)
		if err := t.lockAgain(ctx, refused, until); err != nil {
			return nil, a.ended(err)
		}
	}
}

// lockAgain makes the locks those of the attempt that is next. If somebody else
// has locked what is to be written, it waits in the queue for that.
func (t *Txn) lockAgain(ctx context.Context, refused *refusal, until time.Duration) error {
	if refused.reply.Reason != shardrpc.ReasonLocked {
		if t.locks != nil {
			t.locks.id = t.id
		}
		return nil
	}
	if t.locks == nil {
		t.locks = t.c.newLockSet(t.id, t.age)
	}
	t.locks.again(t.id)
	want := wanted{mode: txn.LockExclusive, keys: keysOf(t.buffer.Writes())}
	t.progress.waits.Store(true)
	defer t.progress.waits.Store(false)
	return t.locks.acquire(ctx, want, until)
}

// readSet is what must still hold at the commit.
func (t *Txn) readSet() txn.ReadSet {
	if t.isolation == Snapshot {
		for i := range t.buffer.Writes() {
			t.view.unchanged(t.buffer.Writes()[i].Key)
		}
	}
	return t.view.readSet()
}

// again reports whether another id might commit the same reads and writes.
func (r *refusal) again(reads *txn.ReadSet) bool {
	switch r.reply.Reason {
	case shardrpc.ReasonStale, shardrpc.ReasonIntent, shardrpc.ReasonDead,
		shardrpc.ReasonLocked, shardrpc.ReasonOpen, reasonRecovered:
		return true
	case shardrpc.ReasonPushed: // with another C0; an expiry stays where it is
		return reads.MaxTS == txn.Forever
	default:
		return false
	}
}

// Rollback ends the transaction without effect; after Commit it does nothing.
func (t *Txn) Rollback() {
	t.finished = true
	t.unlock(nil)
}

// timeIsUp tells the end of the caller's time from that of one wait.
func timeIsUp(err error) error {
	if errors.Is(err, env.ErrTimeout) {
		return errTimeIsUp
	}
	return err
}
