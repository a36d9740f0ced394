// Package fields cuts the fields of a hand-coded record from the front of its
// bytes. It is what the decoders of packages mvcc and shard share; the formats
// themselves are in docs/formats.md.
package fields

import (
	"encoding/binary"
	"math"

	"github.com/cairnkv/cairn/txn"
)

// Reader cuts fields from the front of Rest. The first that does not fit sets
// Bad, and everything after it reads as zero. What it returns shares Rest.
type Reader struct {
	Rest []byte
	Bad  bool
}

func (r *Reader) fail() { r.Rest, r.Bad = nil, true }

// U8 reads a byte.
func (r *Reader) U8() byte {
	if len(r.Rest) < 1 {
		r.fail()
		return 0
	}
	v := r.Rest[0]
	r.Rest = r.Rest[1:]
	return v
}

// Bool reads a byte that is 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// U64 reads 8 bytes, big endian.
func (r *Reader) U64() uint64 {
	if len(r.Rest) < 8 {
		r.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(r.Rest)
	r.Rest = r.Rest[8:]
	return v
}

// TS reads a timestamp of 8 bytes, which is never negative.
func (r *Reader) TS() txn.Timestamp { return txn.Timestamp(r.positive(r.U64())) }

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// UvarintTS reads a timestamp that was written as an unsigned varint.
func (r *Reader) UvarintTS() txn.Timestamp { return txn.Timestamp(r.positive(r.Uvarint())) }

// Number reads an unsigned varint that fits an int64.
func (r *Reader) Number() int64 { return r.positive(r.Uvarint()) }

func (r *Reader) positive(v uint64) int64 {
	if v > math.MaxInt64 {
		r.fail()
		return 0
	}
	return int64(v)
}

// Varint reads a zigzag varint.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Count reads how many items follow, each of at least size bytes, so that a
// hostile number makes nobody allocate more than the input could hold.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// Bytes reads a length and that many bytes.
func (r *Reader) Bytes() []byte { return r.Take(r.Uvarint()) }

// Take reads n bytes.
func (r *Reader) Take(n uint64) []byte {
	if n > uint64(len(r.Rest)) {
		r.fail()
		return nil
	}
	v := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return v
}

// AppendBytes appends b behind its length.
func AppendBytes[T ~[]byte | ~string](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
