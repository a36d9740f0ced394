package client

import (
	"context"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
)

// LockMode is what a lock keeps others from.
type LockMode uint8

// The modes.
const (
	LockUnknown   LockMode = iota // of a newer server
	LockShared                    // others may share, and one may update
	LockUpdate                    // of who may write later: one at a time, beside shared ones
	LockExclusive                 // nobody else has any lock
	lockModeEnd
)

var lockModeNames = [...]string{"unknown", "shared", "update", "exclusive"}

func (m LockMode) String() string {
	if m < lockModeEnd {
		return lockModeNames[m]
	}
	return lockModeNames[LockUnknown]
}

// LockTable is what is locked in the cluster.
type LockTable struct {
	// Locks are in key order; of each who holds it comes first, then who waits, oldest first.
	Locks  []Lock
	More   bool          // there are more than these
	Silent []SilentShard // whose locks are missing
}

// Lock is one that a transaction holds or waits for.
type Lock struct {
	Keyspace string
	// Key is what is locked, unless Range says that it is all from Start up to and without End.
	// No Start is the first key there is, no End the last.
	Key        string
	Range      bool
	Start, End string
	Mode       LockMode
	Txn        string // as OpenTxn.ID
	// Age is when its first attempt began, moved by its priority: the older one gets the lock.
	Age        Timestamp
	Waits      bool          // it has not got the lock
	Committing bool          // nobody can take the lock away
	Behind     []string      // of one that waits: the transactions that it waits for, some of them
	Since      time.Duration // since it asked for the lock
}

// SilentShard is one that did not answer.
type SilentShard struct {
	ID  uint64
	Why string
}

// Locks lists who holds which lock and who waits for it, whatever gateway they use.
func (db *DB) Locks(ctx context.Context) (LockTable, error) {
	c := &call{
		method: cairnv1.Method_METHOD_STATUS_LOCKS,
		req:    &cairnv1.LocksRequest{}, res: &cairnv1.LocksResponse{},
	}
	if err := db.do(ctx, c); err != nil {
		return LockTable{}, err
	}
	res := c.res.(*cairnv1.LocksResponse)
	t := LockTable{More: res.More}
	for _, w := range res.Locks {
		l := Lock{
			Keyspace: w.Keyspace, Key: string(w.GetKey()), Txn: w.Txn, Age: Timestamp(w.Age),
			Waits: w.Waits, Committing: w.Committing, Behind: w.Behind,
			Since: time.Duration(w.SinceMs) * time.Millisecond,
		}
		if span := w.GetSpan(); span != nil {
			l.Range, l.Start, l.End = true, string(span.Start), string(span.End)
		}
		if w.Mode > 0 && int(w.Mode) < int(lockModeEnd) {
			l.Mode = LockMode(w.Mode)
		}
		t.Locks = append(t.Locks, l)
	}
	for _, w := range res.Silent {
		t.Silent = append(t.Silent, SilentShard{ID: w.Id, Why: w.Why})
	}
	return t, nil
}
