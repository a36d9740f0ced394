package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// runner carries out one operation and records what it learns.
type runner struct {
	w        *world
	c        *client
	p        *process // of the gateway
	co       *coordinator.Coordinator
	ctx      context.Context
	op       *Op
	deadline time.Duration
	values   int         // made so far
	request  txn.Request // of what commits; without ID: none
}

// options are those of what commits.
func (r *runner) options() coordinator.CommitOptions {
	return coordinator.CommitOptions{
		Deadline: r.deadline, Request: r.request, Annotation: r.op.Note,
	}
}

// value makes one that no other operation writes.
func (r *runner) value() txn.Value {
	r.values++
	text := fmt.Sprintf("o%d.%d", r.op.ID, r.values)
	if r.w.plan.big && r.w.oneIn(2) {
		return txn.BytesValue(append([]byte(text), make([]byte, r.w.number(300, 900)<<10)...))
	}
	number := int64(r.op.ID*10 + r.values)
	switch r.w.IntN(6) {
	case 0:
		return txn.IntValue(number)
	case 1:
		return txn.FloatValue(float64(number) + 0.5)
	}
	return txn.StringValue(text)
}

func (r *runner) key() txn.Key { return userKey(pick(r.w.chance, r.w.plan.keys)) }

// span is a random part of the keys; sometimes all there is.
func (r *runner) span() txn.Span {
	if r.w.oneIn(6) {
		return txn.PrefixSpan(userKey("k"))
	}
	a, b := r.key(), r.key()
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return txn.Span{Start: a, End: b.Next()}
}

var testNames = [...]string{"key", "all", "any", "not", "compare", "count", "unchanged"}

// execute runs a one-shot transaction.
func (r *runner) execute(p txn.Program) error {
	p.Annotation = r.op.Note
	e := &Execution{Program: p}
	r.op.Program = e
	res, err := r.co.Execute(r.ctx, &e.Program, r.options())
	if err != nil {
		return err
	}
	e.Result = res
	r.w.known.stamp(res.CommitTS)
	if res.Attempts > 1 {
		r.w.saw("attempted again")
	}
	p.If.Walk(func(t *txn.Test) {
		r.w.saw(fmt.Sprintf("tested: %s, program %v", testNames[t.Kind], res.Succeeded))
	})
	for i := range res.Results {
		if e := &res.Results[i].Entry; e.TS != 0 {
			r.w.known.learn(e.Key, &e.Version)
		}
	}
	return nil
}

// get reads keys.
func (r *runner) get(read coordinator.Read) error {
	read.Deadline = r.deadline
	g := &Get{Read: read}
	r.op.Get = g
	versions, at, err := r.co.Get(r.ctx, read)
	if err != nil {
		return err
	}
	g.Versions, g.At = versions, at
	r.w.known.stamp(at)
	for i := range versions {
		if read.Revision == nil {
			r.w.known.learn(read.Keys[i], &versions[i])
		}
	}
	if read.Revision == nil {
		return nil
	}
	// What a revision is and what a history shows have one rule.
	g.Past, err = r.co.History(r.ctx, coordinator.History{
		At: at, Key: read.Keys[0], Limit: pastMax, Deadline: read.Deadline,
	})
	return err
}

// pastMax is how many versions a page of a history has.
const pastMax = 4

// scan reads one page.
func (r *runner) scan(s coordinator.Scan) (*coordinator.Page, error) {
	s.Deadline = r.deadline
	page, err := r.co.Scan(r.ctx, s)
	r.op.Scans = append(r.op.Scans, &Scan{Scan: s, Page: page})
	if err == nil {
		r.w.known.stamp(page.At)
	}
	return page, err
}

// interact begins a transaction, lets body work in it, and commits it.
func (r *runner) interact(o coordinator.BeginOptions, body func(t *session) error) error {
	o.Deadline, o.Age = r.deadline, r.c.age
	r.c.age = nil
	if !o.ReadOnly && o.At == 0 && o.Isolation == coordinator.Serializable &&
		r.w.hit(r.w.plan.pessimistic) {
		o.Mode = coordinator.Pessimistic
		r.w.saw("began: pessimistic")
	}
	r.op.Txn = &Interactive{At: o.At, Mode: o.Mode, Isolation: o.Isolation}
	t, err := r.co.Begin(r.ctx, o)
	if err != nil {
		return err
	}
	r.op.Txn.ReadTS = t.ReadTS()
	r.w.known.stamp(t.ReadTS())
	s := &session{runner: r, t: t, readOnly: o.ReadOnly}
	if err := body(s); err != nil {
		t.Rollback()
		return err
	}
	if !r.w.plan.patient && r.w.oneIn(20) {
		t.Rollback()
		r.w.saw("rolled back")
		return txn.Errorf(txn.Conflict, "rolled_back", "the client changed its mind")
	}
	done, err := t.Commit(r.ctx, r.options())
	if err != nil {
		kind := txn.KindOf(err)
		if age := t.Age(); kind == txn.Conflict || kind == txn.Wounded {
			r.c.age = &age
		}
		return err
	}
	r.op.Txn.Committed = done
	r.w.known.stamp(done.CommitTS)
	for i := range done.Written {
		if done.Written[i].Wrote {
			r.w.known.learn(done.Written[i].Key, &done.Written[i].Version)
		}
	}
	return nil
}

// session is an open transaction.
type session struct {
	*runner
	t        *coordinator.Txn
	readOnly bool
}

func (s *session) do(op txn.Op) (txn.Result, error) {
	if s.w.oneIn(3) { // the client thinks
		if err := s.p.Sleep(context.Background(), s.w.between(0, s.w.plan.think)); err != nil {
			return txn.Result{}, err
		}
	}
	do, step := s.t.Do, Step{Op: op}
	if s.op.Txn.At == 0 && !s.readOnly && s.w.oneIn(4) {
		do, step.ForUpdate = s.t.DoForUpdate, true
	}
	res, err := do(s.ctx, &op, s.deadline)
	if err == nil {
		step.At, step.Result = s.t.ReadTS(), res
		s.op.Txn.Steps = append(s.op.Txn.Steps, step)
	}
	return res, err
}
