package client

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// errEnded answers calls on a transaction that was committed or rolled back.
var errEnded = errors.New("the transaction has ended")

// Isolation is what a transaction may miss of others.
type Isolation uint8

// The isolation levels.
const (
	// Serializable: as if transactions ran one after the other.
	Serializable Isolation = iota
	// Snapshot: all reads are of one snapshot, and what is written has not
	// changed since. What was only read may have: write skew.
	Snapshot
)

func (i Isolation) String() string {
	if i == Snapshot {
		return "snapshot"
	}
	return "serializable"
}

// Priority says who gives way when transactions want the same lock.
type Priority uint8

// The priorities. Low and high are ten seconds of age away from normal.
const (
	PriorityNormal Priority = iota
	PriorityLow
	PriorityHigh
)

// TxnOptions of Begin. The zero TxnOptions may write, and are optimistic and
// strictly serializable.
type TxnOptions struct {
	ReadOnly bool          // refuse writes; Commit then never conflicts
	AsOf     Timestamp     // read everything as it was then, read only; 0 = now
	Timeout  time.Duration // rolled back by then if still open, in whole ms; 0 = server's default

	// Pessimistic locks what is read (shared, or exclusively with ForUpdate) and written. Calls
	// wait for locks until their context is done, and each reads the newest state. Whoever began
	// first gets the lock: the other one ends with txn.Wounded and has to run again. It may learn
	// that from Commit only; what it reads until then need not belong together.
	Pessimistic bool
	Isolation   Isolation // Snapshot excludes Pessimistic
	Priority    Priority
	// Retry is an earlier attempt at the same work: the new one is as old, so it need not give
	// way for ever. Update and Do see to that by themselves.
	Retry *Txn
	// Message is why, for the History of what the transaction writes: at most 1,024 bytes of UTF-8.
	Message string
}

func (o *TxnOptions) toWire() *cairnv1.BeginRequest {
	req := &cairnv1.BeginRequest{
		ReadOnly: o.ReadOnly, AsOf: optional(o.AsOf), TimeoutMs: milliseconds(o.Timeout),
	}
	if o.Pessimistic {
		req.Mode = cairnv1.TxnMode_TXN_MODE_PESSIMISTIC
	}
	if o.Isolation == Snapshot {
		req.Isolation = cairnv1.Isolation_ISOLATION_SNAPSHOT
	}
	if req.Age = o.Retry.age(); len(req.Age) > 0 { // which has the priority in it
		return req
	}
	switch o.Priority {
	case PriorityLow:
		req.Priority = cairnv1.Priority_PRIORITY_LOW
	case PriorityHigh:
		req.Priority = cairnv1.Priority_PRIORITY_HIGH
	case PriorityNormal:
	}
	return req
}

// Txn is an open transaction. It reads its own writes, and nobody else sees
// them before Commit. Its calls go one after another, whoever makes them.
type Txn struct {
	KV
}

// openTxn is the state that all keyspaces of a Txn share.
type openTxn struct {
	begin   *cairnv1.BeginRequest // what it begins with
	message string                // of Commit
	readTS  atomic.Int64          // 0: it has not begun

	mu      sync.Mutex
	handle  string // of the latest answer; empty: it has not begun
	age     []byte // opaque, for Retry
	request []byte // of Commit; nil: it was not called yet
	unsure  bool   // a write failed, and may have been done all the same
	ended   bool
	later   later
}

// do makes one call of the transaction, with the handle of the answer before. The first call begins
// it, if its request has room for that.
func (t *openTxn) do(ctx context.Context, next caller, c *call) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return &txn.Error{Kind: txn.Invalid, Op: c.op(), Reason: "txn_ended", Err: errEnded}
	}
	if t.handle == "" && c.begin != nil && len(t.later.sets) == 0 {
		return t.beginBy(ctx, next, c)
	}
	if err := t.start(ctx, next); err != nil {
		return err
	}
	if err := t.flush(ctx, next); err != nil {
		return err
	}
	if c.handle != nil {
		*c.handle = t.handle
	}
	writes := c.effect == commits
	if writes {
		c.effect = buffers
	}
	if err := next.call(ctx, c); err != nil {
		t.unsure = t.unsure || writes
		return err
	}
	t.answered(c.res)
	return nil
}

// start begins a transaction that has not begun.
func (t *openTxn) start(ctx context.Context, next caller) error {
	if t.handle != "" {
		return nil
	}
	c := &call{
		method: cairnv1.Method_METHOD_TXN_BEGIN, req: t.begin, res: &cairnv1.BeginResponse{},
	}
	if err := next.call(ctx, c); err != nil {
		return err
	}
	t.begun(c.res.(*cairnv1.BeginResponse))
	return nil
}

// beginBy makes the first call, which begins the transaction unless it fails.
func (t *openTxn) beginBy(ctx context.Context, next caller, c *call) error {
	*c.begin = t.begin
	if err := next.call(ctx, c); err != nil {
		return err
	}
	res := c.res.(interface{ GetBegun() *cairnv1.BeginResponse }).GetBegun()
	if res.GetTxn() == "" { // it has read, but outside of any transaction
		return &txn.Error{
			Kind: txn.Invalid, Op: c.op(), Reason: "begin_unsupported",
			Err: errors.New("the gateway is older than this SDK"),
		}
	}
	t.begun(res)
	t.answered(c.res)
	return nil
}

func (t *openTxn) begun(res *cairnv1.BeginResponse) {
	t.handle, t.age = res.Txn, res.Age
	t.readTS.Store(res.ReadTs)
	t.later.heard = time.Now()
}

func (t *openTxn) answered(res proto.Message) {
	if a, ok := res.(interface{ GetTxn() string }); ok && a.GetTxn() != "" {
		t.handle = a.GetTxn()
	}
	t.later.heard = time.Now()
}

// refresh asks for the latest handle if a write whose answer was lost may have
// changed it: the server commits by no other.
func (t *openTxn) refresh(ctx context.Context, next caller, op string) error {
	if h, ok := token.ParseHandle(t.handle); !t.unsure || ok && h.Anchor != nil {
		return nil
	}
	c := &call{
		method: cairnv1.Method_METHOD_KV_BATCH_GET,
		req:    &cairnv1.BatchGetRequest{Txn: t.handle}, res: &cairnv1.BatchGetResponse{},
	}
	err := next.call(ctx, c)
	if e, ok := errors.AsType[*txn.Error](err); ok {
		e.Op = op
	}
	if err == nil {
		t.answered(c.res)
	}
	return err
}

// Begin opens a transaction. It must be ended by Commit or Rollback; as
// Rollback does nothing after Commit, defer it.
func (db *DB) Begin(ctx context.Context, o TxnOptions) (*Txn, error) {
	t := db.txnOf(o)
	if err := t.tx.start(ctx, db.caller); err != nil {
		return nil, err
	}
	return t, nil
}

// txnOf is a transaction that has not begun.
func (db *DB) txnOf(o TxnOptions) *Txn {
	tx := &openTxn{begin: o.toWire(), message: o.Message}
	tx.age = tx.begin.Age // in case it never begins
	return &Txn{KV: KV{caller: db.caller, keyspace: db.keyspace, tx: tx}}
}

// ReadTS is the snapshot that the transaction reads; of a Pessimistic one, when
// it began. In a function of Update and Do it is 0 before the first read.
func (t *Txn) ReadTS() Timestamp { return Timestamp(t.tx.readTS.Load()) }

// age is for the next attempt at the same work; empty: there was none before.
func (t *Txn) age() []byte {
	if t == nil || t.tx == nil {
		return nil
	}
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	return t.tx.age
}

// Written is one key that a transaction wrote.
type Written struct {
	Keyspace, Key string
	Revision      int64 // that of the deletion for a key that was deleted
}

// CommitResult says what a transaction came to.
type CommitResult struct {
	// CommitTS of all that was written; where nothing was, a moment at which all that was read
	// was so.
	CommitTS Timestamp
	// Written is by keyspace, then key. It is empty where the answer was lost and what became of
	// the commit had to be asked for.
	Written []Written
}

// Commit makes all writes visible at once, or none. After txn.Conflict or
// txn.Wounded run the transaction again from the start; after txn.Unknown it
// may have happened. After txn.Unavailable, txn.Deadline and txn.Exhausted
// nothing was committed: the transaction is open if the call did not get to it,
// and Commit may be called again. If it did get to it, whatever it answers, the
// transaction has ended, and that next call says txn.Conflict.
func (t *Txn) Commit(ctx context.Context) (CommitResult, error) {
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	req := &cairnv1.CommitRequest{RequestId: t.tx.request, Message: t.tx.message}
	c := &call{
		method: cairnv1.Method_METHOD_TXN_COMMIT,
		effect: commits,
		req:    req, res: &cairnv1.CommitResponse{}, request: &req.RequestId,
	}
	if t.tx.ended {
		return CommitResult{}, &txn.Error{
			Kind: txn.Invalid, Op: c.op(), Reason: "txn_ended", Err: errEnded,
		}
	}
	if t.tx.later.failed != nil {
		return CommitResult{}, t.tx.later.failed
	}
	err := t.tx.start(ctx, t.caller)
	if err == nil {
		err = t.tx.refresh(ctx, t.caller, c.op())
	}
	if err == nil {
		req.Txn, req.Sets = t.tx.handle, t.tx.later.sets
		c.commits, c.effect = commitOf(req)
		err = t.caller.call(ctx, c)
		t.tx.request = req.RequestId
	}
	if err != nil {
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

// commitOf is where the outcome of a commit is remembered, nil if nobody knows or if it commits no
// write, and then effect says so.
func commitOf(req *cairnv1.CommitRequest) (*token.Token, effect) {
	h, ok := token.ParseHandle(req.Txn)
	at := h.Commit(txn.RequestID{})
	switch {
	case !ok:
		return nil, commits
	case h.Anchor != nil:
	case len(req.Sets) > 0:
		first := req.Sets[0]
		at.Keyspace, at.Anchor = cmp.Or(first.Keyspace, DefaultKeyspace), first.Key
	default:
		return nil, buffers
	}
	return &at, commits
}

// Rollback drops all writes. Once the transaction has ended it does nothing.
// Its error may be ignored: what is not committed goes by itself.
func (t *Txn) Rollback(ctx context.Context) error {
	t.tx.mu.Lock()
	defer t.tx.mu.Unlock()
	if t.tx.ended {
		return nil
	}
	if t.tx.ended = true; t.tx.handle == "" {
		return nil // it has not begun
	}
	return t.caller.call(ctx, &call{
		method: cairnv1.Method_METHOD_TXN_ROLLBACK,
		req:    &cairnv1.RollbackRequest{Txn: t.tx.handle},
		res:    &cairnv1.RollbackResponse{},
	})
}
