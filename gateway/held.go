package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

const (
	// OpenTxnsMax is how many transactions clients may have open at one gateway.
	OpenTxnsMax = 10_000
	// IdleMax is how long an open transaction may wait for its client's next call, and how long
	// it does unless Begin asks for less.
	IdleMax = 60 * time.Second
	// callMax is how long a call may take that brought no deadline: the coordinator's CommitTimeout.
	callMax = 10 * time.Second
	// sweepEvery is how often abandoned transactions are looked for.
	sweepEvery = time.Second
	// clearEvery is how often transactions are looked for that a gateway which is gone has
	// left behind in the shards.
	clearEvery = 30 * time.Second

	// closeMax is how long a gateway that closes unlocks what transactions have locked.
	closeMax = 2 * time.Second

	reasonStaleHandle = "stale_handle"
)

// heldTxns are the transactions that clients have open.
type heldTxns struct {
	env env.Env

	mu struct {
		sync.Mutex
		open   map[string]*heldTxn // by the name of the handle
		ending map[*heldTxn]struct{}
		closed bool
	}
}

// heldTxn is one of them. Whoever has put a token into turn owns it.
type heldTxn struct {
	txn     *coordinator.Txn
	handle  token.Handle  // as Begin answered it
	began   time.Duration // by Env.Now
	idle    time.Duration // how long it may wait for its client
	turn    chan struct{} // of one place
	touched atomic.Int64  // by Env.Now, when the last call ended
	ending  atomic.Bool
	over    bool // of the owner
}

func newHeldTxns(e env.Env) *heldTxns {
	h := &heldTxns{env: e}
	h.mu.open = make(map[string]*heldTxn)
	h.mu.ending = make(map[*heldTxn]struct{})
	return h
}

// add keeps t open until it has been idle for so long, and names it.
func (h *heldTxns) add(t *coordinator.Txn, idle time.Duration) (string, error) {
	held := &heldTxn{
		txn: t, began: h.env.Now(), idle: idle, turn: make(chan struct{}, 1),
		handle: token.Handle{
			Txn: t.ID(), Random: [2]uint64{h.env.Rand(), h.env.Rand()}, Began: t.ReadTS(),
		},
	}
	held.touched.Store(int64(held.began))

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed {
		return "", errShuttingDown()
	}
	if n := len(h.mu.open); n >= OpenTxnsMax {
		e := txn.Errorf(txn.Exhausted, "too_many_transactions",
			"%d transactions are open, the limit is %d", n, OpenTxnsMax)
		e.Next = "commit or roll back some, then begin again"
		return "", e
	}
	h.mu.open[held.handle.Name()] = held
	return held.handle.String(), nil
}

// find is the transaction that a handle names, nil if it is not open here.
func (h *heldTxns) find(s string) *heldTxn {
	named, ok := token.ParseHandle(s)
	if !ok {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.open[named.Name()]
}

// next is the handle to use next. The caller is the owner.
func (held *heldTxn) next() string {
	h := held.handle
	h.Anchor = held.txn.Anchor()
	return h.String()
}

// knows refuses a handle that has another anchor than the transaction. Whoever has only that could
// not ask for the outcome later, and would take a commit for none.
func (held *heldTxn) knows(handle token.Handle) error {
	anchor := held.txn.Anchor()
	if bytes.Equal(handle.Anchor, anchor) {
		return nil
	}
	return &txn.Error{
		Kind: txn.Conflict, Reason: reasonStaleHandle, Txn: held.handle.Txn, Key: anchor,
		Err: errors.New("this handle is not of the transaction's latest answer, " +
			"and knows nothing of its first write: the transaction was rolled back"),
		Next: "run the transaction again from the start, " +
			"and commit it with the handle of its latest answer",
	}
}

// enter waits until the transaction is free and makes the caller its owner until leave.
func (h *heldTxns) enter(ctx context.Context, handle string) (*heldTxn, error) {
	held := h.find(handle)
	if held == nil {
		return nil, errTxnGone()
	}
	select {
	case held.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, errGaveUp(ctx.Err())
	}
	if held.over {
		<-held.turn
		return nil, errTxnGone()
	}
	return held, nil
}

func (h *heldTxns) leave(held *heldTxn) {
	held.touched.Store(int64(h.env.Now()))
	<-held.turn
}

// forget makes the handle mean nothing any more. The caller is the owner.
func (h *heldTxns) forget(held *heldTxn) {
	held.over = true
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.open, held.handle.Name())
}

// use runs f on an open transaction, alone, and answers the handle to use next. One that can no
// longer commit is rolled back at once.
func (h *heldTxns) use(
	ctx context.Context, handle string, f func(context.Context, *coordinator.Txn) error,
) (next string, err error) {
	held, err := h.enter(ctx, handle)
	if err != nil {
		return "", err
	}
	defer h.leave(held)
	ctx, cancel := held.bounded(ctx)
	defer cancel()
	err = f(ctx, held.txn)
	next = held.next()
	if k := txn.KindOf(err); err != nil && (k == txn.Conflict || k == txn.Wounded) {
		h.forget(held)
		held.txn.Rollback()
	}
	return next, err
}

// bounded is ctx of a call, which waits for locks no longer than the transaction would for its
// client.
func (held *heldTxn) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); !has && held.idle >= callMax {
		return ctx, func() {} // the coordinator's own bound comes first
	}
	return context.WithTimeout(ctx, held.idle)
}

// end takes the transaction from its handle and runs f on it. Waiting for an earlier call of the
// same transaction may end with ctx; then it stays open.
func (h *heldTxns) end(
	ctx context.Context, handle string, f func(*heldTxn) error,
) error {
	held, err := h.enter(ctx, handle)
	if err != nil {
		return err
	}
	defer h.leave(held)
	h.forget(held)
	defer h.ends(held)()
	return f(held)
}

// ends shows a transaction among the open ones until it has ended.
func (h *heldTxns) ends(held *heldTxn) (ended func()) {
	held.ending.Store(true)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.ending[held] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.mu.ending, held)
	}
}

// all are those that are open or ending, in no order.
func (h *heldTxns) all() []*heldTxn {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*heldTxn, 0, len(h.mu.open)+len(h.mu.ending))
	for _, held := range h.mu.open {
		all = append(all, held)
	}
	for held := range h.mu.ending {
		all = append(all, held)
	}
	return all
}

// count is how many are open.
func (h *heldTxns) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.mu.open)
}

// sweep rolls back what has been idle for too long, and says how many there were.
func (h *heldTxns) sweep() int {
	now := h.env.Now()
	return h.rollBack(0, func(held *heldTxn) bool {
		return now-time.Duration(held.touched.Load()) >= held.idle
	})
}

// closeAll lets no more transactions in and rolls back those that no call is using. A call that
// is under way still ends as it would have. What takes longer than closeMax ends with the session.
func (h *heldTxns) closeAll() int {
	h.mu.Lock()
	h.mu.closed = true
	h.mu.Unlock()
	return h.rollBack(h.env.Now()+closeMax, func(*heldTxn) bool { return true })
}

// rollBack ends those that no call is using, until then (0: all of them), and says how many.
func (h *heldTxns) rollBack(until time.Duration, which func(*heldTxn) bool) int {
	var over []*coordinator.Txn
	h.mu.Lock()
	for name, held := range h.mu.open {
		select {
		case held.turn <- struct{}{}:
		default:
			continue // in use
		}
		if which(held) {
			held.over = true
			delete(h.mu.open, name)
			over = append(over, held.txn)
		}
		<-held.turn
	}
	h.mu.Unlock()
	for _, t := range over {
		if until > 0 && h.env.Now() >= until {
			break
		}
		t.Rollback()
	}
	return len(over)
}

func errTxnGone() error {
	return &txn.Error{
		Kind: txn.Conflict, Reason: reasonTxnGone,
		Err: fmt.Errorf("no such transaction is open: it has ended, "+
			"waited longer than %v for its next call, or belongs to a gateway that is gone", IdleMax),
		Next: "run the transaction again from the start",
	}
}
