package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	defaultKeyspace = txn.DefaultKeyspaceName
	// keyspacesEvery is how often the table of keyspaces is asked for, and what is in those that
	// have a limit.
	keyspacesEvery = time.Second
	// deletionPatience is how long a deletion may go on before a gateway that did not begin it
	// helps; by how much the gateways differ in that is up to chance.
	deletionPatience = 3 * time.Second
	// deletionMax is how long a gateway works on a deletion before it looks at the others.
	deletionMax = time.Minute
)

// keyspaces is what a gateway knows of the keyspaces there are.
type keyspaces struct {
	table    atomic.Pointer[keyspaceTable] // nil: not read yet
	mu       sync.Mutex                    // over changes of it
	watched  env.Future                    // the owner of the table has ended
	finished env.Future                    // and who ends deletions
}

// keyspaceTable is the table at one time. It is never changed.
type keyspaceTable struct {
	changes uint64
	list    []txn.Keyspace // by name
	byName  map[string]*txn.Keyspace
	byID    map[txn.KeyspaceID]*txn.Keyspace
}

func newKeyspaceTable(resp *shardrpc.KeyspacesResponse) *keyspaceTable {
	t := &keyspaceTable{changes: resp.Changes, list: resp.Keyspaces,
		byName: make(map[string]*txn.Keyspace), byID: make(map[txn.KeyspaceID]*txn.Keyspace)}
	for i := range t.list {
		t.byName[t.list[i].Name], t.byID[t.list[i].ID] = &t.list[i], &t.list[i]
	}
	return t
}

// find is the keyspace of that name, or the default one; nil if it is not there, or about to go.
func (t *keyspaceTable) find(name string) *txn.Keyspace {
	if t == nil {
		return nil
	}
	if ks := t.byName[cmp.Or(name, defaultKeyspace)]; ks != nil && !ks.Deleting {
		return ks
	}
	return nil
}

// refreshKeyspaces returns the table as it was after the call began.
func (g *Gateway) refreshKeyspaces(
	ctx context.Context, deadline time.Duration,
) (*keyspaceTable, error) {
	k := &g.keyspaces
	known := uint64(0)
	if t := k.table.Load(); t != nil {
		known = t.changes
	}
	resp, err := g.Coordinator.Keyspaces(ctx, known, deadline)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.table.Load()
	if !resp.Same && (t == nil || resp.Changes > t.changes) { // else another call was faster
		t = newKeyspaceTable(resp)
		k.table.Store(t)
	}
	return t, nil
}

// keyspace resolves a keyspace's name; empty is the default. A name that is not known may be
// new, and the table is asked for.
func (g *Gateway) keyspace(ctx context.Context, name string) (*txn.Keyspace, error) {
	if ks := g.keyspaces.table.Load().find(name); ks != nil {
		return ks, nil
	}
	t, err := g.refreshKeyspaces(ctx, g.deadline(ctx))
	if err != nil {
		return nil, err
	}
	if ks := t.find(name); ks != nil {
		return ks, nil
	}
	return nil, noKeyspace(cmp.Or(name, defaultKeyspace))
}

// noKeyspace is the error for a name that no keyspace has, or can have.
func noKeyspace(name string) error {
	if err := txn.CheckKeyspaceName(name); err != nil {
		return err
	}
	e := txn.NoKeyspace(fmt.Sprintf("there is no keyspace %q", name))
	e.Next = fmt.Sprintf("create it: cairn keyspace create %s", name)
	return e
}

// keyspaceName is the name that users know a keyspace by.
func (g *Gateway) keyspaceName(id txn.KeyspaceID) string {
	if id == txn.DefaultKeyspace {
		return defaultKeyspace
	}
	if t := g.keyspaces.table.Load(); t != nil {
		if ks := t.byID[id]; ks != nil {
			return ks.Name
		}
	}
	return fmt.Sprintf("#%d", id) // no name has a #: it was deleted meanwhile
}

// replaced reports whether err says that a keyspace was deleted which has another one in its
// place by now, perhaps: the table was older than that, and nothing was done.
func (g *Gateway) replaced(ctx context.Context, m method, err error) bool {
	e, ours := errors.AsType[*txn.Error](err)
	if !ours || e.Reason != txn.ReasonKeyspaceNotFound || e.Op == "" { // not by a shard
		return false
	}
	was := g.keyspaces.table.Load()
	now, err := g.refreshKeyspaces(ctx, g.deadline(ctx))
	return err == nil && now != was && m != methodCommit && m != methodRangeStream
}

// applyOptions holds what ops write to the options of its keyspaces, and gives what they set
// the default TTL. It does the latter to all of them whatever it says of one.
func (g *Gateway) applyOptions(ops []txn.Op) (refused error) {
	t := g.keyspaces.table.Load()
	if t == nil {
		return nil // then no name was resolved either
	}
	for i := range ops {
		op := &ops[i]
		switch op.Kind {
		case txn.OpSet, txn.OpExtend, txn.OpUpdate:
		default:
			continue
		}
		ks := t.byID[op.Key.Keyspace()]
		if ks == nil {
			continue // it was deleted a moment ago, and its shard says so
		}
		e := ks.FullError()
		if e == nil && op.Kind != txn.OpExtend {
			e = ks.TooLarge(len(op.Value.Data))
		}
		if e != nil && refused == nil {
			e.Key = op.Key
			refused = e
		}
		if op.Kind != txn.OpExtend && op.TTL == 0 && !op.KeepTTL {
			op.TTL = ks.DefaultTTL
		}
	}
	return refused
}

// watchKeyspaces keeps the table fresh, and finds out which keyspaces are full.
func (g *Gateway) watchKeyspaces() {
	defer g.keyspaces.watched.Resolve()
	silent := false
	for {
		t, err := g.refreshKeyspaces(g.closing, g.Env.Now()+keyspacesEvery)
		if err == nil {
			err = g.measure(t)
		}
		if err != nil && !silent && g.closing.Err() == nil {
			g.Log.Warn("the keyspaces are not known as they are now", "err", err)
		}
		silent = err != nil
		if g.Env.Sleep(g.closing, keyspacesEvery) != nil {
			return
		}
	}
}

// measure has keyspaces marked that have reached their limit, and those not any more that have
// room again.
func (g *Gateway) measure(t *keyspaceTable) error {
	var limited []*txn.Keyspace
	for i := range t.list {
		if ks := &t.list[i]; !ks.Deleting && ks.BytesMax > 0 {
			limited = append(limited, ks)
		}
	}
	if len(limited) == 0 {
		return nil
	}
	usage, err := g.Coordinator.Usage(g.closing, g.Env.Now()+keyspacesEvery)
	for _, ks := range limited {
		holds := usage[ks.ID].Bytes
		if err != nil || (holds >= ks.BytesMax) == (ks.FullBytes != 0) {
			continue
		}
		if holds < ks.BytesMax {
			holds = 0
		}
		_, err = g.Coordinator.ChangeKeyspace(g.closing, txn.KeyspaceChange{
			Verb: txn.FillKeyspace, ID: ks.ID, Bytes: holds}, g.Env.Now()+keyspacesEvery)
	}
	return err
}

// finishDeletions goes on with deletions whose gateway has not ended them.
func (g *Gateway) finishDeletions() {
	defer g.keyspaces.finished.Resolve()
	patience := deletionPatience + time.Duration(g.Env.Rand()%uint64(deletionPatience))
	since := make(map[txn.KeyspaceID]time.Duration)
	for g.Env.Sleep(g.closing, keyspacesEvery) == nil {
		t := g.keyspaces.table.Load()
		if t == nil {
			continue
		}
		seen := make(map[txn.KeyspaceID]time.Duration)
		for i := range t.list {
			ks := &t.list[i]
			if !ks.Deleting {
				continue
			}
			at, known := since[ks.ID]
			if !known {
				at = g.Env.Now()
			}
			seen[ks.ID] = at
			if g.Env.Now()-at < patience {
				continue
			}
			err := g.finishDeletion(g.closing, ks.ID, g.Env.Now()+deletionMax)
			if err != nil && g.closing.Err() == nil {
				g.Log.Warn("a keyspace could not be deleted yet", "keyspace", ks.Name, "err", err)
			}
		}
		since = seen
	}
}

// finishDeletion ends a deletion that has begun, or does again what others did.
func (g *Gateway) finishDeletion(
	ctx context.Context, id txn.KeyspaceID, deadline time.Duration,
) error {
	err := g.Coordinator.DropKeyspace(ctx, id, deadline)
	if err == nil {
		_, err = g.Coordinator.ChangeKeyspace(ctx,
			txn.KeyspaceChange{Verb: txn.FinishKeyspace, ID: id}, deadline)
	}
	if err == nil {
		_, err = g.refreshKeyspaces(ctx, deadline)
	}
	return err
}
