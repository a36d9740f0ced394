package member

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

func plenty(string) (free, total uint64, err error) { return 1 << 40, 1 << 40, nil }

// memOptions are those of a small member in memory.
func memOptions(e env.Env, fs vfs.FS) Options {
	return Options{Dir: "parent/data", Release: "v1.test", Env: e, FS: fs, Splits: [][]byte{},
		CacheBytes: 1 << 20, Workers: 1, DiskSpace: plenty}
}

// openMem opens a member on fs and closes it at the end of the test.
func openMem(t *testing.T, o Options) *Member {
	t.Helper()
	m, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if _, err := m.OpenSession(t.Context(), "test", true); err != nil {
		t.Fatal(err)
	}
	return m
}

func realEnv(t *testing.T) env.Env {
	e := env.NewReal()
	t.Cleanup(e.Close)
	return e
}

// wantError checks that an open was refused with a reason, and that the error names all of parts.
func wantError(t testing.TB, err error, reason string, parts ...string) {
	t.Helper()
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Reason != reason {
		t.Fatalf("got %+v, want reason %s", err, reason)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not name %q", err, p)
		}
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	_, err := Open(Options{Dir: dir, Release: "test", Env: m.o.Env})
	wantError(t, err, "data_in_use", dir)
	if v := commit(t, m, set("k", "v")); v.Answer != shardrpc.OK {
		t.Error("the first one does not go on")
	}
}

func TestForeignDirectories(t *testing.T) {
	write := func(fs vfs.FS, name, text string) {
		f, err := fs.Create("parent/data/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ file, text, reason, names string }{
		{"CAIRN", `{"format":2,"release":"v9.9"}`, "newer_format", "v9.9"},
		{"CAIRN", `{"format":`, "data_directory", "CAIRN"},
		{"thesis.tex", "", "not_a_data_directory", "thesis.tex"},
		{"CAIRN", `{"format":1,"cluster":"c","member":1,"ready":true}`, "state_missing", "parent/data"},
	} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("parent/data", 0o755); err != nil {
			t.Fatal(err)
		}
		write(fs, c.file, c.text)
		_, err := Open(memOptions(realEnv(t), fs))
		wantError(t, err, c.reason, "parent/data", c.names)
	}
}

// An engine that is gone is not a new one (R12).
func TestLostEngine(t *testing.T) {
	for _, name := range []string{"state", "log"} {
		fs := vfs.NewMem()
		e := realEnv(t)
		m := openMem(t, memOptions(e, fs))
		commit(t, m, set("k", "v"))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := fs.RemoveAll("parent/data/" + name); err != nil {
			t.Fatal(err)
		}
		_, err := Open(memOptions(e, fs))
		wantError(t, err, name+"_missing", "parent/data", name)
	}
}

// A crash at any moment of the first boot leaves a directory that opens, and keeps what was
// acknowledged before it.
func TestCrashAtFirstBoot(t *testing.T) {
	type moment struct {
		fs    *vfs.MemFS
		acked int64
	}
	var moments []moment
	var acked atomic.Int64
	var gate atomic.Bool
	real := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(1, 2))
	ops := 0
	fs := errorfs.Wrap(real, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !gate.CompareAndSwap(false, true) {
			return nil // another goroutine's moment is being kept
		}
		ops++
		cfg := vfs.CrashCloneCfg{}
		if ops%2 == 0 {
			cfg = vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng}
		}
		n := acked.Load()
		moments = append(moments, moment{real.CrashClone(cfg), n})
		gate.Store(false)
		return nil
	}))
	m := openMem(t, memOptions(realEnv(t), fs))
	for i := range int64(3) {
		commit(t, m, set(fmt.Sprint("k", i), "v"))
		acked.Store(i + 1)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if len(moments) < 50 {
		t.Fatalf("only %d moments", len(moments))
	}
	for i, c := range moments {
		if testing.Short() && i%5 != 0 {
			continue
		}
		again := openMem(t, memOptions(m.o.Env, c.fs))
		for k := range c.acked {
			if v := get(t, again, fmt.Sprint("k", k)); v.TS == 0 {
				t.Fatalf("moment %d of %d: k%d is lost", i, len(moments), k)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatalf("moment %d: %v", i, err)
		}
	}
}

// A disk that fills up although the mark should prevent it: the member fails with a typed
// error, and what it acknowledged is there when there is room again.
func TestDiskRunsFull(t *testing.T) {
	for _, engine := range []string{"log", "state"} {
		t.Run(engine, func(t *testing.T) {
			mem := vfs.NewMem()
			var full atomic.Bool
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				wal := engine == "state" && strings.HasSuffix(op.Path, ".log") // its tables fill the disk
				if full.Load() && strings.Contains(op.Path, "/"+engine+"/") && !wal &&
					op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
					return syscall.ENOSPC
				}
				return nil
			}))
			e := realEnv(t)
			m := openMem(t, memOptions(e, fs))
			commit(t, m, set("k", "v"))
			full.Store(true)
			var err error
			if engine == "state" { // it writes its tables by and by
				err = m.state.Flush()
			} else {
				_, err = m.Commit(context.Background(), request(m, set("k2", "v")))
			}
			<-m.Failed()
			if !errors.Is(m.Failure(), syscall.ENOSPC) {
				t.Fatal(m.Failure())
			}
			wantError(t, err, "storage_failed", "free space")
			_, err = m.Commit(context.Background(), request(m, set("k2", "v")))
			wantError(t, err, "storage_failed", "free space")
			_, err = m.Read(context.Background(), &shardrpc.ReadRequest{
				Target: target(m, key("k")), At: 1, Keys: []txn.Key{key("k")}})
			wantError(t, err, "storage_failed")
			wantError(t, m.Ready(), "storage_failed")
			if err := m.Close(); err == nil {
				t.Error("Close does not tell the failure")
			}
			full.Store(false)
			if v := get(t, openMem(t, memOptions(e, mem)), "k"); v.TS == 0 {
				t.Error("what was acknowledged is lost")
			}
		})
	}
}

func request(m *Member, p txn.Program) *shardrpc.CommitRequest {
	var k txn.Key
	p.Keys(func(key txn.Key) { k = key })
	base := m.newest.Load()
	id := txn.NewID(1, ids.Add(1))
	return &shardrpc.CommitRequest{Target: target(m, k), Txn: id, Age: txn.Age{At: base, ID: id},
		BaseTS: base, MaxTS: txn.Forever, Program: p}
}

// Under the mark what grows is refused, with path and bytes; deletes go on; it heals by itself.
func TestDiskMark(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	fs := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) {
		e := env.NewReal()
		defer e.Close()
		o := memOptions(e, fs)
		o.DiskSpace = func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }
		m, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.OpenSession(t.Context(), "test", true); err != nil {
			t.Fatal(err)
		}
		commit(t, m, set("k", "v"))
		free.Store(12345)
		second(m)
		resp := commit(t, m, set("k", "w"))
		if resp.Answer != shardrpc.Refused || resp.Err == nil || resp.Err.Kind != txn.Exhausted {
			t.Fatalf("%+v", resp)
		}
		wantError(t, resp.Err, "disk_full", "parent/data", "12345")
		del := txn.Program{Then: []txn.Op{{Kind: txn.OpDelete, Key: key("k")}}}
		if resp := commit(t, m, del); resp.Answer != shardrpc.OK {
			t.Fatalf("a delete is answered %+v", resp.Reply)
		}
		free.Store(1 << 39)
		second(m)
		if resp := commit(t, m, set("k", "w")); resp.Answer != shardrpc.OK {
			t.Fatalf("with room again a write is answered %+v", resp.Reply)
		}
	})
}

// second lets the keeper come round.
func second(m *Member) { _ = m.o.Env.Sleep(context.Background(), keeperInterval+time.Millisecond) }

// The logs are cut, in memory and on disk: they do not grow for ever.
func TestLogsAreTruncated(t *testing.T) {
	fs := vfs.NewMem()
	m := openMem(t, memOptions(realEnv(t), fs))
	value := strings.Repeat("x", shard.TruncateBytesMin/2-1000)
	data := m.routes[0].Shard
	for round := range 2 {
		before := m.shards[data].Status().FirstIndex
		for range 3 {
			commit(t, m, set("k", value))
		}
		if err := m.state.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := m.truncateLogs(); err != nil {
			t.Fatal(err)
		}
		commit(t, m, set("k", "small")) // after the cut was stepped; the cut goes with it
		if now := m.shards[data].Status().FirstIndex; now <= before {
			t.Fatalf("round %d: the log begins at %d, before at %d", round, now, before)
		}
	}
	if err := m.log.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := m.log.Stats().MemTableBytes; n > 40<<20 {
		t.Errorf("%d bytes of log in memory", n)
	}
}

// A silent owner is asked once a question, not without end.
func TestUnknownOwner(t *testing.T) {
	m := openMem(t, memOptions(realEnv(t), vfs.NewMem()))
	get(t, m, "k") // waits until its shard serves: what is older than that it refuses (L3)
	base, err := m.Timestamp(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	id := txn.NewID(1, ids.Add(1)) // session 1 is alive and nobody was named to ask
	k := key("k")
	resp, err := m.Prewrite(t.Context(), &shardrpc.PrewriteRequest{Target: target(m, k), Txn: id,
		BaseTS: base, MaxTS: txn.Forever, Primary: k, Record: txn.Pending,
		Writes: []txn.Write{{Key: k, Value: txn.StringValue("v")}}})
	if err != nil || resp.Answer != shardrpc.OK {
		t.Fatal(resp, err)
	}
	m.newest.Raise(base + 2*txn.RecoverAfter)
	q := &shardrpc.QueryRequest{Target: target(m, k), Txn: id, Primary: k, BaseTS: base}
	got, err := m.Query(t.Context(), q)
	if err != nil || got.Answer != shardrpc.OK || got.Status != txn.Pending {
		t.Fatal(got, err)
	}
	m.SetOwner(func(txn.ID) bool { return false })
	for got.Status == txn.Pending {
		if got, err = m.Query(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if got.Status != txn.Aborted {
		t.Fatal(got)
	}
}

// Close ends every call in progress; none of them meets a closed engine.
func TestCloseDuringCalls(t *testing.T) {
	m := openMem(t, memOptions(realEnv(t), vfs.NewMem()))
	commit(t, m, set("k", "v"))
	ended := make(chan error)
	const callers = 8
	for i := range callers {
		go func() {
			for {
				var err error
				if i%2 == 0 {
					_, err = m.Commit(context.Background(), request(m, set("k", "v")))
				} else {
					_, err = m.Read(context.Background(), &shardrpc.ReadRequest{
						Target: target(m, key("k")), At: m.newest.Load(), Keys: []txn.Key{key("k")}})
				}
				if err == nil {
					_, err = m.Status(context.Background())
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	for range 50 {
		commit(t, m, set("k2", "v"))
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for range callers {
		wantError(t, <-ended, "stopped")
	}
}

// Whoever gives up waiting for the oracle is let go.
func TestTimestampGivenUp(t *testing.T) {
	m := openMem(t, memOptions(realEnv(t), vfs.NewMem()))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range 10 {
		go func() {
			_, err := m.Timestamp(ctx, 1<<30) // more than the oracle ever has at once
			ended <- err
		}()
	}
	cancel()
	for range 10 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}
