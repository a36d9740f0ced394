package mvcc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const (
	recordFormat = 1
	// Beside the status.
	recordDone      = 1 << 7
	recordRequested = 1 << 6
	// recordKeyBytesMax is what the keys of one record may come to, spelled out.
	recordKeyBytesMax = txn.WriteBytesMax + 4*txn.WriteKeysMax
)

// AppendRecord encodes r without Txn and Primary, which are in the key. Each
// key is cut by what it shares with the key before it.
func AppendRecord(dst []byte, r *txn.Record) []byte {
	status := byte(r.Status)
	if r.Done {
		status |= recordDone
	}
	if r.Requested {
		status |= recordRequested
	}
	dst = append(dst, recordFormat, status)
	dst = appendTimestamp(dst, r.BaseTS)
	dst = appendTimestamp(dst, r.MaxTS)
	dst = appendTimestamp(dst, r.CommitTS)
	dst = binary.BigEndian.AppendUint64(dst, r.Hash)
	dst = binary.AppendUvarint(dst, uint64(len(r.Keys)))
	var last txn.Key
	for _, k := range r.Keys {
		n := sharedPrefix(last, k)
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = fields.AppendBytes(dst, k[n:])
		last = k
	}
	return dst
}

func sharedPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// DecodeRecord decodes the record of id, whose primary key is primary. It
// shares primary and nothing of b.
func DecodeRecord(primary txn.Key, id txn.ID, b []byte) (txn.Record, error) {
	d := fields.Reader{Rest: b}
	format, first := d.U8(), d.U8()
	status := txn.Status(first &^ (recordDone | recordRequested))
	r := txn.Record{
		Done: first&recordDone != 0, Requested: first&recordRequested != 0,
		Txn: id, Primary: primary, Status: status,
		BaseTS: d.TS(), MaxTS: d.TS(), CommitTS: d.TS(), Hash: d.U64(),
	}
	count := d.Uvarint()
	switch {
	case d.Bad:
	case format != recordFormat:
		return txn.Record{}, corrupt("record format %d is unknown to this release", format)
	case status == txn.Absent || status > txn.Aborted, r.Done && !status.Final():
		return txn.Record{}, corrupt("record %v has status %v", id, status)
	case count > txn.WriteKeysMax || count > uint64(len(d.Rest)):
		return txn.Record{}, corrupt("record %v has %d keys", id, count)
	}
	if count > 0 && !d.Bad {
		r.Keys = decodeKeys(&d, int(count))
	}
	if d.Bad || len(d.Rest) > 0 {
		return txn.Record{}, corrupt("record %v does not end where it should", id)
	}
	return r, nil
}

// decodeKeys undoes the cutting of AppendRecord. Cut keys can stand for far
// more bytes than they take: recordKeyBytesMax bounds that.
func decodeKeys(d *fields.Reader, count int) []txn.Key {
	keys := make([]txn.Key, 0, count)
	var last txn.Key
	total := 0
	for range count {
		shared := d.Uvarint()
		rest := d.Bytes()
		if shared > uint64(len(last)) {
			d.Bad = true
			return nil
		}
		if total += int(shared) + len(rest); total > recordKeyBytesMax {
			d.Bad = true
			return nil
		}
		k := make(txn.Key, 0, int(shared)+len(rest))
		last = append(append(k, last[:shared]...), rest...)
		keys = append(keys, last)
	}
	return keys
}
