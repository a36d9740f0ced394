package client

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// rollbackWait bounds telling the server that a function failed.
const rollbackWait = time.Second

// Update runs fn in a transaction, which begins with fn's first call on tx, and
// commits it. After a conflict, fn runs again from the start, with backoff, until
// ctx is done or Options.AttemptsMax is reached: it must not leave anything behind
// but its writes on tx. After Options.LockAfter conflicts the transaction is
// Pessimistic. An error of fn's own rolls back and is returned as it is.
//
// A Set or BatchSet without conditions, of which all is known before, goes with
// the next call on tx or with the commit, unless the transaction is Pessimistic.
// If it fails, with txn.NotFound for its keyspace, say, that call says so.
func (db *DB) Update(ctx context.Context, fn func(tx *Txn) error) error {
	_, err := Do(ctx, db, func(tx *Txn) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// View is Update for functions that only read: all of their reads see one
// snapshot, and they never conflict.
func (db *DB) View(ctx context.Context, fn func(tx *Txn) error) error {
	_, err := run(ctx, db, TxnOptions{ReadOnly: true}, func(tx *Txn) (struct{}, error) {
		return struct{}{}, fn(tx)
	})
	return err
}

// Do is Update for a function with a result.
func Do[T any](ctx context.Context, db *DB, fn func(tx *Txn) (T, error)) (T, error) {
	return DoWith(ctx, db, TxnOptions{}, fn)
}

// UpdateWith is Update in a transaction of another kind.
func (db *DB) UpdateWith(ctx context.Context, o TxnOptions, fn func(tx *Txn) error) error {
	_, err := DoWith(ctx, db, o, func(tx *Txn) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// DoWith is Do in a transaction of another kind.
func DoWith[T any](
	ctx context.Context, db *DB, o TxnOptions, fn func(tx *Txn) (T, error),
) (T, error) {
	return run(ctx, db, o, fn)
}

func run[T any](
	ctx context.Context, db *DB, o TxnOptions, fn func(tx *Txn) (T, error),
) (T, error) {
	var zero T
	for attempt := 1; ; attempt++ {
		v, tx, err := runOnce(ctx, db, o, fn)
		if tx != nil {
			o.Retry = tx
		}
		if err == nil {
			return v, nil
		}
		kind := txn.KindOf(err)
		if kind != txn.Conflict && kind != txn.Wounded {
			return zero, err
		}
		if attempt >= db.attemptsMax {
			return zero, &txn.Error{
				Kind: kind, Op: "client.Update", Reason: "attempts",
				Err: fmt.Errorf("%d attempts, the last: %w", attempt, err),
			}
		}
		if db.lockAfter > 0 && attempt >= db.lockAfter && !o.ReadOnly && o.AsOf == 0 {
			o.Pessimistic, o.Isolation = true, Serializable
		}
		if backoff(ctx, attempt) != nil {
			out := timeUp(ctx, "client.Update")
			out.Err = fmt.Errorf("%w, after %w", out.Err, err)
			return zero, out
		}
	}
}

// open begins a transaction, or leaves that to its first call. Not where the loss of an answer
// would leave locks behind, nor where it only reads: ReadTS may be all that is wanted of that.
func (db *DB) open(ctx context.Context, o TxnOptions) (*Txn, error) {
	if o.Pessimistic || o.ReadOnly || o.AsOf != 0 {
		return db.Begin(ctx, o)
	}
	t := db.txnOf(o)
	t.tx.later.heardMax = laterHeardMax
	if o.Timeout > 0 {
		t.tx.later.heardMax = min(laterHeardMax, o.Timeout/4)
	}
	return t, nil
}

func runOnce[T any](
	ctx context.Context, db *DB, o TxnOptions, fn func(tx *Txn) (T, error),
) (T, *Txn, error) {
	var zero T
	tx, err := db.open(ctx, o)
	if err != nil {
		return zero, nil, err
	}
	defer func() { // after Commit this does nothing
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackWait)
		defer cancel()
		_ = tx.Rollback(ctx) // what is not committed goes by itself
	}()
	v, err := fn(tx)
	if err != nil {
		return zero, tx, err
	}
	if _, err := tx.Commit(ctx); err != nil {
		return zero, tx, err
	}
	return v, tx, nil
}
