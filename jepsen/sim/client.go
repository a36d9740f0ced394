package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/txn"
)

// client does one operation after the other, each at some gateway.
type client struct {
	w    *world
	id   int
	op   *Op // under way; nil: between two
	done bool
	// age is that of a transaction which lost a conflict and will try again.
	age *txn.Age
}

// againSoon is how long a client waits when no gateway takes requests.
const againSoon = 50 * time.Millisecond

func (c *client) nextLater(delay time.Duration) {
	c.w.on(nil, delay, "client", c.next)
}

func (c *client) next() {
	w := c.w
	if w.now >= w.plan.active {
		c.done = true
		return
	}
	g := w.anyGateway()
	if g == nil {
		c.nextLater(againSoon)
		return
	}
	c.begin(g, pick(w.chance, w.plan.mix))
}

// anyGateway is one that takes requests; nil if none does.
func (w *world) anyGateway() *gateway {
	var up []*gateway
	for _, n := range w.nodes {
		if p := n.proc; p != nil && p.gateway != nil && p.gateway.coordinator != nil {
			up = append(up, p.gateway)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return pick(w.chance, up)
}

// begin starts an operation at g.
func (c *client) begin(g *gateway, what workload) {
	w := c.w
	op := &Op{ID: len(w.ops) + 1, Client: c.id, Name: what.name, Gateway: g.p.name,
		Start: w.moment(), StartAt: w.now}
	op.Note = txn.Annotation{
		Principal: fmt.Sprintf("client %d", op.Client), Message: fmt.Sprintf("op %d", op.ID),
	}
	w.ops = append(w.ops, op)
	c.op = op
	c.start(g, what.run)
}

// start lets the client's operation run at g, for the first time or again.
func (c *client) start(g *gateway, run func(*runner) error) {
	w, op := c.w, c.op
	g.running = append(g.running, c)
	ctx, cancel := context.WithCancel(context.Background())
	if !w.plan.patient && w.oneIn(12) {
		w.on(g.p, w.between(0, 100*time.Millisecond), "cancel", cancel)
	}
	r := &runner{w: w, c: c, p: g.p, co: g.coordinator, ctx: ctx, op: op}
	if !w.plan.patient && w.oneIn(4) {
		r.deadline = g.p.Now() + w.between(time.Millisecond, 2*time.Second)
	}
	g.p.start("client", op, func() {
		defer cancel()
		err := run(r)
		if errors.Is(err, env.ErrStopped) || !g.p.alive {
			return // nobody is there to answer the client
		}
		g.forget(c)
		if w.fail != nil && w.current.loseNext {
			c.lost()
			return
		}
		c.finish(err)
	})
}

func (g *gateway) forget(c *client) {
	for i := range g.running {
		if g.running[i] == c {
			g.running = append(g.running[:i], g.running[i+1:]...)
			return
		}
	}
}

// finish takes the answer.
func (c *client) finish(err error) {
	w, op := c.w, c.op
	op.End = w.moment()
	op.Err = err
	kind := txn.KindOf(err)
	switch op.Outcome = Failed; {
	case err == nil:
		op.Outcome = Committed
		w.saw("done: " + op.Name)
	case kind == txn.Conflict, kind == txn.Wounded, kind == txn.Unavailable, kind == txn.Deadline,
		kind == txn.Exhausted && w.plan.exhausts(err), kind == txn.Invalid && w.plan.misfits(err),
		op.tooEarly(err):
		w.saw("failed: " + kind.String())
		if kind == txn.Conflict {
			w.saw("lost a conflict: " + op.Name)
		}
	case kind == txn.Unknown:
		op.Outcome, op.End = Unknown, 0
		w.saw("outcome unknown")
	default:
		w.violate("%v\nno request asks for such an error", op)
	}
	if op.Request != nil {
		op.heard(w, err)
	}
	w.say("op %d of client %d (%s) ends: %s", op.ID, c.id, op.Name, op.Outcome.String())
	if op.unsettled() {
		c.repeatLater(w.between(0, w.plan.think))
		return
	}
	c.op = nil
	c.nextLater(w.between(0, w.plan.think))
}

// exhausts reports whether the plan has what err complains of: full disks, or
// values of which a few are more than an answer may hold.
func (p *plan) exhausts(err error) bool {
	if e, ok := errors.AsType[*txn.Error](err); ok && e.Reason == "answer_too_large" {
		return p.big
	}
	return p.faults.fullEvery > 0
}

// misfits reports whether err is what an update or a revert may come to: what is
// there is not known beforehand.
func (p *plan) misfits(err error) bool {
	e, ok := errors.AsType[*txn.Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case "type_mismatch":
		return true
	case "as_of_future": // of an open transaction whose snapshot is older
		return true
	case "value_too_large":
		return p.big
	default:
		return false
	}
}

// lost is the end of the connection, mostly because the gateway has died.
func (c *client) lost() {
	c.w.saw("answer lost with its gateway")
	c.w.say("op %d of client %d gets no answer", c.op.ID, c.id)
	if c.op.Request != nil {
		c.op.heard(c.w, nil)
	}
	if c.op.unsettled() {
		c.repeatLater(c.w.between(0, c.w.plan.think))
		return
	}
	c.op = nil
	c.nextLater(c.w.between(0, c.w.plan.think))
}
