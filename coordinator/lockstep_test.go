package coordinator_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/env"
)

// lockstep is an Env in which one task runs at a time, in the order in which
// they became ready, and time jumps to the next timer when none is.
type lockstep struct {
	mu     sync.Mutex
	now    time.Duration
	seed   uint64
	ready  []*task
	timers []timer
	yield  chan struct{}
	at     *task // the one that runs
	stop   bool
	points map[string]error // planted
}

type task struct {
	resume chan struct{}
	queued bool
}

type timer struct {
	at   time.Duration
	task *task
}

func newLockstep() *lockstep {
	return &lockstep{yield: make(chan struct{}), points: make(map[string]error)}
}

// run carries out f and everything that it starts.
func (l *lockstep) run(t *testing.T, f func()) {
	t.Helper()
	done := false
	l.Go("main", func() {
		f()
		done = true
	})
	for l.step() {
	}
	if !done {
		t.Fatal("the task waits for ever")
	}
}

func (l *lockstep) step() bool {
	l.mu.Lock()
	if len(l.ready) == 0 && len(l.timers) > 0 {
		next := l.timers[0]
		l.timers = l.timers[1:]
		l.now = max(l.now, next.at)
		l.wakeLocked(next.task)
	}
	if len(l.ready) == 0 {
		more := len(l.timers) > 0
		l.mu.Unlock()
		return more
	}
	l.at = l.ready[0]
	l.ready = l.ready[1:]
	l.at.queued = false
	l.mu.Unlock()
	l.at.resume <- struct{}{}
	<-l.yield
	return true
}

func (l *lockstep) wakeLocked(t *task) {
	if t.resume != nil && !t.queued {
		t.queued = true
		l.ready = append(l.ready, t)
	}
}

func (l *lockstep) park(t *task) {
	l.yield <- struct{}{}
	<-t.resume
}

func (l *lockstep) Now() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *lockstep) Wall() int64 { return l.Now().Microseconds() }

func (l *lockstep) Rand() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seed += 0x9e3779b97f4a7c15
	return l.seed ^ l.seed>>29
}

func (l *lockstep) Go(_ string, f func()) {
	t := &task{resume: make(chan struct{})}
	go func() {
		<-t.resume
		f()
		l.yield <- struct{}{}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wakeLocked(t)
}

func (l *lockstep) Sleep(ctx context.Context, d time.Duration) error {
	err := l.Wait(ctx, new(env.Future), l.Now()+max(d, 1))
	if err == env.ErrTimeout {
		return nil
	}
	return err
}

func (l *lockstep) Wait(ctx context.Context, f *env.Future, until time.Duration) error {
	me := l.at
	over := false
	f.OnDone(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !over {
			l.wakeLocked(me)
		}
	})
	if until > 0 && !f.Done() {
		l.addTimer(timer{until, me})
	}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		over = true
		l.timers = slices.DeleteFunc(l.timers, func(t timer) bool { return t.task == me })
	}()
	for {
		switch {
		case l.stop:
			return env.ErrStopped
		case f.Done():
			l.unqueue(me)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case until > 0 && l.Now() >= until:
			return env.ErrTimeout
		}
		l.park(me)
	}
}

func (l *lockstep) addTimer(t timer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := len(l.timers)
	for i > 0 && l.timers[i-1].at > t.at {
		i--
	}
	l.timers = slices.Insert(l.timers, i, t)
}

// unqueue takes back a wake-up that came before the task parked.
func (l *lockstep) unqueue(me *task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if me.queued {
		me.queued = false
		l.ready = slices.DeleteFunc(l.ready, func(t *task) bool { return t == me })
	}
}

func (l *lockstep) Point(name string) error {
	err := l.points[name]
	delete(l.points, name)
	if err == env.ErrStopped {
		l.stop = true
	}
	if l.stop {
		return env.ErrStopped
	}
	return err
}

var _ env.Env = (*lockstep)(nil)
