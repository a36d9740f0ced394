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

// What a token is about. The numbers are on the wire: append, never reorder.
const (
	kindNamed   = 1 // a request, whose keyspace is known by its name
	kindRequest = 2 // a request, by its stored anchor
	kindTxn     = 3 // a transaction with a record
	kindOne     = 4 // a transaction of one shard
	kindSome    = 5 // the same, but it may have written other keys too
)

// Token names a commit. Exactly one of Request and Attempt is set.
type Token struct {
	Request *Request
	Attempt *Attempt
}

// Request names a commit by its request_id: all attempts to carry it out.
type Request struct {
	// Keyspace is the name of the anchor's keyspace, where only that is known:
	// Anchor is the user's part alone then. Empty: Anchor is as stored.
	Keyspace string
	Anchor   txn.Key
	ID       txn.RequestID
	// Since is when it was first sent or some time before, by the oracle or the
	// sender's own clock.
	// What was remembered for longer than txn.RequestRetention may be forgotten.
	Since txn.Timestamp
}

// Attempt names a commit by the one transaction that tried it.
type Attempt struct {
	Txn    txn.ID
	BaseTS txn.Timestamp
	// Primary is where its record lies; nil: one shard decided it alone.
	Primary txn.Key
	// Keys are those of which one was written if anything was; nil with Primary.
	Keys []txn.Key
	// More: it may have written others too, so that Keys prove only a commit.
	More bool
}

// String is t in the alphabet of URLs.
func (t Token) String() string {
	var b []byte
	switch r, a := t.Request, t.Attempt; {
	case r != nil && r.Keyspace != "":
		b = append(head(kindNamed, r.Since), r.ID[:]...)
		b = fields.AppendBytes(fields.AppendBytes(b, r.Keyspace), r.Anchor)
	case r != nil:
		b = append(head(kindRequest, r.Since), r.ID[:]...)
		b = fields.AppendBytes(b, r.Anchor)
	case a.Primary != nil:
		b = binary.BigEndian.AppendUint64(head(kindTxn, a.BaseTS), uint64(a.Txn))
		b = fields.AppendBytes(b, a.Primary)
	default:
		kind := byte(kindOne)
		if a.More {
			kind = kindSome
		}
		b = binary.BigEndian.AppendUint64(head(kind, a.BaseTS), uint64(a.Txn))
		b = binary.AppendUvarint(b, uint64(len(a.Keys)))
		for _, k := range a.Keys {
			b = fields.AppendBytes(b, k)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func head(kind byte, at txn.Timestamp) []byte {
	return binary.AppendUvarint([]byte{version, kind}, uint64(at))
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
	kind, at := d.U8(), d.UvarintTS()
	switch kind {
	case kindNamed, kindRequest:
		r := &Request{Since: at}
		copy(r.ID[:], d.Take(txn.RequestIDBytes))
		if kind == kindNamed {
			r.Keyspace = string(d.Bytes())
			r.Anchor = d.Bytes()
			n, k := len(r.Keyspace), len(r.Anchor)
			return Token{Request: r}, n > 0 && n <= keyspaceMax && k > 0 && k <= txn.KeyBytesMax
		}
		r.Anchor = d.Bytes()
		return Token{Request: r}, stored(r.Anchor)
	case kindTxn:
		a := &Attempt{BaseTS: at, Txn: txn.ID(d.U64()), Primary: d.Bytes()}
		return Token{Attempt: a}, stored(a.Primary) && a.valid()
	case kindOne, kindSome:
		a := &Attempt{BaseTS: at, Txn: txn.ID(d.U64()), More: kind == kindSome}
		a.Keys = make([]txn.Key, d.Count(keyspaceID+1))
		for i := range a.Keys {
			if a.Keys[i] = d.Bytes(); !stored(a.Keys[i]) {
				return Token{}, false
			}
		}
		return Token{Attempt: a}, len(a.Keys) > 0 && a.valid()
	}
	return Token{}, false
}

func (a *Attempt) valid() bool { return a.Txn.Session() != 0 && a.BaseTS > 0 }

// stored reports whether k can be a user's key with its keyspace's id in front.
func stored(k txn.Key) bool {
	return len(k) > keyspaceID && len(k) <= keyspaceID+txn.KeyBytesMax &&
		k.Keyspace() != txn.SystemKeyspace
}
