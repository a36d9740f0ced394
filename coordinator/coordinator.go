package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/txn"
)

// Options are fixed for the life of a Coordinator. Zero means the default.
type Options struct {
	Env    env.Env // required
	Shards Shards  // required
	// Session is the upper part of every transaction id. The meta group gives
	// it out and never reuses it. 1 to 2^24-1; 0: none yet, see SetSession.
	Session uint32
	// CommitTimeout bounds a call whose caller gave no deadline. 10s
	CommitTimeout time.Duration
	// AttemptTimeout is how long one copy of a request may go without an
	// answer before the next one is sent. 1s
	AttemptTimeout time.Duration
	// Commit is how a transaction over several shards commits. TwoPhase
	Commit CommitMode
	// BackgroundMax is how many decided transactions are cleaned up behind
	// their callers' backs; over it a caller waits for its own. 256
	BackgroundMax int
	// Within, if set, bounds calls of Shards: with a context of it they end after
	// some time, and at once when their caller leaves, as those over a link do. Then
	// they need no tasks of their own.
	Within func(context.Context, time.Duration) context.Context
	// ReadSoon, if set, lets GetSoon work.
	ReadSoon ReadSoon
}

// CommitMode is how a transaction over several shards commits.
type CommitMode uint8

const (
	// TwoPhase waits for the record's word (F5): two consensus rounds.
	TwoPhase CommitMode = iota
	// Parallel answers when every shard has prewritten (F4): one round, unless
	// the transaction is large; then it is TwoPhase.
	Parallel
)

func (o Options) withDefaults() Options {
	if o.CommitTimeout == 0 {
		o.CommitTimeout = 10 * time.Second
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = time.Second
	}
	if o.BackgroundMax == 0 {
		o.BackgroundMax = 256
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.Env == nil {
		errs = append(errs, errors.New("Env is required"))
	}
	if o.Shards == nil {
		errs = append(errs, errors.New("Shards is required"))
	}
	if o.Session >= 1<<txn.SessionBits {
		errs = append(errs, fmt.Errorf("Session %d is more than 2^24-1", o.Session))
	}
	if o.CommitTimeout < 0 {
		errs = append(errs, fmt.Errorf("CommitTimeout %v is negative", o.CommitTimeout))
	}
	if o.AttemptTimeout < 0 {
		errs = append(errs, fmt.Errorf("AttemptTimeout %v is negative", o.AttemptTimeout))
	}
	if o.Commit > Parallel {
		errs = append(errs, fmt.Errorf("Commit %d is unknown", o.Commit))
	}
	if o.BackgroundMax < 0 {
		errs = append(errs, fmt.Errorf("BackgroundMax %d is negative", o.BackgroundMax))
	}
	return errors.Join(errs...)
}

// Coordinator decides the transactions of one gateway, under one session at a
// time. It is safe for concurrent use.
type Coordinator struct {
	opts   Options
	env    env.Env
	shards Shards

	oracle     oracle
	present    present
	router     router
	session    atomic.Uint32 // 0: none now
	counter    atomic.Uint64 // of transaction ids
	observer   atomic.Pointer[Observer]
	background atomic.Int64 // tasks of inBackground
	unlocks    atomic.Int64 // tasks of unlockLater

	mu struct {
		sync.Mutex
		owned      map[txn.ID]struct{}    // prewritten and not decided
		recovering map[txn.ID]*env.Future // of others, see recover
	}
}

// New makes a Coordinator. It sends nothing yet.
func New(o Options) (*Coordinator, error) {
	if err := o.validate(); err != nil {
		return nil, &txn.Error{Kind: txn.Invalid, Op: "coordinator.New", Reason: "options", Err: err}
	}
	o = o.withDefaults()
	c := &Coordinator{opts: o, env: o.Env, shards: o.Shards}
	c.session.Store(o.Session)
	c.mu.owned = make(map[txn.ID]struct{})
	c.mu.recovering = make(map[txn.ID]*env.Future)
	return c, nil
}

// Owns answers a shard that asks "still yours?" (F7): true from before the
// first prewrite of id is sent until id is decided. After a false, id may be
// aborted by whoever finds it in its way.
func (c *Coordinator) Owns(id txn.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.mu.owned[id]
	return ok
}

func (c *Coordinator) own(id txn.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.owned[id] = struct{}{}
}

func (c *Coordinator) disown(id txn.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.owned, id)
}

// SetSession changes the session, once the last one has ended: ids are of the
// new one from then on. What is under way keeps its id and ends as its shards
// answer. 0: no session is held, and what needs an id is Unavailable.
func (c *Coordinator) SetSession(session uint32) { c.session.Store(session) }

// Session is the one that is held now; 0: none.
func (c *Coordinator) Session() uint32 { return c.session.Load() }

// newID names an attempt to commit. Ids are never used again (C2).
func (c *Coordinator) newID() (txn.ID, error) {
	session := c.session.Load()
	if session == 0 {
		return 0, txn.Errorf(txn.Unavailable, "no_session", "the gateway has no session now")
	}
	return txn.NewID(session, c.counter.Add(1)), nil
}

// until is the moment at which a call with this deadline must answer.
func (c *Coordinator) until(deadline time.Duration) time.Duration {
	if deadline == 0 {
		return c.env.Now() + c.opts.CommitTimeout
	}
	return deadline
}
