package gateway

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cairnkv/cairn/txn"
)

// cursorVersion is the first byte of a cursor. Cursors of another version are refused.
const cursorVersion = 1

// cursor is where the next page of a range begins. Encoded, it is:
//
//	version (1) | checksum of all that follows (4) | checksum of the range (4) | at (8) | next
//
// The checksums find mistakes. Against a forger they need not protect: whatever a cursor says is
// cut to the range of the request that brings it, and its time is checked like any other.
type cursor struct {
	at      txn.Timestamp
	next    txn.Key // forward: the first key still to come; reverse: the one after it
	of      selection
	reverse bool
}

func (c *cursor) encode() []byte {
	b := make([]byte, 5, 17+len(c.next))
	b[0] = cursorVersion
	b = binary.BigEndian.AppendUint32(b, c.of.checksum(c.reverse))
	b = binary.BigEndian.AppendUint64(b, uint64(c.at))
	b = append(b, c.next...)
	binary.BigEndian.PutUint32(b[1:], crc32.ChecksumIEEE(b[5:]))
	return b
}

// decodeCursor reads a cursor that must be one of the same range.
func decodeCursor(b []byte, of selection, reverse bool) (*cursor, error) {
	if len(b) < 17 || b[0] != cursorVersion ||
		binary.BigEndian.Uint32(b[1:]) != crc32.ChecksumIEEE(b[5:]) {
		return nil, invalid(reasonCursor, "the cursor of %d bytes is none that was given out here",
			len(b))
	}
	if binary.BigEndian.Uint32(b[5:]) != of.checksum(reverse) {
		return nil, invalid("cursor_mismatch",
			"the cursor belongs to another range: keys and direction must be as for the first page")
	}
	c := &cursor{
		at: txn.Timestamp(binary.BigEndian.Uint64(b[9:])), next: txn.Key(b[17:]),
		of: of, reverse: reverse,
	}
	if c.at <= 0 || c.at > txn.MaxTimestamp || len(c.next) > txn.KeyBytesMax+8 {
		return nil, invalid(reasonCursor, "the cursor is none that was given out here")
	}
	return c, nil
}

// rest is what of the range is still to come.
func (c *cursor) rest() txn.Span {
	if c.reverse {
		return c.of.span.Intersect(txn.Span{End: c.next})
	}
	return c.of.span.Intersect(txn.Span{Start: c.next})
}

// after bounds what follows key in the direction of a scan.
func after(key txn.Key, reverse bool) txn.Key {
	if reverse {
		return key
	}
	return key.Next()
}
