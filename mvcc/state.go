package mvcc

import (
	"bytes"
	"encoding/binary"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const shardStateFormat = 1

// ShardState is how far a shard has applied its raft log, written in the same
// batch as what was applied.
type ShardState struct {
	AppliedIndex, AppliedTerm, Epoch uint64
	ClosedTS, RecordFloor            txn.Timestamp
	// Keys and Bytes are the live keys and bytes, by LiveDelta.
	Keys, Bytes int64
	ConfState   []byte // raft's, marshalled
}

// AppendShardState encodes s.
func AppendShardState(dst []byte, s *ShardState) []byte {
	dst = append(dst, shardStateFormat)
	dst = binary.BigEndian.AppendUint64(dst, s.AppliedIndex)
	dst = binary.BigEndian.AppendUint64(dst, s.AppliedTerm)
	dst = binary.BigEndian.AppendUint64(dst, s.Epoch)
	dst = appendTimestamp(dst, s.ClosedTS)
	dst = appendTimestamp(dst, s.RecordFloor)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Keys))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Bytes))
	return append(dst, s.ConfState...)
}

// DecodeShardState decodes a shard's state. It shares nothing with b.
func DecodeShardState(b []byte) (ShardState, error) {
	d := fields.Reader{Rest: b}
	format := d.U8()
	s := ShardState{
		AppliedIndex: d.U64(), AppliedTerm: d.U64(), Epoch: d.U64(),
		ClosedTS: d.TS(), RecordFloor: d.TS(),
		Keys: int64(d.U64()), Bytes: int64(d.U64()),
	}
	switch {
	case d.Bad:
		return ShardState{}, corrupt("a shard state of %d bytes does not decode", len(b))
	case format != shardStateFormat:
		return ShardState{}, corrupt("shard state format %d is unknown to this release", format)
	}
	if len(d.Rest) > 0 {
		s.ConfState = bytes.Clone(d.Rest)
	}
	return s, nil
}
