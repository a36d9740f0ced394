package shard

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/fields"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// entryCacheBytesMax bounds the newest entries of a group kept in memory.
const entryCacheBytesMax = 8 << 20

// raftLog is raft's view of one group's log in the log engine. Entries that
// were handed out for appending count as stored: raft asks for them only after
// Appended.
type raftLog struct {
	engine mvcc.Engine
	shard  shardrpc.ShardID
	hard   *raftpb.HardState
	conf   *raftpb.ConfState // as applied
	// state describes what is applied, for a snapshot of it.
	state func() *raftpb.SnapshotMetadata

	// short is what the next append must do to the engine's log, which ended
	// before the applied index; nil if it did not.
	short *truncation

	firstIndex       atomic.Uint64 // of the oldest entry; any goroutine may look
	lastIndex        atomic.Uint64 // of the newest, likewise
	first, firstTerm uint64        // of the last entry that was truncated away
	last, lastTerm   uint64
	cache            []*raftpb.Entry // the newest entries, consecutive, up to last
	cacheBytes       int
}

func logKey(shard shardrpc.ShardID, sub byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(shard)), sub)
}

// LogIdentKey is where a member marks the log engine as its own. No group has
// the id 0.
func LogIdentKey() []byte { return logKey(0, 'i') }

func logEntryKey(shard shardrpc.ShardID, index uint64) []byte {
	return binary.BigEndian.AppendUint64(logKey(shard, 'e'), index)
}

func appendLogEntry(dst []byte, e *raftpb.Entry) []byte {
	dst = binary.AppendUvarint(dst, e.GetTerm())
	dst = append(dst, byte(e.GetType()))
	return append(dst, e.GetData()...)
}

func decodeLogEntry(index uint64, b []byte) (*raftpb.Entry, error) {
	d := fields.Reader{Rest: b}
	term, kind := d.Uvarint(), raftpb.EntryType(d.U8())
	if d.Bad {
		return nil, fmt.Errorf("log entry %d of %d bytes does not decode", index, len(b))
	}
	return &raftpb.Entry{Index: &index, Term: &term, Type: &kind, Data: d.Rest}, nil
}

// writeLog puts an append into a batch of the log engine.
func writeLog(b mvcc.Batch, a *Append) {
	if t := a.truncate; t != nil {
		v := binary.AppendUvarint(binary.AppendUvarint(nil, t.index), t.term)
		b.Set(logKey(a.Shard, 't'), v)
		b.DeleteRange(logEntryKey(a.Shard, t.first), logEntryKey(a.Shard, max(t.index, t.last)+1))
	}
	if n := len(a.Entries); n > 0 {
		var buf []byte
		for _, e := range a.Entries {
			buf = appendLogEntry(buf[:0], e)
			b.Set(logEntryKey(a.Shard, e.GetIndex()), buf)
		}
		if newLast := a.Entries[n-1].GetIndex(); newLast < a.lastOld {
			b.DeleteRange(logEntryKey(a.Shard, newLast+1), logEntryKey(a.Shard, a.lastOld+1))
		}
	}
	if h := a.Hard; h != nil {
		v := binary.AppendUvarint(nil, h.GetTerm())
		v = binary.AppendUvarint(v, h.GetVote())
		b.Set(logKey(a.Shard, 'h'), binary.AppendUvarint(v, h.GetCommit()))
	}
}

// openLog reads what a group's log holds and makes it fit the applied state
// (R13): commit is raised to applied, and a log that ends before it, or that a
// snapshot has overtaken on another branch of history, begins anew behind it.
func openLog(engine mvcc.Engine, shard shardrpc.ShardID, s *mvcc.ShardState) (*raftLog, error) {
	l := &raftLog{engine: engine, shard: shard, hard: &raftpb.HardState{}}
	if v, ok, err := engine.Get(logKey(shard, 'h')); err != nil {
		return nil, err
	} else if ok {
		d := fields.Reader{Rest: v}
		term, vote, commit := d.Uvarint(), d.Uvarint(), d.Uvarint()
		if d.Bad {
			return nil, logCorrupt(shard, "hard state")
		}
		l.hard = &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
	}
	if v, ok, err := engine.Get(logKey(shard, 't')); err != nil {
		return nil, err
	} else if ok {
		d := fields.Reader{Rest: v}
		if l.first, l.firstTerm = d.Uvarint(), d.Uvarint(); d.Bad {
			return nil, logCorrupt(shard, "truncated position")
		}
	}
	if err := l.readEnd(); err != nil {
		return nil, err
	}
	l.firstIndex.Store(l.first + 1)
	if s.AppliedIndex < l.first {
		return nil, txn.Errorf(txn.Internal, "log_hole",
			"shard %d has applied %d and its log begins after %d", shard, s.AppliedIndex, l.first)
	}
	if err := l.fit(s); err != nil {
		return nil, err
	}
	return l, nil
}

// fit makes the log continue what is applied.
func (l *raftLog) fit(s *mvcc.ShardState) error {
	if mutant.On(mutant.R13) {
		return nil
	}
	same := l.last >= s.AppliedIndex
	if same && s.AppliedIndex > 0 {
		term, err := l.Term(s.AppliedIndex)
		if err != nil {
			return err
		}
		same = term == s.AppliedTerm
	}
	if !same {
		l.short = l.reset(s.AppliedIndex, s.AppliedTerm)
	}
	term := max(l.hard.GetTerm(), s.AppliedTerm)
	commit := max(l.hard.GetCommit(), s.AppliedIndex)
	if term > l.hard.GetTerm() {
		l.hard.Vote = nil
	}
	l.hard.Term, l.hard.Commit = &term, &commit
	return nil
}

// reset makes the log begin behind index, whatever it holds; the engine's does
// so by the next append.
func (l *raftLog) reset(index, term uint64) *truncation {
	t := &truncation{first: 0, index: index, term: term, last: l.last}
	l.cache, l.cacheBytes = nil, 0
	l.first, l.firstTerm = index, term
	l.last, l.lastTerm = index, term
	l.firstIndex.Store(index + 1)
	l.lastIndex.Store(index)
	return t
}

// promises takes h in, and reports whether it must be kept: term and vote are promises. How far
// the log is committed a leader will say again, and what is applied says, too (R13); only a change
// of members may leave nobody who could.
func (l *raftLog) promises(h *raftpb.HardState) bool {
	if raft.IsEmptyHardState(h) {
		return false
	}
	was := l.hard
	l.hard = h
	return h.GetTerm() != was.GetTerm() || h.GetVote() != was.GetVote()
}

func logCorrupt(shard shardrpc.ShardID, what string) error {
	return txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
		"the %s of shard %d in the log does not decode", what, shard)
}

// lost is what it means that a leader has counted on an entry that is not there:
// this replica has acknowledged it. Raft would panic.
func (l *raftLog) lost(acknowledged uint64) error {
	e := txn.Errorf(txn.Internal, "log_lost", "the log of shard %d ends at %d, and this member has "+
		"acknowledged up to %d: its disk has lost what was synced", l.shard, l.last, acknowledged)
	e.Next = "check the disk, do not start this member again, and let a new one take its place " +
		"with --replace"
	return e
}

// readEnd finds the last entry.
func (l *raftLog) readEnd() error {
	it, err := l.engine.NewIter(mvcc.IterOptions{
		Lower: logEntryKey(l.shard, 0), Upper: logKey(l.shard, 'e'+1)})
	if err != nil {
		return err
	}
	l.last, l.lastTerm = l.first, l.firstTerm
	defer func() { l.lastIndex.Store(l.last) }()
	if it.Last() {
		l.last = binary.BigEndian.Uint64(it.Key()[9:])
		v, err := it.Value()
		if err == nil {
			var e *raftpb.Entry
			if e, err = decodeLogEntry(l.last, v); err == nil {
				l.lastTerm = e.GetTerm()
			}
		}
		if err != nil {
			_ = it.Close()
			return err
		}
	}
	if err := it.Error(); err != nil {
		_ = it.Close()
		return err
	}
	return it.Close()
}

// append takes entries that go to the log engine now.
func (l *raftLog) append(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	if at := entries[0].GetIndex(); at <= l.last {
		keep := 0
		for keep < len(l.cache) && l.cache[keep].GetIndex() < at {
			keep++
		}
		l.cache = l.cache[:keep]
		l.cacheBytes = 0
		for _, e := range l.cache {
			l.cacheBytes += len(e.Data)
		}
	}
	l.cache = append(l.cache, entries...)
	for _, e := range entries {
		l.cacheBytes += len(e.Data)
	}
	end := entries[len(entries)-1]
	l.last, l.lastTerm = end.GetIndex(), end.GetTerm()
	l.lastIndex.Store(l.last)
	drop := 0
	for l.cacheBytes > entryCacheBytesMax && drop < len(l.cache)-1 {
		l.cacheBytes -= len(l.cache[drop].Data)
		drop++
	}
	clear(l.cache[:drop])
	l.cache = l.cache[drop:]
}

// truncate forgets entries up to index; the engine does so by the next append.
func (l *raftLog) truncate(index, term uint64) {
	drop := 0
	for drop < len(l.cache) && l.cache[drop].GetIndex() <= index {
		l.cacheBytes -= len(l.cache[drop].Data)
		drop++
	}
	clear(l.cache[:drop])
	l.cache = l.cache[drop:]
	l.first, l.firstTerm = index, term
	l.firstIndex.Store(index + 1)
}

// InitialState implements raft.Storage.
func (l *raftLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return l.hard, l.conf, nil
}

// Entries implements raft.Storage.
func (l *raftLog) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	if lo <= l.first {
		return nil, raft.ErrCompacted
	}
	if hi > l.last+1 {
		return nil, raft.ErrUnavailable
	}
	var out []*raftpb.Entry
	var size uint64
	for i := lo; i < hi; i++ {
		e, err := l.entry(i)
		if err != nil {
			return nil, err
		}
		if size += uint64(len(e.Data)) + 16; size > maxSize && len(out) > 0 {
			break
		}
		out = append(out, e)
	}
	return out, nil
}

func (l *raftLog) entry(index uint64) (*raftpb.Entry, error) {
	if n := len(l.cache); n > 0 && index >= l.cache[0].GetIndex() {
		return l.cache[index-l.cache[0].GetIndex()], nil
	}
	v, ok, err := l.engine.Get(logEntryKey(l.shard, index))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, txn.Errorf(txn.Internal, "log_hole",
			"shard %d: entry %d is missing from the log", l.shard, index)
	}
	return decodeLogEntry(index, v)
}

// Term implements raft.Storage.
func (l *raftLog) Term(i uint64) (uint64, error) {
	switch {
	case i == l.first:
		return l.firstTerm, nil
	case i < l.first:
		return 0, raft.ErrCompacted
	case i == l.last:
		return l.lastTerm, nil
	case i > l.last:
		return 0, raft.ErrUnavailable
	}
	e, err := l.entry(i)
	if err != nil {
		return 0, err
	}
	return e.GetTerm(), nil
}

// LastIndex implements raft.Storage.
func (l *raftLog) LastIndex() (uint64, error) { return l.last, nil }

// FirstIndex implements raft.Storage.
func (l *raftLog) FirstIndex() (uint64, error) { return l.first + 1, nil }

// Snapshot implements raft.Storage: only what a snapshot would be of. Its
// contents go their own way (SendSnapshot).
func (l *raftLog) Snapshot() (*raftpb.Snapshot, error) {
	return &raftpb.Snapshot{Metadata: l.state()}, nil
}

var _ raft.Storage = (*raftLog)(nil)
