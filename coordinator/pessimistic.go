package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// lockMode is what a read or a write locks with.
func lockMode(exclusive bool) txn.LockMode {
	if exclusive {
		return txn.LockExclusive
	}
	return txn.LockShared
}

// lock takes what op needs and turns to the newest state, in that order: what
// is read under a lock stays as it is until the commit, if nobody loses locks.
func (t *Txn) lock(op *txn.Op, mode txn.LockMode) error {
	want := wanted{mode: mode}
	if op.Kind.Ranges() {
		want.spans = []txn.Span{op.Span}
	} else {
		want.keys = []txn.Key{op.Key}
	}
	if err := t.acquire(want); err != nil {
		return err
	}
	if op.Blind() || len(want.keys) > 0 && t.view.known(op.Key) {
		return nil
	}
	return t.readNewest()
}

func (t *Txn) acquire(want wanted) error {
	t.progress.waits.Store(true)
	err := t.locks.acquire(t.view.ctx, want, t.view.until)
	t.progress.waits.Store(false)
	if k := txn.KindOf(err); err != nil && (k == txn.Wounded || k == txn.Conflict) {
		t.broken = err
		t.unlock(nil)
	}
	return err
}

// readNewest makes the next reads see what is committed by now. What was read
// before stays as it was seen: the commit finds out whether that still holds.
func (t *Txn) readNewest() error {
	at, err := t.c.fresh(t.view.ctx, t.view.until)
	if err != nil {
		return err
	}
	t.view.at = at
	t.readTimes++
	return nil
}

// Lock takes the locks that a pessimistic transaction needs for keys that Do
// will be asked for. Deadline is as for Do.
func (t *Txn) Lock(
	ctx context.Context, keys []txn.Key, forUpdate bool, deadline time.Duration,
) error {
	err := t.enter(ctx, forUpdate, deadline)
	if err == nil && t.locks != nil {
		err = t.acquire(wanted{keys: keys, mode: lockMode(forUpdate)})
	}
	return failed("coordinator.Lock", t.id, err)
}

// Prefetch reads keys that Do will be asked for next, in one round instead of
// one for each; a pessimistic transaction locks them before. Deadline is as
// for Do.
func (t *Txn) Prefetch(
	ctx context.Context, keys []txn.Key, forUpdate bool, deadline time.Duration,
) error {
	return failed("coordinator.Prefetch", t.id, t.prefetch(ctx, keys, forUpdate, deadline))
}

func (t *Txn) prefetch(
	ctx context.Context, keys []txn.Key, forUpdate bool, deadline time.Duration,
) error {
	if err := t.enter(ctx, forUpdate, deadline); err != nil {
		return err
	}
	if t.locks != nil {
		if err := t.acquire(wanted{keys: keys, mode: lockMode(forUpdate)}); err != nil {
			return err
		}
		if !slices.ContainsFunc(keys, func(k txn.Key) bool { return !t.view.known(k) }) {
			return nil
		}
		if err := t.readNewest(); err != nil {
			return err
		}
	}
	return t.view.prefetch(slices.Clone(keys))
}

// unlock lets all locks go. Shards that have carried out a commit, or are to
// resolve it, do so by themselves.
func (t *Txn) unlock(done *Committed) {
	if t.locks != nil {
		t.locks.release(done)
	}
}

// commitReads ends a transaction that wrote nothing and read at several times:
// it commits where all that it read holds at once.
func (c *Coordinator) commitReads(
	ctx context.Context, a *attempt, rs routes,
) (*Committed, *refusal, error) {
	base, err := c.fresh(ctx, a.until)
	if err != nil {
		return nil, nil, err
	}
	t := &twoPhase{attempt: a, c: c, base: base}
	if err := t.build(rs); err != nil {
		return nil, nil, err
	}
	if t.base > t.maxTS {
		return nil, locallyPushed(a.id), nil
	}
	if refused, err := t.validate(ctx); refused != nil || err != nil {
		return nil, refused, err
	}
	return &Committed{CommitTS: base}, nil, nil
}
