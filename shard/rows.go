package shard

import (
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// Up to how many rows of requests, and how many bytes of their keys, a replica
// knows which there are.
const (
	rowsKnownMax      = 16384
	rowsKnownBytesMax = 4 << 20
)

// rowSet is which rows of requests the applied state has. Who asks for a row nearly
// always asks for one that is not there, for which the engine would have to look
// everywhere. It may name rows that went with their keyspace; it lacks none.
type rowSet struct {
	keys  map[string]struct{} // of the engine; nil: too many to know them
	bytes int                 // of keys
}

// rowChange is a row that a batch puts or deletes.
type rowChange struct {
	key string
	put bool
}

// loadRows is the set of the rows anchored in span.
func loadRows(eng mvcc.Engine, span txn.Span) (s rowSet, err error) {
	lower, upper := mvcc.RequestBounds(span)
	it, err := eng.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return s, err
	}
	s.keys = make(map[string]struct{})
	for ok := it.First(); ok && s.keys != nil; ok = it.Next() {
		s.change(rowChange{key: string(it.Key()), put: true})
	}
	err = it.Error()
	if e := it.Close(); err == nil {
		err = e
	}
	return s, err
}

func (s *rowSet) change(c rowChange) {
	_, there := s.keys[c.key]
	switch {
	case s.keys == nil, there == c.put:
	case !c.put:
		delete(s.keys, c.key)
		s.bytes -= len(c.key)
	case len(s.keys) == rowsKnownMax || s.bytes+len(c.key) > rowsKnownBytesMax:
		*s = rowSet{}
	default:
		s.keys[c.key] = struct{}{}
		s.bytes += len(c.key)
	}
}

// mayHave reports whether the row of a request can exist.
func (s *rowSet) mayHave(anchor txn.Key, id txn.RequestID) bool {
	if s.keys == nil || len(s.keys) == 0 {
		return s.keys == nil
	}
	_, there := s.keys[string(mvcc.RequestKey(anchor, id))]
	return there
}

// knowRows takes the rows up again, after a pass that has met so many of them, if
// they had become too many. Half as many as it may know, or it would soon be over.
func (r *Replica) knowRows(met int) {
	if r.rows.keys != nil || met > rowsKnownMax/2 {
		return
	}
	var err error
	r.rows, err = loadRows(r.o.State, r.o.Route.Span)
	r.failIf(err)
}
