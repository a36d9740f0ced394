package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"

	"github.com/cairnkv/cairn/coordinator"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// requestHeader carries the request_id of a write at the HTTP endpoint. (It is not called
// Idempotency-Key, since net/http repeats by itself what has such a header.)
const requestHeader = "X-Cairn-Request-Id"

// mutation is what all requests that write have in common.
type mutation interface {
	GetTxn() string
	GetRequestId() []byte
	GetMessage() string
}

// requestID is the request that a user calls user. Without that it gets a name that nobody else
// has: then it cannot be repeated, but if its outcome is unknown there is something to ask for.
func (g *Gateway) requestID(user []byte) (txn.Request, error) {
	if len(user) > 0 {
		return namedRequest(user)
	}
	q := txn.Request{Since: txn.SinceSeen(g.Coordinator.Newest())}
	_, _ = rand.Read(q.ID[:]) // it never fails
	return q, nil
}

func namedRequest(user []byte) (txn.Request, error) {
	if n := len(user); n > txn.RequestIDBytesMax {
		return txn.Request{}, invalid("request_id_too_long",
			"the request_id has %d bytes, the limit is %d", n, txn.RequestIDBytesMax)
	}
	return txn.NamedRequest(user), nil
}

// requestOf is the request_id of a write that is a transaction of its own.
func (g *Gateway) requestOf(m mutation) (txn.Request, error) {
	if m.GetTxn() != "" {
		return txn.Request{}, firstErr(noRequest(m, "request_id_in_transaction",
			"a write inside a transaction takes no request_id; give it to Commit"),
			noMessage(m, "message_in_transaction",
				"a write inside a transaction takes no message; give it to Commit"))
	}
	return g.requestID(m.GetRequestId())
}

func noRequest(m mutation, reason, why string) error {
	if len(m.GetRequestId()) == 0 {
		return nil
	}
	return invalid(reason, "%s", why)
}

func noMessage(m mutation, reason, why string) error {
	if m.GetMessage() == "" {
		return nil
	}
	return invalid(reason, "%s", why)
}

// bare is what an operation of a one-shot transaction must be.
func bare(m mutation) error {
	return firstErr(noHandle(m.GetTxn()), noEphemeral(m), noRequest(m, "request_id_in_operation",
		"an operation of a one-shot transaction takes no request_id; give it to the transaction"),
		noMessage(m, "message_in_operation",
			"an operation of a one-shot transaction takes no message; give it to the transaction"))
}

// commitRequest is the request of a commit. One without a request_id is remembered by the name of
// its transaction: so its outcome can be asked for, too.
func commitRequest(req *cairnv1.CommitRequest) (txn.Request, error) {
	if h, ok := token.ParseHandle(req.GetTxn()); ok && len(req.GetRequestId()) == 0 {
		return txn.Request{ID: txn.HashRequestID([]byte(h.Name())), Since: h.Began}, nil
	}
	return namedRequest(req.GetRequestId())
}

// commitToken names the commit that req asks for. It has no anchor if no write was ever committed
// by req: see token.Handle.
func commitToken(req *cairnv1.CommitRequest) token.Token {
	h, ok := token.ParseHandle(req.GetTxn())
	request, err := commitRequest(req)
	if !ok || err != nil {
		return token.Token{}
	}
	t := h.Commit(request.ID)
	if sets := req.GetSets(); h.Anchor == nil && len(sets) > 0 {
		if n := len(sets[0].GetKey()); n == 0 || n > txn.KeyBytesMax {
			return token.Token{} // it was refused
		}
		t.Keyspace = cmp.Or(sets[0].GetKeyspace(), defaultKeyspace)
		t.Anchor = sets[0].GetKey()
	}
	return t
}

// committedBefore is a commit of a transaction that is open nowhere: an earlier copy of the call
// may have committed it, or may be about to. From now on it has or will not.
func (g *Gateway) committedBefore(
	ctx context.Context, req *cairnv1.CommitRequest, gone error,
) (*cairnv1.CommitResponse, error) {
	t := commitToken(req)
	if t.Anchor == nil {
		return nil, gone
	}
	out, err := g.outcomeOf(ctx, t)
	switch {
	case err != nil, out.Status == txn.Pending:
		h, _ := token.ParseHandle(req.GetTxn()) // which has a token
		return nil, &txn.Error{
			Kind: txn.Unknown, Reason: "outcome_unknown", Txn: h.Txn, Key: h.Anchor,
			Token: t.String(), Err: errors.Join(errUndecided, err),
		}
	case out.Status == txn.Committed:
		return &cairnv1.CommitResponse{CommitTs: int64(out.CommitTS)}, nil
	}
	return nil, gone
}

var errUndecided = errors.New("the transaction has ended, and how is not known now")

// commitOptions bound a commit by the caller's deadline.
func (g *Gateway) commitOptions(
	ctx context.Context, request txn.Request,
) coordinator.CommitOptions {
	return coordinator.CommitOptions{Deadline: g.deadline(ctx), Request: request}
}

func (g *Gateway) outcome(
	ctx context.Context, req *cairnv1.OutcomeRequest,
) (*cairnv1.OutcomeResponse, error) {
	t, err := token.Parse(req.GetToken())
	if err != nil {
		return nil, err
	}
	out, err := g.outcomeOf(ctx, t)
	if err != nil {
		return nil, err
	}
	resp := &cairnv1.OutcomeResponse{
		Outcome:  cairnv1.CommitOutcome_COMMIT_OUTCOME_UNDECIDED,
		CommitTs: int64(out.CommitTS), Reason: out.Reason,
	}
	switch out.Status {
	case txn.Committed:
		resp.Outcome = cairnv1.CommitOutcome_COMMIT_OUTCOME_COMMITTED
	case txn.Aborted:
		resp.Outcome = cairnv1.CommitOutcome_COMMIT_OUTCOME_ABORTED
	}
	return resp, nil
}

// outcomeOf asks what became of t, which nothing changes any more unless it is undecided.
func (g *Gateway) outcomeOf(
	ctx context.Context, t token.Token,
) (out coordinator.Outcome, err error) {
	if t.Keyspace != "" {
		ks, err := g.keyspace(ctx, t.Keyspace)
		if err != nil {
			return out, err
		}
		if t.Since < ks.CreatedAt { // what it was sent to was deleted, and nothing is left to tell
			return out, noKeyspace(t.Keyspace)
		}
		if t.Anchor, err = keyIn(ks.ID, t.Anchor); err != nil {
			return out, err
		}
		t.Keyspace = ""
	}
	return g.Coordinator.Outcome(ctx, t, g.deadline(ctx))
}

// named gives an error that leaves the outcome of q open the token to ask with.
func named(err error, q token.Token) error {
	if err == nil || q.Anchor == nil || q.ID == (txn.RequestID{}) {
		return err
	}
	e := *classify(err, true)
	if e.Kind != txn.Unknown {
		return err
	}
	e.Key, e.Token = q.Anchor, q.String()
	return &e
}
