package shard

import (
	"errors"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// logWorld is a raftLog whose appends reach the engine at once.
type logWorld struct {
	*raftLog
	t      *testing.T
	engine *mvcc.Mem
}

func openLogWorld(t *testing.T, engine *mvcc.Mem, applied, term uint64) *logWorld {
	t.Helper()
	l, err := openLog(engine, 2, &mvcc.ShardState{AppliedIndex: applied, AppliedTerm: term})
	if err != nil {
		t.Fatal(err)
	}
	return &logWorld{l, t, engine}
}

// put appends entries from to up to and including to of a term, of some bytes each.
func (l *logWorld) put(from, to, term uint64, size int) {
	var entries []*raftpb.Entry
	for i := from; i <= to; i++ {
		entries = append(entries, &raftpb.Entry{Index: &i, Term: &term, Data: make([]byte, size)})
	}
	l.write(&Append{Shard: 2, Entries: entries, lastOld: l.last})
	l.append(entries)
}

func (l *logWorld) write(a *Append) {
	l.t.Helper()
	b := l.engine.NewBatch()
	a.WriteTo(b)
	if err := b.Commit(true); err != nil {
		l.t.Fatal(err)
	}
}

// terms are the terms of all entries, as raft sees them one by one and all together.
func (l *logWorld) terms() []uint64 {
	l.t.Helper()
	first, _ := l.FirstIndex()
	last, _ := l.LastIndex()
	entries, err := l.Entries(first, last+1, 1<<40)
	if err != nil {
		l.t.Fatal(err)
	}
	var terms []uint64
	for i, e := range entries {
		term, err := l.Term(first + uint64(i))
		if err != nil || term != e.GetTerm() || e.GetIndex() != first+uint64(i) {
			l.t.Fatalf("entry %d: term %d or %d, %v", e.GetIndex(), term, e.GetTerm(), err)
		}
		terms = append(terms, term)
	}
	return terms
}

func (l *logWorld) want(terms ...uint64) {
	l.t.Helper()
	if got := l.terms(); !slices.Equal(got, terms) {
		l.t.Fatalf("terms %v, want %v", got, terms)
	}
}

func TestLogOverwritesSuffix(t *testing.T) {
	l := openLogWorld(t, mvcc.OpenMem(mvcc.LogCompare), 0, 0)
	l.put(1, 6, 1, 10)
	l.put(4, 5, 2, 10)
	l.want(1, 1, 1, 2, 2)
	again := openLogWorld(t, l.engine, 3, 1)
	again.want(1, 1, 1, 2, 2)
	if _, err := again.Term(6); !errors.Is(err, raft.ErrUnavailable) {
		t.Fatal(err)
	}
	again.put(2, 2, 3, 10) // from before all that is cached
	again.want(1, 3)
	openLogWorld(t, l.engine, 1, 1).want(1, 3)
}

func TestLogTruncates(t *testing.T) {
	l := openLogWorld(t, mvcc.OpenMem(mvcc.LogCompare), 0, 0)
	l.put(1, 3, 1, 10)
	l.put(4, 8, 2, 10)
	l.truncate(4, 2)
	l.want(2, 2, 2, 2)
	l.write(&Append{Shard: 2, lastOld: l.last, truncate: &truncation{first: 1, index: 4, term: 2}})
	if _, err := l.Entries(4, 6, 1<<40); !errors.Is(err, raft.ErrCompacted) {
		t.Fatal(err)
	}
	if term, err := l.Term(4); err != nil || term != 2 {
		t.Fatal(term, err)
	}
	again := openLogWorld(t, l.engine, 5, 2)
	again.want(2, 2, 2, 2)
	again.truncate(8, 2) // everything
	again.want()
	if term, err := again.Term(8); err != nil || term != 2 {
		t.Fatal(term, err)
	}
	again.put(9, 9, 3, 10)
	again.want(3)
	// A state that is older than the log's beginning cannot be rebuilt.
	_, err := openLog(l.engine, 2, &mvcc.ShardState{AppliedIndex: 3, AppliedTerm: 1})
	if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != "log_hole" {
		t.Fatal(err)
	}
}

func TestLogCacheIsBounded(t *testing.T) {
	l := openLogWorld(t, mvcc.OpenMem(mvcc.LogCompare), 0, 0)
	const size = entryCacheBytesMax / 4
	for i := range uint64(10) {
		l.put(i+1, i+1, i+1, size)
	}
	if l.cacheBytes > entryCacheBytesMax || len(l.cache) != 4 {
		t.Fatalf("%d entries of %d bytes are cached", len(l.cache), l.cacheBytes)
	}
	l.want(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) // the older ones come from the engine
	if some, err := l.Entries(2, 11, 2*size+100); err != nil || len(some) != 2 {
		t.Fatal(len(some), err)
	}
	if one, err := l.Entries(2, 11, 1); err != nil || len(one) != 1 {
		t.Fatal(len(one), err)
	}
}

func TestLogRaisesCommit(t *testing.T) {
	l := openLogWorld(t, mvcc.OpenMem(mvcc.LogCompare), 0, 0)
	term, vote, commit := uint64(1), uint64(1), uint64(2)
	l.write(&Append{Shard: 2, Hard: &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}})
	l.put(1, 5, 1, 10)
	again := openLogWorld(t, l.engine, 4, 1)
	if hs, _, _ := again.InitialState(); hs.GetCommit() != 4 || hs.GetTerm() != 1 || hs.GetVote() != 1 {
		t.Fatalf("%v", hs)
	}
}
