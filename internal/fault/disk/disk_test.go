package disk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/fault/disk"
)

// bench is a disk whose operations all must succeed.
type bench struct {
	*testing.T
	fs   *disk.FS
	root string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	root := filepath.Join(t.TempDir(), "data")
	fs, err := disk.New(root)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, fs, root}
	b.must(fs.MkdirAll(root, 0o755))
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.root, name) }

// write makes a file and leaves it open.
func (b *bench) write(name, text string) vfs.File {
	b.Helper()
	f, err := b.fs.Create(b.path(name), vfs.WriteCategoryUnspecified)
	b.must(err)
	b.add(f, text)
	b.Cleanup(func() { _ = f.Close() })
	return f
}

func (b *bench) add(f vfs.File, text string) {
	b.Helper()
	_, err := f.Write([]byte(text))
	b.must(err)
}

func (b *bench) syncDir(name string) {
	b.Helper()
	d, err := b.fs.OpenDir(b.path(name))
	b.must(err)
	b.must(errors.Join(d.Sync(), d.Close()))
}

// durable makes a file that nothing can take.
func (b *bench) durable(name, text string) vfs.File {
	b.Helper()
	f := b.write(name, text)
	b.must(f.Sync())
	b.syncDir(filepath.Dir(name))
	return f
}

// left loses power and says what is on the disk: "name=text name=text dir/name=text".
func (b *bench) left(keep int, seed uint64) string {
	b.Helper()
	_, err := b.fs.LosePower(fault.PowerLoss{KeepPercent: keep, Seed: seed})
	b.must(err)
	var all []string
	b.must(filepath.WalkDir(b.root, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(b.root, path)
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			all = append(all, name+"/")
			return nil
		}
		text, err := os.ReadFile(path)
		all = append(all, name+"="+string(text))
		return err
	}))
	slices.Sort(all)
	return strings.Join(all, " ")
}

// Each case is what a loss of power leaves if nothing that was not synced is kept, and if all is.
func TestLosePower(t *testing.T) {
	for _, c := range []struct {
		name       string
		do         func(b *bench)
		none, full string
	}{
		{"end of a file", func(b *bench) {
			f := b.durable("a", "one")
			b.add(f, "two")
		}, "a=one", "a=onetwo"},
		{"synced end", func(b *bench) {
			f := b.durable("a", "one")
			b.add(f, "two")
			b.must(f.SyncData())
		}, "a=onetwo", "a=onetwo"},
		{"new name", func(b *bench) { b.must(b.write("a", "one").Sync()) }, "", "a=one"},
		{"new empty name", func(b *bench) {
			b.write("a", "one")
			b.syncDir("")
		}, "a=", "a=one"},
		{"removed", func(b *bench) {
			b.durable("a", "one")
			b.must(b.fs.Remove(b.path("a")))
		}, "a=one", ""},
		{"removed for good", func(b *bench) {
			b.durable("a", "one")
			b.must(b.fs.Remove(b.path("a")))
			b.syncDir("")
		}, "", ""},
		{"removed with an end", func(b *bench) {
			b.add(b.durable("a", "one"), "two")
			b.must(b.fs.Remove(b.path("a")))
		}, "a=one", ""},
		{"renamed", func(b *bench) {
			b.durable("a", "one")
			b.must(b.fs.Rename(b.path("a"), b.path("b")))
		}, "a=one", "b=one"},
		{"renamed over", func(b *bench) {
			b.durable("a", "old")
			b.must(b.write("a.new", "new").Sync())
			b.must(b.fs.Rename(b.path("a.new"), b.path("a")))
		}, "a=old", "a=new"},
		{"renamed over, the new one known", func(b *bench) {
			b.durable("a", "old")
			b.durable("a.new", "new")
			b.must(b.fs.Rename(b.path("a.new"), b.path("a")))
		}, "a.new=new a=old", "a=new"},
		{"renamed in turn", func(b *bench) {
			b.durable("a", "1")
			b.durable("b", "2")
			b.must(b.fs.Rename(b.path("a"), b.path("c")))
			b.must(b.fs.Rename(b.path("b"), b.path("a")))
			b.must(b.fs.Rename(b.path("c"), b.path("b")))
		}, "a=1 b=2", "a=2 b=1"},
		{"made anew", func(b *bench) {
			b.durable("a", "one")
			b.must(b.write("a", "two").Sync())
		}, "a=one", "a=two"},
		{"reused", func(b *bench) {
			b.durable("1.log", "long ago")
			f, err := b.fs.ReuseForWrite(b.path("1.log"), b.path("2.log"), vfs.WriteCategoryUnspecified)
			b.must(err)
			b.add(f, "new")
			b.must(errors.Join(f.Sync(), f.Close()))
		}, "1.log=long ago", "2.log=new"},
		{"linked", func(b *bench) {
			b.must(b.fs.MkdirAll(b.path("staged"), 0o755))
			b.syncDir("")
			b.durable("staged/a", "one")
			b.must(b.fs.Link(b.path("staged/a"), b.path("b")))
		}, "staged/ staged/a=one", "b=one staged/ staged/a=one"},
		{"linked, the first name gone", func(b *bench) {
			b.must(b.fs.MkdirAll(b.path("staged"), 0o755))
			b.syncDir("")
			b.must(b.write("staged/a", "one").Sync())
			b.must(b.fs.Link(b.path("staged/a"), b.path("b")))
			b.syncDir("")
			b.must(b.fs.Remove(b.path("staged/a")))
		}, "b=one staged/", "b=one staged/"},
		{"directory", func(b *bench) {
			b.must(b.fs.MkdirAll(b.path("d/e"), 0o755))
			b.durable("d/e/a", "one")
			b.syncDir("d")
		}, "", "d/ d/e/ d/e/a=one"},
		{"all of a directory removed", func(b *bench) {
			b.must(b.fs.MkdirAll(b.path("d"), 0o755))
			b.syncDir("")
			b.durable("d/a", "one")
			b.must(b.write("d/b", "two").Sync())
			b.must(b.fs.RemoveAll(b.path("d")))
		}, "d/ d/a=one", ""},
		{"a directory made anew", func(b *bench) {
			b.must(b.fs.MkdirAll(b.path("d"), 0o755))
			b.syncDir("")
			b.durable("d/a", "one")
			b.must(b.fs.RemoveAll(b.path("d")))
			b.must(b.fs.MkdirAll(b.path("d"), 0o755))
			b.durable("d/b", "two")
		}, "d/ d/a=one", "d/ d/b=two"},
		{"found there", func(b *bench) {
			b.must(os.WriteFile(b.path("LOCK"), nil, 0o644))
			b.must(b.fs.Remove(b.path("LOCK")))
		}, "LOCK=", ""},
		{"more than is remembered", func(b *bench) {
			b.durable("a", "one")
			b.must(b.fs.Remove(b.path("a")))
			for range 200 {
				b.must(b.write("b", "").Close())
				b.must(b.fs.Remove(b.path("b")))
			}
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for keep, want := range map[int]string{0: c.none, 100: c.full} {
				b := newBench(t)
				c.do(b)
				if got := b.left(keep, 1); got != want {
					t.Errorf("%d %% kept: %q is left, want %q", keep, got, want)
				}
			}
		})
	}
}

// Chance leaves all that the rules allow, and nothing else.
func TestLosePowerByChance(t *testing.T) {
	counts := make(map[string]int)
	for seed := range uint64(200) {
		b := newBench(t)
		b.durable("marker.1", "")
		b.must(b.write("manifest", "m").Sync())
		b.must(b.write("marker.2", "").Sync())
		b.must(b.fs.Remove(b.path("marker.1")))
		counts[b.left(50, seed)]++
	}
	want := []string{ // all but "manifest=m marker.2=", with which nothing would be lost
		"manifest=m marker.1=", "manifest=m marker.1= marker.2=", "marker.1=", "marker.1= marker.2=",
	}
	for _, w := range want {
		if counts[w] == 0 {
			t.Errorf("%q was never left", w)
		}
		delete(counts, w)
	}
	if len(counts) > 0 {
		t.Errorf("left: %v", counts)
	}
}

// A name that is made anew does not take the old one away if what came before that is lost.
func TestMadeAnewByChance(t *testing.T) {
	counts := make(map[string]int)
	for seed := range uint64(200) {
		b := newBench(t)
		b.durable("a", "old")
		b.durable("first", "")
		b.must(b.fs.Remove(b.path("first")))
		b.must(b.fs.Remove(b.path("a")))
		b.must(b.write("a", "new").Sync())
		counts[b.left(50, seed)]++
	}
	for _, w := range []string{"a=old first=", "a=old", ""} {
		if counts[w] == 0 {
			t.Errorf("%q was never left", w)
		}
		delete(counts, w)
	}
	if len(counts) > 0 {
		t.Errorf("left: %v", counts)
	}
}

// Whatever little is not synced, something of it is lost; and a loss can wait for that.
func TestSomethingIsLost(t *testing.T) {
	for seed := range uint64(50) {
		b := newBench(t)
		f := b.durable("a", "one")
		lost := make(chan fault.Loss, 1)
		go func() {
			l, err := b.fs.LosePower(fault.PowerLoss{KeepPercent: 90, Seed: seed, WaitMillis: 5000})
			if err != nil {
				t.Error(err)
			}
			lost <- l
		}()
		b.add(f, "two")
		if l := <-lost; l != (fault.Loss{Bytes: 3, UnsyncedBytes: 3}) {
			t.Fatalf("lost %+v", l)
		}
	}
	b := newBench(t)
	b.durable("a", "one")
	l, err := b.fs.LosePower(fault.PowerLoss{WaitMillis: 20})
	if err != nil || l != (fault.Loss{}) {
		t.Errorf("with all synced: %+v, %v", l, err)
	}
}

func TestTornEnd(t *testing.T) {
	text := strings.Repeat("x", 10_000)
	holes, ends, whole := 0, 0, 0
	for seed := range uint64(50) {
		b := newBench(t)
		b.add(b.durable("a", text[:100]), text[100:])
		got := []byte(strings.TrimPrefix(b.left(50, seed), "a="))
		for i, c := range got {
			if i < 100 && c != 'x' || c != 'x' && c != 0 {
				t.Fatalf("byte %d is %q", i, c)
			}
		}
		if bytes.IndexByte(got, 0) > 0 {
			holes++
		}
		if len(got) < len(text) {
			ends++
		} else {
			whole++
		}
	}
	if holes == 0 || ends == 0 || whole == 0 {
		t.Errorf("%d with holes, %d ended early, %d did not", holes, ends, whole)
	}
}

func TestIll(t *testing.T) {
	b := newBench(t)
	f := b.durable("a", "one")
	b.fs.Set(fault.Disk{Full: true})
	if _, err := f.Write([]byte("two")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing on a full disk: %v", err)
	}
	if _, err := b.fs.Create(b.path("b"), vfs.WriteCategoryUnspecified); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("creating on a full disk: %v", err)
	}
	b.must(b.fs.Remove(b.path("a")))
	for _, d := range []fault.Disk{{Full: true}, {Low: true}} {
		b.fs.Set(d)
		if free, total, err := b.fs.Space(b.root); free != 0 || total == 0 || err != nil {
			t.Errorf("%+v: %d of %d free, %v", d, free, total, err)
		}
	}
	b.add(f, "two") // a low disk takes it
	b.fs.Set(fault.Disk{SyncDelayMillis: 50})
	began := time.Now()
	b.must(f.Sync())
	b.syncDir("")
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("two slow syncs took %v", took)
	}
	var s fault.State
	b.fs.Count(&s)
	if s.SyncsDelayed != 2 || s.WritesRefused != 2 || s.SyncsFailed != 0 || s.Disk.SyncDelayMillis != 50 {
		t.Errorf("counted %+v", s)
	}
	b.fs.Set(fault.Disk{})
	if free, _, err := b.fs.Space(b.root); free == 0 || err != nil {
		t.Errorf("no space on a disk that is well: %v", err)
	}
}

// What a failed sync was about is not durable, and no later sync makes it so.
func TestSyncError(t *testing.T) {
	b := newBench(t)
	f := b.durable("a", "one")
	b.add(f, "two")
	b.fs.Set(fault.Disk{SyncError: true})
	if err := f.SyncData(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a sync: %v", err)
	}
	b.fs.Set(fault.Disk{})
	b.must(f.Sync())
	if got := b.left(0, 1); got != "a=one" {
		t.Errorf("left: %q", got)
	}
}

// After a loss of power nobody is told that anything is durable.
func TestFrozen(t *testing.T) {
	b := newBench(t)
	f := b.durable("a", "one")
	b.fs.Set(fault.Disk{SyncDelayMillis: 20})
	synced := make(chan error, 1)
	go func() { synced <- f.Sync() }()
	b.left(0, 1)
	select {
	case err := <-synced:
		t.Errorf("a sync ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestRefuses(t *testing.T) {
	b := newBench(t)
	f := b.durable("a", "one")
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("it overwrites")
	}
	if _, err := b.fs.OpenReadWrite(b.path("a"), vfs.WriteCategoryUnspecified); err == nil {
		t.Error("it opens to overwrite")
	}
	b.must(b.fs.MkdirAll(b.path("d"), 0o755))
	if err := b.fs.Rename(b.path("a"), b.path("d/a")); err == nil {
		t.Error("it renames between directories")
	}
	if err := b.fs.Remove(b.path("none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := b.fs.Create(b.path("none/a"), vfs.WriteCategoryUnspecified); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	outside := filepath.Join(filepath.Dir(b.root), "outside")
	g, err := b.fs.Create(outside, vfs.WriteCategoryUnspecified)
	b.must(err)
	b.add(g, "x")
	b.must(g.Close())
	b.must(b.fs.Rename(outside, outside+".2"))
	b.must(b.fs.Remove(outside + ".2"))
	if got := b.left(0, 1); got != "a=one" {
		t.Error(got)
	}
}
