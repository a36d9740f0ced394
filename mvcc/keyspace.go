package mvcc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const (
	droppedFormat = 1
	usageFormat   = 1
)

// PutDropped notes that a keyspace is deleted on shard: at is 0 while what it
// had is still there.
func PutDropped(b Batch, shard uint64, ks txn.KeyspaceID, at txn.Timestamp) {
	b.Set(DroppedKey(shard, ks), appendTimestamp([]byte{droppedFormat}, at))
}

// GetDropped are the keyspaces that are deleted on shard.
func GetDropped(eng Engine, shard uint64) (map[txn.KeyspaceID]txn.Timestamp, error) {
	all := make(map[txn.KeyspaceID]txn.Timestamp)
	err := eachOfShard(eng, shard, subDropped, func(ks txn.KeyspaceID, d *fields.Reader) {
		d.Bad = d.U8() != droppedFormat || d.Bad
		all[ks] = d.TS()
	})
	return all, err
}

// PutUsage notes what a keyspace holds on shard; nothing needs no row.
func PutUsage(b Batch, shard uint64, ks txn.KeyspaceID, u txn.Usage) {
	key := UsageKey(shard, ks)
	if u == (txn.Usage{}) {
		b.Delete(key)
		return
	}
	row := binary.AppendVarint([]byte{usageFormat}, u.Keys)
	row = binary.AppendVarint(row, u.LiveBytes)
	b.Set(key, binary.AppendVarint(binary.AppendVarint(row, u.Versions), u.Bytes))
}

// GetUsage is what keyspaces hold on shard.
func GetUsage(eng Engine, shard uint64) (map[txn.KeyspaceID]txn.Usage, error) {
	all := make(map[txn.KeyspaceID]txn.Usage)
	err := eachOfShard(eng, shard, subUsage, func(ks txn.KeyspaceID, d *fields.Reader) {
		d.Bad = d.U8() != usageFormat || d.Bad
		all[ks] = txn.Usage{Keys: d.Varint(), LiveBytes: d.Varint(), Versions: d.Varint(),
			Bytes: d.Varint()}
	})
	return all, err
}

// eachOfShard decodes the rows that shard has of keyspaces under sub.
func eachOfShard(
	eng Engine, shard uint64, sub byte, decode func(txn.KeyspaceID, *fields.Reader),
) (err error) {
	lower, upper := shardKey(shard, sub), shardKey(shard, sub+1)
	it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return err
	}
	defer closeInto(it, &err)
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		if len(key) != len(lower)+4 {
			return corrupt("%x is not a key of a keyspace", key)
		}
		b, err := it.Value()
		if err != nil {
			return err
		}
		d := fields.Reader{Rest: b}
		decode(txn.KeyspaceID(binary.BigEndian.Uint32(key[len(lower)-1:])), &d)
		if d.Bad || len(d.Rest) > 0 {
			return corrupt("the row %x does not decode", key)
		}
	}
	return it.Error()
}

// EraseSpan removes all that a shard has of the keys of span: their records,
// intents, versions and the rows of requests.
func EraseSpan(b Batch, span txn.Span) {
	if span.Empty() {
		return
	}
	for _, space := range []byte{spaceRecord, spaceIntent, spaceData, spaceRequest} {
		b.DeleteRange(bounds(space, span))
	}
}
