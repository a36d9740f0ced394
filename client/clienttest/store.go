package clienttest

import (
	"slices"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// store is every version of every key, and the only clock.
type store struct {
	keys     []txn.Key // sorted
	versions map[string][]txn.Version
	last     txn.Timestamp
	names    map[string]txn.KeyspaceID
	spaces   keyspaceTable
}

func newStore() *store {
	return &store{
		versions: make(map[string][]txn.Version), spaces: newKeyspaceTable(),
		names: map[string]txn.KeyspaceID{"": txn.DefaultKeyspace, "default": txn.DefaultKeyspace},
	}
}

// tick is the next timestamp: unique, and never before the wall clock.
func (s *store) tick() txn.Timestamp {
	s.last = max(s.last+1, txn.Timestamp(time.Now().UnixMicro()))
	return s.last
}

func (s *store) key(keyspace string, user []byte) txn.Key {
	if s.names[keyspace] == 0 {
		s.names[keyspace] = txn.DefaultKeyspace + txn.KeyspaceID(len(s.names))
	}
	return txn.NewKey(s.names[keyspace], user)
}

// newest is the version of key that was current at time at.
func (s *store) newest(key txn.Key, at txn.Timestamp) (v txn.Version) {
	for _, v := range slices.Backward(s.versions[string(key)]) {
		if v.TS <= at {
			return v
		}
	}
	return v
}

// revision is the newest version of key that is revision n; zero if there is none.
func (s *store) revision(key txn.Key, n int64) (v txn.Version) {
	for _, v := range s.remembered(key) {
		if v.Revision == n && v.Kind != txn.KindDelete {
			return v
		}
	}
	return v
}

// remembered are the versions of key, newest first, but for those that were replaced for good.
func (s *store) remembered(key txn.Key) (all []txn.Version) {
	forget := false
	for _, v := range slices.Backward(s.versions[string(key)]) {
		if !forget {
			all = append(all, v)
		}
		forget = v.NoHistory
	}
	return all
}

// apply commits writes at time at.
func (s *store) apply(writes []txn.Write, at txn.Timestamp) []txn.Written {
	var out []txn.Written
	for i := range writes {
		w := &writes[i]
		prev := s.newest(w.Key, at)
		v, ok := w.Version(&prev, at, 0)
		out = append(out, txn.Written{
			Key: w.Key, Wrote: ok, Version: v, PrevRevision: prev.RevisionAt(at),
		})
		if !ok {
			continue
		}
		n, found := slices.BinarySearchFunc(s.keys, w.Key, txn.Key.Compare)
		if !found {
			s.keys = slices.Insert(s.keys, n, w.Key)
		}
		s.versions[string(w.Key)] = append(s.versions[string(w.Key)], v)
	}
	return out
}

// snapshot is the store at one time. It is a txn.View, and notes what was read.
type snapshot struct {
	*store
	at    txn.Timestamp
	read  map[string]bool
	spans []txn.Span
}

func (v *snapshot) Get(key txn.Key) (txn.Version, error) {
	if v.read != nil {
		v.read[string(key)] = true
	}
	return v.newest(key, v.at), nil
}

func (v *snapshot) Scan(s txn.Scan, emit func(txn.Entry) bool) error {
	if s.Past != 0 {
		v = &snapshot{store: v.store, at: s.Past}
	}
	span := s.Span
	v.spans = append(v.spans, span)
	i, _ := slices.BinarySearchFunc(v.keys, span.Start, txn.Key.Compare)
	j := len(v.keys)
	if len(span.End) > 0 {
		j, _ = slices.BinarySearchFunc(v.keys, span.End, txn.Key.Compare)
	}
	if i >= j {
		return nil
	}
	keys := slices.Clone(v.keys[i:j])
	if s.Reverse {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		ver := v.newest(key, v.at)
		if ver.Live(v.at) && !emit(txn.Entry{Key: key, Version: ver}) {
			return nil
		}
	}
	return nil
}

// Changed implements txn.View.
func (v *snapshot) Changed(span txn.Span, since txn.Timestamp) (bool, error) {
	v.spans = append(v.spans, span)
	return slices.ContainsFunc(v.keys, func(key txn.Key) bool {
		then, now := v.newest(key, since), v.newest(key, v.at)
		return span.Contains(key) && (then.TS != now.TS || then.Live(since) && !now.Live(v.at))
	}), nil
}

// changed reports whether anything that v read has another version now.
func (v *snapshot) changed() bool {
	for key := range v.read {
		if v.newest(txn.Key(key), txn.Forever).TS > v.at {
			return true
		}
	}
	for _, span := range v.spans {
		for _, key := range v.keys {
			if span.Contains(key) && v.newest(key, txn.Forever).TS > v.at {
				return true
			}
		}
	}
	return false
}
