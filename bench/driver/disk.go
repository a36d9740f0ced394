package driver

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cairnkv/cairn/bench/load"
)

// How often the disk is asked how long it takes, and by how much.
const (
	syncEvery = 200 * time.Millisecond
	syncBytes = 4 << 10
)

// diskWatch syncs a small file of its own on the disk of a system, again and again: what that has
// to wait for the disk, it waits for too, and for nothing else.
type diskWatch struct {
	stop    context.CancelFunc
	done    chan struct{}
	longest time.Duration // when done is closed
	err     error
}

// watchDisk begins to watch the disk that a system has its data on; nil if that is not known, or
// the run is a short one.
func watchDisk(ctx context.Context, r load.Run, processes map[int]load.Usage) (*diskWatch, error) {
	dir := dataDir(processes)
	if !r.Long() || dir == "" {
		return nil, nil
	}
	f, err := os.CreateTemp(filepath.Dir(dir), "sync-")
	if err != nil {
		return nil, fmt.Errorf("watching the disk: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	w := &diskWatch{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.longest, w.err = syncs(ctx, f)
	}()
	return w, nil
}

// dataDir is the directory of some process that serves; "": none is known.
func dataDir(processes map[int]load.Usage) string {
	for _, pid := range slices.Sorted(maps.Keys(processes)) {
		if dir := processes[pid].Data; dir != "" {
			return dir
		}
	}
	return ""
}

// syncs is the longest sync of f until ctx ends. Then f is removed.
func syncs(ctx context.Context, f *os.File) (longest time.Duration, err error) {
	defer os.Remove(f.Name())
	defer f.Close()
	every := time.NewTicker(syncEvery)
	defer every.Stop()
	for block := make([]byte, syncBytes); ; {
		if _, err := f.WriteAt(block, 0); err != nil {
			return 0, fmt.Errorf("watching the disk: %w", err)
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("watching the disk: %w", err)
		}
		longest = max(longest, time.Since(began))
		select {
		case <-every.C:
		case <-ctx.Done():
			return longest, nil
		}
	}
}

// end is the longest sync; 0: nobody watched.
func (w *diskWatch) end() (time.Duration, error) {
	if w == nil {
		return 0, nil
	}
	w.stop()
	<-w.done
	return w.longest, w.err
}
