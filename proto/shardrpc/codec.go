package shardrpc

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cairnkv/cairn/txn"
)

// The wire form of messages. It has no version of its own: it belongs to the protocol version
// that a link agrees on when it opens. A message is its fields one after the other: a byte of
// flags for booleans and for what is there at all, fixed 8 bytes (big endian) for ids and
// timestamps, varints for other numbers, a length before bytes and lists. An empty list of
// anything is the same as none: it reads back as nil.
//
// A decoder refuses flags and enum values that it does not know, lengths that the input cannot
// hold and bytes left over. Whether what it read makes sense is for the receiver to find out.

// encodeBytesGuess spares most messages a second allocation.
const encodeBytesGuess = 512

// Message is a request or an answer.
type Message interface {
	// Append appends the wire form.
	Append(dst []byte) []byte
	decode(d *decoder)
}

// Encode is the wire form of m in memory of its own.
func Encode(m Message) []byte { return m.Append(make([]byte, 0, encodeBytesGuess)) }

// pointer is *T that is a Message.
type pointer[T any] interface {
	*T
	Message
}

// Decode reads a whole message of type T, as in Decode[CommitRequest](b). The message shares b:
// whoever gets it owns b too, and b must not change while the message is in use.
func Decode[T any, P pointer[T]](b []byte) (P, error) {
	m := P(new(T))
	d := decoder{b: b}
	m.decode(&d)
	if d.why == "" && d.left() > 0 {
		d.fail("bytes are left over")
	}
	if d.why != "" {
		return nil, txn.Errorf(txn.Invalid, "message_unreadable",
			"%d bytes are no %T: %s", len(b), *m, d.why)
	}
	return m, nil
}

// decoder cuts fields from b, of which next is the first byte not read. The first field that does
// not fit sets why, and everything after it reads as zero.
type decoder struct {
	b    []byte
	next int
	why  string
}

func (d *decoder) fail(why string) {
	if d.why == "" {
		d.why = why
	}
	d.next = len(d.b)
}

func (d *decoder) left() int { return len(d.b) - d.next }

const (
	whyShort  = "it ends too early"
	whyNumber = "a number does not fit"
)

func (d *decoder) u8() byte {
	if d.next >= len(d.b) {
		d.fail(whyShort)
		return 0
	}
	d.next++
	return d.b[d.next-1]
}

// flags reads a byte of flags, of which only known ones may be set.
func (d *decoder) flags(known byte) byte {
	v := d.u8()
	if v&^known != 0 {
		d.fail(fmt.Sprintf("flags %#x are unknown to this release", v&^known))
		return 0
	}
	return v
}

// enum reads a value of T up to last.
func enum[T ~uint8](d *decoder, last T) T {
	v := T(d.u8())
	if v > last {
		d.fail(fmt.Sprintf("%T %d is unknown to this release", v, uint8(v)))
		return 0
	}
	return v
}

func (d *decoder) u32() uint32 {
	if d.left() < 4 {
		d.fail(whyShort)
		return 0
	}
	d.next += 4
	return binary.BigEndian.Uint32(d.b[d.next-4:])
}

func (d *decoder) u64() uint64 {
	if d.left() < 8 {
		d.fail(whyShort)
		return 0
	}
	d.next += 8
	return binary.BigEndian.Uint64(d.b[d.next-8:])
}

func (d *decoder) ts() txn.Timestamp { return txn.Timestamp(d.u64()) }
func (d *decoder) id() txn.ID        { return txn.ID(d.u64()) }

func (d *decoder) uvarint() uint64 {
	if d.next < len(d.b) && d.b[d.next] < 0x80 { // most numbers are small
		d.next++
		return uint64(d.b[d.next-1])
	}
	return d.longUvarint()
}

func (d *decoder) longUvarint() uint64 {
	v, n := binary.Uvarint(d.b[d.next:])
	if n <= 0 {
		d.fail(whyNumber)
		return 0
	}
	d.next += n
	return v
}

// varint reads what binary.AppendVarint wrote.
func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) int() int {
	v := d.varint()
	if v < math.MinInt || v > math.MaxInt {
		d.fail(whyNumber)
		return 0
	}
	return int(v)
}

// bytes reads a length and that many bytes, shared with the input; nil if there are none.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	if n > uint64(d.left()) {
		d.fail(whyShort)
		return nil
	}
	from := d.next
	d.next += int(n)
	return d.b[from:d.next:d.next]
}

func (d *decoder) string() string { return string(d.bytes()) }

// list reads a count and that many elements of at least bytesMin bytes each.
func list[T any](d *decoder, bytesMin int, one func(*decoder, *T)) []T {
	n := d.uvarint()
	if n > uint64(d.left()/bytesMin) {
		d.fail(whyShort)
		return nil
	}
	if n == 0 {
		return nil
	}
	all := make([]T, n)
	for i := range all {
		if one(d, &all[i]); d.why != "" {
			return nil
		}
	}
	return all
}

func appendList[T any](dst []byte, all []T, one func([]byte, *T) []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for i := range all {
		dst = one(dst, &all[i])
	}
	return dst
}

func appendBytes[T ~[]byte | ~string](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendTS(dst []byte, t txn.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t))
}

func appendID(dst []byte, id txn.ID) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(id))
}

// flag is bit if it is set, for a byte of flags.
func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}
