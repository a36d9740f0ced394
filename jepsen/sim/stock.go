package sim

import (
	"bytes"
	"fmt"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// stock is what the state engines hold.
type stock struct {
	w        *world
	versions map[string][]txn.Version // ascending
	records  map[string]txn.Record    // by their keys
	keys     map[uint64][2]int64      // live keys and bytes of each shard, as it counts them
}

// noIntents checks that reading has brought every intent to its end.
func (w *world) noIntents() error {
	for _, n := range w.nodes {
		if len(n.hosts) == 0 {
			continue
		}
		lower, upper := mvcc.IntentBounds(txn.Span{})
		err := each(n.state, lower, upper, func(k, v []byte) error {
			key, err := mvcc.DecodeIntentKey(k)
			if err != nil {
				return err
			}
			in, err := mvcc.DecodeIntent(key, v)
			if err != nil {
				return err
			}
			return fmt.Errorf("%w: on %v, of transaction %v", errIntents, key, in.Txn)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func each(eng mvcc.Engine, lower, upper []byte, f func(k, v []byte) error) error {
	it, err := eng.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.Value(); err == nil {
			err = f(it.Key(), v)
		}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

// dump reads versions, records and counts.
func (w *world) dump() (*stock, error) {
	s := &stock{w: w, versions: map[string][]txn.Version{}, records: map[string]txn.Record{},
		keys: map[uint64][2]int64{}}
	for _, n := range w.nodes {
		if len(n.hosts) == 0 {
			continue
		}
		lower, upper := mvcc.DataBounds(txn.Span{})
		if err := each(n.state, lower, upper, s.version); err != nil {
			return nil, err
		}
		lower, upper = mvcc.RecordBounds(txn.Span{})
		if err := each(n.state, lower, upper, s.record); err != nil {
			return nil, err
		}
		for _, route := range n.hosts {
			state, _, err := mvcc.GetShardState(n.state, uint64(route.Shard), false)
			if err != nil {
				return nil, err
			}
			s.keys[uint64(route.Shard)] = [2]int64{state.Keys, state.Bytes}
		}
	}
	return s, nil
}

func (s *stock) version(k, v []byte) error {
	key, ts, err := mvcc.DecodeDataKey(k)
	if err != nil {
		return err
	}
	ver, err := mvcc.DecodeVersion(ts, v)
	if err != nil {
		return err
	}
	ver.Value.Data = bytes.Clone(ver.Value.Data)
	all := s.versions[string(key)] // the engine has the newest first
	s.versions[string(key)] = append([]txn.Version{ver}, all...)
	return nil
}

func (s *stock) record(k, v []byte) error {
	primary, id, err := mvcc.DecodeRecordKey(k)
	if err != nil {
		return err
	}
	r, err := mvcc.DecodeRecord(primary, id, v)
	s.records[string(k)] = r
	return err
}

// differ says what is not the same in o.
func (s *stock) differ(o *stock) string {
	for _, key := range sortedKeys(s.versions) {
		a, b := s.versions[key], o.versions[key]
		if len(a) != len(b) {
			return fmt.Sprintf("%v has %d versions, then %d", txn.Key(key), len(a), len(b))
		}
		for i := range a {
			if what := differVersion(&a[i], &b[i]); what != "" {
				return fmt.Sprintf("%v: %s, then %s", txn.Key(key), what, tellVersion(&b[i]))
			}
		}
	}
	if len(o.versions) != len(s.versions) || len(o.records) != len(s.records) {
		return fmt.Sprintf("%d keys and %d records, then %d and %d", len(s.versions), len(s.records),
			len(o.versions), len(o.records))
	}
	for _, key := range sortedKeys(s.records) {
		if a, b := s.records[key], o.records[key]; a.Status != b.Status || a.CommitTS != b.CommitTS {
			return fmt.Sprintf("record %v is %v at %d, then %v at %d", a.Txn, a.Status, a.CommitTS,
				b.Status, b.CommitTS)
		}
	}
	for id, n := range s.keys { // order: any difference will do
		if o.keys[id] != n {
			return fmt.Sprintf("shard %d counts %d, then %d", id, n, o.keys[id])
		}
	}
	return ""
}

// count checks what shards count, and that records agree with versions (I5, I6).
func (s *stock) count() error {
	for _, route := range s.w.routes {
		var keys, size int64
		for key, all := range s.versions { // order: sums only
			if v := &all[len(all)-1]; route.Span.Contains(txn.Key(key)) && v.Kind != txn.KindDelete {
				keys++
				size += int64(len(txn.Key(key).User()) + len(v.Value.Data))
			}
		}
		if got := s.keys[uint64(route.Shard)]; got != [2]int64{keys, size} {
			return fmt.Errorf("shard %d counts %d keys of %d bytes, it has %d of %d", route.Shard,
				got[0], got[1], keys, size)
		}
	}
	status := map[txn.ID]txn.Record{}
	for _, key := range sortedKeys(s.records) {
		r := s.records[key]
		status[r.Txn] = r
	}
	for _, key := range sortedKeys(s.versions) {
		for _, v := range s.versions[key] {
			r, ok := status[v.Txn]
			if ok && (r.Status != txn.Committed || r.CommitTS != v.TS) {
				return fmt.Errorf("%v has version %s, but its record is %v at %d", txn.Key(key),
					tellVersion(&v), r.Status, r.CommitTS)
			}
		}
	}
	return nil
}
