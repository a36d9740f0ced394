package client

import (
	"context"
	"errors"
	"sync"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// errEnded answers calls on a transaction that was committed or rolled back.
var errEnded = errors.New("the transaction has ended")

// TxnOptions of Begin. The zero TxnOptions may write, and are strictly serializable.
type TxnOptions struct {
	ReadOnly bool          // refuse writes; Commit then never conflicts
	AsOf     Timestamp     // read everything as it was then, read only; 0 = now
	Timeout  time.Duration // rolled back by then if still open, in whole ms; 0 = server's default
}

// Txn is an open transaction. It reads its own writes, and nobody else sees
// them before Commit. Its calls go one after another, whoever makes them.
type Txn struct {
	KV
	readTS Timestamp
}

// openTxn is the state that all keyspaces of a Txn share.
type openTxn struct {
	mu     sync.Mutex
	handle string
	wrote  bool
	ended  bool
}

// do makes one call of the transaction, with the handle of the answer before.
func (t *openTxn) do(ctx context.Context, next caller, c *call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return &txn.Error{Kind: txn.Invalid, Op: c.op(), Reason: "txn_ended", Err: errEnded}
	}
	if c.handle != nil {
		*c.handle = t.handle
	}
	if c.effect == commits {
		c.effect = buffers
		t.wrote = true
	}
	if err := next.call(ctx, c); err != nil {
		return err
	}
	if a, ok := c.res.(interface{ GetTxn() string }); ok && a.GetTxn() != "" {
		t.handle = a.GetTxn()
	}
	return nil
}

// Begin opens a transaction. It must be ended by Commit or Rollback; as
// Rollback does nothing after Commit, defer it.
func (db *DB) Begin(ctx context.Context, o TxnOptions) (*Txn, error) {
	c := &call{
		method: cairnv1.Method_METHOD_TXN_BEGIN,
		req: &cairnv1.BeginRequest{
			ReadOnly: o.ReadOnly, AsOf: optional(o.AsOf), TimeoutMs: milliseconds(o.Timeout),
		},
		res: &cairnv1.BeginResponse{},
	}
	if err := db.do(ctx, c); err != nil {
		return nil, err
	}
	res := c.res.(*cairnv1.BeginResponse)
	return &Txn{
		KV: KV{
			caller: db.caller, keyspace: db.keyspace, tx: &openTxn{handle: res.Txn},
		},
		readTS: Timestamp(res.ReadTs),
	}, nil
}

// ReadTS is the snapshot that the transaction reads.
func (t *Txn) ReadTS() Timestamp { return t.readTS }

// Written is one key that a transaction wrote.
type Written struct {
	Keyspace, Key string
	Revision      int64 // that of the deletion for a key that was deleted
}

// CommitResult says what a transaction came to.
type CommitResult struct {
	// CommitTS of all that was written; where nothing was, the snapshot that was read.
	CommitTS Timestamp
	Written  []Written // by keyspace, then key
}

// Commit makes all writes visible at once, or none. After txn.Conflict or
// txn.Wounded run the transaction again from the start; after txn.Unknown it
// may have happened. After any error but Unavailable, Deadline and Exhausted
// the transaction has ended.
func (t *Txn) Commit(ctx context.Context) (CommitResult, error) {
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	c := &call{
		method: cairnv1.Method_METHOD_TXN_COMMIT,
		effect: buffers, // one that wrote nothing leaves nothing behind
		req:    &cairnv1.CommitRequest{Txn: t.tx.handle},
		res:    &cairnv1.CommitResponse{},
	}
	if t.tx.ended {
		return CommitResult{}, &txn.Error{
			Kind: txn.Invalid, Op: c.op(), Reason: "txn_ended", Err: errEnded,
		}
	}
	if t.tx.wrote {
		c.effect = commits
	}
	if err := t.caller.call(ctx, c); err != nil {
		switch txn.KindOf(err) {
		case txn.Unavailable, txn.Deadline, txn.Exhausted:
		default:
			t.tx.ended = true
		}
		return CommitResult{}, err
	}
	t.tx.ended = true
	res := c.res.(*cairnv1.CommitResponse)
	out := CommitResult{CommitTS: Timestamp(res.CommitTs)}
	for _, w := range res.Written {
		out.Written = append(out.Written, Written{
			Keyspace: w.Keyspace, Key: string(w.Key), Revision: w.Revision,
		})
	}
	return out, nil
}

// Rollback drops all writes. Once the transaction has ended it does nothing.
// Its error may be ignored: what is not committed goes by itself.
func (t *Txn) Rollback(ctx context.Context) error {
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	if t.tx.ended {
		return nil
	}
	t.tx.ended = true
	return t.caller.call(ctx, &call{
		method: cairnv1.Method_METHOD_TXN_ROLLBACK,
		req:    &cairnv1.RollbackRequest{Txn: t.tx.handle},
		res:    &cairnv1.RollbackResponse{},
	})
}
