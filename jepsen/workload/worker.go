package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/txn"
)

const (
	moveEvery = 6   // operations, to another gateway
	dropEvery = 150 // operations, with a new connection
	cutEvery  = 60  // operations, given up by the client
	cutMax    = 12 * time.Millisecond
	hangEvery = 250 // operations, in which the client closes its connection
	hangMax   = 8 * time.Millisecond
	sorryMax  = 100 * time.Millisecond // pause after an error that is no conflict
)

// worker is a client of a load: it does one thing after another.
type worker struct {
	load    *Load
	number  int
	process int
	rand    *rand.Rand
	route   *route
	gateway string // that does not change; empty: that of the route
	count   int    // operations
}

func newWorker(l *Load, number int) (*worker, error) {
	r, err := newRoute(l.o.Endpoints, number)
	if err != nil {
		return nil, err
	}
	return &worker{load: l, number: number, process: l.o.Recorder.Process(), route: r,
		rand: rand.New(rand.NewPCG(l.o.Seed, uint64(number)))}, nil
}

// run works until the load is stopped.
func (c *worker) run() {
	for {
		select {
		case <-c.load.stopped:
			return
		case <-c.load.ctx.Done():
			return
		default:
		}
		if c.rand.IntN(moveEvery) == 0 {
			c.route.away(c.rand)
		}
		if c.rand.IntN(dropEvery) == 0 {
			c.route.drop()
		}
		p := c.load.source.next(c.rand, c.number)
		e := c.do(c.load.ctx, p)
		if p.ended != nil {
			p.ended(e)
		}
		think := time.Duration(c.rand.Int64N(2*int64(c.load.o.Think) + 1))
		if e.err != nil && !conflicted(e.err) {
			c.route.away(c.rand)
			think += time.Duration(c.rand.Int64N(int64(sorryMax)))
		}
		_ = pause(c.load.ctx, think) // whose end the loop sees
	}
}

// do carries a plan out and records it.
func (c *worker) do(ctx context.Context, p *plan) *ending {
	suffix, gateway := c.route.called()
	if c.gateway != "" {
		gateway = c.gateway
	}
	event := history.Event{Process: c.process, Type: history.Invoke, Value: p.asked(),
		Mode: p.called() + suffix, Gateway: gateway}
	c.count++
	dbs, err := c.route.all()
	if err != nil { // of the options, which have been good before
		return &ending{outcome: history.Fail, err: err}
	}
	c.load.o.Recorder.Add(event)
	e := c.attempt(ctx, p, dbs[0])
	event.Type = e.outcome
	switch e.outcome {
	case history.OK:
		event.Value, event.TS = e.answer.mops, uint64(e.answer.ts)
	case history.Info:
		c.process = c.load.o.Recorder.Process()
		fallthrough
	default:
		event.Error = describe(e.err)
	}
	if impossible(e.err) {
		event.Odd = fmt.Sprintf("%s: %v", p.called(), e.err)
	}
	if e.outcome != history.OK || e.answer.late == nil {
		c.load.o.Recorder.Add(event)
		return e
	}
	// Looking up takes its time, in which the operation is over.
	settle := c.load.o.Recorder.Hold(event)
	if dbs, err = c.route.all(); err == nil {
		e.answer.ts = e.answer.late(dbs)
	}
	settle(uint64(e.answer.ts))
	return e
}

// attempt carries a plan out, and disturbs it now and then.
func (c *worker) attempt(ctx context.Context, p *plan, db *client.DB) *ending {
	ctx, cancel := context.WithTimeout(ctx, c.load.o.CallMax)
	defer cancel()
	t := attempts{db: db, rand: c.rand,
		name: fmt.Sprintf("client %d, operation %d", c.number, c.count)}
	switch {
	case p.mode == final:
	case c.rand.IntN(cutEvery) == 0:
		t.leaves = c.rand.IntN(2) == 0
		ctx, cancel = context.WithTimeout(ctx, 1+time.Duration(c.rand.Int64N(int64(cutMax))))
		defer cancel()
	case c.rand.IntN(hangEvery) == 0:
		defer c.hangUp(ctx, time.Duration(c.rand.Int64N(int64(hangMax))))()
	}
	a, err := t.carryOut(ctx, p)
	if err == nil {
		err = a.odd
	}
	if err == nil && len(a.mops) == 0 {
		return &ending{outcome: history.Fail, db: db, err: errConditions}
	}
	return &ending{outcome: judge(p, err), answer: a, err: err, db: db}
}

// errConditions is for what was not done since something was not as it had to be.
var errConditions = errors.New("the conditions did not hold")

// hangUp closes the connection in a moment; the function that it returns waits for that.
func (c *worker) hangUp(ctx context.Context, in time.Duration) (wait func()) {
	var closing sync.WaitGroup
	route := c.route
	closing.Go(func() {
		_ = pause(ctx, in)
		route.drop()
	})
	return closing.Wait
}

// judge says what an error means for a plan: what may have happened, and what surely has not.
func judge(p *plan, err error) history.Type {
	switch {
	case err == nil:
		return history.OK
	case !p.writes():
		return history.Fail
	}
	switch txn.KindOf(err) {
	case txn.Unknown, txn.Internal: // the latter promises nothing
		return history.Info
	}
	return history.Fail
}

// impossible reports whether err is what no client may be told, whatever is broken: that
// something contradicts itself, a bug, or a refusal for which no plan gives a reason.
func impossible(err error) bool {
	if err == nil || errors.Is(err, errConditions) {
		return false
	}
	switch txn.KindOf(err) {
	case txn.Conflict, txn.Wounded, txn.Moved, txn.Unavailable, txn.Exhausted, txn.Deadline,
		txn.Unknown:
		return false
	}
	return true // a contradiction has no kind, and so it is Internal
}

// conflicted reports whether err is the work of other clients, not of the gateway.
func conflicted(err error) bool {
	k := txn.KindOf(err)
	return k == txn.Conflict || k == txn.Wounded || errors.Is(err, errConditions)
}

// describe is err in a line, with its kind and reason first.
func describe(err error) string {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return fmt.Sprintf("%v (%s) %v", e.Kind, e.Reason, err)
	}
	return err.Error()
}
