package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// stock is what the state engines hold.
type stock struct {
	w        *world
	versions map[string][]txn.Version // ascending
	records  map[string]txn.Record    // by their keys
	keys     map[uint64][2]int64      // live keys and bytes of each shard, as it counts them
}

// noIntents checks that every intent has come to its end.
func (w *world) noIntents() error {
	for _, n := range w.members {
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
			return fmt.Errorf("%w: on %v of %s, of transaction %v", errIntents, key, n.name, in.Txn)
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

// dump reads versions, records and counts from the first member of each group.
// The others must have the same.
func (w *world) dump() (*stock, error) {
	s := &stock{w: w, versions: map[string][]txn.Version{}, records: map[string]txn.Record{},
		keys: map[uint64][2]int64{}}
	for _, g := range w.groups {
		first := g.nodes[0].state
		for _, n := range g.nodes[1:] {
			if err := same(g, first, n.state); err != nil {
				return nil, fmt.Errorf("shard %d of %s and %s: %w", g.route.Shard, g.nodes[0].name,
					n.name, err)
			}
		}
		state, _, err := mvcc.GetShardState(first, uint64(g.route.Shard), false)
		if err != nil {
			return nil, err
		}
		s.keys[uint64(g.route.Shard)] = [2]int64{state.Keys, state.Bytes}
		if g == w.meta() {
			continue
		}
		lower, upper := mvcc.DataBounds(g.route.Span)
		if err := each(first, lower, upper, s.version); err != nil {
			return nil, err
		}
		lower, upper = mvcc.RecordBounds(g.route.Span)
		if err := each(first, lower, upper, s.record); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// same checks that two replicas of g, which have applied the same, have the
// same state.
func same(g *group, a, b *mvcc.Mem) error {
	id := uint64(g.route.Shard)
	for _, within := range mvcc.ReplicaBounds(id, g.route.Span, g.route.Shard == shardrpc.MetaShard) {
		var all []put
		err := each(a, within.Lower, within.Upper, func(k, v []byte) error {
			all = append(all, put{bytes.Clone(k), bytes.Clone(v)})
			return nil
		})
		if err != nil {
			return err
		}
		err = each(b, within.Lower, within.Upper, func(k, v []byte) error {
			if len(all) == 0 || !bytes.Equal(all[0].key, k) || !bytes.Equal(all[0].value, v) {
				return fmt.Errorf("their states differ at %q", k)
			}
			all = all[1:]
			return nil
		})
		if err == nil && len(all) > 0 {
			err = fmt.Errorf("one lacks %q", all[0].key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type put struct{ key, value []byte }

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
	if len(o.versions) != len(s.versions) || len(o.records) > len(s.records) {
		return fmt.Sprintf("%d keys and %d records, then %d and %d", len(s.versions), len(s.records),
			len(o.versions), len(o.records))
	}
	for _, key := range sortedKeys(s.records) {
		if _, ok := o.records[key]; !ok && s.records[key].Done && s.w.plan.retention > 0 {
			continue // collected since
		}
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
			if ok && r.Status == txn.Staging && s.settled(&r, v.TS) {
				continue
			}
			if ok && (r.Status != txn.Committed || r.CommitTS != v.TS) {
				return fmt.Errorf("%v has version %s, but its record is %v at %d", txn.Key(key),
					tellVersion(&v), r.Status, r.CommitTS)
			}
		}
	}
	return nil
}

// settled reports whether all keys of a staging record have versions at one time. They are resolved
// beside the move of the record, which may have been lost with who sent it. If the primary is no
// key of the transaction nobody meets it from then on, and the collector tells a gateway of it
// later than a run lasts: until then every recovery comes to this commit (C8).
func (s *stock) settled(r *txn.Record, at txn.Timestamp) bool {
	for _, k := range r.Keys {
		if !slices.ContainsFunc(s.versions[string(k)], func(v txn.Version) bool {
			return v.Txn == r.Txn && v.TS == at
		}) {
			return false
		}
	}
	return len(r.Keys) > 0
}
