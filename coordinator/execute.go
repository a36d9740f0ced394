package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Result is what a one-shot transaction came to.
type Result struct {
	CommitTS  txn.Timestamp // of one that wrote nothing: a moment at which it holds
	Succeeded bool          // the test held
	Results   []txn.Result  // of the branch that ran
	Attempts  int
}

// Execute runs a one-shot transaction. It runs it again on conflicts, with
// the same age, until the deadline. One whose request was carried out before
// answers what came of it then. p must not change afterwards either: copies of
// it may still travel.
func (c *Coordinator) Execute(
	ctx context.Context, p *txn.Program, o CommitOptions,
) (*Result, error) {
	until := c.until(o.Deadline)
	if since := p.Since(); since != 0 {
		if _, err := c.snapshot(ctx, since, until); err != nil { // T5
			return nil, failed("coordinator.Execute", 0, err)
		}
	}
	if p.ReadOnly() {
		res, err := c.readProgram(ctx, p, until)
		return res, failed("coordinator.Execute", 0, err)
	}
	run := &execution{c: c, program: p, until: until, request: requestFor(o.Request, p)}
	defer func() { run.unlock() }()
	if o.Refused != nil {
		res, err := run.evaluated(ctx, o.Refused)
		return res, failed("coordinator.Execute", 0, err)
	}
	var last *refusal
	pause := backoff{c: c}
	for {
		res, refused, err := run.attempt(ctx)
		if err == nil && refused == nil {
			res.Attempts = run.attempts
			return res, nil
		}
		if err == nil {
			last = refused
			run.contended += refused.contention()
			run.open = run.open || refused.reply.Reason == shardrpc.ReasonOpen
			switch refused.reply.Reason {
			case shardrpc.ReasonForgone:
				return nil, failed("coordinator.Execute", run.id, refused.err())
			case shardrpc.ReasonRepeated:
				res, err = run.repeat(ctx, refused.repeated())
				return res, failed("coordinator.Execute", run.id, err)
			case shardrpc.ReasonInvalid:
				err = refused.err()
			default:
				if err = c.settle(ctx, refused, &pause, until); err == nil {
					c.retried(refused.reply.Reason)
				}
			}
		}
		if err != nil {
			if last != nil && gaveUp(err) {
				err = last.err()
			}
			return nil, failed("coordinator.Execute", run.id, run.ended(err))
		}
	}
}

// gaveUp reports whether err only says that time is up and nothing happened.
// An Unknown outcome has the same causes and is not that.
func gaveUp(err error) bool {
	if e, ok := errors.AsType[*txn.Error](err); ok {
		return e.Kind == txn.Deadline || e.Kind == txn.Unavailable
	}
	return errors.Is(err, errNoAnswer) || errors.Is(err, errTimeIsUp)
}

// settle waits until another attempt makes sense: what stood in the way of
// the refused one is decided, and its own intents are gone.
func (c *Coordinator) settle(
	ctx context.Context, r *refusal, pause *backoff, until time.Duration,
) error {
	if r.cleaned != nil {
		err := c.env.Wait(ctx, r.cleaned, until)
		if err != nil {
			return timeIsUp(err)
		}
	}
	if b := r.reply.Blocker; b != nil {
		if err := c.unblock(ctx, b, until); err != nil {
			return err
		}
	}
	return timeIsUp(pause.sleep(ctx, until))
}

// execution is a program on its way, over all its attempts.
type execution struct {
	c        *Coordinator
	program  *txn.Program
	id       txn.ID // of this attempt
	age      txn.Age
	attempts int
	until    time.Duration
	request  *txn.Request

	open      bool       // an undecided attempt of the same request was met
	contended int        // attempts that others' transactions stood in the way of
	locks     *lockSet   // nil: not yet
	done      *Committed // what the attempt that took the locks committed
}

// attempt runs the program once: at its shard, if one holds all of it, else
// here.
func (x *execution) attempt(ctx context.Context) (*Result, *refusal, error) {
	x.attempts++
	id, err := x.c.newID()
	if err != nil {
		return nil, nil, err
	}
	x.id = id
	if x.contended >= escalateAfter {
		if refused, err := x.lock(ctx); refused != nil || err != nil {
			return nil, refused, err
		}
	}
	rs, err := x.c.routes(ctx, x.until)
	if err != nil {
		return nil, nil, err
	}
	f := new(footprint)
	x.program.Keys(func(k txn.Key) { f.keys = append(f.keys, k) })
	x.program.Spans(func(s txn.Span) { f.spans = append(f.spans, s) })
	if !rs.oneHolds(f) || x.program.WritesSpans() {
		return x.evaluate(ctx)
	}
	o := &onePhase{
		req: shardrpc.CommitRequest{Txn: x.id, Age: x.age, MaxTS: txn.Forever,
			Reads: txn.ReadSet{MaxTS: txn.Forever}, Program: *x.program},
		key: x.program.Anchor(), retry: x.attempts > 1, until: x.until,
	}
	if x.request != nil {
		o.req.Request, o.req.Anchor = x.request, o.key
	}
	resp, refused, err := x.c.commitOnePhase(ctx, o)
	x.age = o.req.Age
	if resp == nil || err != nil {
		return nil, refused, err
	}
	x.done = &Committed{resp.CommitTS, resp.Written}
	return &Result{CommitTS: resp.CommitTS, Succeeded: resp.Succeeded, Results: resp.Results}, nil, nil
}

// evaluate runs the program here, on a snapshot, and commits what it wrote.
func (x *execution) evaluate(ctx context.Context) (*Result, *refusal, error) {
	v, out, err := x.c.runProgram(ctx, x.program, x.until)
	if err != nil {
		res, err := x.evaluated(ctx, err)
		return res, nil, err
	}
	if x.age == (txn.Age{}) {
		x.age = txn.Age{At: v.at, ID: x.id}
	}
	res := &Result{CommitTS: v.at, Succeeded: out.Succeeded, Results: out.Results}
	if len(out.Writes) == 0 && x.request == nil {
		txn.Fill(out.Ops, out.Results, nil)
		return res, nil, nil
	}
	a := &attempt{
		id: x.id, age: x.age, reads: v.readSet(), writes: out.Writes,
		retry: x.attempts > 1, until: x.until, request: x.request,
		note: x.program.Annotation,
	}
	if x.request != nil { // whatever it has come to, this is where it is remembered
		a.anchor = x.program.Anchor()
	}
	done, refused, err := x.c.commit(ctx, a)
	if done == nil || err != nil {
		return nil, refused, err
	}
	x.done, res.CommitTS = done, done.CommitTS
	txn.Fill(out.Ops, out.Results, done.Written)
	return res, nil, nil
}

// readProgram runs a program that cannot write.
func (c *Coordinator) readProgram(
	ctx context.Context, p *txn.Program, until time.Duration,
) (*Result, error) {
	v, out, err := c.runProgram(ctx, p, until)
	if err != nil {
		return nil, err
	}
	return &Result{CommitTS: v.at, Succeeded: out.Succeeded, Results: out.Results, Attempts: 1}, nil
}

// runProgram evaluates p at a fresh snapshot. The keys that it names are read
// in one round, but for those it sets without looking. Ranges are read when
// the answer depends on them, as far as it does.
func (c *Coordinator) runProgram(
	ctx context.Context, p *txn.Program, until time.Duration,
) (*view, *txn.Outcome, error) {
	at, err := c.fresh(ctx, until)
	if err != nil {
		return nil, nil, err
	}
	v := newView(ctx, snapshot{c: c, at: at, until: until})
	if err := v.prefetch(lookedAt(p)); err != nil {
		return nil, nil, err
	}
	out, err := p.Run(v, at)
	return v, out, err
}

// lookedAt is the keys whose state p may need to know.
func lookedAt(p *txn.Program) []txn.Key {
	var keys []txn.Key
	test := txn.Program{If: p.If}
	test.Keys(func(k txn.Key) { keys = append(keys, k) })
	for _, ops := range [2][]txn.Op{p.Then, p.Else} {
		for i := range ops {
			op := &ops[i]
			if !op.Kind.Ranges() && !op.Blind() {
				keys = append(keys, op.Key)
			}
		}
	}
	return keys
}
