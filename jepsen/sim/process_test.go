package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// bench is a world with one process and nothing else.
func bench() (*world, *process) {
	w := newWorld(&plan{seed: 1, active: time.Hour, faults: calm()})
	n := &node{w: w, name: "n0"}
	w.nodes = []*node{n}
	n.proc = &process{w: w, node: n, name: "n0.1", alive: true}
	return w, n.proc
}

func (w *world) all(t *testing.T) {
	t.Helper()
	w.run(w.now+time.Hour, func() bool { return false })
	if w.broken != nil {
		t.Fatal(w.broken)
	}
}

func TestSleepAndWait(t *testing.T) {
	w, p := bench()
	ctx := context.Background()
	var f env.Future
	var slept, waited, timed time.Duration
	var timeout error
	p.start("sleeper", nil, func() {
		if err := p.Sleep(ctx, 3*time.Second); err != nil {
			t.Error(err)
		}
		slept = p.Now()
		f.Resolve()
	})
	p.start("waiter", nil, func() {
		if err := p.Wait(ctx, &f, 0); err != nil {
			t.Error(err)
		}
		waited = p.Now()
	})
	p.start("impatient", nil, func() {
		timeout = p.Wait(ctx, &f, time.Second)
		timed = p.Now()
	})
	w.all(t)
	if slept != 3*time.Second || waited != slept || timed != time.Second {
		t.Errorf("slept until %v, waited until %v, timed out at %v", slept, waited, timed)
	}
	if !errors.Is(timeout, env.ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", timeout)
	}
}

func TestCancelEndsWaiting(t *testing.T) {
	w, p := bench()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	child, cancelChild := context.WithCancel(ctx)
	defer cancelChild()
	var at [2]time.Duration
	var err [2]error
	p.start("wait", nil, func() {
		err[0] = p.Wait(child, new(env.Future), 0)
		at[0] = p.Now()
	})
	p.start("sleep", nil, func() {
		err[1] = p.Sleep(child, time.Minute)
		at[1] = p.Now()
	})
	w.on(p, time.Second, "cancel", cancel)
	w.all(t)
	for i := range at {
		if at[i] != time.Second || !errors.Is(err[i], context.Canceled) {
			t.Errorf("%d: %v at %v", i, err[i], at[i])
		}
	}
	if len(w.cancellable) > 0 {
		t.Errorf("%d tasks still wait", len(w.cancellable))
	}
}

func TestKillUnwinds(t *testing.T) {
	w, p := bench()
	ctx := context.Background()
	var errs []error
	deferred := 0
	for range 3 {
		p.start("task", nil, func() {
			defer func() {
				deferred++
				errs = append(errs, p.Sleep(ctx, time.Second)) // clean-up gets it again
			}()
			errs = append(errs, p.Sleep(ctx, time.Hour))
			p.Go("late", func() { t.Error("a task started after the end") })
		})
	}
	w.on(p, time.Minute, "orphan", func() { t.Error("an event of a dead process happened") })
	w.on(nil, time.Second, "kill", p.kill)
	w.all(t)
	if deferred != 3 || len(errs) != 6 || len(p.tasks) > 0 {
		t.Errorf("%d deferred, %d errors, %d tasks left", deferred, len(errs), len(p.tasks))
	}
	for _, err := range errs {
		if !errors.Is(err, env.ErrStopped) {
			t.Errorf("got %v, want ErrStopped", err)
		}
	}
}

// A task that does not heed ErrStopped is found, rather than waited for.
func TestKillFindsWhoGoesOn(t *testing.T) {
	w, p := bench()
	p.start("stubborn", nil, func() {
		for p.Sleep(context.Background(), time.Second) != nil || p.alive {
		}
	})
	w.on(nil, time.Second, "kill", p.kill)
	w.run(time.Hour, func() bool { return false })
	if w.broken == nil {
		t.Error("nobody noticed")
	}
}

func TestPauseHoldsEvents(t *testing.T) {
	w, p := bench()
	p.pausedUntil = 5 * time.Second
	var at time.Duration
	w.on(p, time.Second, "held", func() { at = w.now })
	w.all(t)
	if at != 5*time.Second {
		t.Errorf("it happened at %v", at)
	}
}

func TestNetwork(t *testing.T) {
	w, p := bench()
	far := &node{w: w, id: 1, name: "n1"}
	far.proc = &process{w: w, node: far, name: "n1.1", alive: true}
	w.nodes = append(w.nodes, far)
	w.plan.hopMax = time.Millisecond
	send := func() (served int, answers []any) {
		msg := &shardrpc.QueryRequest{Primary: txn.Key("x")}
		w.call(call{name: "note", from: p, to: far, timeout: time.Second,
			serve: func(at *process, answer func(any)) {
				served++
				m := carried(msg).(*shardrpc.QueryRequest)
				m.Primary[0] = 'y'
				answer(&shardrpc.QueryResponse{})
			},
			done: func(a any) { answers = append(answers, a) }})
		w.all(t)
		if msg.Primary[0] != 'x' {
			t.Error("the receiver changed the sender's memory")
		}
		return served, answers
	}
	if served, answers := send(); served != 1 || len(answers) != 1 || answers[0] == nil {
		t.Errorf("a calm network: served %d times, answers %v", served, answers)
	}
	w.faults.duplicate = 1
	if served, answers := send(); served != 2 || len(answers) != 1 || answers[0] == nil {
		t.Errorf("doubled: served %d times, answers %v", served, answers)
	}
	w.faults.duplicate, w.faults.drop = 0, 1
	if served, answers := send(); served != 0 || len(answers) != 1 || answers[0] != nil {
		t.Errorf("lost: served %d times, answers %v", served, answers)
	}
	w.faults.drop = 0
	w.cuts[[2]int{1, 0}] = w.now + time.Hour
	if served, answers := send(); served != 1 || len(answers) != 1 || answers[0] != nil {
		t.Errorf("cut on the way back: served %d times, answers %v", served, answers)
	}
}
