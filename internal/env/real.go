package env

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Real is the Env of a production process.
type Real struct {
	clock clock
	stop  chan struct{}
	once  sync.Once
	mu    sync.Mutex // orders Go against Close
	tasks sync.WaitGroup
}

// NewReal starts its clock at zero.
func NewReal() *Real { return &Real{clock: newClock(), stop: make(chan struct{})} }

// Close makes every wait return ErrStopped and waits for all tasks.
func (r *Real) Close() {
	r.mu.Lock()
	r.once.Do(func() { close(r.stop) })
	r.mu.Unlock()
	r.tasks.Wait()
}

// Now implements Env.
func (r *Real) Now() time.Duration { return r.clock.now() }

// Wall implements Env.
func (r *Real) Wall() int64 { return r.clock.wall() }

// Rand implements Env.
func (r *Real) Rand() uint64 { return rand.Uint64() }

// Go implements Env. After Close it starts nothing.
func (r *Real) Go(_ string, task func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.stop:
	default:
		r.tasks.Go(task)
	}
}

// Sleep implements Env.
func (r *Real) Sleep(ctx context.Context, d time.Duration) error {
	t := r.clock.timer(d)
	defer r.clock.release(t)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.stop:
		return ErrStopped
	}
}

// Wait implements Env.
func (r *Real) Wait(ctx context.Context, f *Future, until time.Duration) error {
	done := f.wait()
	if done == nil {
		return nil
	}
	var timeout <-chan time.Time
	if until > 0 {
		t := r.clock.timer(until - r.Now())
		defer r.clock.release(t)
		timeout = t.C
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout:
		return ErrTimeout
	case <-r.stop:
		return ErrStopped
	}
}

// Point implements Env: nothing happens here.
func (r *Real) Point(string) error { return nil }

var _ Env = (*Real)(nil)
