package coordinator

import (
	"context"
	"sync"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// verdict is what the answers to the prewrites of an attempt come to.
type verdict uint8

const (
	prewritesOpen   verdict = iota // answers are missing
	allPrewritten                  // every shard said OK
	prewriteRefused                // one shard refused: the attempt is dead (L5)
	prewriteGone                   // one shard cannot tell any more
	prewriteStopped                // the process ends
)

// prewriting collects the answers to prewrites under way.
type prewriting struct {
	// turn happens when the verdict is no longer open.
	turn env.Future

	mu      sync.Mutex
	verdict verdict
	closed  bool // the coordinator acts on the verdict: OKs come too late (A5)
	left    int
	refused shardrpc.Reply
	maxTS   txn.Timestamp // of the OKs
	// bound is the first moment at which something that the writes replace would
	// have expired: from then on they would come to something else.
	bound   txn.Timestamp
	written [][]txn.Written
}

// prewrite sends all prewrites in parallel and returns at once.
func (t *twoPhase) prewrite(ctx context.Context) *prewriting {
	p := &prewriting{left: len(t.prewrites), bound: txn.Forever,
		written: make([][]txn.Written, len(t.prewrites))}
	for i := range t.prewrites {
		t.c.env.Go("coordinator.prewrite", func() { t.prewriteShard(ctx, p, i) })
	}
	return p
}

// prewriteShard sends one prewrite until it is answered or nobody cares.
func (t *twoPhase) prewriteShard(ctx context.Context, p *prewriting, i int) {
	resp, err := t.deliverPrewrite(ctx, i, t.until, p.isOver)
	p.answered(i, resp, err)
}

func (t *twoPhase) deliverPrewrite(
	ctx context.Context, i int, until time.Duration, over func() bool,
) (resp *shardrpc.PrewriteResponse, err error) {
	req := t.prewrites[i]
	asked := t.c.env.Now() // another copy's answer may repeat the first one's timestamp
	err = t.c.deliver(ctx, delivery{key: shardKey(req), until: until, over: over,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			// A copy that is under way when time is up may still be refused,
			// and that would be a proof.
			got, err := send(ctx, t.c, t.c.graceOver(until),
				func(ctx context.Context) (*shardrpc.PrewriteResponse, error) {
					return t.c.shards.Prewrite(ctx, &r)
				})
			if err == nil {
				err = t.c.env.Point("coordinator.prewrite.after-k")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			if got.Answer == shardrpc.OK {
				t.c.raise(got.TS, asked)
			}
			resp = got
			return got.Answer, nil
		}})
	return resp, err
}

// complete reports whether every shard's answer came in time to be heard.
func (p *prewriting) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left == 0
}

// completeWritten asks again those whose answers were not heard. What they
// prewrote is committed by now, and they say so.
func (t *twoPhase) completeWritten(ctx context.Context, p *prewriting) error {
	until := t.c.graceOver(t.until)
	return t.c.parallel("coordinator.prewrite", len(t.prewrites), func(i int) error {
		p.mu.Lock()
		had := p.written[i] != nil
		p.mu.Unlock()
		if had {
			return nil
		}
		resp, err := t.deliverPrewrite(ctx, i, until, nil)
		switch {
		case err != nil:
			return err
		case resp.Answer != shardrpc.OK:
			return errGone
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.written[i] = resp.Written
		return nil
	})
}

func (p *prewriting) answered(i int, resp *shardrpc.PrewriteResponse, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case stopped(err):
		p.turnTo(prewriteStopped)
	case err != nil: // out of time: the coordinator sees that by itself
	case resp.Answer == shardrpc.Refused:
		p.refused = resp.Reply
		p.turnTo(prewriteRefused)
	case p.closed && !mutant.On(mutant.A5):
	case resp.Answer == shardrpc.OK:
		p.maxTS = max(p.maxTS, resp.TS)
		p.written[i] = resp.Written
		for j := range resp.Written {
			if at := resp.Written[j].PrevExpiry; at != 0 && !mutant.On(mutant.M2) {
				p.bound = min(p.bound, at)
			}
		}
		if p.left--; p.left == 0 {
			p.turnTo(allPrewritten)
		}
	default:
		p.turnTo(prewriteGone)
	}
}

// turnTo moves the verdict. A refusal beats Gone, as it proves something; it
// cannot meet allPrewritten.
func (p *prewriting) turnTo(v verdict) {
	if p.verdict == prewritesOpen || v == prewriteRefused && p.verdict == prewriteGone {
		p.verdict = v
	}
	p.turn.Resolve()
}

// close is the verdict to act on. From now on only a refusal changes it.
func (p *prewriting) close() verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return p.verdict
}

// isOver reports whether another copy of a prewrite would serve nobody.
func (p *prewriting) isOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed || p.verdict != prewritesOpen
}

// isRefused reports whether a shard has refused by now.
func (p *prewriting) isRefused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.verdict == prewriteRefused
}

func (p *prewriting) refusal() shardrpc.Reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// shardKey is a key of the shard that a prewrite goes to.
func shardKey(req *shardrpc.PrewriteRequest) txn.Key {
	if req.Record != txn.Absent {
		return req.Primary
	}
	return req.Writes[0].Key
}
