package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// errKeysGone: the leader that did it leads no more, and so it is lost.
var errKeysGone = errors.New("the shard's leader changed")

// Ephemeral carries out operations on ephemeral keys, one of each. Each is linearizable by itself;
// together they are no transaction: operations on one shard are done in order, those on several
// at the same time. It returns a moment at which what was read was so.
//
// What writes is sent once: where it may have been done and no answer says so the outcome is
// Unknown, and nobody can ever tell it.
func (c *Coordinator) Ephemeral(ctx context.Context, ops []txn.Op, deadline time.Duration) (
	results []txn.Result, at txn.Timestamp, err error,
) {
	e := ephemeral{c: c, ops: ops, until: c.until(deadline)}
	for i := range ops {
		e.writes = e.writes || ops[i].Kind.Writes()
	}
	if results, at, err = e.run(ctx); err != nil {
		return nil, 0, failed("coordinator.Ephemeral", 0, err)
	}
	return results, at, nil
}

// ephemeral is a call on its way.
type ephemeral struct {
	c      *Coordinator
	ops    []txn.Op
	writes bool
	until  time.Duration
}

// run sends one request a shard, all in parallel.
func (e *ephemeral) run(ctx context.Context) ([]txn.Result, txn.Timestamp, error) {
	rs, err := e.c.routes(ctx, e.until)
	if err != nil {
		return nil, 0, err
	}
	keys := make([]txn.Key, len(e.ops))
	for i := range e.ops {
		keys[i] = e.ops[i].Key
	}
	groups, err := rs.groups(keys)
	if err != nil {
		return nil, 0, err
	}
	results := make([]txn.Result, len(e.ops))
	times, done := make([]txn.Timestamp, len(groups)), make([]bool, len(groups))
	err = e.c.parallel("coordinator.ephemeral", len(groups), func(i int) (err error) {
		times[i], done[i], err = e.group(ctx, rs, &groups[i], results)
		return err
	})
	var at txn.Timestamp
	some := false
	for i := range groups {
		at, some = max(at, times[i]), some || done[i]
	}
	alone := len(groups) == 1 && txn.KindOf(err) == txn.Unknown // that says it all
	if err != nil && e.writes && some && !alone && !stopped(err) {
		err = partly(err)
	}
	return results, at, err
}

// group carries out what one shard holds. Done says that some of it was, or may have been.
func (e *ephemeral) group(ctx context.Context, rs routes, g *group, results []txn.Result) (
	at txn.Timestamp, done bool, err error,
) {
	req := &shardrpc.EphemeralRequest{Target: rs.target(g.route)}
	for _, place := range g.places {
		req.Ops = append(req.Ops, e.ops[place])
	}
	resp, err := e.ask(ctx, req)
	if err != nil {
		return 0, txn.KindOf(err) == txn.Unknown, err
	}
	got, at, err := resp.Results, resp.At, error(nil)
	switch {
	case resp.Answer == shardrpc.Moved: // these keys may lie on several shards now
		part := ephemeral{c: e.c, ops: req.Ops, writes: e.writes, until: e.until}
		got, at, err = part.run(ctx)
	case resp.Err != nil:
		return at, len(got) > 0, resp.Err
	case len(got) != len(req.Ops):
		err = &txn.Error{Kind: txn.Internal, Reason: "short_answer",
			Err: fmt.Errorf("a shard answered %d of %d operations", len(got), len(req.Ops))}
	}
	if err != nil {
		return at, txn.KindOf(err) == txn.Unknown, err
	}
	for i, place := range g.places {
		results[place] = got[i]
	}
	return at, true, nil
}

// ask gets the answer to one request. An answer Moved leaves fresh routes behind.
func (e *ephemeral) ask(
	ctx context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	pause := backoff{c: e.c}
	for e.c.env.Now() < e.until {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		resp, err := e.send(ctx, req)
		if err == nil {
			err = answered(resp)
		}
		switch {
		case stopped(err):
			return nil, err
		case err == nil && resp.Answer == shardrpc.Moved:
			return resp, e.c.moved(ctx, &pause, e.until)
		case err == nil, txn.KindOf(err) == txn.Invalid:
			return resp, err
		case e.writes && !undone(err):
			return nil, neverKnown(err)
		}
		if perr := pause.sleep(ctx, e.until); perr != nil {
			return nil, noAnswer(perr, err)
		}
	}
	return nil, errTimeIsUp
}

// send sends req. A copy of what only reads may be given up for another one; what writes has only
// this one.
func (e *ephemeral) send(
	ctx context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	until := e.until
	if !e.writes {
		until = min(until, e.c.env.Now()+e.c.opts.AttemptTimeout)
	}
	return sendWithin(ctx, e.c, until,
		func(ctx context.Context) (*shardrpc.EphemeralResponse, error) {
			return e.c.shards.Ephemeral(ctx, req)
		})
}

// answered is nil for an answer that settles the request, or says where to.
func answered(resp *shardrpc.EphemeralResponse) error {
	switch resp.Answer {
	case shardrpc.OK, shardrpc.Moved:
		return nil
	case shardrpc.Retry:
		return errNotServing
	default:
		return errKeysGone
	}
}

// undone reports whether a request that ended with err was certainly not carried out: it was not
// sent, or not admitted.
func undone(err error) bool {
	_, elsewhere := errors.AsType[*shardrpc.NotLeader](err)
	return elsewhere || errors.Is(err, errNotServing) || errors.Is(err, shardrpc.ErrUnsent) ||
		txn.KindOf(err) == txn.Exhausted
}

// neverKnown is the outcome of a write that may have been done.
func neverKnown(err error) error {
	if errors.Is(err, env.ErrTimeout) {
		err = errNoAnswer
	}
	return &txn.Error{Kind: txn.Unknown, Reason: "answer_lost",
		Next: "it may have been done; of ephemeral keys nobody remembers that: read before writing again",
		Err:  fmt.Errorf("the outcome of a write to an ephemeral key is not known: %w", err)}
}

// partly is the end of a batch of which some was done.
func partly(err error) error {
	return &txn.Error{Kind: txn.Unknown, Reason: "batch_incomplete",
		Next: "read the keys, or write all of them again",
		Err:  fmt.Errorf("some of the ephemeral keys were written and others were not: %w", err)}
}
