package client

import (
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Timestamp is microseconds since the Unix epoch, issued by the cluster.
type Timestamp = txn.Timestamp

// Entry is one version of a key, or says that there is none.
type Entry struct {
	Key   string
	Value Value // empty where only keys were asked for
	// Revision counts the versions of the key from 0; -1 = the key is missing, and nothing but
	// Key means anything.
	Revision int64
	// CommitTS is when the version was committed; 0 for what an open transaction wrote itself.
	CommitTS Timestamp
	CreateTS Timestamp // CommitTS of the set that created the key
	// ExpiresAt is when the key expires, to the millisecond; the zero time = never.
	ExpiresAt time.Time
}

// Found reports whether the key exists.
func (e Entry) Found() bool { return e.Revision >= 0 }

func missing(key string) Entry { return Entry{Key: key, Revision: txn.NoRevision} }

func entryFromWire(w *cairnv1.Entry) Entry {
	return Entry{
		Key:       string(w.Key),
		Value:     valueFromWire(w.Value),
		Revision:  w.Revision,
		CommitTS:  Timestamp(w.CommitTs),
		CreateTS:  Timestamp(w.CreateTs),
		ExpiresAt: expiry(w.ExpiresAt),
	}
}

func entriesFromWire(ws []*cairnv1.Entry) []Entry {
	entries := make([]Entry, len(ws))
	for i, w := range ws {
		entries[i] = entryFromWire(w)
	}
	return entries
}

func prevFromWire(w *cairnv1.Entry) *Entry {
	if w == nil {
		return nil
	}
	e := entryFromWire(w)
	return &e
}

func expiry(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// milliseconds rounds away from zero, so that no TTL turns into none.
func milliseconds(d time.Duration) int64 {
	ms := d.Milliseconds()
	switch rest := d % time.Millisecond; {
	case rest > 0:
		return ms + 1
	case rest < 0:
		return ms - 1
	}
	return ms
}
