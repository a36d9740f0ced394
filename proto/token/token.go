// Package token is the opaque name of a commit whose outcome is unknown: what
// an unknown outcome carries, what the SDK can build before it sends anything,
// and what any gateway turns into an answer.
package token

import (
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/txn"
)

const (
	version = 1
	// textMax is the longest text that is looked at.
	textMax = 32 << 10
	// keyspaceMax is the longest name of a keyspace.
	keyspaceMax = 64
	// keyspaceID is the length of the id in front of a stored key.
	keyspaceID = 4
)

// How a token names its anchor. The numbers are on the wire: append, never reorder.
const (
	kindNamed  = 1 // the keyspace by its name
	kindStored = 2 // as it is stored
)

// Token names a commit by its request_id, and so all attempts to carry it out.
type Token struct {
	// Keyspace is the name of the anchor's keyspace, where only that is known:
	// Anchor is the user's part alone then. Empty: Anchor is as stored.
	Keyspace string
	Anchor   txn.Key
	ID       txn.RequestID
	// Since is when it was first sent or some time before, by the oracle or the
	// sender's own clock. What was remembered for longer than
	// txn.RequestRetention may be forgotten.
	Since txn.Timestamp
}

// String is t in the alphabet of URLs.
func (t Token) String() string {
	kind := byte(kindStored)
	if t.Keyspace != "" {
		kind = kindNamed
	}
	b := binary.AppendUvarint([]byte{version, kind}, uint64(t.Since))
	b = append(b, t.ID[:]...)
	if kind == kindNamed {
		b = fields.AppendBytes(b, t.Keyspace)
	}
	return base64.RawURLEncoding.EncodeToString(fields.AppendBytes(b, t.Anchor))
}

// Parse undoes String. What is no token is txn.Invalid.
func Parse(text string) (Token, error) {
	if len(text) > textMax {
		return Token{}, invalid(errors.New("it is too long"))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Token{}, invalid(err)
	}
	d := fields.Reader{Rest: b}
	if v := d.U8(); v != version || d.Bad {
		return Token{}, invalid(errors.New("this release does not know its version"))
	}
	t, ok := decode(&d)
	if !ok || d.Bad || len(d.Rest) > 0 {
		return Token{}, invalid(errors.New("it is damaged"))
	}
	return t, nil
}

func invalid(cause error) error {
	return txn.Errorf(txn.Invalid, "token_invalid", "that is no token of an outcome: %w", cause)
}

func decode(d *fields.Reader) (t Token, ok bool) {
	kind := d.U8()
	t.Since = d.UvarintTS()
	copy(t.ID[:], d.Take(txn.RequestIDBytes))
	switch kind {
	case kindNamed:
		t.Keyspace = string(d.Bytes())
		t.Anchor = d.Bytes()
		n, k := len(t.Keyspace), len(t.Anchor)
		return t, n > 0 && n <= keyspaceMax && k > 0 && k <= txn.KeyBytesMax
	case kindStored:
		t.Anchor = d.Bytes()
		return t, stored(t.Anchor)
	}
	return Token{}, false
}

// stored reports whether k can be a user's key with its keyspace's id in front.
func stored(k txn.Key) bool {
	return len(k) > keyspaceID && len(k) <= keyspaceID+txn.KeyBytesMax &&
		k.Keyspace() != txn.SystemKeyspace
}
