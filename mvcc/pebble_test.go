package mvcc

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/txn"
)

func openTest(tb testing.TB, o PebbleOptions) *Pebble {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = "data"
	}
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	p, err := OpenPebble(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// fullDisk makes an engine whose writes to files of one kind fail once full is set.
func fullDisk(t *testing.T, suffix string) (p *Pebble, full *atomic.Bool, fatal chan error) {
	full, fatal = new(atomic.Bool), make(chan error, 2)
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.Contains(op.Path, suffix) &&
			op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	p = openTest(t, PebbleOptions{FS: fs, OnFatal: func(err error) { fatal <- err }})
	return p, full, fatal
}

func put(p Engine, key string, sync bool) error {
	b := p.NewBatch()
	defer b.Close()
	b.Set(LocalKey(key), []byte("v"))
	return b.Commit(sync)
}

func checkFatal(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Reason != ReasonStorage || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("not the typed error of a full disk: %v", err)
	}
	if !strings.Contains(e.Next, "free space") {
		t.Fatalf("it does not say what to do: %q", e.Next)
	}
}

func TestFullDiskAtWAL(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, full, fatal := fullDisk(t, ".log")
	if err := put(p, "a", true); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	checkFatal(t, put(p, "b", true))
	checkFatal(t, <-fatal)
	full.Store(false)
	checkFatal(t, put(p, "c", false))
	checkFatal(t, p.Flush())
	checkFatal(t, p.Close())
	if len(fatal) > 0 {
		t.Fatal("OnFatal was called twice")
	}
}

func TestFullDiskAtFlush(t *testing.T) {
	p, full, fatal := fullDisk(t, ".sst")
	if err := put(p, "a", true); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	checkFatal(t, p.Flush())
	checkFatal(t, <-fatal)
	checkFatal(t, put(p, "c", false))
	checkFatal(t, p.Close())
}

func TestFullDiskAtManifest(t *testing.T) {
	p, full, fatal := fullDisk(t, "MANIFEST")
	if err := put(p, "a", true); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	checkFatal(t, p.Flush())
	checkFatal(t, <-fatal)
	checkFatal(t, put(p, "c", false))
	checkFatal(t, p.Close())
}

func TestFullDiskAtOpen(t *testing.T) {
	for _, suffix := range []string{".log", "MANIFEST"} {
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.Contains(op.Path, suffix) && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				return syscall.ENOSPC
			}
			return nil
		}))
		_, err := OpenPebble(PebbleOptions{Dir: "data", FS: fs})
		if e, ok := errors.AsType[*txn.Error](err); !ok || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v %v", suffix, err, e)
		}
	}
}

// TestWALFailureIsToldAtOnce: whatever Pebble does after a failed write of its
// log, the operator has heard of it.
func TestWALFailureIsToldAtOnce(t *testing.T) {
	var told strings.Builder
	o := PebbleOptions{Dir: "d", Log: slog.New(slog.NewTextHandler(&told, nil))}
	o.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	o.withDefaults()
	f := newFailure(&o)
	for _, name := range []string{"000002.sst", "000001.log"} {
		file, err := walFS{o.FS, f}.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Write([]byte("x"))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%s: %v", name, err)
		}
		if wal := strings.HasSuffix(name, ".log"); (f.get() != nil) != wal {
			t.Errorf("%s: failure %v", name, f.get())
		}
	}
	if !strings.Contains(told.String(), "free space on the disk that holds d") {
		t.Error(told.String())
	}
}

// TestMarkerComesAfterManifest: whatever order a crash keeps new files in, what
// the marker names is there.
func TestMarkerComesAfterManifest(t *testing.T) {
	disk := vfs.NewCrashableMem()
	root, err := disk.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := openTest(t, PebbleOptions{Dir: "d", FS: disk}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := root.Sync(); err != nil {
		t.Fatal(err)
	}
	markers := 0
	var torn []*vfs.MemFS
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, "d") && markers > 0 {
			for i := range uint64(20) { // the marker is there, but not synced
				torn = append(torn, disk.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(i, i))}))
			}
		}
		if op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "marker.manifest") {
			markers++
		}
		return nil
	}))
	if err := openTest(t, PebbleOptions{Dir: "d", FS: fs}).Close(); err != nil {
		t.Fatal(err)
	}
	if len(torn) == 0 {
		t.Fatal("no moment was found")
	}
	for _, left := range torn {
		if err := openTest(t, PebbleOptions{Dir: "d", FS: left}).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamaged: where Pebble finds a record of a log that is none (in the cell bitflip-wal it does)
// that is corruption, and the error says what to do.
func TestDamaged(t *testing.T) {
	for err, want := range map[error]string{
		record.ErrInvalidChunk: ReasonCorruption, pebble.ErrCorruption: ReasonCorruption,
		syscall.EIO: ReasonStorage,
	} {
		err := openError("data", fmt.Errorf("replaying: %w", err))
		e, ok := errors.AsType[*txn.Error](err)
		if !ok || e.Reason != want || strings.Contains(e.Next, "--replace") != (want == ReasonCorruption) {
			t.Errorf("%v: reason %s", err, want)
		}
	}
}
