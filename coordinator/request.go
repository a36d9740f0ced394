package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// CommitOptions say how a transaction is to commit.
type CommitOptions struct {
	// Deadline is by Env.Now; 0: CommitTimeout from now.
	Deadline time.Duration
	// Request makes what commits happen once, however often it is asked for. Zero:
	// nothing is remembered, and an unknown outcome stays so. What cannot write
	// has no use for it. Its Fingerprint is found out.
	Request txn.Request
	// Annotation goes to every version that an interactive transaction makes.
	// That of a one-shot transaction is in its Program.
	Annotation txn.Annotation
	// Refused is why a one-shot transaction must not be carried out now. It fails with
	// that, unless its Request was carried out before.
	Refused error
}

// requestFor is what all attempts to run p as q carry; nil for a q without ID.
func requestFor(q txn.Request, p *txn.Program) *txn.Request {
	if q.ID == (txn.RequestID{}) {
		return nil
	}
	q.Fingerprint = p.Fingerprint()
	return &q
}

// repeated is when a request was committed, and by which attempt.
type repeated struct {
	at txn.Timestamp
	by txn.ID
}

func (r *refusal) repeated() repeated { return repeated{r.reply.RepeatAt, r.reply.Writer} }

// repeatAt answers what p came to when another attempt of its request committed
// it. That has happened, so whatever goes wrong here is no failure of the commit.
func (c *Coordinator) repeatAt(
	ctx context.Context, p *txn.Program, r repeated, until time.Duration,
) (*txn.Outcome, []txn.Written, error) {
	commit := r.at
	v := newView(ctx, snapshot{c: c, at: commit - 1, until: until})
	v.watch = false // nothing of it is committed again
	var keys []txn.Key
	p.Keys(func(k txn.Key) { keys = append(keys, k) })
	if err := v.prefetch(keys); err != nil {
		return nil, nil, err
	}
	out, err := p.Run(presentView{v, commit}, commit)
	if err != nil {
		return nil, nil, err
	}
	written, err := v.rewritten(out.Writes, r)
	if err == nil {
		txn.Fill(out.Ops, out.Results, written)
	}
	return out, written, err
}

// rewritten is what writes came to when they were committed on top of v. What
// is there tells it best: shards settle expiries a little before the commit.
func (v *view) rewritten(writes []txn.Write, r repeated) ([]txn.Written, error) {
	there, err := snapshot{c: v.c, at: r.at, until: v.until}.get(v.ctx, keysOf(writes), nil)
	if err != nil {
		return nil, err
	}
	written := make([]txn.Written, len(writes))
	for i := range writes {
		w := &writes[i]
		prev, err := v.Get(w.Key)
		if err != nil {
			return nil, err
		}
		made := txn.Written{Key: w.Key, PrevRevision: prev.RevisionAt(r.at)}
		switch made.Version, made.Wrote = w.Version(&prev, r.at, r.by); {
		case !made.Wrote:
			made.Version.Revision = txn.NoRevision
		case there[i].TS == r.at:
			made.Version = there[i]
		}
		made.Version.Value.Data = nil
		written[i] = made
	}
	return written, nil
}

// presentView is what lies below a commit, with the commit as the present.
type presentView struct {
	*view
	at txn.Timestamp
}

// Scan implements txn.View.
func (v presentView) Scan(s txn.Scan, emit func(txn.Entry) bool) error {
	return v.view.Scan(s, func(e txn.Entry) bool { return s.Past == 0 && !e.Live(v.at) || emit(e) })
}

// repeat is Execute for a program that was committed before.
func (x *execution) repeat(ctx context.Context, r repeated) (*Result, error) {
	out, _, err := x.c.repeatAt(ctx, x.program, r, x.until)
	if err != nil {
		return nil, x.unknown(err)
	}
	return &Result{CommitTS: r.at, Succeeded: out.Succeeded, Results: out.Results,
		Attempts: x.attempts}, nil
}

// evaluated is for a program that came to err on the present state: if its
// request was carried out before, on another one, that is the answer.
func (x *execution) evaluated(ctx context.Context, err error) (*Result, error) {
	e, ours := errors.AsType[*txn.Error](err)
	if x.request == nil || !ours || e.Kind == txn.Unavailable || e.Kind == txn.Deadline {
		return nil, err
	}
	base, terr := x.c.fresh(ctx, x.until)
	if terr != nil {
		return nil, x.unknown(terr)
	}
	got, terr := x.c.conclude(ctx, &shardrpc.InquireRequest{
		Anchor: x.program.Anchor(), ID: x.request.ID, BaseTS: base,
		Fingerprint: x.request.Fingerprint}, x.until)
	switch {
	case txn.KindOf(terr) == txn.Invalid: // it is another request's name
		return nil, terr
	case terr != nil:
		return nil, x.unknown(terr)
	}
	if got.Status == txn.Committed {
		return x.repeat(ctx, repeated{got.CommitTS, got.Txn})
	}
	return nil, err
}

// repeat is Txn.Commit for an attempt whose request was committed before.
func (a *attempt) repeat(ctx context.Context, c *Coordinator, r repeated) (*Committed, error) {
	_, written, err := c.repeatAt(ctx, a.program(), r, a.until)
	if err != nil {
		return nil, a.unknown(err)
	}
	return &Committed{r.at, written}, nil
}

// ended is how a transaction ended that came to err. All its own attempts are
// dead, but one of its request that some other call began may not be.
func (a *attempt) ended(err error) error {
	if !a.open || err == nil || txn.KindOf(err) == txn.Unknown {
		return err
	}
	return a.unknown(err)
}

// unknown is the error of an attempt that may have committed, or another one of
// its request.
func (a *attempt) unknown(err error) error {
	return unknown(a.id, a.request, a.anchor, a.age.At, err)
}

// last is the attempt that the execution is at, as far as its errors go.
func (x *execution) last() *attempt {
	return &attempt{id: x.id, age: x.age, request: x.request, anchor: x.program.Anchor(), open: x.open}
}

func (x *execution) ended(err error) error { return x.last().ended(err) }

func (x *execution) unknown(err error) error { return x.last().unknown(err) }

func (t *twoPhase) unknown(err error) error {
	return unknown(t.id, t.request, t.primary(), since(t.age, t.base), err)
}

func (o *onePhase) unknown(err error) error {
	return unknown(o.req.Txn, o.req.Request, o.key, since(o.req.Age, o.req.BaseTS), err)
}

// unknown is the outcome that nobody can tell now. If it is a request's, which
// was not sent before since, its token gets the truth: key is its anchor then.
func unknown(
	id txn.ID, q *txn.Request, key txn.Key, since txn.Timestamp, err error,
) error {
	if stopped(err) {
		return err
	}
	e := &txn.Error{Kind: txn.Unknown, Reason: "outcome_unknown", Txn: id, Key: key, Err: err,
		Next: "the commit may have happened or may yet: read before writing again"}
	if q != nil {
		e.Token = token.Token{Anchor: key, ID: q.ID, Since: since}.String()
		e.Next = "the commit may have happened or may yet: ask for its outcome with the token"
	}
	return e
}

// since is when a call was first sent of which one attempt began at base: age is
// that of its first attempt, or of an earlier transaction's.
func since(age txn.Age, base txn.Timestamp) txn.Timestamp { return min(age.At, base) }

// Newest is the newest timestamp that the oracle is known to have issued; 0: it
// was not asked yet.
func (c *Coordinator) Newest() txn.Timestamp {
	ts, _ := c.newest()
	return ts
}
