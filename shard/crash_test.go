package shard

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	crashesPerSeed = 8
	crashBudget    = 8 * time.Second
	crashesMin     = 40 // in crashBudget, however slow the machine
	crashReplays   = 20 // of one seed: Pebble's own goroutines are not in its hands
)

// TestCrashes runs replicas on both kinds of Pebble engine, crashes the disk at any
// moment, and compares what a restart finds with what was acknowledged.
func TestCrashes(t *testing.T) {
	seed, seeds, crashesWanted := uint64(time.Now().UnixNano()), 0, 0
	if s := os.Getenv("CAIRN_CRASHES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		crashesWanted = n
	}
	if s := os.Getenv("CAIRN_CRASH_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for range crashReplays {
			if err := runCrashes(n); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	start := time.Now()
	for ; crashesWanted > seeds*crashesPerSeed ||
		crashesWanted == 0 && time.Since(start) < crashBudget; seeds++ {
		if err := runCrashes(seed + uint64(seeds)); err != nil {
			t.Fatalf("%v\nCAIRN_CRASH_SEED=%d go test ./shard -run TestCrashes -count=1",
				err, seed+uint64(seeds))
		}
	}
	t.Logf("%d crashes of %d seeds from %d", seeds*crashesPerSeed, seeds, seed)
	if seeds*crashesPerSeed < crashesMin {
		t.Errorf("fewer than %d crashes", crashesMin)
	}
}

// crashWorld is one disk with both engines and two shards.
type crashWorld struct {
	rng        *rand.Rand
	disk       *vfs.MemFS
	state, log *mvcc.Pebble
	groups     []*crashGroup

	mu    sync.Mutex
	left  int        // operations of the file system until the crash
	clone *vfs.MemFS // what the crash left; nil before it
	torn  *rand.Rand
}

func runCrashes(seed uint64) (err error) {
	w := &crashWorld{rng: rand.New(rand.NewPCG(seed, 1)), disk: vfs.NewCrashableMem(),
		torn: rand.New(rand.NewPCG(seed, 2))}
	for i, name := range []string{"a", "m"} {
		g := &crashGroup{w: w, route: shardrpc.Route{Shard: shardrpc.ShardID(i + 2), Epoch: 1,
			Span: txn.Span{Start: key(name), End: key(name + "z")}}}
		index, term := uint64(firstIndex), uint64(firstTerm)
		g.history = []*raftpb.Entry{{Index: &index, Term: &term}} // what Bootstrap writes
		w.groups = append(w.groups, g)
	}
	defer func() {
		if cause := recover(); cause != nil { // raft's way to refuse what it is started on
			err = fmt.Errorf("panic: %v", cause)
		}
		err = errors.Join(err, w.close())
	}()
	if err := w.found(); err != nil {
		return err
	}
	for n := range crashesPerSeed {
		if err := w.live(); err != nil {
			return fmt.Errorf("after %d crashes: %w", n, err)
		}
		if err := w.close(); err != nil {
			return err
		}
		w.disk = w.clone
		for _, g := range w.groups { // what was acknowledged after the crash is no more
			g.synced.Store(g.syncedAtCrash.Load())
			g.term.Store(g.termAtCrash.Load())
		}
	}
	return w.open() // the last crash is looked at too
}

// found makes the first state, durably.
func (w *crashWorld) found() error {
	if err := w.openEngines(w.disk); err != nil {
		return err
	}
	b := w.state.NewBatch()
	defer b.Close()
	for _, g := range w.groups {
		if err := Bootstrap(b, g.route, []uint64{1}); err != nil {
			return err
		}
	}
	if err := b.Commit(true); err != nil {
		return err
	}
	root, err := w.disk.OpenDir("/")
	if err != nil {
		return err
	}
	return errors.Join(root.Sync(), root.Close(), w.close())
}

func (w *crashWorld) openEngines(fs vfs.FS) (err error) {
	for kind, engine := range map[mvcc.Kind]**mvcc.Pebble{
		mvcc.StateEngine: &w.state, mvcc.LogEngine: &w.log,
	} {
		if *engine, err = mvcc.OpenPebble(mvcc.PebbleOptions{
			Dir: kind.String(), Kind: kind, FS: fs,
		}); err != nil {
			return err
		}
	}
	return nil
}

func (w *crashWorld) close() error {
	var errs []error
	for _, g := range w.groups {
		if g.r != nil {
			g.r.Close()
			g.r, g.pending = nil, nil
		}
	}
	for _, engine := range []**mvcc.Pebble{&w.state, &w.log} {
		if *engine != nil {
			errs = append(errs, (*engine).Close())
			*engine = nil
		}
	}
	return errors.Join(errs...)
}

// moment counts an operation of the file system, and keeps what a crash before
// it would leave if that is to come now.
func (w *crashWorld) moment(op errorfs.Op) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		w.count()
	}
	return nil
}

// count is moment with w.mu held.
func (w *crashWorld) count() {
	if w.left--; w.left < 0 && w.clone == nil {
		w.crash()
	}
}

// crashFS lets no crash come in the middle of what takes a lock of the MemFS twice:
// CrashClone, which waits between the two, would never get it.
type crashFS struct {
	vfs.FS
	w *crashWorld
}

func (fs crashFS) Lock(name string) (io.Closer, error) {
	fs.w.mu.Lock()
	defer fs.w.mu.Unlock()
	fs.w.count()
	return fs.w.disk.Lock(name)
}

func (fs crashFS) Link(oldname, newname string) error {
	fs.w.mu.Lock()
	defer fs.w.mu.Unlock()
	fs.w.count()
	return fs.w.disk.Link(oldname, newname)
}

func (fs crashFS) ReuseForWrite(
	oldname, newname string, category vfs.DiskWriteCategory,
) (vfs.File, error) {
	fs.w.mu.Lock()
	defer fs.w.mu.Unlock()
	fs.w.count()
	f, err := fs.w.disk.ReuseForWrite(oldname, newname, category)
	if err != nil {
		return nil, err
	}
	return errorfs.WrapFile(f, errorfs.InjectorFunc(fs.w.moment)), nil
}

// crash keeps the disk as it is now, less some of what is not synced.
func (w *crashWorld) crash() {
	for _, g := range w.groups {
		g.syncedAtCrash.Store(g.synced.Load())
		g.termAtCrash.Store(g.term.Load())
	}
	w.clone = w.disk.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: 25 * w.torn.IntN(5), RNG: w.torn})
}

func (w *crashWorld) crashed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clone != nil
}

// open starts on what the disk holds and checks it.
func (w *crashWorld) open() error {
	fs := crashFS{errorfs.Wrap(w.disk, errorfs.InjectorFunc(w.moment)), w}
	if err := w.openEngines(fs); err != nil {
		return err
	}
	for _, g := range w.groups {
		if err := g.check(g.syncedAtCrash.Load(), g.termAtCrash.Load()); err != nil {
			return fmt.Errorf("shard %d: %w", g.route.Shard, err)
		}
		if err := g.open(); err != nil {
			return err
		}
	}
	return nil
}

// live goes from a start to a crash, which may come during the start.
func (w *crashWorld) live() error {
	w.clone, w.left = nil, w.rng.IntN(400)
	if w.rng.IntN(3) == 0 {
		w.left = w.rng.IntN(60)
	}
	if err := w.open(); err != nil {
		return err
	}
	for range 300 {
		if w.crashed() {
			return nil
		}
		if err := w.step(w.groups[w.rng.IntN(len(w.groups))]); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clone == nil {
		w.crash()
	}
	return nil
}

func (w *crashWorld) step(g *crashGroup) error {
	switch n := w.rng.IntN(100); {
	case n < 45:
		return g.propose()
	case n < 80:
		return w.append()
	case n < 84:
		return w.state.Flush()
	case n < 86:
		return w.log.Flush()
	case n < 94:
		return g.truncate()
	default:
		if err := g.settle(); err != nil || w.crashed() || n < 98 {
			return err
		}
		return g.install()
	}
}

// append writes what all groups want to append as one, as a member does.
func (w *crashWorld) append() error {
	b, sync := w.log.NewBatch(), false
	defer b.Close()
	for _, g := range w.groups {
		if err := g.pump(); err != nil {
			return err
		}
		if g.pending != nil {
			g.pending.WriteTo(b)
			sync = sync || g.pending.Sync
		}
	}
	if b.Empty() {
		return nil
	}
	if err := b.Commit(sync); err != nil {
		return err
	}
	for _, g := range w.groups {
		if a := g.pending; a != nil {
			g.pending = nil
			g.synced.Store(max(g.synced.Load(), uint64(len(g.history))))
			if a.Hard != nil {
				g.term.Store(a.Hard.GetTerm())
			}
			g.r.Step(Appended{})
		}
	}
	return nil
}
