package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// hopsMax is how often one call goes on to the leader that it was told of.
	hopsMax = 2
	// silenceMin is how long a member may say nothing, when nobody waits any
	// more, before that tells anything about it.
	silenceMin = 250 * time.Millisecond
)

var errNobody = fmt.Errorf("no member answers: %w", link.ErrUnsent)

// answer is a pointer to R that can be decoded.
type answer[R any] interface {
	*R
	shardrpc.Message
}

// request is what is asked of a shard.
type request struct {
	shardrpc.Message
	method shardrpc.Method
	shard  shardrpc.ShardID
}

// call asks the leader of a shard and waits for its answer.
func call[R any, P answer[R]](ctx context.Context, c *Client, req request) (P, error) {
	a, ok := c.leaders.begin(req.shard)
	if !ok {
		return nil, &noAnswer{errNobody}
	}
	payload := shardrpc.Encode(req.Message)
	var asked []*peer
	for {
		b, err := c.ask(ctx, a, req, payload)
		n, elsewhere := errors.AsType[*shardrpc.NotLeader](err)
		if !elsewhere {
			return decode[R, P](b, err)
		}
		if asked = append(asked, a.peer); len(asked) > hopsMax {
			return nil, n
		}
		if a, ok = c.follow(ctx, n, asked); !ok {
			return nil, n
		}
	}
}

// ask sends one request to one member, and notes what its answer says about who
// leads the shard.
func (c *Client) ask(
	ctx context.Context, a attempt, req request, payload []byte,
) ([]byte, error) {
	began := time.Now()
	b, err := transmit(ctx, a, req.method, payload)
	c.note(ctx, asked{a, req.shard, began}, err)
	return b, err
}

// asked is one request to one member.
type asked struct {
	attempt
	shard shardrpc.ShardID
	began time.Time
}

// note takes in what the end of a request says about who leads the shard.
func (c *Client) note(ctx context.Context, a asked, err error) {
	if err == nil {
		c.leaders.answered(a.shard, a.attempt)
		return
	}
	_, elsewhere := errors.AsType[*shardrpc.NotLeader](err)
	switch {
	case txn.KindOf(err) == txn.Invalid: // the request is to blame, whoever got it
	case !spoke(err):
		if c.leaders.silent(a.shard, a.attempt, failing(ctx, a.began)) {
			c.check(a.peer)
		}
	case elsewhere, txn.KindOf(err) == txn.Unavailable:
		c.leaders.refused(a.shard, a.attempt)
	default:
		c.leaders.heard(a.attempt)
	}
}

// follow is an attempt at the leader that the last of asked named. If that is a
// member nobody heard of yet, the one that named it says where it is.
func (c *Client) follow(
	ctx context.Context, n *shardrpc.NotLeader, asked []*peer,
) (attempt, bool) {
	a, known, ok := c.leaders.follow(n, asked)
	if known {
		return a, ok
	}
	if _, err := c.askRoutes(ctx, c.leaders.at(asked[len(asked)-1])); err != nil {
		return attempt{}, false
	}
	a, _, ok = c.leaders.follow(n, asked)
	return a, ok
}

// askMember asks one member what any of them can answer.
func askMember[R any, P answer[R]](
	ctx context.Context, c *Client, a attempt, req request,
) (P, error) {
	began := time.Now()
	b, err := transmit(ctx, a, req.method, shardrpc.Encode(req.Message))
	if spoke(err) {
		c.leaders.heard(a)
	} else if c.leaders.unanswered(a, failing(ctx, began)) {
		c.check(a.peer)
	}
	return decode[R, P](b, err)
}

// failing reports whether it is the member's doing that a call got no answer: its
// link broke, or there was time enough.
func failing(ctx context.Context, began time.Time) bool {
	return ctx.Err() == nil || time.Since(began) >= silenceMin
}

func transmit(
	ctx context.Context, a attempt, method shardrpc.Method, payload []byte,
) ([]byte, error) {
	return a.peer.link.Call(ctx, uint8(method), payload)
}

func decode[R any, P answer[R]](b []byte, err error) (P, error) {
	if err != nil {
		return nil, classify(err)
	}
	resp, err := shardrpc.Decode[R, P](b)
	if err != nil { // it was carried out, but what came of it cannot be read
		return nil, &noAnswer{err}
	}
	return resp, nil
}

// noAnswer is an error after which anything may be true. It hides the kind
// that its cause may have: to a reader a lost answer is not an unknown outcome.
type noAnswer struct{ cause error }

func (e *noAnswer) Error() string {
	if known, ok := errors.AsType[*txn.Error](e.cause); ok && known.Err != nil {
		return known.Err.Error() // its kind is not ours
	}
	return e.cause.Error()
}

// Is lets errors.Is find link.ErrLost, link.ErrUnsent and what they came from.
func (e *noAnswer) Is(target error) bool { return errors.Is(e.cause, target) }

// spoke reports whether a call that ended with err was answered.
func spoke(err error) bool {
	return !errors.Is(err, link.ErrLost) && !errors.Is(err, link.ErrUnsent)
}

// classify passes on what the member itself says about a request, and hides
// what the link makes of a call that got no answer.
func classify(err error) error {
	if !spoke(err) || txn.KindOf(err) == txn.Unknown {
		return &noAnswer{err}
	}
	return err
}
