package txn

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// Limits of API.md section 1. The value limit is that of keyspace default.
const (
	KeyBytesMax   = 4096
	ValueBytesMax = 4_000_000
	WriteKeysMax  = 10_000
	WriteBytesMax = 8 << 20
	// ReadKeysMax and ReadBytesMax bound what a transaction may read and still
	// write: keys and ranges, and their bytes (see Seen.Size).
	ReadKeysMax  = 100_000
	ReadBytesMax = 8 << 20
	// AnswerBytesMax bounds the values, and the keys of ranges, in one answer: of a
	// Program (see Entry.Size) and of a batch of reads.
	AnswerBytesMax = 8 << 20
	// ParallelKeysMax and ParallelBytesMax bound the keys that a staging record
	// lists.
	ParallelKeysMax  = 256
	ParallelBytesMax = 16 << 10
	// CountMax bounds what the keys of a range are counted up to by a Test.
	CountMax = 10_000
)

// KeyspaceID names a keyspace inside the cluster; ids are never reused.
type KeyspaceID uint32

const (
	SystemKeyspace  KeyspaceID = 0 // hidden from users
	DefaultKeyspace KeyspaceID = 1
)

// Key is a keyspace id (4 bytes, big endian) followed by the user's key.
type Key []byte

// NewKey joins a keyspace and a user's key. It copies user.
func NewKey(ks KeyspaceID, user []byte) Key {
	k := make(Key, 4+len(user))
	binary.BigEndian.PutUint32(k, uint32(ks))
	copy(k[4:], user)
	return k
}

// Keyspace is the keyspace of k; k must have come from NewKey.
func (k Key) Keyspace() KeyspaceID { return KeyspaceID(binary.BigEndian.Uint32(k)) }

// User is the user's part of k, shared with k.
func (k Key) User() []byte { return k[4:] }

// Clone copies k.
func (k Key) Clone() Key { return bytes.Clone(k) }

// Compare orders keys by their bytes.
func (k Key) Compare(o Key) int { return bytes.Compare(k, o) }

// Next is the smallest key after k.
func (k Key) Next() Key { return append(bytes.Clone(k), 0) }

// String quotes the user's part, with the keyspace before it unless it is the default.
func (k Key) String() string {
	if len(k) < 4 {
		return strconv.Quote(string(k))
	}
	q := strconv.Quote(string(k.User()))
	if ks := k.Keyspace(); ks != DefaultKeyspace {
		return strconv.FormatUint(uint64(ks), 10) + ":" + q
	}
	return q
}

// Span is the keys from Start up to and without End. An empty End has no
// bound; a Span with Start >= End (and End not empty) holds nothing.
type Span struct {
	Start, End Key
}

// KeySpan is the span that holds k alone.
func KeySpan(k Key) Span { return Span{Start: k, End: k.Next()} }

// PrefixSpan is the span of every key that begins with p.
func PrefixSpan(p Key) Span { return Span{Start: p, End: PrefixEnd(p)} }

// PrefixEnd is the smallest key after all that begin with p; empty if there is none.
func PrefixEnd(p Key) Key {
	end := bytes.Clone(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Empty reports whether no key can lie in s.
func (s Span) Empty() bool { return len(s.End) > 0 && s.Start.Compare(s.End) >= 0 }

// Contains reports whether k lies in s.
func (s Span) Contains(k Key) bool {
	return s.Start.Compare(k) <= 0 && (len(s.End) == 0 || k.Compare(s.End) < 0)
}

// Covers reports whether all keys of o are in s.
func (s Span) Covers(o Span) bool {
	return s.Start.Compare(o.Start) <= 0 &&
		(len(s.End) == 0 || len(o.End) > 0 && o.End.Compare(s.End) <= 0)
}

// Overlaps reports whether a key can lie in both.
func (s Span) Overlaps(o Span) bool { return !s.Intersect(o).Empty() }

// Intersect is the span of the keys in both.
func (s Span) Intersect(o Span) Span {
	r := s
	if o.Start.Compare(r.Start) > 0 {
		r.Start = o.Start
	}
	if len(r.End) == 0 || len(o.End) > 0 && o.End.Compare(r.End) < 0 {
		r.End = o.End
	}
	return r
}
