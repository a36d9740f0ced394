package env

import (
	"context"
	"errors"
	"time"
)

// ErrStopped ends a task: its process is gone. Return at once; deferred
// clean-up may call env again and gets it again.
var ErrStopped = errors.New("env: stopped")

// ErrTimeout answers a Wait whose time is up.
var ErrTimeout = errors.New("env: timeout")

// Env is what a process may ask of the world. All methods are safe for
// concurrent use. Errors are ErrStopped, ErrTimeout, a context's, or, from
// Point, one that a test planted.
type Env interface {
	// Now is monotonic time since the process started.
	Now() time.Duration
	// Wall is the wall clock in microseconds since the Unix epoch.
	Wall() int64
	// Rand is 64 random bits.
	Rand() uint64
	// Go starts a task that the Env's owner waits for.
	Go(name string, task func())
	// Sleep waits d, or until ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
	// Wait waits until f is resolved, ctx is done, or Now reaches until (0: no bound).
	Wait(ctx context.Context, f *Future, until time.Duration) error
	// Point marks a place where a task may be delayed, fail or die.
	Point(name string) error
}
