package mvcc

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/txn"
)

// A crash keeps a prefix of the commits that were not synced, each whole.
func TestMemCrash(t *testing.T) {
	for keep := range 5 {
		m := OpenMem(LogCompare)
		for i, key := range []string{"a", "b", "c", "d"} {
			b := m.NewBatch()
			b.Set([]byte(key), []byte("v"))
			b.Set([]byte(key+key), []byte("v"))
			if err := b.Commit(i == 0); err != nil {
				t.Fatal(err)
			}
		}
		after := m.Crash(func(n int) int {
			if n != 3 {
				t.Errorf("%d commits are not synced", n)
			}
			return keep
		})
		for i, key := range []string{"a", "b", "c", "d"} {
			_, first, _ := after.Get([]byte(key))
			_, second, _ := after.Get([]byte(key + key))
			if want := i <= keep; first != want || second != want {
				t.Errorf("keep %d: %s is there: %v, %v", keep, key, first, second)
			}
		}
		if err := put(m, "late", false); err == nil {
			t.Error("an engine that crashed takes commits")
		}
		if after.Unsynced() != 0 {
			t.Error("what survived a crash can be lost in the next")
		}
	}
}

// Durable iterators show the last flush, and so does GetShardState.
func TestDurable(t *testing.T) {
	p := openTest(t, PebbleOptions{})
	defer p.Close()
	for name, eng := range map[string]Engine{"pebble": p, "mem": OpenMem(Compare)} {
		write := func(index uint64) {
			b := eng.NewBatch()
			defer b.Close()
			PutShardState(b, 7, &ShardState{AppliedIndex: index})
			if err := b.Commit(false); err != nil {
				t.Fatal(err)
			}
		}
		read := func(durable bool) uint64 {
			s, ok, err := GetShardState(eng, 7, durable)
			if err != nil || !ok && s.AppliedIndex != 0 {
				t.Fatal(ok, err)
			}
			return s.AppliedIndex
		}
		write(5)
		if now, then := read(false), read(true); now != 5 || then != 0 {
			t.Errorf("%s: %d now, %d durable before a flush", name, now, then)
		}
		if err := eng.Flush(); err != nil {
			t.Fatal(err)
		}
		write(6)
		if now, then := read(false), read(true); now != 6 || then != 5 {
			t.Errorf("%s: %d now, %d durable after a flush", name, now, then)
		}
	}
}

func TestRecords(t *testing.T) {
	eng := OpenMem(Compare)
	k := txn.NewKey(1, []byte("k"))
	r := txn.Record{Txn: 5, Primary: k, Status: txn.Pending, BaseTS: 9, MaxTS: txn.Forever}
	b := eng.NewBatch()
	PutRecord(b, &r)
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if got, err := GetRecord(eng, k, 5); err != nil || got.Status != txn.Pending || got.BaseTS != 9 {
		t.Error(got, err)
	}
	if got, err := GetRecord(eng, k, 6); err != nil || got.Status != txn.Absent || got.Txn != 6 {
		t.Error(got, err)
	}
	b = eng.NewBatch()
	DeleteRecord(b, k, 5)
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	if got, err := GetRecord(eng, k, 5); err != nil || got.Status != txn.Absent {
		t.Error(got, err)
	}
}

func TestIntentsOfTxn(t *testing.T) {
	x := NewIntents()
	for i, user := range []string{"c", "a", "b", "d"} {
		k := txn.NewKey(1, []byte(user))
		x.Put(&Intent{Key: k, Txn: txn.ID(1 + i%2), BaseTS: txn.Timestamp(10 - i), TS: 20})
	}
	var got []byte
	for _, k := range x.OfTxn(1) {
		got = append(got, k.User()...)
	}
	if string(got) != "bc" {
		t.Errorf("keys of transaction 1: %q", got)
	}
	if m, ok := x.Min(); !ok || m != 7 {
		t.Error(m, ok)
	}
	x.Put(&Intent{Key: txn.NewKey(1, []byte("d")), Txn: 1, BaseTS: 30, TS: 30})
	if m, _ := x.Min(); m != 8 || x.Len() != 4 || len(x.OfTxn(2)) != 1 {
		t.Error("a put in place of another left traces", m, x.Len())
	}
	if n := len(x.Overlapping(txn.Span{}, 20)); n != 3 {
		t.Errorf("%d intents up to 20", n)
	}
	if i := x.Delete(txn.NewKey(1, []byte("d"))); i == nil || x.Get(i.Key) != nil {
		t.Error("not deleted")
	}
}

// The log engine takes keys of any shape and orders them by their bytes.
func TestLogEngine(t *testing.T) {
	fs := vfs.NewCrashableMem()
	p := openTest(t, PebbleOptions{FS: fs, Kind: LogEngine})
	engines := []Engine{p, OpenMem(LogCompare)}
	var seen [2][]byte
	for n, eng := range engines {
		b := eng.NewBatch()
		for _, k := range []string{"\x00\x01e\x09", "\x00\x01e\x12", "\x00\x01h", "\x00\x02e\x01"} {
			b.Set([]byte(k), []byte("v"))
		}
		b.DeleteRange([]byte("\x00\x01e\x10"), []byte("\x00\x01e\xff"))
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
		b.Close()
		it, err := eng.NewIter(IterOptions{Lower: []byte("\x00\x01"), Upper: []byte("\x00\x02")})
		if err != nil {
			t.Fatal(err)
		}
		for ok := it.First(); ok; ok = it.NextPrefix() {
			seen[n] = append(seen[n], it.Key()...)
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []byte("\x00\x01e\x09\x00\x01h"); !bytes.Equal(seen[0], want) ||
		!bytes.Equal(seen[1], want) {
		t.Errorf("%x", seen)
	}
	after := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = openTest(t, PebbleOptions{FS: after, Kind: LogEngine})
	if _, ok, err := p.Get([]byte("\x00\x01h")); !ok || err != nil {
		t.Error("a synced commit is lost", err)
	}
	if p.Stats().DiskBytes == 0 {
		t.Error("no bytes on disk")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}
