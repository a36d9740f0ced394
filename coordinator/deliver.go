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

// The pause between two copies of a request doubles from first to max.
const (
	pauseFirst = time.Millisecond
	pauseMax   = 64 * time.Millisecond
)

var (
	// errNoAnswer: the time for an answer is up.
	errNoAnswer = errors.New("no shard leader answered")
	// errTimeIsUp: the deadline passed while nothing was asked.
	errTimeIsUp = errors.New("time is up")
	// errOver: nobody needs the answer any more.
	errOver = errors.New("the answer is not needed any more")

	errNotServing = errors.New("the shard is not serving")
	errMoved      = errors.New("the shard has moved")
	errGone       = errors.New("what could tell has been collected")
)

// noAnswer joins why there is no time left with what went wrong last.
func noAnswer(pause, last error) error {
	if errors.Is(pause, env.ErrTimeout) {
		return fmt.Errorf("%w: %w", errNoAnswer, last)
	}
	return pause
}

// backoff spaces out the rounds of a loop, with jitter.
type backoff struct {
	c    *Coordinator
	next time.Duration
}

// sleep waits for the next round; ErrTimeout says that there is none before until.
func (b *backoff) sleep(ctx context.Context, until time.Duration) error {
	left := until - b.c.env.Now()
	if left <= 0 {
		return env.ErrTimeout
	}
	b.next = min(max(2*b.next, pauseFirst), pauseMax)
	half := uint64(b.next) / 2
	if err := b.c.env.Sleep(ctx, min(left, time.Duration(half+b.c.env.Rand()%half))); err != nil {
		return err
	}
	if b.c.env.Now() >= until {
		return env.ErrTimeout
	}
	return nil
}

// answer is what a task of send leaves for whoever still waits.
type answer[T any] struct {
	env.Future
	value T
	err   error
}

// send makes one call and waits for it at most AttemptTimeout. A call that
// was given up may still be carried out.
func send[T any](
	ctx context.Context, c *Coordinator, until time.Duration, call func(context.Context) (T, error),
) (T, error) {
	return sendWithin(ctx, c, min(until, c.env.Now()+c.opts.AttemptTimeout), call)
}

// sendWithin is send for a call that may take longer.
func sendWithin[T any](
	ctx context.Context, c *Coordinator, until time.Duration, call func(context.Context) (T, error),
) (T, error) {
	var none T
	if c.env.Now() >= until {
		return none, env.ErrTimeout
	}
	if c.opts.Within != nil {
		return sendHere(ctx, c, until, call)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whoever carries the call may forget that we wait
	a := new(answer[T])
	c.env.Go("coordinator.send", func() {
		defer a.Resolve()
		a.value, a.err = call(ctx)
	})
	if err := c.env.Wait(ctx, &a.Future, until); err != nil {
		return none, err
	}
	return a.value, a.err
}

// sendHere is sendWithin without a task.
func sendHere[T any](
	ctx context.Context, c *Coordinator, until time.Duration, call func(context.Context) (T, error),
) (T, error) {
	bounded := c.opts.Within(ctx, until-c.env.Now())
	value, err := call(bounded)
	if err == nil || bounded.Err() == nil {
		return value, err
	}
	var none T
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return none, env.ErrTimeout
}

// delivery is a request that is sent again until it gets an answer.
type delivery struct {
	key   txn.Key       // of the request: its shard is the target
	meta  bool          // the meta group is, instead
	until time.Duration // by Env.Now
	over  func() bool   // asked between two copies; nil: never
	// send sends one copy, each with the same bytes but for the target, and
	// keeps what came back. Retry, Moved and an error ask for the next copy.
	send func(context.Context, shardrpc.Target) (shardrpc.Answer, error)
}

// deliver returns nil once send has answered OK, Refused or Gone. Otherwise
// nothing is known: errNoAnswer or errTimeIsUp at until, errOver, or ctx's error.
func (c *Coordinator) deliver(ctx context.Context, d delivery) error {
	pause := backoff{c: c}
	for c.env.Now() < d.until {
		to, err := c.targetOf(ctx, &d)
		if err != nil {
			return err
		}
		got, err := d.send(ctx, to)
		switch {
		case stopped(err):
			return err
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
		case got == shardrpc.Retry:
			err = errNotServing
		case got == shardrpc.Moved:
			if err := c.moved(ctx, &pause, d.until); err != nil {
				return err
			}
			continue
		default:
			return nil
		}
		if d.over != nil && d.over() {
			return errOver
		}
		if perr := pause.sleep(ctx, d.until); perr != nil {
			return noAnswer(perr, err)
		}
	}
	return errTimeIsUp
}

// targetOf is where d goes now.
func (c *Coordinator) targetOf(ctx context.Context, d *delivery) (shardrpc.Target, error) {
	if d.meta {
		return shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}, nil
	}
	rs, err := c.routes(ctx, d.until)
	if err != nil {
		return shardrpc.Target{}, err
	}
	i, err := rs.find(d.key)
	if err != nil {
		return shardrpc.Target{}, err
	}
	return rs.target(i), nil
}

// parallel runs f for 0 to n-1, each in a task of its own but the first, and
// waits for all of them: none is cancelled when another one fails (C3).
func (c *Coordinator) parallel(name string, n int, f func(int) error) error {
	switch n {
	case 0:
		return nil
	case 1:
		return f(0)
	}
	errs := make([]error, n)
	done := make([]env.Future, n)
	for i := 1; i < n; i++ {
		c.env.Go(name, func() {
			defer done[i].Resolve()
			errs[i] = f(i)
		})
	}
	if errs[0] = f(0); stopped(errs[0]) {
		return errs[0]
	}
	first := errs[0]
	for i := 1; i < n; i++ {
		if err := c.env.Wait(context.Background(), &done[i], 0); err != nil {
			return err
		}
		if stopped(errs[i]) {
			return errs[i]
		}
		if first == nil {
			first = errs[i]
		}
	}
	return first
}
