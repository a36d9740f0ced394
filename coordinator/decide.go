package coordinator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// decideGrace is how long a caller waits, past its deadline, for the word
	// of the record. Without it the caller would learn nothing but Unknown.
	decideGrace = 500 * time.Millisecond
	// cleanUpMax is how long work goes on behind a caller's back. What is left
	// then is up to whoever meets an intent (F7).
	cleanUpMax = time.Minute
)

var errNoAnswerAll = errors.New("not every shard answered in time; the transaction is aborted")

// decideCommit moves the record to Committed and waits for its word. Whatever
// the record says is the outcome, whoever made it say so.
func (t *twoPhase) decideCommit(ctx context.Context, p *prewriting) (*Committed, *refusal, error) {
	c := t.c
	commit := p.maxTS
	switch {
	case commit < t.base || commit > t.maxTS && !mutant.On(mutant.MaxTS):
		return t.decideAbort(ctx, p, ending{err: txn.Errorf(txn.Internal, "commit_ts",
			"provisional timestamp %d is not within %d and %d", commit, t.base, t.maxTS)})
	case commit >= p.bound:
		return t.decideAbort(ctx, p, ending{refused: locallyPushed(t.id)})
	}
	err := c.env.Point("coordinator.prewrite.after-all")
	if err == nil {
		err = c.env.Point("coordinator.decide.before")
	}
	switch {
	case stopped(err):
		return nil, nil, err
	case err != nil:
		return t.decideAbort(ctx, p, ending{err: err})
	}
	d := deciding{shardrpc.DecideRequest{
		Txn: t.id, Primary: t.primary(), BaseTS: t.base,
		From: txn.In(txn.Pending), To: txn.Committed, CommitTS: commit,
	}, nil}
	began := c.env.Now()
	got, err := t.c.move(ctx, &d, c.graceOver(t.until))
	c.stage(StageDecide, began)
	switch {
	case stopped(err):
		return nil, nil, err
	case err != nil:
		t.decideLater(&d)
		return nil, nil, t.unknown(err)
	}
	return t.acknowledge(ctx, got, p)
}

// acknowledge tells what the record says, and lets the rest follow.
func (t *twoPhase) acknowledge(
	ctx context.Context, got shardrpc.DecideResponse, p *prewriting,
) (*Committed, *refusal, error) {
	err := t.c.env.Point("coordinator.decide.after")
	if stopped(err) {
		return nil, nil, err
	}
	if err == nil && got.Status == txn.Committed && !p.complete() {
		err = t.completeWritten(ctx, p) // somebody else committed it (F7)
	}
	cleaned := t.finish(got)
	switch got.Status {
	case txn.Committed:
		if err == nil {
			err = t.c.env.Point("coordinator.ack.before")
		}
	case txn.Aborted: // somebody else did that
		return nil, &refusal{id: t.id, cleaned: cleaned, reply: shardrpc.Reply{
			Answer: shardrpc.Refused, Reason: reasonRecovered, Key: t.primary(),
		}}, nil
	default:
		err = errGone
	}
	switch {
	case stopped(err):
		return nil, nil, err
	case err != nil:
		return nil, nil, t.unknown(err)
	}
	return &Committed{got.CommitTS, settled(slices.Concat(p.written...), got.CommitTS)}, nil, nil
}

// settled moves what the shards prewrote, each at its own timestamp, to where
// it was committed, and puts it in order: the primary's shard came first. It
// changes written.
func settled(written []txn.Written, commit txn.Timestamp) []txn.Written {
	slices.SortFunc(written, func(a, b txn.Written) int { return a.Key.Compare(b.Key) })
	for i := range written {
		v := &written[i].Version
		if !written[i].Wrote {
			continue
		}
		if v.CreateTS == v.TS { // created here
			v.CreateTS = commit
		}
		v.TS = commit
	}
	return written
}

// ending is what an attempt comes to that the record says is aborted.
type ending struct {
	refused *refusal // try again
	err     error
}

// decideAbort ends an attempt that cannot be committed: by end, if the
// record says Aborted. Once the request is sent only its answer or a refusal
// decides (A5).
func (t *twoPhase) decideAbort(
	ctx context.Context, p *prewriting, end ending,
) (*Committed, *refusal, error) {
	d := deciding{t.abortRequest(), p.isRefused}
	got, derr := t.c.move(ctx, &d, t.c.graceOver(t.until))
	switch {
	case stopped(derr):
		return nil, nil, derr
	case p.isRefused() && (derr != nil || !got.Status.Final()):
		return nil, t.abandon(p.refusal()), nil
	case mutant.On(mutant.A5) && t.mode == Parallel && p.complete():
		return t.commitParallel(ctx, p)
	case derr != nil:
		d.over = nil
		t.decideLater(&d)
		return nil, nil, t.unknown(derr)
	}
	if got.Status == txn.Aborted {
		cleaned := t.finish(got)
		if end.refused != nil {
			end.refused.cleaned = cleaned
		}
		return nil, end.refused, end.err
	}
	return t.acknowledge(ctx, got, p)
}

func (t *twoPhase) abortRequest() shardrpc.DecideRequest {
	return shardrpc.DecideRequest{
		Txn: t.id, Primary: t.primary(), BaseTS: t.base,
		From: txn.In(txn.Absent, txn.Pending, txn.Staging), To: txn.Aborted,
	}
}

// deciding is a move of the record under way.
type deciding struct {
	req  shardrpc.DecideRequest
	over func() bool // see delivery
}

// move sends a move until the record's shard says what the record is, for
// ever, or that it cannot tell any more (Gone; Status is Absent then).
func (c *Coordinator) move(
	ctx context.Context, d *deciding, until time.Duration,
) (final shardrpc.DecideResponse, err error) {
	err = c.deliver(ctx, delivery{key: d.req.Primary, until: until, over: d.over,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			req := d.req
			req.Target = to
			got, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.DecideResponse, error) {
					return c.shards.Decide(ctx, &req)
				})
			if err == nil {
				err = c.env.Point("coordinator.decide.after-propose")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			final = *got
			if got.Answer == shardrpc.Gone || got.Answer == shardrpc.Moved {
				return got.Answer, nil
			}
			if got.Status.Final() {
				return shardrpc.OK, nil
			}
			return shardrpc.Retry, nil
		}})
	if final.Answer == shardrpc.Gone {
		final.Status = txn.Absent
	}
	return final, err
}

// decideLater goes on with a move whose caller was told Unknown: whoever
// answers that keeps the transaction until it is decided.
func (t *twoPhase) decideLater(d *deciding) {
	t.c.inBackground("coordinator.decide-later", func(until time.Duration) {
		got, err := t.c.move(context.Background(), d, until)
		switch {
		case stopped(err):
		case err != nil: // given up: recovery may decide now
			t.c.disown(t.id)
		default:
			t.finish(got)
		}
	})
}

// finish is for a decided attempt: its intents become versions or go.
func (t *twoPhase) finish(got shardrpc.DecideResponse) *env.Future {
	t.c.disown(t.id)
	done := new(env.Future)
	if !got.Status.Final() {
		done.Resolve()
		return done
	}
	t.c.inBackground("coordinator.resolve", func(until time.Duration) {
		began := t.c.env.Now()
		defer done.Resolve()
		defer t.c.stage(StageResolve, began)
		t.resolveAll(got.Status == txn.Committed, got.CommitTS, until)
	})
	return done
}

// abandon is for a refused attempt. The refusal is its end (L5); the record
// and the intents of other shards follow behind the caller's back.
func (t *twoPhase) abandon(reply shardrpc.Reply) *refusal {
	r := &refusal{id: t.id, reply: reply, cleaned: new(env.Future)}
	t.c.disown(t.id)
	t.c.inBackground("coordinator.abort", func(until time.Duration) {
		defer r.cleaned.Resolve()
		d := deciding{t.abortRequest(), nil}
		// Gone does not matter here: the refusal has proved the abort.
		got, err := t.c.move(context.Background(), &d, until)
		if err == nil && got.Status != txn.Committed {
			t.resolveAll(false, 0, until)
		}
	})
	return r
}
