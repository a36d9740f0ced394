package token

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

const (
	handleVersion = 1
	// handleNameBytes is the version, the transaction id, a random number that
	// nobody guesses, and when it began.
	handleNameBytes = 1 + 8 + 16 + 8
	// handleTextMax is the longest text that is looked at.
	handleTextMax = (handleNameBytes+keyspaceID+txn.KeyBytesMax)*4/3 + 3
)

// Handle is what clients name an open transaction by. All of it but Anchor
// stays as Begin answered it.
type Handle struct {
	Txn    txn.ID // that it began with; the session of its gateway is in it
	Random [2]uint64
	Began  txn.Timestamp // by the oracle: its Commit was not sent before
	// Anchor is the first key that the transaction wrote, as stored: there its
	// commit is remembered. Nil: it had written nothing when this was answered.
	// A gateway commits nothing by a handle whose anchor is not the
	// transaction's. So by one without an anchor no write was ever committed
	// but those that came with the commit: it is remembered at the first of them.
	Anchor txn.Key
}

// ParseHandle reports false for what no gateway has answered.
func ParseHandle(text string) (Handle, bool) {
	if len(text) > handleTextMax {
		return Handle{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < handleNameBytes || b[0] != handleVersion {
		return Handle{}, false
	}
	h := Handle{
		Txn:    txn.ID(binary.BigEndian.Uint64(b[1:])),
		Random: [2]uint64{binary.BigEndian.Uint64(b[9:]), binary.BigEndian.Uint64(b[17:])},
		Began:  txn.Timestamp(binary.BigEndian.Uint64(b[25:])),
	}
	if h.Txn.Session() == 0 || h.Began <= 0 || h.Began > txn.MaxTimestamp {
		return Handle{}, false
	}
	if len(b) > handleNameBytes {
		h.Anchor = b[handleNameBytes:]
	}
	return h, h.Anchor == nil || stored(h.Anchor)
}

// Name is what all handles of the transaction have in common, as bytes.
func (h Handle) Name() string {
	b := binary.BigEndian.AppendUint64([]byte{handleVersion}, uint64(h.Txn))
	b = binary.BigEndian.AppendUint64(b, h.Random[0])
	b = binary.BigEndian.AppendUint64(b, h.Random[1])
	return string(binary.BigEndian.AppendUint64(b, uint64(h.Began)))
}

// String is h in the alphabet of URLs.
func (h Handle) String() string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(h.Name()), h.Anchor...))
}

// Commit names the commit by h that is remembered under id. There is
// none where Anchor is nil.
func (h Handle) Commit(id txn.RequestID) Token {
	return Token{Anchor: h.Anchor, ID: id, Since: h.Began}
}
