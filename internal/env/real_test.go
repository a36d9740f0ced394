package env_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/env"
)

func TestWait(t *testing.T) {
	r := env.NewReal()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var past env.Future
	past.Resolve()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		f     *env.Future
		until time.Duration
		want  error
	}{
		{"resolved before", gone, &past, 1, nil},
		{"context done", gone, new(env.Future), time.Hour, context.Canceled},
		{"time is up", t.Context(), new(env.Future), 1, env.ErrTimeout},
		{"time will be up", t.Context(), new(env.Future), r.Now() + time.Millisecond, env.ErrTimeout},
	} {
		for range 3 { // with the timers of those before
			if err := r.Wait(c.ctx, c.f, c.until); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		}
	}
	r.Close()
	if err := r.Wait(t.Context(), new(env.Future), 0); !errors.Is(err, env.ErrStopped) {
		t.Errorf("after Close: %v", err)
	}
}

// TestResolveWakesAll: whoever waits, in whatever way, is woken once.
func TestResolveWakesAll(t *testing.T) {
	r := env.NewReal()
	defer r.Close()
	var f env.Future
	var told int
	f.OnDone(func() { told++ })
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			if err := r.Wait(t.Context(), &f, r.Now()+time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	f.Resolve()
	f.Resolve()
	waiting.Wait()
	if told != 1 || !f.Done() {
		t.Errorf("told %d times, done %v", told, f.Done())
	}
}
