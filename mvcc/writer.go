package mvcc

import "github.com/cairnkv/cairn/txn"

// PutVersion writes v as a version of key at v.TS.
func PutVersion(b Batch, key txn.Key, v *txn.Version) {
	PutEncoded(b, key, v.TS, AppendVersion(nil, v))
}

// PutEncoded writes a version of key at ts whose value is already encoded.
func PutEncoded(b Batch, key txn.Key, ts txn.Timestamp, value []byte) {
	b.Set(DataKey(key, ts), value)
}

// DeleteVersion deletes the version of key at ts, if there is one.
func DeleteVersion(b Batch, key txn.Key, ts txn.Timestamp) {
	b.Delete(DataKey(key, ts))
}

// MoveVersion moves the version of key at from to timestamp to, byte for
// byte. It reads from as eng has it, not as b will leave it. That there is
// none is corruption. from == to writes nothing.
func MoveVersion(eng Engine, b Batch, key txn.Key, from, to txn.Timestamp) error {
	if from == to {
		return nil
	}
	old := DataKey(key, from)
	value, ok, err := eng.Get(old)
	if err != nil {
		return err
	}
	if !ok {
		return corrupt("no version of %v at %d to move to %d", key, from, to)
	}
	b.Delete(old)
	PutEncoded(b, key, to, value)
	return nil
}

// PutIntent writes i at its key.
func PutIntent(b Batch, i *Intent) { b.Set(IntentKey(i.Key), AppendIntent(nil, i)) }

// DeleteIntent deletes the intent on key, if there is one.
func DeleteIntent(b Batch, key txn.Key) { b.Delete(IntentKey(key)) }

// PutRecord writes r at its primary key.
func PutRecord(b Batch, r *txn.Record) {
	b.Set(RecordKey(r.Primary, r.Txn), AppendRecord(nil, r))
}

// GetRecord reads a record. One that is not there is Absent, with Txn and
// Primary as asked. It shares primary and nothing else.
func GetRecord(eng Engine, primary txn.Key, id txn.ID) (txn.Record, error) {
	b, ok, err := eng.Get(RecordKey(primary, id))
	if err != nil || !ok {
		return txn.Record{Txn: id, Primary: primary}, err
	}
	return DecodeRecord(primary, id, b)
}

// DeleteRecord deletes a record, if there is one.
func DeleteRecord(b Batch, primary txn.Key, id txn.ID) { b.Delete(RecordKey(primary, id)) }

// PutRequest writes the row of request id at its anchor.
func PutRequest(b Batch, anchor txn.Key, id txn.RequestID, r *txn.RequestRow) {
	b.Set(RequestKey(anchor, id), AppendRequest(nil, r))
}

// GetRequest reads the row of a request. One that is not there is Absent.
func GetRequest(eng Engine, anchor txn.Key, id txn.RequestID) (txn.RequestRow, error) {
	b, ok, err := eng.Get(RequestKey(anchor, id))
	if err != nil || !ok {
		return txn.RequestRow{}, err
	}
	return DecodeRequest(b)
}

// DeleteRequest deletes the row of a request, if there is one.
func DeleteRequest(b Batch, anchor txn.Key, id txn.RequestID) { b.Delete(RequestKey(anchor, id)) }

// PutShardState writes the state of shard.
func PutShardState(b Batch, shard uint64, s *ShardState) {
	b.Set(ShardStateKey(shard), AppendShardState(nil, s))
}

// GetShardState reads the state of shard; false if there is none. With
// durable it is one that will survive a crash, perhaps an older one: the raft
// log may be cut up to its AppliedIndex and no further (R14).
func GetShardState(eng Engine, shard uint64, durable bool) (s ShardState, ok bool, err error) {
	lower, upper := ShardBounds(shard)
	it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper, Durable: durable})
	if err != nil {
		return s, false, err
	}
	defer closeInto(it, &err)
	key := ShardStateKey(shard)
	if !it.SeekGE(key) || Compare(it.Key(), key) != 0 {
		return s, false, it.Error()
	}
	b, err := it.Value()
	if err != nil {
		return s, false, err
	}
	s, err = DecodeShardState(b)
	return s, err == nil, err
}

// LiveDelta is the change of the live keys of a shard and of the bytes of
// their values when next comes on top of prev; either may be nil or the zero
// Version. It goes by kinds: a key that has expired counts until a delete
// sweeps it. Whoever counts key bytes adds keys times their length.
func LiveDelta(prev, next *txn.Version) (keys, bytes int64) {
	prevKeys, prevBytes := stored(prev)
	nextKeys, nextBytes := stored(next)
	return nextKeys - prevKeys, nextBytes - prevBytes
}

func stored(v *txn.Version) (keys, bytes int64) {
	if v == nil || v.TS == 0 || v.Kind == txn.KindDelete {
		return 0, 0
	}
	return 1, int64(len(v.Value.Data))
}
