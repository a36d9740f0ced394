package mvcc

import (
	"encoding/binary"
	"math"

	"github.com/cairnkv/cairn/txn"
)

// decoder cuts fields from the front of b. The first that does not fit sets
// bad, and everything after it reads as zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) u8() byte {
	if len(d.b) < 1 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) u64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

// ts reads a timestamp, which is never negative.
func (d *decoder) ts() txn.Timestamp {
	v := d.u64()
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return txn.Timestamp(v)
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads a number that is never negative.
func (d *decoder) count() int64 {
	v := d.uvarint()
	if v > math.MaxInt64 {
		d.fail()
		return 0
	}
	return int64(v)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes reads a length and that many bytes, shared with the input.
func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) fail() {
	d.bad = true
	d.b = nil
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendTimestamp(dst []byte, t txn.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t))
}
