package mvcc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const (
	intentFormat = 1

	intentPrimary = 1 << 0 // the intent's key is the primary key, which is left out
	intentWrote   = 1 << 1 // always: there is a version
	intentBound   = 1 << 2
	intentFlags   = 1<<3 - 1
)

// Intent is the mark of an undecided transaction on one key.
type Intent struct {
	Key    txn.Key
	Txn    txn.ID
	BaseTS txn.Timestamp
	TS     txn.Timestamp // c_i: where the provisional version lies
	Hash   uint64        // of the transaction's key list
	Age    txn.Age
	// Primary is where the transaction's record lies. IsPrimary says that it
	// is Key.
	Primary   txn.Key
	IsPrimary bool
	// Bound is the first moment at which what the version replaces would have
	// been gone, so that the write would have come to something else: no commit
	// at or after it may come of this intent. 0: none.
	Bound txn.Timestamp
	// KeysDelta and BytesDelta are what a commit adds to the live keys and
	// bytes of the shard.
	KeysDelta, BytesDelta int64
}

// Clone copies i with all that it shares.
func (i *Intent) Clone() *Intent {
	c := *i
	c.Key = i.Key.Clone()
	c.Primary = c.Key
	if !i.IsPrimary {
		c.Primary = i.Primary.Clone()
	}
	return &c
}

// AppendIntent encodes i without its key. With IsPrimary, Primary is left out too.
func AppendIntent(dst []byte, i *Intent) []byte {
	flags := byte(intentWrote)
	if i.IsPrimary {
		flags |= intentPrimary
	}
	if i.Bound != 0 {
		flags |= intentBound
	}
	dst = append(dst, intentFormat, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.Txn))
	dst = appendTimestamp(dst, i.BaseTS)
	dst = appendTimestamp(dst, i.TS)
	dst = binary.BigEndian.AppendUint64(dst, i.Hash)
	dst = appendTimestamp(dst, i.Age.At)
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.Age.ID))
	dst = binary.AppendVarint(dst, i.KeysDelta)
	dst = binary.AppendVarint(dst, i.BytesDelta)
	if i.Bound != 0 {
		dst = appendTimestamp(dst, i.Bound)
	}
	if !i.IsPrimary {
		dst = append(dst, i.Primary...)
	}
	return dst
}

// DecodeIntent decodes the intent on key. It shares key and b; see Clone.
func DecodeIntent(key txn.Key, b []byte) (Intent, error) {
	d := fields.Reader{Rest: b}
	format, flags := d.U8(), d.U8()
	i := Intent{
		Key: key, Txn: txn.ID(d.U64()), BaseTS: d.TS(), TS: d.TS(), Hash: d.U64(),
		Age:       txn.Age{At: d.TS(), ID: txn.ID(d.U64())},
		KeysDelta: d.Varint(), BytesDelta: d.Varint(),
		IsPrimary: flags&intentPrimary != 0,
	}
	if flags&intentBound != 0 {
		i.Bound = d.TS()
	}
	switch {
	case d.Bad:
		return Intent{}, corrupt("an intent of %d bytes ends early", len(b))
	case format != intentFormat || flags&^intentFlags != 0 || flags&intentWrote == 0:
		return Intent{}, corrupt(
			"intent format %d flags %#x are unknown to this release", format, flags)
	case i.IsPrimary && len(d.Rest) > 0:
		return Intent{}, corrupt("an intent on its primary key names another")
	}
	i.Primary = txn.Key(d.Rest)
	if i.IsPrimary {
		i.Primary = key
	}
	return i, nil
}
