package sim

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// eventsMax is how many events a run may take: more is a livelock.
	eventsMax = 5_000_000
	// epoch is the wall clock when a run begins, in microseconds.
	epoch = 1_700_000_000_000_000
)

// world is one run: its clock, its machines, its network and its history. One
// goroutine owns all of it.
type world struct {
	chance
	trace trace
	plan  *plan

	now     time.Duration
	queue   queue
	seq     uint64
	events  int
	current *task
	// cancellable are the tasks that wait with a context that can end.
	cancellable []*task

	faults   faults        // those in force now
	fail     *failpoints   // nil: none, and nobody counts passages
	rounds   *rounds       // nil: nobody counts them
	lastLate time.Duration // when the last late message arrives
	nodes    []*node
	members  []*node // those of nodes that have replicas
	groups   []*group
	routes   []shardrpc.Route         // of the groups with data
	tardy    map[tardy]time.Duration  // when prewrites arrive
	cuts     map[[2]int]time.Duration // until when one node cannot reach another
	sessions map[uint32]*process

	snapshots uint64 // that were sent
	lockers   int    // under way

	issued  issues // by the oracle
	writers map[txn.Timestamp]txn.ID
	moments uint64
	ops     []*Op
	clients []*client
	known   knowledge
	seen    map[string]int // how often what was worth it happened
	broken  error          // the first violation
}

func newWorld(p *plan) *world {
	return &world{
		chance: newChance(p.seed), plan: p, faults: p.faults,
		trace:    trace{hash: fnvOffset},
		cuts:     map[[2]int]time.Duration{},
		tardy:    map[tardy]time.Duration{},
		sessions: map[uint32]*process{},
		writers:  map[txn.Timestamp]txn.ID{},
		seen:     map[string]int{},
		known:    newKnowledge(),
	}
}

// on schedules f for a process, or for the world with p nil. What is
// scheduled for a process dies with it, and waits while it is paused.
func (w *world) on(p *process, delay time.Duration, label string, f func()) {
	w.seq++
	w.queue.push(&event{at: w.now + max(delay, 0), order: w.Uint32(), seq: w.seq,
		p: p, label: label, f: f})
}

// run lets events happen until done says so, or until a moment, or until a
// violation. It reports whether done said so.
func (w *world) run(until time.Duration, done func() bool) bool {
	for w.broken == nil {
		if done() {
			return true
		}
		if len(w.queue) == 0 || w.queue[0].at > until {
			w.now = until
			return done()
		}
		w.happen(w.queue.pop())
	}
	return false
}

func (w *world) happen(e *event) {
	defer func() {
		if r := recover(); r != nil {
			w.violate("panic in event %s: %v\n%s", e.label, r, debug.Stack())
		}
	}()
	w.now = max(w.now, e.at)
	if e.p != nil {
		if !e.p.alive {
			return
		}
		if e.p.pausedUntil > w.now {
			e.at = e.p.pausedUntil
			w.queue.push(e)
			return
		}
	}
	if w.events++; w.events > eventsMax {
		w.violate("livelock: %d events by %v", w.events, w.now)
		return
	}
	w.trace.number(uint64(e.at))
	w.trace.word(e.label)
	e.f()
	w.endCancelled()
}

// violate notes the first violation; the run ends.
func (w *world) violate(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
		w.say("VIOLATION: %v", w.broken)
	}
}

// saw counts something that a test wants to have happened.
func (w *world) saw(what string) { w.seen[what]++ }

// moment orders what clients do, finer than the clock.
func (w *world) moment() uint64 {
	w.moments++
	return w.moments
}
