package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

const (
	// copiesMax is how often a client sends a request before it gives up.
	copiesMax = 8
	// reasonForgone is what an attempt gets after somebody was told "aborted".
	reasonForgone = "request_aborted"
	// Every aheadEvery-th operation, if it is a request, is dated as much in the future, as by a
	// client that makes its dates up.
	aheadEvery = 10
	aheadBy    = txn.Timestamp(20 * time.Millisecond / time.Microsecond)
)

// Request is an operation that is sent again, at any gateway, until its client
// knows what came of it.
type Request struct {
	txn.Request               // but for its fingerprint
	Anchor      txn.Key       // nil: nothing that is remembered was sent
	Sent        txn.Timestamp // by the client's clock
	Ahead       bool          // it is dated in the future
	Copies      int
	Open        bool          // of some copy nobody knows what became
	Told        txn.Timestamp // where an inquiry said that it was committed; 0: none did
}

// requestWorkloads are for plans that keep what they remember for long enough.
func requestWorkloads() []workload {
	return []workload{
		{name: "request", run: runRequest},
		{name: "request of a transaction", run: runRequestCommit},
	}
}

// planRequests adds them to the mix. It draws from a source of its own.
func (p *plan) planRequests() {
	c := newChance(p.seed ^ 0x5851f42d4c957f2d)
	if p.retention != 0 || !c.oneIn(3) {
		return
	}
	for _, w := range requestWorkloads() {
		for range c.number(1, 3) {
			p.mix = append(p.mix, w)
		}
	}
}

// ask makes r's operation a request.
func (r *runner) ask() *Request {
	q := &Request{Copies: 1, Sent: txn.Timestamp(r.p.Wall())}
	q.ID = txn.HashRequestID(fmt.Append(nil, "request ", r.op.ID))
	if r.op.ID%2 == 0 { // its client tells what it has seen
		q.Since = r.co.Newest()
	}
	if q.Ahead = r.op.ID%aheadEvery == 0; q.Ahead {
		q.Since += aheadBy
	}
	r.op.Request = q
	return q
}

// runRequest is a one-shot transaction with a request_id.
func runRequest(r *runner) error {
	q := r.ask()
	p := r.program()
	if q.Anchor = p.Anchor(); q.Anchor == nil {
		r.op.Request = nil
		return r.execute(p)
	}
	r.op.Program = &Execution{Program: p}
	r.request = q.Request
	if r.w.oneIn(10) { // somebody asks before it is sent
		if err := r.inquire(q); err != nil {
			return r.tooLate(err)
		}
	}
	if err := r.execute(p); err != nil {
		return err
	}
	if r.w.oneIn(5) {
		return r.unheard()
	}
	return r.doubt(q)
}

// unheard makes the client's connection break before its answer comes.
func (r *runner) unheard() error {
	r.w.saw("answer lost on its way to the client")
	return errStillOpen()
}

// tooLate sometimes sends a copy all the same after an inquiry that came to err:
// if that said "aborted", nothing may come of it.
func (r *runner) tooLate(err error) error {
	e, _ := errors.AsType[*txn.Error](err)
	if e == nil || e.Reason != reasonForgone || r.w.oneIn(2) {
		return err
	}
	if r.execute(r.op.Program.Program) == nil {
		r.w.violate("%v\nwas carried out after an inquiry was told that it is aborted", r.op)
	}
	r.w.saw("request after an inquiry")
	return err
}

// doubt makes a client that has its answer ask again all the same.
func (r *runner) doubt(q *Request) error {
	first := r.op.Program.Result
	if r.w.oneIn(3) {
		_ = r.inquire(q) // what it learns is looked at in heard
	}
	if !r.w.oneIn(4) {
		return nil
	}
	again := *r.op.Program
	res, err := r.co.Execute(r.ctx, &again.Program,
		coordinator.CommitOptions{Deadline: r.deadline, Request: q.Request})
	if err == nil && (res.CommitTS != first.CommitTS || res.Succeeded != first.Succeeded) {
		r.w.violate("%v\nwas answered again at %d, succeeded %v", r.op, res.CommitTS, res.Succeeded)
	}
	if err == nil {
		r.w.saw("request repeated after its answer")
	}
	return nil
}

// runRequestCommit is an interactive transaction whose commit has a request_id.
func runRequestCommit(r *runner) error {
	q := r.ask()
	r.request = q.Request
	err := r.interact(coordinator.BeginOptions{}, func(s *session) error {
		for range s.w.number(1, 5) {
			if _, err := s.do(s.anyOp()); err != nil {
				return err
			}
		}
		q.Anchor = s.t.Anchor()
		return nil
	})
	if err == nil && r.w.oneIn(4) {
		return r.unheard()
	}
	return err
}

// repeat is another copy of a request, or a question about those that were sent.
func (r *runner) repeat() error {
	q := r.op.Request
	q.Copies++
	r.request = q.Request
	if r.op.Txn != nil {
		return r.inquire(q)
	}
	if r.w.oneIn(3) {
		if err := r.inquire(q); err != nil {
			return r.tooLate(err)
		}
	}
	r.w.saw("request repeated")
	return r.execute(r.op.Program.Program)
}

func errStillOpen() error {
	return txn.Errorf(txn.Unknown, "still_open", "the outcome is not known yet")
}

// inquire asks for the outcome of a request: nil if it was committed or may be.
func (r *runner) inquire(q *Request) error {
	out, err := r.co.Outcome(r.ctx, token.Token{
		Anchor: q.Anchor, ID: q.ID, Since: q.Sent}, r.deadline)
	switch kind := txn.KindOf(err); {
	case err == nil:
	case kind == txn.TooOld: // its clock is off
		return nil
	default:
		return err
	}
	switch out.Status {
	case txn.Committed:
		r.w.saw("inquiry: committed")
		if q.Told != 0 && q.Told != out.CommitTS {
			r.w.violate("%v\nwas told to be committed at %d and at %d", r.op, q.Told, out.CommitTS)
		}
		q.Told = out.CommitTS
		if r.op.Txn != nil {
			return errStillOpen() // its client learns no more than that
		}
	case txn.Aborted:
		r.w.saw("inquiry: aborted")
		if q.Told != 0 {
			r.w.violate("%v\nwas told to be committed at %d and to be aborted", r.op, q.Told)
		}
		return txn.Errorf(txn.Conflict, reasonForgone, "an inquiry was told so")
	default:
		return errStillOpen()
	}
	return nil
}

// tooEarly reports whether err is what op may come to for its date.
func (op *Op) tooEarly(err error) bool {
	e, ok := errors.AsType[*txn.Error](err)
	return ok && e.Reason == "request_id_early" && op.Request != nil && op.Request.Ahead
}

// heard is what the client of a request makes of an answer to one of its copies.
func (op *Op) heard(w *world, err error) {
	q := op.Request
	e, _ := errors.AsType[*txn.Error](err)
	switch op.Outcome {
	case Unknown:
		q.Open = true
	case Committed:
		if q.Told != 0 && op.commitTS() != q.Told {
			w.violate("%v\nan inquiry was told that it committed at %d", op, q.Told)
		}
	case Failed:
		forgone := e != nil && e.Reason == reasonForgone
		if forgone && q.Told != 0 {
			w.violate("%v\nan inquiry was told that it committed at %d", op, q.Told)
		}
		if q.Open && !forgone { // that is about this copy alone
			op.Outcome, op.End = Unknown, 0
		}
	}
}

// unsettled reports whether the client of op goes on with it.
func (op *Op) unsettled() bool {
	q := op.Request
	return q != nil && q.Anchor != nil && op.Outcome == Unknown && q.Copies < copiesMax &&
		(op.Txn == nil || q.Told == 0)
}

// repeatLater sends another copy at whichever gateway is there then.
func (c *client) repeatLater(delay time.Duration) {
	c.w.on(nil, delay, "client", func() {
		g := c.w.anyGateway()
		if g == nil {
			c.repeatLater(againSoon)
			return
		}
		c.start(g, (*runner).repeat)
	})
}
