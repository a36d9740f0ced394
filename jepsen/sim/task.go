package sim

import (
	"context"
	"iter"
	"runtime/debug"
	"slices"
)

// callsAfterStopMax is how often a task may call its Env after the process
// has stopped: more means that it does not heed ErrStopped.
const callsAfterStopMax = 10_000

// task is a coroutine of a process.
type task struct {
	p     *process
	name  string
	op    *Op // on whose behalf it runs; inherited by tasks that it starts
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	// waits counts how often the task has waited: a wake-up that comes late
	// finds another number.
	waits     uint64
	waiting   bool
	ctx       context.Context // of the wait, if it can end
	afterStop int

	// Of runs with failpoints.
	parent   *task  // that works for the same operation and started this one
	answered uint64 // the call that was answered last to it, or to who works for it
	owner    bool   // it is the owner of a replica
	loseNext bool   // the answer to what it asks next is lost
	mute     bool   // so is what it answers
}

// start makes a task that begins to run at a moment of the scheduler's choice.
func (p *process) start(name string, op *Op, body func()) {
	t := p.task(name, op, body)
	p.w.on(p, p.w.between(0, p.w.plan.switchMax), name, t.resume)
}

// task makes one that has not begun to run.
func (p *process) task(name string, op *Op, body func()) *task {
	t := &task{p: p, name: name, op: op}
	if p.w.fail != nil && p.gateway != nil && p.w.current != nil && p.w.current.op == op {
		t.parent = p.w.current
	}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil {
				p.w.violate("panic in task %s of %s: %v\n%s", name, p.name, r, debug.Stack())
			}
		}()
		t.yield = yield
		body()
	})
	p.tasks = append(p.tasks, t)
	return t
}

// resume runs t until it waits or returns.
func (t *task) resume() {
	w := t.p.w
	outer := w.current
	w.current = t
	_, more := t.next()
	w.current = outer
	if !more {
		t.p.tasks = slices.DeleteFunc(t.p.tasks, func(o *task) bool { return o == t })
	}
}

// park gives up control until wake, or until the process stops.
func (t *task) park(ctx context.Context) {
	w := t.p.w
	t.waiting = true
	if ctx.Done() != nil {
		t.ctx = ctx
		w.cancellable = append(w.cancellable, t)
	}
	t.yield(struct{}{})
	t.waiting = false
	if t.ctx != nil {
		t.ctx = nil
		w.cancellable = slices.DeleteFunc(w.cancellable, func(o *task) bool { return o == t })
	}
}

// waker returns what ends the wait that t is about to begin.
func (t *task) waker() func() {
	t.waits++
	n := t.waits
	return func() {
		if t.waiting && t.waits == n {
			t.waits++ // one wake-up is enough
			t.p.w.on(t.p, 0, t.name, t.resume)
		}
	}
}

// endCancelled wakes the tasks whose context has ended.
func (w *world) endCancelled() {
	for i := 0; i < len(w.cancellable); i++ {
		if t := w.cancellable[i]; t.waiting && t.ctx.Err() != nil {
			t.ctx = nil
			w.cancellable = slices.Delete(w.cancellable, i, i+1)
			i--
			t.waits++
			w.on(t.p, 0, t.name, t.resume)
		}
	}
}
