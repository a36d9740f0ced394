package gateway

import (
	"cmp"
	"context"
	"slices"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// What an answer about locks has at most.
const (
	locksShownMax     = 10_000
	lockBytesShownMax = 4 << 20 // of keys
)

// ShardLocks is the lock table of a shard.
type ShardLocks struct {
	Shard shardrpc.ShardID
	Locks []shardrpc.LockInfo
	More  bool // there are more than these
	// Silent is why the shard did not answer; nothing else but its id is known then.
	Silent string
}

// lockTable lists what is locked anywhere, as far as the shards answer.
func (g *Gateway) lockTable(
	ctx context.Context, _ *cairnv1.LocksRequest,
) (*cairnv1.LocksResponse, error) {
	shards, err := g.Locks(ctx)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.LocksResponse{}
	var all []*shardrpc.LockInfo
	for i := range shards {
		s := &shards[i]
		if s.Silent != "" {
			resp.Silent = append(resp.Silent,
				&cairnv1.SilentShard{Id: uint64(s.Shard), Why: s.Silent})
			continue
		}
		resp.More = resp.More || s.More
		for j := range s.Locks {
			all = append(all, &s.Locks[j])
		}
	}
	slices.SortStableFunc(all, byPlace)
	now, bytes := g.Env.Wall(), 0
	for i, l := range all {
		bytes += len(l.Key) + len(l.Span.Start) + len(l.Span.End)
		if i == locksShownMax || bytes > lockBytesShownMax {
			resp.More = true
			break
		}
		resp.Locks = append(resp.Locks, g.wireLock(l, now))
	}
	return resp, nil
}

// byPlace sorts locks by where they begin, a key before the ranges that begin with it; of one
// place those that are held come first, and then the older owner.
func byPlace(a, b *shardrpc.LockInfo) int {
	return cmp.Or(
		lockStart(a).Compare(lockStart(b)),
		cmp.Compare(b2i(a.Key == nil), b2i(b.Key == nil)),
		cmp.Compare(b2i(len(a.Span.End) == 0), b2i(len(b.Span.End) == 0)), // which has no bound
		a.Span.End.Compare(b.Span.End),
		cmp.Compare(b2i(a.Waits), b2i(b.Waits)),
		cmp.Compare(a.Owner.Age.At, b.Owner.Age.At),
		cmp.Compare(a.Owner.Age.ID, b.Owner.Age.ID),
	)
}

func lockStart(l *shardrpc.LockInfo) txn.Key {
	if l.Key != nil {
		return l.Key
	}
	return l.Span.Start
}

func (g *Gateway) wireLock(l *shardrpc.LockInfo, now int64) *cairnv1.Lock {
	ks := lockStart(l).Keyspace()
	out := &cairnv1.Lock{
		Keyspace: g.keyspaceName(ks), Mode: wireLockMode(l.Mode),
		Txn: l.Owner.Txn.String(), Age: int64(l.Owner.Age.At),
		Waits: l.Waits, Committing: l.Committing,
		SinceMs: max(now-int64(l.Since), 0) / 1000,
	}
	if l.Key != nil {
		out.What = &cairnv1.Lock_Key{Key: l.Key.User()}
	} else {
		out.What = &cairnv1.Lock_Span{Span: &cairnv1.Span{
			Start: userBound(ks, l.Span.Start), End: userBound(ks, l.Span.End),
		}}
	}
	for i := range l.Behind {
		out.Behind = append(out.Behind, l.Behind[i].Txn.String())
	}
	return out
}

// userBound is the user's part of a bound; empty where the range goes on to that end of the
// keyspace.
func userBound(ks txn.KeyspaceID, k txn.Key) []byte {
	if len(k) < 4 || k.Keyspace() != ks {
		return nil
	}
	return k.User()
}

func wireLockMode(m txn.LockMode) cairnv1.LockMode {
	switch m {
	case txn.LockShared:
		return cairnv1.LockMode_LOCK_MODE_SHARED
	case txn.LockUpdate:
		return cairnv1.LockMode_LOCK_MODE_UPDATE
	case txn.LockExclusive:
		return cairnv1.LockMode_LOCK_MODE_EXCLUSIVE
	}
	return cairnv1.LockMode_LOCK_MODE_UNSPECIFIED
}
