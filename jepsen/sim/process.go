package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// process is one life of a program on a node. It is the env.Env of what runs
// in it.
type process struct {
	w           *world
	node        *node
	name        string
	born        time.Duration
	died        time.Duration
	alive       bool
	pausedUntil time.Duration
	rate        float64       // of its monotonic clock; 0: exact
	asleep      time.Duration // how long its machine was, or will have been, suspended
	asleepUntil time.Duration
	tasks       []*task
	member      *member
	gateway     *gateway
	leads       map[shardrpc.ShardID]*node // who leads which shard, as far as it knows
}

// kill stops p: its tasks run on to their ends with ErrStopped from every
// call of their Env, and nothing that was scheduled for it happens any more.
func (p *process) kill() {
	p.alive = false
	p.died = p.w.now
	for _, t := range slices.Clone(p.tasks) {
		t.resume()
	}
	if len(p.tasks) > 0 && p.w.broken == nil {
		p.w.violate("task %s of %s outlives its process", p.tasks[0].name, p.name)
	}
}

// enter is called first by everything that may wait.
func (p *process) enter(what string) (*task, error) {
	t := p.w.current
	if t == nil || t.p != p {
		panic(fmt.Sprintf("%s of %s called outside of its tasks", what, p.name))
	}
	if p.alive {
		return t, nil
	}
	if t.afterStop++; t.afterStop > callsAfterStopMax {
		panic(fmt.Sprintf("task %s goes on after ErrStopped", t.name))
	}
	return t, env.ErrStopped
}

// Now implements env.Env: it stands still while the machine is suspended.
func (p *process) Now() time.Duration {
	exact := p.w.now - p.born - p.asleep
	if p.rate == 0 {
		return exact
	}
	return time.Duration(float64(exact) * p.rate)
}

// at schedules f for when p's clock shows until.
func (p *process) at(until time.Duration, label string, f func()) {
	left := until - p.Now()
	if p.rate != 0 {
		left = time.Duration(float64(left)/p.rate) + 1
	}
	p.w.on(p, left, label, func() {
		if p.Now() < until { // it was suspended
			p.at(until, label, f)
			return
		}
		f()
	})
}

// after schedules f by p's clock.
func (p *process) after(d time.Duration, label string, f func()) { p.at(p.Now()+d, label, f) }

// Wall implements env.Env: every machine's clock is off by its own amount.
func (p *process) Wall() int64 { return epoch + p.w.now.Microseconds() + p.node.skew }

// Rand implements env.Env.
func (p *process) Rand() uint64 { return p.w.Uint64() }

// Go implements env.Env.
func (p *process) Go(name string, body func()) {
	if !p.alive {
		return
	}
	var op *Op
	if p.w.current != nil {
		op = p.w.current.op
	}
	p.start(name, op, body)
}

// Sleep implements env.Env.
func (p *process) Sleep(ctx context.Context, d time.Duration) error {
	t, err := p.enter("Sleep")
	if err != nil {
		return err
	}
	p.after(d, "wake", t.waker())
	t.park(ctx)
	if !p.alive {
		return env.ErrStopped
	}
	return ctx.Err()
}

// Wait implements env.Env.
func (p *process) Wait(ctx context.Context, f *env.Future, until time.Duration) error {
	t, err := p.enter("Wait")
	switch {
	case err != nil:
		return err
	case f.Done():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case until > 0 && until <= p.Now():
		return env.ErrTimeout
	}
	wake := t.waker()
	f.OnDone(wake)
	if until > 0 {
		p.at(until, "timeout", wake)
	}
	t.park(ctx)
	switch {
	case !p.alive:
		return env.ErrStopped
	case f.Done():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return env.ErrTimeout
	}
}

// Point implements env.Env: the task may be held up here, or the process die.
func (p *process) Point(name string) error {
	t, err := p.enter("Point")
	if err != nil {
		return err
	}
	w := p.w
	w.trace.word(name)
	if w.fail != nil {
		return p.failAt(t, name)
	}
	if w.hit(w.faults.pointCrash) && w.mayCrash(p.node) {
		w.say("%s dies at %s", p.name, name)
		w.saw("crash at a point")
		w.on(nil, 0, "crash", func() { w.crash(p.node, p) })
	} else if !w.hit(w.faults.point) {
		return nil
	}
	w.saw("point delayed")
	p.w.on(p, w.between(0, w.faults.pointMax), name, t.waker())
	t.park(context.Background())
	if !p.alive {
		return env.ErrStopped
	}
	return nil
}

var _ env.Env = (*process)(nil)
