package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

func appendKey(dst []byte, k *txn.Key) []byte { return appendBytes(dst, *k) }

func (d *decoder) key(k *txn.Key) { *k = d.bytes() }

const spanBytesMin = 2

func appendSpan(dst []byte, s *txn.Span) []byte {
	return appendBytes(appendBytes(dst, s.Start), s.End)
}

func (d *decoder) span(s *txn.Span) { s.Start, s.End = d.bytes(), d.bytes() }

func appendTarget(dst []byte, t Target) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(t.Shard)), t.Epoch)
}

func (d *decoder) target(t *Target) { t.Shard, t.Epoch = ShardID(d.uvarint()), d.uvarint() }

func appendValue(dst []byte, v *txn.Value) []byte {
	return appendBytes(append(dst, byte(v.Type)), v.Data)
}

func (d *decoder) value() txn.Value { return txn.Value{Type: enum(d, txn.Null), Data: d.bytes()} }

// Flags of a version. What has no flag is absent and reads as zero, so that the version of a
// missing key takes four bytes.
const (
	versionNoHistory = 1 << iota
	versionStamped   // TS, Txn, CreateTS
	versionExpires   // Expiry
	versionSigned    // Principal, Message
	versionValued    // Value
	versionFlags     = 1<<iota - 1
)

const versionBytesMin = 4

func appendVersion(dst []byte, v *txn.Version) []byte {
	stamped := v.TS != 0 || v.Txn != 0 || v.CreateTS != 0
	signed := v.Principal != "" || v.Message != ""
	valued := v.Value.Type != 0 || len(v.Value.Data) > 0
	dst = append(dst, flag(v.NoHistory, versionNoHistory)|flag(stamped, versionStamped)|
		flag(v.Expiry != 0, versionExpires)|flag(signed, versionSigned)|
		flag(valued, versionValued), byte(v.Kind))
	dst = binary.AppendVarint(dst, v.Revision)
	dst = binary.AppendVarint(dst, v.First)
	if stamped {
		dst = appendTS(appendID(appendTS(dst, v.TS), v.Txn), v.CreateTS)
	}
	if v.Expiry != 0 {
		dst = appendTS(dst, v.Expiry)
	}
	if signed {
		dst = appendBytes(appendBytes(dst, v.Principal), v.Message)
	}
	if valued {
		dst = appendValue(dst, &v.Value)
	}
	return dst
}

func (d *decoder) version(v *txn.Version) {
	f := d.flags(versionFlags)
	v.NoHistory = f&versionNoHistory != 0
	v.Kind = enum(d, txn.KindExtend)
	v.Revision, v.First = d.varint(), d.varint()
	if f&versionStamped != 0 {
		v.TS, v.Txn, v.CreateTS = d.ts(), d.id(), d.ts()
	}
	if f&versionExpires != 0 {
		v.Expiry = d.ts()
	}
	if f&versionSigned != 0 {
		v.Principal, v.Message = d.string(), d.string()
	}
	if f&versionValued != 0 {
		v.Value = d.value()
	}
}

const entryBytesMin = 1 + versionBytesMin

func appendEntry(dst []byte, e *txn.Entry) []byte {
	return appendVersion(appendBytes(dst, e.Key), &e.Version)
}

func (d *decoder) entry(e *txn.Entry) {
	d.key(&e.Key)
	d.version(&e.Version)
}
