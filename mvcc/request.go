package mvcc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const requestFormat = 1

// AppendRequest encodes r, whose anchor and name are in the key.
func AppendRequest(dst []byte, r *txn.RequestRow) []byte {
	dst = append(dst, requestFormat, byte(r.Status))
	dst = binary.BigEndian.AppendUint64(dst, r.Fingerprint)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Txn))
	return appendTimestamp(appendTimestamp(dst, r.BaseTS), r.CommitTS)
}

// DecodeRequest undoes AppendRequest.
func DecodeRequest(b []byte) (txn.RequestRow, error) {
	d := fields.Reader{Rest: b}
	format := d.U8()
	r := txn.RequestRow{
		Status: txn.Status(d.U8()), Fingerprint: d.U64(), Txn: txn.ID(d.U64()),
		BaseTS: d.TS(), CommitTS: d.TS(),
	}
	switch {
	case d.Bad || len(d.Rest) > 0:
		return txn.RequestRow{}, corrupt("a request row of %d bytes does not end where it should", len(b))
	case format != requestFormat:
		return txn.RequestRow{}, corrupt("request format %d is unknown to this release", format)
	case r.Status != txn.Pending && r.Status != txn.Committed && r.Status != txn.Aborted,
		(r.CommitTS != 0) != (r.Status == txn.Committed):
		return txn.RequestRow{}, corrupt("a request row is %v at %d", r.Status, r.CommitTS)
	}
	return r, nil
}
