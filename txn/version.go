package txn

// Kind is what a version did to its key. The numbers are on disk.
type Kind uint8

const (
	KindSet Kind = iota
	KindDelete
	KindExtend
	kindEnd
)

// Valid reports whether this release knows k.
func (k Kind) Valid() bool { return k < kindEnd }

// Version is one stone of a key's stack. The zero Version stands for "no
// version at all" and has TS 0.
type Version struct {
	TS        Timestamp // commit timestamp; 0: there is no version
	Kind      Kind
	NoHistory bool // what this set has replaced is no history (see Hides)
	Txn       ID
	Revision  int64     // of the key; from 0
	First     int64     // revision that began the incarnation
	CreateTS  Timestamp // commit timestamp that began the incarnation
	Expiry    Timestamp // first moment at which the key is gone; 0: never
	Principal string
	Message   string
	// Request is what the version carries out, of a commit on one shard at its
	// anchor. Only who asks for it gets it; nil: none.
	Request *Request
	Value   Value
}

// NoRevision is the revision of a missing key.
const NoRevision int64 = -1

// Live reports whether the key exists at time at, v being its newest version then.
func (v *Version) Live(at Timestamp) bool {
	return v.TS != 0 && v.Kind != KindDelete && (v.Expiry == 0 || at < v.Expiry)
}

// RevisionAt is the revision that users see at time at: -1 for a missing key.
func (v *Version) RevisionAt(at Timestamp) int64 {
	if !v.Live(at) {
		return NoRevision
	}
	return v.Revision
}

// Hides is the revision that v has taken out of the key's history; NoRevision if
// none. A set without history does that to the value that it replaced: the version
// that made it and all that extended it since. The flag of an extend says nothing,
// that of the set below it counts. A tombstone is no value: what began an
// incarnation hides nothing.
func (v *Version) Hides() int64 {
	if !v.NoHistory || v.Kind == KindExtend || v.First == v.Revision {
		return NoRevision
	}
	return v.Revision - 1
}

// TTLAt is the milliseconds that v, which is live at time at, has left then, rounded
// up; 0: it has no end.
func (v *Version) TTLAt(at Timestamp) int64 {
	if v.Expiry == 0 {
		return 0
	}
	return int64(v.Expiry-at+999) / 1000
}

// Entry is a key with one of its versions.
type Entry struct {
	Key Key
	Version
}

// entryBytes is what an Entry counts besides its key and value: at least what
// crosses the network with them.
const entryBytes = 64

// Size is what counts against AnswerBytesMax.
func (e *Entry) Size() int { return entryBytes + len(e.Key) + len(e.Value.Data) }

// Write is what a transaction will do to one key once it has its commit
// timestamp. A transaction has at most one Write a key.
type Write struct {
	Key       Key
	Kind      Kind
	Value     Value // of a set
	TTL       int64 // ms; 0: none
	KeepTTL   bool  // a set that keeps the expiry it finds
	NoHistory bool
}

// Size is what counts against WriteBytesMax.
func (w *Write) Size() int { return len(w.Key) + len(w.Value.Data) }

// Version is the version that w makes at time c on top of prev, the newest
// version below c (or the zero Version). All of its numbers are absolute, so
// that it may move to a later timestamp unchanged, except that a created key
// takes its create_ts from where it ends up: the codec keeps that as a flag.
//
// An extend or delete of a key that is missing at c makes no version: ok is false.
func (w *Write) Version(prev *Version, c Timestamp, id ID) (v Version, ok bool) {
	live := prev.Live(c)
	if w.Kind != KindSet && !live {
		return Version{}, false
	}
	v = Version{TS: c, Kind: w.Kind, NoHistory: w.NoHistory, Txn: id}
	if prev.TS != 0 {
		v.Revision = prev.Revision + 1
	}
	switch w.Kind {
	case KindSet:
		v.Value = w.Value
	case KindExtend:
		v.Value, v.Revision = prev.Value, prev.Revision
	case KindDelete:
	}
	if live {
		v.First, v.CreateTS = prev.First, prev.CreateTS
	} else {
		v.First, v.CreateTS = v.Revision, c
	}
	switch {
	case w.Kind == KindDelete:
	case w.TTL > 0:
		v.Expiry = c + Timestamp(w.TTL)*1000
	case w.KeepTTL && live:
		v.Expiry = prev.Expiry
	}
	return v, true
}

// Written is what a write came to, as its shard answers it.
type Written struct {
	Key     Key
	Wrote   bool    // false: a delete or extend found nothing to do
	Version Version // without its value
	// PrevRevision is the revision that users saw before: -1 for a missing key.
	PrevRevision int64
	// PrevExpiry is when the version below, live when this was written, would
	// have expired; 0: never, or it was not live. A write that commits at or
	// after it would have come to something else (M2).
	PrevExpiry Timestamp
}

// Seen is one point read of a transaction: the newest version at the read
// timestamp, tombstones included. TS 0: the key had no version.
type Seen struct {
	Key Key
	TS  Timestamp
}

// seenBytes is what a Seen or SeenSpan counts besides its keys: what crosses the
// network with them.
const seenBytes = 16

// Size is what counts against ReadBytesMax.
func (s *Seen) Size() int { return seenBytes + len(s.Key) }

// SeenSpan is one range read of a transaction, as far as it was observed (rule
// V5): all that lay in Span at time At.
type SeenSpan struct {
	Span
	At Timestamp
}

// Size is what counts against ReadBytesMax.
func (s *SeenSpan) Size() int { return seenBytes + len(s.Start) + len(s.End) }

// ReadSet is what a transaction observed, each read at a timestamp of its own.
type ReadSet struct {
	Keys  []Seen
	Spans []SeenSpan
	// MaxTS is the last moment at which what was read can still be true: the
	// earliest expiry of a value read, less one (rule V6). Forever if none.
	MaxTS Timestamp
}

// Ranges is the spans without their timestamps.
func (r *ReadSet) Ranges() []Span {
	spans := make([]Span, len(r.Spans))
	for i := range spans {
		spans[i] = r.Spans[i].Span
	}
	return spans
}

// Empty reports whether nothing was read.
func (r *ReadSet) Empty() bool { return len(r.Keys) == 0 && len(r.Spans) == 0 }
