package coordinator

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// Mode is how a transaction keeps others from undoing what it does.
type Mode uint8

// The modes. Locks spare aborts; every commit validates, whatever the mode.
const (
	// Optimistic locks nothing: all reads are of one snapshot, and a conflict is
	// found at the commit.
	Optimistic Mode = iota
	// Pessimistic locks what it reads and writes when it does so. Each read is
	// of the newest state.
	Pessimistic
)

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

// Priority moves the age of a transaction that begins, and so who gives way
// when two want the same lock.
type Priority uint8

// The priorities, txn.PrioritySkew apart.
const (
	PriorityNormal Priority = iota
	PriorityLow
	PriorityHigh
)

func (p Priority) age(at txn.Timestamp, id txn.ID) txn.Age {
	switch p {
	case PriorityLow:
		at = at.Add(txn.PrioritySkew)
	case PriorityHigh:
		at = max(at.Add(-txn.PrioritySkew), 1)
	}
	return txn.Age{At: at, ID: id}
}

// BeginOptions choose what kind of transaction begins.
type BeginOptions struct {
	Mode      Mode
	Isolation Isolation
	Priority  Priority // not of one that has an Age
	ReadOnly  bool     // at one snapshot and without locks, whatever the mode
	// At reads the past: everything as of that timestamp, read-only.
	At txn.Timestamp
	// Deadline of Begin itself, by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
	// Age is that of the first attempt of the same closure; nil: this is the first.
	Age *txn.Age
}

// Begin opens a transaction at a fresh snapshot.
func (c *Coordinator) Begin(ctx context.Context, o BeginOptions) (*Txn, error) {
	const op = "coordinator.Begin"
	o.ReadOnly = o.ReadOnly || o.At != 0
	if o.Mode == Pessimistic && o.Isolation == Snapshot && !o.ReadOnly {
		return nil, failed(op, 0, txn.Errorf(txn.Invalid, "isolation_unsupported",
			"a pessimistic transaction reads the newest state, not a snapshot"))
	}
	until := c.until(o.Deadline)
	id, err := c.newID()
	if err != nil {
		return nil, failed(op, 0, err)
	}
	at, err := c.snapshot(ctx, o.At, until)
	if err == nil {
		err = c.env.Point("coordinator.begin.after-ts")
	}
	if err != nil {
		return nil, failed(op, id, err)
	}
	t := &Txn{c: c, id: id, isolation: o.Isolation, readOnly: o.ReadOnly}
	t.view = newView(ctx, snapshot{c: c, at: at, until: until})
	t.view.watch = o.Isolation != Snapshot
	if o.Age != nil {
		t.age = *o.Age
	} else {
		t.age = o.Priority.age(at, id)
	}
	if o.Mode == Pessimistic && !o.ReadOnly {
		t.locks = c.newLockSet(id, t.age)
	}
	return t, nil
}
