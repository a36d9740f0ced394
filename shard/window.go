package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// A commit on one shard that writes its request's anchor needs no row beside it: the
// version there says which request it carries out. It is looked for among the
// newest requestWindow versions of the anchor, and whoever writes a version makes
// the row of the request that this one pushes out:
//
//	What a version has carried out within rowKeep, one of the newest requestWindow
//	versions of its key says, or a row.
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
const requestWindow = 4

// evicted is a request that the newest versions of its anchor tell of no more.
type evicted struct {
	id  txn.RequestID
	row txn.RequestRow // without base_ts
}

// remembered is from when on requests that were carried out are remembered.
func (r *Replica) remembered() txn.Timestamp {
	return r.o.Newest.Load() - txn.Timestamp(r.rowKeep().Microseconds())
}

// carriedOut is what the newest versions of anchor say of a request: Committed, or
// nothing.
func (r *Replica) carriedOut(anchor txn.Key, id txn.RequestID) (found txn.RequestRow, err error) {
	rd, err := r.versions(nil)
	if err != nil {
		return found, err
	}
	since, left := r.remembered(), requestWindow
	err = rd.Requests(anchor, txn.Forever, func(is txn.RequestID, row txn.RequestRow) bool {
		if row.CommitTS >= since && row.Status == txn.Committed && is == id {
			found = row
		}
		left--
		return left > 0 && row.CommitTS >= since && found.Status == txn.Absent
	})
	return found, err
}

// evicts is the request that one more version of key, at c, pushes out of the newest
// ones, unless it was carried out before since; nil: none.
func evicts(rd *mvcc.Reader, key txn.Key, c, since txn.Timestamp) (out *evicted, err error) {
	if mutant.On(mutant.C12Window) {
		return nil, nil
	}
	left := requestWindow
	err = rd.Requests(key, c-1, func(id txn.RequestID, row txn.RequestRow) bool {
		left--
		if left == 0 && row.CommitTS >= since && row.Status == txn.Committed {
			out = &evicted{id, row}
		}
		return left > 0 && row.CommitTS >= since
	})
	return out, err
}
