package mvcc

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

// versionBytes is what a version takes at most, without its value and its annotation.
const versionBytes = 4 + 8 + requestBytes + 8 + 8 + 2*binary.MaxVarintLen64 +
	2*binary.MaxVarintLen32

// versionFormat is the first byte of every version.
const versionFormat = 1

// What a version's flags byte says. The numbers are on disk.
const (
	flagExpiry      = 1 << iota // expiry follows
	flagCreatedHere             // create_ts and first revision are the version's own
	flagCreate                  // create_ts and first revision follow
	flagNoHistory               // what it has replaced is not history
	flagAnnotated               // principal and message follow
	flagRequested               // the request that it carries out follows
	flagsKnown      = 1<<iota - 1
)

// AppendVersion encodes v without its TS, which is in the key. A version that
// begins its incarnation says so by a flag, so that its bytes stay right when
// they move to another timestamp. v.Revision and v.First must not be negative.
func AppendVersion(dst []byte, v *txn.Version) []byte {
	var flags byte
	if v.Expiry != 0 {
		flags |= flagExpiry
	}
	here := v.Kind != txn.KindDelete && v.CreateTS == v.TS && v.First == v.Revision
	switch {
	case here:
		flags |= flagCreatedHere
	case v.CreateTS != 0 || v.First != 0:
		flags |= flagCreate
	}
	if v.NoHistory {
		flags |= flagNoHistory
	}
	if v.Principal != "" || v.Message != "" {
		flags |= flagAnnotated
	}
	if v.Request != nil {
		flags |= flagRequested
	}
	dst = slices.Grow(dst, versionBytes+len(v.Principal)+len(v.Message)+len(v.Value.Data))
	dst = append(dst, versionFormat, byte(v.Kind), byte(v.Value.Type), flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.Txn))
	if v.Request != nil { // where requestOf finds it
		dst = append(dst, v.Request.ID[:]...)
		dst = binary.BigEndian.AppendUint64(dst, v.Request.Fingerprint)
	}
	dst = binary.AppendUvarint(dst, uint64(v.Revision))
	if flags&flagCreate != 0 {
		dst = appendTimestamp(dst, v.CreateTS)
		dst = binary.AppendUvarint(dst, uint64(v.First))
	}
	if flags&flagExpiry != 0 {
		dst = appendTimestamp(dst, v.Expiry)
	}
	if flags&flagAnnotated != 0 {
		dst = fields.AppendBytes(dst, v.Principal)
		dst = fields.AppendBytes(dst, v.Message)
	}
	return append(dst, v.Value.Data...)
}

// DecodeVersion decodes a version that lies at ts. Its payload shares b.
// What no release has written is an error with reason ReasonCorruption.
func DecodeVersion(ts txn.Timestamp, b []byte) (txn.Version, error) {
	return decodeVersion(ts, b, withAnnotation|withRequest)
}

// Parts of a version that are decoded where they are wanted.
const (
	withAnnotation = 1 << iota
	withRequest
)

// decodeVersion leaves out the parts that are not wanted.
func decodeVersion(ts txn.Timestamp, b []byte, parts int) (txn.Version, error) {
	d := fields.Reader{Rest: b}
	format, kind, typ, flags := d.U8(), txn.Kind(d.U8()), txn.Type(d.U8()), d.U8()
	v := txn.Version{TS: ts, Kind: kind, Txn: txn.ID(d.U64())}
	if flags&flagRequested != 0 {
		q := d.Take(requestBytes)
		if parts&withRequest != 0 && !d.Bad {
			v.Request = decodeRequested(q)
		}
	}
	v.Revision = d.Number()
	switch {
	case d.Bad:
	case format != versionFormat:
		return txn.Version{}, corrupt("version format %d is unknown to this release", format)
	case flags&^flagsKnown != 0:
		return txn.Version{}, corrupt("version flags %#x are unknown to this release", flags)
	case !kind.Valid():
		return txn.Version{}, corrupt("version kind %d is unknown to this release", kind)
	case flags&flagCreatedHere != 0 && (flags&flagCreate != 0 || kind == txn.KindDelete):
		return txn.Version{}, corrupt("version flags %#x contradict kind %d", flags, kind)
	}
	v.NoHistory = flags&flagNoHistory != 0
	if flags&flagCreatedHere != 0 {
		v.CreateTS, v.First = ts, v.Revision
	}
	if flags&flagCreate != 0 {
		v.CreateTS, v.First = d.TS(), d.Number()
	}
	if flags&flagExpiry != 0 {
		v.Expiry = d.TS()
	}
	if flags&flagAnnotated != 0 {
		principal, message := d.Bytes(), d.Bytes()
		if parts&withAnnotation != 0 {
			v.Principal, v.Message = string(principal), string(message)
		}
	}
	if d.Bad {
		return txn.Version{}, corrupt("a version of %d bytes ends early", len(b))
	}
	v.Value = txn.Value{Type: typ, Data: d.Rest}
	if err := checkPayload(&v); err != nil {
		return txn.Version{}, err
	}
	return v, nil
}

// requestBytes is what a request takes in a version: name and fingerprint.
const requestBytes = txn.RequestIDBytes + 8

func decodeRequested(b []byte) *txn.Request {
	return &txn.Request{ID: txn.RequestID(b),
		Fingerprint: binary.BigEndian.Uint64(b[txn.RequestIDBytes:])}
}

// requestOf is the request that the version at ts carries out, as its row would
// have it; Absent, with the commit timestamp all the same: none.
func requestOf(ts txn.Timestamp, b []byte) (id txn.RequestID, row txn.RequestRow, err error) {
	d := fields.Reader{Rest: b}
	format, _, _, flags := d.U8(), d.U8(), d.U8(), d.U8()
	row.CommitTS, row.Txn = ts, txn.ID(d.U64())
	if flags&flagRequested != 0 && !d.Bad {
		copy(id[:], d.Take(txn.RequestIDBytes))
		row.Status, row.Fingerprint = txn.Committed, d.U64()
	}
	switch {
	case d.Bad:
		err = corrupt("a version of %d bytes ends early", len(b))
	case format != versionFormat:
		err = corrupt("version format %d is unknown to this release", format)
	}
	return id, row, err
}

// checkPayload refuses a payload that does not fit the version's kind and type.
func checkPayload(v *txn.Version) error {
	if v.Kind == txn.KindDelete {
		if len(v.Value.Data) != 0 || v.Value.Type != 0 {
			return corrupt("a delete carries a value")
		}
		v.Value = txn.Value{}
		return nil
	}
	if err := v.Value.Check(); err != nil {
		return corrupt("stored value: %w", err)
	}
	return nil
}

// CloneVersion copies what v shares with the memory it was decoded from.
func CloneVersion(v txn.Version) txn.Version {
	v.Value.Data = bytes.Clone(v.Value.Data)
	return v
}

// CloneEntry copies what e shares with an iterator's memory.
func CloneEntry(e txn.Entry) txn.Entry {
	e.Key = e.Key.Clone()
	e.Version = CloneVersion(e.Version)
	return e
}
