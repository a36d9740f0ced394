package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// skewMax is how far a sender's clock may be off for its word to count on when
// it sent a request, in microseconds.
const skewMax txn.Timestamp = 60_000_000

// reasonUndecided: an outcome is not known to anyone yet.
const reasonUndecided = "undecided"

// Outcome is what became of a commit.
type Outcome struct {
	Status   txn.Status    // Committed or Aborted for ever; Pending: nobody can tell now
	CommitTS txn.Timestamp // of a Committed one
	Reason   string        // why it is not
}

// Outcome tells what became of the commit that t names, whoever began it (F8):
// it reads the row of its request or writes one that says aborted, and follows an
// open one. What has not happened yet never will once this has answered Aborted.
// Deadline is by Env.Now; 0: CommitTimeout from now. The token has its anchor as
// it is stored.
func (c *Coordinator) Outcome(
	ctx context.Context, t token.Token, deadline time.Duration,
) (Outcome, error) {
	out, err := c.outcome(ctx, t, c.until(deadline))
	if err != nil && !stopped(err) && ctx.Err() == nil && gaveUp(err) {
		return Outcome{Status: txn.Pending, Reason: reasonUndecided}, nil
	}
	return out, failed("coordinator.Outcome", 0, err)
}

func (c *Coordinator) outcome(
	ctx context.Context, t token.Token, until time.Duration,
) (Outcome, error) {
	now, err := c.fresh(ctx, until)
	if err != nil {
		return Outcome{}, err
	}
	// Only then does the lack of a row say that nothing was carried out.
	known := now-t.Since <= txn.RequestRetention-skewMax && t.Since-now <= skewMax
	got, err := c.conclude(ctx, &shardrpc.InquireRequest{
		Anchor: t.Anchor, ID: t.ID, BaseTS: now, Prevent: known}, until)
	switch {
	case err != nil:
		return Outcome{}, err
	case got.Status == txn.Committed:
		return Outcome{Status: txn.Committed, CommitTS: got.CommitTS}, nil
	case got.Status == txn.Aborted:
		return Outcome{Status: txn.Aborted, Reason: shardrpc.ReasonForgone}, nil
	}
	return Outcome{}, &txn.Error{Kind: txn.TooOld, Reason: "outcome_forgotten",
		Err:  errors.New("nothing is known of that commit, and it may have been forgotten"),
		Next: "read what it would have written"}
}

// conclude inquires until no attempt of the request is undecided.
func (c *Coordinator) conclude(
	ctx context.Context, req *shardrpc.InquireRequest, until time.Duration,
) (*shardrpc.InquireResponse, error) {
	for {
		got, err := c.inquire(ctx, req, until)
		if err != nil || got.Status != txn.Pending {
			return got, err
		}
		if err := c.unblock(ctx, got.Blocker, until); err != nil {
			return nil, err
		}
	}
}

// inquire asks the anchor's shard what became of a request.
func (c *Coordinator) inquire(
	ctx context.Context, req *shardrpc.InquireRequest, until time.Duration,
) (got *shardrpc.InquireResponse, err error) {
	err = c.deliver(ctx, delivery{key: req.Anchor, until: until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			resp, err := send(ctx, c, until,
				func(ctx context.Context) (*shardrpc.InquireResponse, error) {
					return c.shards.Inquire(ctx, &r)
				})
			if err == nil {
				err = c.env.Point("coordinator.inquire.after")
			}
			if err != nil {
				return shardrpc.Retry, err
			}
			got = resp
			return resp.Answer, nil
		}})
	switch {
	case err != nil:
	case got.Answer == shardrpc.Gone: // its keyspace was deleted
		got = &shardrpc.InquireResponse{Answer: shardrpc.OK, Status: txn.Absent}
	case got.Answer == shardrpc.Refused:
		err = txn.ReusedRequest(req.Anchor)
	case got.Answer != shardrpc.OK:
		err = txn.Errorf(txn.Internal, "inquiry", "an inquiry was answered %v", got.Answer)
	}
	return got, err
}
