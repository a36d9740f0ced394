package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// RequestWindowDefault is Options.RequestWindow where that is not said.
//
// A commit on one shard that writes its request's anchor needs no row beside it: the
// version there says which request it carries out. It is looked for among the
// newest versions of the anchor, as many as Options.RequestWindow says, and whoever
// writes a version makes the row of the request that this one pushes out:
//
//	What a version has carried out within rowKeep, one of the newest versions of its
//	key says, or a row.
//
// The versions are counted as they lie in the engine, provisional ones too. One
// that is removed, as its transaction was aborted, only lets older ones move up; one
// that is moved to its commit timestamp is the newest before and after. A writer
// counts what it will find when it is applied: it holds the key's latch, so no
// other version comes in between, and the intents that it reads past, by their
// outcome, are resolved by commands before its own in the log (C16). What time
// has run out is judged by Newest, which never falls, nor from one leader to the
// next: each starts by a timestamp that it asks for (L1). So a request that was let
// go without a row is not found in its version either.
//
// Nearly all requests say when they were made up, and so look into no version that is
// older. What a long window costs is the way down to the version that is pushed out,
// by the timestamps in the keys. What it saves is rows: only keys that are written more
// often than once in rowKeep/RequestWindowDefault, 14 s, have them.
const RequestWindowDefault = 64

// memory is how far back the versions of a key tell of requests; zero: of none, for a
// program that runs again and whose versions are not written.
type memory struct {
	window int // how many, the newest ones
	// forgotten is when a request that was carried out need not be remembered any more,
	// at the latest.
	forgotten txn.Timestamp
}

// evicted is a request that the newest versions of its anchor tell of no more.
type evicted struct {
	id  txn.RequestID
	row txn.RequestRow // without base_ts
}

func (r *Replica) memory() memory {
	keep := txn.Timestamp(r.rowKeep().Microseconds())
	return memory{r.o.RequestWindow, max(0, r.o.Newest.Load()-keep-1)}
}

// carriedOut is what the newest versions of anchor say of q: Committed, or nothing.
// Those that are not newer than q's Since are not looked into: see evaluateCommit.
func (r *Replica) carriedOut(anchor txn.Key, q *txn.Request) (txn.RequestRow, error) {
	rd, err := r.versions(nil)
	if err != nil {
		return txn.RequestRow{}, err
	}
	m := r.memory()
	return rd.Request(anchor, q.ID, m.window, max(q.Since, m.forgotten))
}

// evicts is the request that one more version of key, at c, pushes out of the newest
// ones, unless it is forgotten anyway; nil: none.
func (m memory) evicts(rd *mvcc.Reader, key txn.Key, c txn.Timestamp) (*evicted, error) {
	if m.window == 0 || mutant.On(mutant.C12Window) {
		return nil, nil
	}
	id, row, err := rd.NthRequest(key, c-1, m.window, m.forgotten)
	if err != nil || row.Status != txn.Committed {
		return nil, err
	}
	return &evicted{id, row}, nil
}
