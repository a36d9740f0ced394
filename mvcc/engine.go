package mvcc

import "github.com/cairnkv/cairn/txn"

// Engine is an ordered map from keys to values with atomic batches and
// snapshots. All methods may be called from any goroutine; what they return
// belongs to one goroutine at a time.
//
// Every key and every bound must come from a constructor of enginekey.go, or,
// on a log engine, from the log store.
type Engine interface {
	// NewIter opens a stable snapshot of what is committed now. The caller closes it.
	NewIter(o IterOptions) (Iterator, error)
	// Get copies the value of exactly key; false if there is none.
	Get(key []byte) ([]byte, bool, error)
	NewBatch() Batch
	// Export opens a stable snapshot of what is committed now within some
	// bounds, to be sent to another engine. The caller closes it.
	Export(within []Bounds) (Export, error)
	// Stage begins to collect what will take the place of everything within
	// bounds, which are ascending and do not overlap.
	Stage(within []Bounds) (Stage, error)
	// Flush returns once everything committed before it is durable.
	Flush() error
	// Close waits for nothing: iterators, batches, exports and stages must be
	// closed before it.
	Close() error
}

// IterOptions limit what an Iterator shows.
type IterOptions struct {
	// Lower is inclusive, Upper exclusive; both must be set and outlive the call only.
	Lower, Upper []byte
	// Durable shows only what would survive a crash now, perhaps less: Pebble
	// leaves out all that is not flushed, synced or not.
	Durable bool
	// MinTS lets the iterator leave out versions older than it. It may show
	// them nevertheless. It works on the data space only: keys without a
	// timestamp would be left out too (rule V9). 0: shows everything.
	MinTS txn.Timestamp
}

// Iterator walks a snapshot. A positioning call reports Valid. Key and Value
// are good until the next positioning call.
//
// Next, NextPrefix and Prev may be called on a valid position only, and after
// SeekPrefixGE no other step than Next is allowed until the next seek.
type Iterator interface {
	// First is the smallest key, Last the largest.
	First() bool
	Last() bool
	// SeekGE is the smallest key at or after key.
	SeekGE(key []byte) bool
	// SeekPrefixGE is SeekGE that ends with the keys that share key's prefix,
	// which lets it skip files by bloom filter. key must be within the bounds.
	SeekPrefixGE(key []byte) bool
	// SeekLT is the largest key before key.
	SeekLT(key []byte) bool
	Next() bool
	// NextPrefix is the first key whose prefix (the key without its timestamp)
	// is not the current one.
	NextPrefix() bool
	Prev() bool
	Valid() bool
	Key() []byte
	Value() ([]byte, error)
	// Error is why the iterator is not valid; nil at an end.
	Error() error
	Close() error
}

// Batch collects writes that Commit applies as one, later ones over earlier
// ones. Keys and values are copied. A Batch serves one Commit.
type Batch interface {
	Set(key, value []byte)
	Delete(key []byte)
	// DeleteRange deletes the keys from start up to and without end.
	DeleteRange(start, end []byte)
	Empty() bool
	// Size is about the bytes that Commit will write.
	Size() int
	// Commit applies the batch. With sync it returns once this and every
	// earlier commit is durable. An error is final: the engine has failed.
	Commit(sync bool) error
	// Close frees the batch, committed or not.
	Close()
}

// Bounds are a part of an engine's keys: from Lower, up to and without Upper.
type Bounds struct{ Lower, Upper []byte }

// Export is the contents of some bounds, chunk by chunk.
type Export interface {
	// Next is the next chunk, of about that many bytes or one larger pair; nil
	// at the end. It belongs to the caller.
	Next(bytes int) ([]byte, error)
	Close() error
}

// Stage collects chunks of an Export in order. Until Commit nobody sees them,
// and a crash leaves nothing of them. A Stage serves one Commit, and none after
// an error.
type Stage interface {
	// Add takes in a chunk. One that does not decode, or a key that is outside
	// of the bounds or out of order, is an error.
	Add(chunk []byte) error
	// Commit replaces all that lies within the bounds by what was added: as one,
	// and durably. Of commits before it that were not synced, those that wrote
	// nothing within the bounds may still be lost. After an error the engine has
	// failed, or all is as it was.
	Commit() error
	// Discard frees the stage, committed or not.
	Discard()
}

// Kind says which of a member's two engines is meant.
type Kind uint8

const (
	// StateEngine holds the applied state of all shards; keys of enginekey.go.
	StateEngine Kind = iota
	// LogEngine holds the raft logs; keys compare by their bytes.
	LogEngine
)

// String is the name of the engine's directory.
func (k Kind) String() string {
	if k == LogEngine {
		return "log"
	}
	return "state"
}

// corrupt is what reading bytes that no release of Cairn wrote comes to.
func corrupt(format string, args ...any) error {
	e := txn.Errorf(txn.Internal, ReasonCorruption, format, args...)
	e.Op = "mvcc"
	e.Next = "restore this member from its peers or from a backup"
	return e
}

// ReasonCorruption is the reason of every error about stored bytes that
// cannot be what was written.
const ReasonCorruption = "corruption"

// ReasonStorage is the reason of every error of the disk or of a failed engine.
const ReasonStorage = "storage_failed"
