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

// historyMin is how far back every version is kept, in microseconds.
const historyMin txn.Timestamp = 10 * 60 * 1_000_000

// reasonUndecided: an outcome is not known to anyone yet.
const reasonUndecided = "undecided"

// Outcome is what became of a commit.
type Outcome struct {
	Status   txn.Status    // Committed or Aborted for ever; Pending: nobody can tell now
	CommitTS txn.Timestamp // of a Committed one
	Reason   string        // why it is not
}

// Outcome tells what became of the commit that t names, whoever began it (F8).
// What has not happened yet never will once this has answered Aborted. Deadline
// is by Env.Now; 0: CommitTimeout from now. A token of a request has its anchor
// as it is stored.
func (c *Coordinator) Outcome(
	ctx context.Context, t token.Token, deadline time.Duration,
) (out Outcome, err error) {
	until := c.until(deadline)
	switch {
	case t.Request != nil:
		out, err = c.outcomeOfRequest(ctx, t.Request, until)
	case t.Attempt.Primary != nil:
		out, err = c.outcomeOfRecord(ctx, t.Attempt, until)
	default:
		out, err = c.outcomeOfKeys(ctx, t.Attempt, until)
	}
	if err != nil && !stopped(err) && ctx.Err() == nil && gaveUp(err) {
		return Outcome{Status: txn.Pending, Reason: reasonUndecided}, nil
	}
	return out, failed("coordinator.Outcome", 0, err)
}

// outcomeOfRequest reads the row of a request or writes one that says aborted,
// and follows an open one.
func (c *Coordinator) outcomeOfRequest(
	ctx context.Context, r *token.Request, until time.Duration,
) (Outcome, error) {
	now, err := c.fresh(ctx, until)
	if err != nil {
		return Outcome{}, err
	}
	// Only then does the lack of a row say that nothing was carried out.
	known := now-r.Since <= txn.RequestRetention-skewMax && r.Since-now <= skewMax
	req := &shardrpc.InquireRequest{Anchor: r.Anchor, ID: r.ID, BaseTS: now, Prevent: known}
	got, err := c.conclude(ctx, req, until)
	switch {
	case err != nil:
		return Outcome{}, err
	case got.Status == txn.Committed:
		return Outcome{Status: txn.Committed, CommitTS: got.CommitTS}, nil
	case got.Status == txn.Aborted:
		return Outcome{Status: txn.Aborted, Reason: shardrpc.ReasonForgone}, nil
	}
	return Outcome{}, forgotten()
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

// forgotten: there is nothing left that could tell, or it may be so.
func forgotten() error {
	return &txn.Error{Kind: txn.TooOld, Reason: "outcome_forgotten",
		Err:  errors.New("nothing is known of that commit, and it may have been forgotten"),
		Next: "read what it would have written"}
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
	if err == nil && got.Answer != shardrpc.OK {
		err = txn.Errorf(txn.Internal, "inquiry", "an inquiry was answered %v", got.Answer)
	}
	return got, err
}

// outcomeOfRecord is F7 for somebody who met no intent.
func (c *Coordinator) outcomeOfRecord(
	ctx context.Context, a *token.Attempt, until time.Duration,
) (Outcome, error) {
	got, err := c.decided(ctx, &shardrpc.Blocker{
		Key: a.Primary, Txn: a.Txn, Primary: a.Primary, BaseTS: a.BaseTS}, until)
	switch {
	case err != nil:
		return Outcome{}, err
	case got.Answer == shardrpc.Gone:
		return Outcome{}, forgotten()
	case got.Status == txn.Committed:
		return Outcome{Status: txn.Committed, CommitTS: got.CommitTS}, nil
	}
	return Outcome{Status: txn.Aborted, Reason: "aborted"}, nil
}

// outcomeOfKeys looks for what a transaction of one shard has written. Where
// there is nothing there never will be.
func (c *Coordinator) outcomeOfKeys(
	ctx context.Context, a *token.Attempt, until time.Duration,
) (Outcome, error) {
	now, err := c.fresh(ctx, until)
	if err != nil {
		return Outcome{}, err
	}
	found, err := c.queryIntents(ctx, &shardrpc.Blocker{Txn: a.Txn, BaseTS: a.BaseTS},
		&shardrpc.QueryResponse{Keys: a.Keys}, until)
	if err != nil {
		return Outcome{}, err
	}
	for i := range found {
		if found[i].CommitTS != 0 {
			return Outcome{Status: txn.Committed, CommitTS: found[i].CommitTS}, nil
		}
	}
	switch {
	case now-a.BaseTS > historyMin-skewMax: // it may have been collected
		return Outcome{}, forgotten()
	case a.More: // it may have written another key
		return Outcome{Status: txn.Pending, Reason: "too_many_keys"}, nil
	}
	return Outcome{Status: txn.Aborted, Reason: "aborted"}, nil
}
