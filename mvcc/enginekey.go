package mvcc

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"

	"github.com/cairnkv/cairn/txn"
)

// The key spaces of the state engine. The numbers are on disk.
const (
	spaceLocal   = 0x01
	spaceShard   = 0x02
	spaceRecord  = 0x03
	spaceIntent  = 0x04
	spaceData    = 0x05
	spaceRequest = 0x06
	spaceMeta    = 0x07
)

// What lies under a shard's key.
const (
	subState       = 'a'
	subDescriptor  = 'd'
	subGCThreshold = 'g'
	subUsage       = 'k'
	subDropped     = 'x'
)

const (
	// suffixTS is the length of an encoded timestamp: 8 bytes and their length.
	suffixTS = 9
	// wideVersion is the length of a record's or request's suffix before its
	// length byte. The time interval property ignores suffixes of this length.
	wideVersion = 17
)

// Compare is the order of the state engine: by key, then newest version first.
func Compare(a, b []byte) int { return cockroachkvs.Compare(a, b) }

// LogCompare is the order of the log engine: by bytes.
func LogCompare(a, b []byte) int { return bytes.Compare(a, b) }

// Split is the length of key without its suffix, the closing 00 included.
func Split(key []byte) int { return cockroachkvs.Split(key) }

// bare spells a key without a suffix.
func bare(dst []byte, space byte, parts ...[]byte) []byte {
	dst = append(dst, space)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return append(dst, 0)
}

// afterSpace is the first key after every key of space.
func afterSpace(space byte) []byte { return []byte{space + 1, 0} }

// bounds spells span in space.
func bounds(space byte, span txn.Span) (lower, upper []byte) {
	lower = bare(make([]byte, 0, len(span.Start)+2), space, span.Start)
	if len(span.End) == 0 {
		return lower, afterSpace(space)
	}
	return lower, bare(make([]byte, 0, len(span.End)+2), space, span.End)
}

// AppendDataKey appends the key of the version of k at ts, which must be positive.
func AppendDataKey(dst []byte, k txn.Key, ts txn.Timestamp) []byte {
	return appendTS(bare(dst, spaceData, k), ts)
}

// appendTS appends a timestamp to a key that ends in 00. With ts 0 or less the
// key would lose its suffix and sort before every version.
func appendTS(dst []byte, ts txn.Timestamp) []byte {
	if ts <= 0 {
		panic("mvcc: a version key needs a positive timestamp")
	}
	return append(binary.BigEndian.AppendUint64(dst, uint64(ts)), suffixTS)
}

// DataKey is the key of the version of k at ts, which must be positive.
func DataKey(k txn.Key, ts txn.Timestamp) []byte {
	return AppendDataKey(make([]byte, 0, len(k)+2+suffixTS), k, ts)
}

// DecodeDataKey takes apart a key of the data space. The key is shared with b.
// The timestamp is 0 for a bound.
func DecodeDataKey(b []byte) (txn.Key, txn.Timestamp, error) {
	n := len(b) - suffixTS
	if n >= 2 && b[len(b)-1] == suffixTS && b[0] == spaceData && b[n-1] == 0 {
		if ts := binary.BigEndian.Uint64(b[n:]); ts != 0 && ts <= math.MaxInt64 {
			return txn.Key(b[1 : n-1]), txn.Timestamp(ts), nil
		}
	}
	if len(b) >= 2 && b[0] == spaceData && b[len(b)-1] == 0 {
		return txn.Key(b[1 : len(b)-1]), 0, nil
	}
	return nil, 0, corrupt("%x is not a key of the data space", b)
}

// DataBounds are the bounds of all versions of the keys of span.
func DataBounds(span txn.Span) (lower, upper []byte) { return bounds(spaceData, span) }

// IntentKey is the key of the intent on k.
func IntentKey(k txn.Key) []byte {
	return bare(make([]byte, 0, len(k)+2), spaceIntent, k)
}

// DecodeIntentKey is the key that an intent lies on, shared with b.
func DecodeIntentKey(b []byte) (txn.Key, error) {
	if len(b) < 2 || b[0] != spaceIntent || b[len(b)-1] != 0 {
		return nil, corrupt("%x is not a key of the intent space", b)
	}
	return txn.Key(b[1 : len(b)-1]), nil
}

// IntentBounds are the bounds of the intents on the keys of span.
func IntentBounds(span txn.Span) (lower, upper []byte) { return bounds(spaceIntent, span) }

// RecordKey is the key of the record of transaction id, whose primary key is primary.
func RecordKey(primary txn.Key, id txn.ID) []byte {
	var version [wideVersion]byte
	binary.BigEndian.PutUint64(version[:], uint64(id))
	return wide(spaceRecord, primary, version)
}

// wide spells a key with a 17-byte suffix.
func wide(space byte, k txn.Key, version [wideVersion]byte) []byte {
	b := bare(make([]byte, 0, len(k)+3+wideVersion), space, k)
	b = append(b, version[:]...)
	return append(b, wideVersion+1)
}

// DecodeRecordKey takes apart a key of the record space. The key is shared with b.
func DecodeRecordKey(b []byte) (txn.Key, txn.ID, error) {
	k, version, ok := cutWide(spaceRecord, b)
	if !ok || !bytes.Equal(version[8:], make([]byte, wideVersion-8)) {
		return nil, 0, corrupt("%x is not a key of the record space", b)
	}
	return k, txn.ID(binary.BigEndian.Uint64(version)), nil
}

func cutWide(space byte, b []byte) (k txn.Key, version []byte, ok bool) {
	n := len(b) - 1 - wideVersion
	if n < 2 || b[0] != space || b[len(b)-1] != wideVersion+1 || b[n-1] != 0 {
		return nil, nil, false
	}
	return txn.Key(b[1 : n-1]), b[n : len(b)-1], true
}

// RecordBounds are the bounds of the records whose primary keys are in span.
func RecordBounds(span txn.Span) (lower, upper []byte) { return bounds(spaceRecord, span) }

// RequestKey is the key of the row of request id, anchored at anchor.
func RequestKey(anchor txn.Key, id txn.RequestID) []byte {
	var version [wideVersion]byte
	copy(version[:], id[:])
	return wide(spaceRequest, anchor, version)
}

// DecodeRequestKey takes apart a key of the request space. The key is shared with b.
func DecodeRequestKey(b []byte) (anchor txn.Key, id txn.RequestID, err error) {
	k, version, ok := cutWide(spaceRequest, b)
	if !ok || version[txn.RequestIDBytes] != 0 {
		return nil, id, corrupt("%x is not a key of the request space", b)
	}
	copy(id[:], version)
	return k, id, nil
}

// RequestBounds are the bounds of the request rows anchored in span.
func RequestBounds(span txn.Span) (lower, upper []byte) { return bounds(spaceRequest, span) }

// shardKey spells a key of the shard space.
func shardKey(shard uint64, sub byte, rest ...byte) []byte {
	b := make([]byte, 0, 11+len(rest))
	b = binary.BigEndian.AppendUint64(append(b, spaceShard), shard)
	return append(append(append(b, sub), rest...), 0)
}

// ShardStateKey is the key of the ShardState of shard.
func ShardStateKey(shard uint64) []byte { return shardKey(shard, subState) }

// ShardDescriptorKey is the key of the descriptor that shard has applied.
func ShardDescriptorKey(shard uint64) []byte { return shardKey(shard, subDescriptor) }

// GCThresholdKey is the key of the garbage collection threshold of a keyspace on shard.
func GCThresholdKey(shard uint64, ks txn.KeyspaceID) []byte {
	return shardKey(shard, subGCThreshold, binary.BigEndian.AppendUint32(nil, uint32(ks))...)
}

// DroppedKey is the key that says that a keyspace is dropped on shard.
func DroppedKey(shard uint64, ks txn.KeyspaceID) []byte {
	return shardKey(shard, subDropped, binary.BigEndian.AppendUint32(nil, uint32(ks))...)
}

// UsageKey is the key of what a keyspace holds on shard.
func UsageKey(shard uint64, ks txn.KeyspaceID) []byte {
	return shardKey(shard, subUsage, binary.BigEndian.AppendUint32(nil, uint32(ks))...)
}

// ShardBounds are the bounds of all keys of the shard space that belong to shard.
func ShardBounds(shard uint64) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint64([]byte{spaceShard}, shard)
	if shard == math.MaxUint64 {
		return append(lower, 0), afterSpace(spaceShard)
	}
	upper = binary.BigEndian.AppendUint64([]byte{spaceShard}, shard+1)
	return append(lower, 0), append(upper, 0)
}

// ShardSpaceBounds are the bounds of the shard space of all shards.
func ShardSpaceBounds() (lower, upper []byte) {
	return []byte{spaceShard, 0}, afterSpace(spaceShard)
}

// ReplicaBounds are the bounds of all that a replica of shard has in the state
// engine. The meta group has the meta space, and no user's keys.
func ReplicaBounds(shard uint64, span txn.Span, meta bool) []Bounds {
	between := func(lower, upper []byte) Bounds { return Bounds{lower, upper} }
	out := []Bounds{between(ShardBounds(shard))}
	if meta {
		return append(out, Bounds{[]byte{spaceMeta, 0}, afterSpace(spaceMeta)})
	}
	if !span.Empty() {
		out = append(out, between(RecordBounds(span)), between(IntentBounds(span)),
			between(DataBounds(span)), between(RequestBounds(span)))
	}
	return out
}

// MetaKey is the key of one row of the meta group.
func MetaKey(kind byte, id []byte) []byte {
	return bare(make([]byte, 0, len(id)+3), spaceMeta, []byte{kind}, id)
}

// DecodeMetaKey takes apart a key of the meta space. The id is shared with b.
func DecodeMetaKey(b []byte) (kind byte, id []byte, err error) {
	if len(b) < 3 || b[0] != spaceMeta || b[len(b)-1] != 0 {
		return 0, nil, corrupt("%x is not a key of the meta space", b)
	}
	return b[1], b[2 : len(b)-1], nil
}

// MetaBounds are the bounds of all rows of one kind; kind must be below 255.
func MetaBounds(kind byte) (lower, upper []byte) {
	return []byte{spaceMeta, kind, 0}, []byte{spaceMeta, kind + 1, 0}
}

// LocalKey is the key of something that belongs to this member alone.
func LocalKey(name string) []byte {
	return bare(make([]byte, 0, len(name)+2), spaceLocal, []byte(name))
}

// LocalBounds are the bounds of the local space.
func LocalBounds() (lower, upper []byte) {
	return []byte{spaceLocal, 0}, afterSpace(spaceLocal)
}
