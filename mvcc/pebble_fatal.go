package mvcc

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// closeWaitMax is how long Close gives a failed Pebble to let go of its files.
const closeWaitMax = time.Second

// failure remembers the first error that an engine cannot go on after.
//
// Pebble tells of such errors by Logger.Fatalf, and counts on it never to
// return: it may hold locks and have half-changed its state. So the goroutine
// that calls it stays there until Close, and then ends.
type failure struct {
	dir     string
	log     *slog.Logger
	onFatal func(error)

	once    sync.Once
	err     error         // set before failed is closed
	failed  chan struct{} // closed at the first failure
	release chan struct{} // closed by Close
}

func newFailure(o *PebbleOptions) *failure {
	return &failure{
		dir: o.Dir, log: o.Log, onFatal: o.OnFatal,
		failed: make(chan struct{}), release: make(chan struct{}),
	}
}

// get is the failure, or nil.
func (f *failure) get() error {
	select {
	case <-f.failed:
		return f.err
	default:
		return nil
	}
}

// set notes cause unless there is a failure already, and returns the first.
func (f *failure) set(cause error) error {
	f.once.Do(func() {
		next := "check the disk that holds " + f.dir + ", then start again"
		if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) {
			next = "free space on the disk that holds " + f.dir + ", then start again"
		}
		f.err = &txn.Error{
			Kind: txn.Internal, Op: "mvcc", Reason: ReasonStorage, Next: next,
			Err: fmt.Errorf("storage in %s has failed: %w", f.dir, cause),
		}
		close(f.failed)
		f.onFatal(f.err)
	})
	<-f.failed
	return f.err
}

// background hears of a failed flush or compaction. Pebble would try for ever,
// which a full or broken disk does not reward: writers would hang meanwhile.
func (f *failure) background(err error) {
	for _, final := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS,
	} {
		if errors.Is(err, final) {
			_ = f.set(err)
			return
		}
	}
	f.log.Error("storage background error", "dir", f.dir, "err", err)
}

// Infof is part of pebble.Logger.
func (f *failure) Infof(format string, args ...any) {
	f.log.Debug(fmt.Sprintf(format, args...), "dir", f.dir)
}

// Errorf is part of pebble.Logger.
func (f *failure) Errorf(format string, args ...any) {
	f.log.Error(fmt.Sprintf(format, args...), "dir", f.dir)
}

// Fatalf is part of pebble.Logger.
func (f *failure) Fatalf(format string, args ...any) {
	cause := fmt.Errorf(format, args...)
	for _, a := range args {
		if err, ok := a.(error); ok {
			cause = fmt.Errorf("%s: %w", strings.TrimSuffix(format, ": %v"), err)
		}
	}
	_ = f.set(cause)
	// A failed commit holds no lock and does nothing more: it may go back to
	// pebbleBatch.Commit, which answers the failure.
	if strings.HasPrefix(format, "pebble: fatal commit error") {
		return
	}
	<-f.release
	runtime.Goexit()
}
