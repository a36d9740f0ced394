package mvcc

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

// ReasonSnapshot is the reason of every error about a snapshot that cannot be
// taken in as it came.
const ReasonSnapshot = "bad_snapshot"

// chunkVersion is the first byte of every chunk. Pairs follow: the length of
// the key, the key, the length of the value, the value.
const chunkVersion = 1

func badSnapshot(format string, args ...any) error {
	e := txn.Errorf(txn.Invalid, ReasonSnapshot, format, args...)
	e.Op = "mvcc.Stage"
	e.Next = "send the snapshot again from its beginning"
	return e
}

// errStageUsed is a bug of the caller.
func errStageUsed() error {
	return txn.Errorf(txn.Internal, "stage_used", "the stage was committed or discarded before")
}

// chunk is one that grows up to about max bytes.
type chunk struct {
	b   []byte
	max int
}

// add takes in a pair; false if it is one for the next chunk.
func (c *chunk) add(key, value []byte) bool {
	if len(c.b) > 0 && len(c.b)+len(key)+len(value)+2*binary.MaxVarintLen32 > c.max {
		return false
	}
	if len(c.b) == 0 {
		c.b = append(c.b, chunkVersion)
	}
	c.b = append(binary.AppendUvarint(c.b, uint64(len(key))), key...)
	c.b = append(binary.AppendUvarint(c.b, uint64(len(value))), value...)
	return true
}

// eachPair calls f with the pairs of a chunk, which share its bytes.
func eachPair(chunk []byte, f func(key, value []byte) error) error {
	r := fields.Reader{Rest: chunk}
	if v := r.U8(); r.Bad || v != chunkVersion {
		return badSnapshot("a chunk of %d bytes is not of version %d", len(chunk), chunkVersion)
	}
	cut := func() []byte {
		n := r.Uvarint()
		if n > uint64(len(r.Rest)) {
			r.Rest, r.Bad = nil, true
		}
		if r.Bad {
			return nil
		}
		b := r.Rest[:n:n]
		r.Rest = r.Rest[n:]
		return b
	}
	for len(r.Rest) > 0 {
		key := cut()
		value := cut()
		if r.Bad {
			return badSnapshot("a chunk of %d bytes does not decode", len(chunk))
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// keyOrder is what an engine must know of its keys.
type keyOrder struct {
	compare func(a, b []byte) int
	split   func(key []byte) int
	valid   func(key []byte) bool // whether compare may see it
}

func stateOrder() keyOrder { return keyOrder{Compare, Split, validStateKey} }

func logOrder() keyOrder {
	return keyOrder{LogCompare, wholeKey, func(key []byte) bool { return len(key) > 0 }}
}

func wholeKey(key []byte) int { return len(key) }

// validStateKey reports whether key has one of the shapes of enginekey.go. A
// timestamp of 0 would come back from a table as no timestamp.
func validStateKey(key []byte) bool {
	k, version, ok := cockroachkvs.DecodeEngineKey(key)
	if !ok || len(k) == 0 {
		return false
	}
	switch len(version) {
	case 0, wideVersion:
		return true
	case suffixTS - 1:
		return binary.BigEndian.Uint64(version) != 0
	}
	return false
}

// copyBounds checks bounds and makes them the callee's own.
func (o *keyOrder) copyBounds(within []Bounds) ([]Bounds, error) {
	out := make([]Bounds, len(within))
	for i, b := range within {
		if !o.valid(b.Lower) || !o.valid(b.Upper) || o.compare(b.Lower, b.Upper) >= 0 ||
			i > 0 && o.compare(out[i-1].Upper, b.Lower) > 0 {
			return nil, txn.Errorf(txn.Invalid, "bad_bounds",
				"bounds %x to %x are not valid, or not in order", b.Lower, b.Upper)
		}
		out[i] = Bounds{bytes.Clone(b.Lower), bytes.Clone(b.Upper)}
	}
	return out, nil
}

// stageOrder checks the keys of a Stage one by one.
type stageOrder struct {
	keyOrder
	within []Bounds
	at     int    // the bounds that last lies in
	last   []byte // nil: there was none
}

// next takes in the next key, and moves at.
func (o *stageOrder) next(key []byte) error {
	if !o.valid(key) {
		return badSnapshot("%x is not a key of this engine", key)
	}
	if o.last != nil && o.compare(o.last, key) >= 0 {
		return badSnapshot("key %x came after %x", key, o.last)
	}
	for o.at < len(o.within) && o.compare(key, o.within[o.at].Upper) >= 0 {
		o.at++
	}
	if o.at == len(o.within) || o.compare(key, o.within[o.at].Lower) < 0 {
		return badSnapshot("key %x lies outside of the bounds", key)
	}
	o.last = append(o.last[:0], key...)
	return nil
}
