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

// Isolation is what a transaction may miss of others.
type Isolation uint8

// The isolation levels.
const (
	// Serializable: everything that was read still holds at the commit.
	Serializable Isolation = iota
	// Snapshot: what is written has not changed since the snapshot (the first
	// committer wins), and what was only read may have. So it allows write skew,
	// and no lost update.
	Snapshot
)

// BeginOptions choose what kind of transaction begins.
type BeginOptions struct {
	Isolation Isolation
	ReadOnly  bool
	// At reads the past: everything as of that timestamp, read-only.
	At txn.Timestamp
	// Deadline of Begin itself, by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
	// Age is that of the first attempt of the same closure; nil: this is the first.
	Age *txn.Age
}

// Txn is an open interactive transaction: reads at one snapshot and buffered
// writes, nothing of which any shard knows before Commit. It has one owner.
type Txn struct {
	c         *Coordinator
	id        txn.ID
	age       txn.Age
	isolation Isolation
	view      *view
	buffer    txn.Buffer
	readOnly  bool
	finished  bool
	// broken is why it cannot commit any more.
	broken error
}

// Committed is where a transaction committed and what its writes came to.
type Committed struct {
	CommitTS txn.Timestamp
	Written  []txn.Written // by key
}

// Begin opens a transaction at a fresh snapshot.
func (c *Coordinator) Begin(ctx context.Context, o BeginOptions) (*Txn, error) {
	until := c.until(o.Deadline)
	id, err := c.newID()
	if err != nil {
		return nil, failed("coordinator.Begin", 0, err)
	}
	at, err := c.snapshot(ctx, o.At, until)
	if err == nil {
		err = c.env.Point("coordinator.begin.after-ts")
	}
	if err != nil {
		return nil, failed("coordinator.Begin", id, err)
	}
	t := &Txn{c: c, id: id, isolation: o.Isolation, readOnly: o.ReadOnly || o.At != 0}
	t.view = newView(ctx, snapshot{c: c, at: at, until: until})
	t.view.watch = o.Isolation != Snapshot
	if o.Age != nil {
		t.age = *o.Age
	} else {
		t.age = txn.Age{At: at, ID: id}
	}
	return t, nil
}

// ID names the attempt to commit. Commit may have to try with further ids;
// then it is the last one.
func (t *Txn) ID() txn.ID { return t.id }

// ReadTS is the snapshot.
func (t *Txn) ReadTS() txn.Timestamp { return t.view.at }

// Age is to be passed to the next Begin of the same closure.
func (t *Txn) Age() txn.Age { return t.age }

// Do evaluates op on top of the transaction's own writes. Deadline is by
// Env.Now; 0: CommitTimeout from now. A Do that failed wrote nothing, except
// that a transaction over its limits cannot commit any more.
func (t *Txn) Do(ctx context.Context, op *txn.Op, deadline time.Duration) (txn.Result, error) {
	return t.do(ctx, op, deadline)
}

// DoForUpdate is Do for a read that a write depends on: it must still hold at
// the commit, whatever the isolation.
func (t *Txn) DoForUpdate(
	ctx context.Context, op *txn.Op, deadline time.Duration,
) (txn.Result, error) {
	if t.readOnly {
		return txn.Result{}, failed("coordinator.Do", t.id, errReadOnly())
	}
	t.view.watch = true
	defer func() { t.view.watch = t.isolation != Snapshot }()
	return t.do(ctx, op, deadline)
}

func (t *Txn) do(ctx context.Context, op *txn.Op, deadline time.Duration) (txn.Result, error) {
	const name = "coordinator.Do"
	if t.finished {
		return txn.Result{}, failed(name, t.id, errFinished())
	}
	if t.readOnly && op.Kind != txn.OpGet && op.Kind != txn.OpRange {
		return txn.Result{}, failed(name, t.id, errReadOnly())
	}
	t.view.during(ctx, t.c.until(deadline))
	res, err := t.buffer.Do(op, t.view, t.view.at)
	if err != nil && !stopped(err) && txn.KindOf(err) == txn.Exhausted {
		t.broken = err
	}
	return res, failed(name, t.id, err)
}

func errReadOnly() error {
	return txn.Errorf(txn.Invalid, "read_only", "a read-only transaction cannot write")
}

func errFinished() error {
	return txn.Errorf(txn.Invalid, "transaction_finished", "the transaction has ended")
}

// Commit ends the transaction, whatever it answers.
func (t *Txn) Commit(ctx context.Context, deadline time.Duration) (*Committed, error) {
	done, err := t.commit(ctx, t.c.until(deadline))
	return done, failed("coordinator.Commit", t.id, err)
}

func (t *Txn) commit(ctx context.Context, until time.Duration) (*Committed, error) {
	if t.finished {
		return nil, errFinished()
	}
	t.finished = true
	if t.broken != nil {
		return nil, t.broken
	}
	if len(t.buffer.Writes()) == 0 { // all reads were at one snapshot
		return &Committed{CommitTS: t.view.at}, nil
	}
	a := attempt{id: t.id, age: t.age, until: until,
		reads: t.readSet(), writes: t.buffer.Writes()}
	pause := backoff{c: t.c}
	for n := 1; ; n++ {
		this := a // requests under way keep pointing to it
		done, refused, err := t.c.commit(ctx, &this)
		if refused == nil {
			return done, err
		}
		if n == recommitMax || !refused.again(&a.reads) {
			return nil, refused.err()
		}
		if err := t.c.settle(ctx, refused, &pause, until); err != nil {
			if gaveUp(err) {
				err = refused.err()
			}
			return nil, err
		}
		if a.id, err = t.c.newID(); err != nil {
			return nil, refused.err()
		}
		t.id, a.retry = a.id, true
	}
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
	case shardrpc.ReasonStale, shardrpc.ReasonIntent, shardrpc.ReasonDead, reasonRecovered:
		return true
	case shardrpc.ReasonPushed: // with another C0; an expiry stays where it is
		return reads.MaxTS == txn.Forever
	default:
		return false
	}
}

// Rollback ends the transaction without effect; after Commit it does nothing.
func (t *Txn) Rollback() { t.finished = true }

// timeIsUp tells the end of the caller's time from that of one wait.
func timeIsUp(err error) error {
	if errors.Is(err, env.ErrTimeout) {
		return errTimeIsUp
	}
	return err
}
