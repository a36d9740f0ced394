package member

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/env"
)

const slowSync = 10 * time.Millisecond

// slowFS takes slowSync to sync a write-ahead log of the log engine.
type slowFS struct {
	vfs.FS
	env env.Env
}

func (fs slowFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err == nil && strings.Contains(name, "data/log/") && strings.HasSuffix(name, ".log") {
		f = slowFile{f, fs.env}
	}
	return f, err
}

type slowFile struct {
	vfs.File
	env env.Env
}

func (f slowFile) SyncData() error {
	return errors.Join(f.env.Sleep(context.Background(), slowSync), f.File.SyncData())
}

// What comes while a batch is written shares the next sync, whatever shards it is for.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := env.NewReal()
		defer e.Close()
		o := memOptions(e, slowFS{vfs.NewMem(), e})
		o.Splits = [][]byte{[]byte("b"), []byte("c")}
		m, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.OpenSession(t.Context(), "test", true); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"a", "b", "c"} {
			commit(t, m, set(k, "v"))
		}
		before := m.SyncTimes().Count
		var done sync.WaitGroup
		for _, k := range []string{"a", "b", "b1", "c", "b2", "c1"} {
			done.Go(func() { commit(t, m, set(k, "w")) })
			if err := e.Sleep(t.Context(), slowSync/8); err != nil {
				t.Fatal(err)
			}
		}
		done.Wait()
		if n := m.SyncTimes().Count - before; n != 2 {
			t.Errorf("six writes within one sync took %d syncs in all", n)
		}
	})
}

// A replica waits for the batch that is being written, and not for those that others fill.
func TestHold(t *testing.T) {
	p := newAppender(nil)
	a, b := &hosted{}, &hosted{}
	want := func(h *hosted, held bool) {
		t.Helper()
		if p.hold(h) != held {
			t.Fatalf("held: %v", !held)
		}
	}
	want(a, false)
	p.mu.batch, p.mu.writing = 1, true
	want(a, true)
	want(a, true)
	want(b, true)
	if len(p.mu.held) != 2 {
		t.Fatalf("%d are told", len(p.mu.held))
	}
	p.mu.batch, p.mu.held = 2, nil // another worker was faster
	want(a, false)
	want(a, true) // for what comes after that
	p.mu.writing = false
	want(a, false)
	want(b, false)
	p.mu.batch, p.mu.writing = 3, true
	want(b, true)
}
