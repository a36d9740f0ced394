package remote

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Client talks to one member. It is safe for concurrent use.
type Client struct {
	link *link.Client
}

// Dial begins to connect to the member at address, as in "127.0.0.1:7701", and
// returns at once. It connects again whenever that is needed until Close.
func Dial(address string) *Client {
	return &Client{link: link.Dial("http://"+address, link.Options{})}
}

// Close ends the link and every call on it.
func (c *Client) Close() { c.link.Close() }

// Status asks the member how it is.
func (c *Client) Status(ctx context.Context) ([]shardrpc.MemberStatus, error) {
	resp, err := call[shardrpc.StatusResponse](ctx, c, shardrpc.MethodStatus,
		&shardrpc.StatusRequest{})
	if err != nil {
		return nil, unavailable("remote.Status", err)
	}
	return resp.Members, nil
}

// OpenSession opens a leased session for the gateway at address. If its answer
// is lost, the session that nobody knows of ends by itself.
func (c *Client) OpenSession(ctx context.Context, address string) (uint32, error) {
	resp, err := call[shardrpc.SessionResponse](ctx, c, shardrpc.MethodSession,
		&shardrpc.SessionRequest{Target: meta(), Address: address, Leased: true})
	switch {
	case err != nil:
		return 0, unavailable("remote.OpenSession", err)
	case resp.Answer == shardrpc.OK:
		return resp.Session, nil
	case resp.Answer == shardrpc.Gone:
		return 0, txn.Errorf(txn.Exhausted, "sessions", "no session is left to give out")
	}
	return 0, unavailable("remote.OpenSession", errNotServing)
}

// Renew keeps a session open. open false says that it has ended.
func (c *Client) Renew(ctx context.Context, session uint32) (open bool, err error) {
	resp, err := call[shardrpc.RenewResponse](ctx, c, shardrpc.MethodRenew,
		&shardrpc.RenewRequest{Target: meta(), Session: session})
	switch {
	case err != nil:
		return false, unavailable("remote.Renew", err)
	case resp.Answer == shardrpc.OK, resp.Answer == shardrpc.Gone:
		return resp.Answer == shardrpc.OK, nil
	}
	return false, unavailable("remote.Renew", errNotServing)
}

// meta addresses the meta group, which is never split.
func meta() shardrpc.Target { return shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1} }

var errNotServing = errors.New("the meta group does not serve now")

// unavailable is for calls that may be made again whatever became of them.
func unavailable(op string, err error) error {
	return &txn.Error{Kind: txn.Unavailable, Op: op, Reason: "member_unreachable", Err: err}
}

// answer is a pointer to R that can be decoded.
type answer[R any] interface {
	*R
	shardrpc.Message
}

// call sends one request and waits for its answer.
func call[R any, P answer[R]](
	ctx context.Context, c *Client, method shardrpc.Method, req shardrpc.Message,
) (P, error) {
	payload, err := c.link.Call(ctx, uint8(method), shardrpc.Encode(req))
	if err != nil {
		return nil, classify(err)
	}
	resp, err := shardrpc.Decode[R, P](payload)
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

// classify passes on what the member itself says about a request, and hides
// what the link makes of a call that got no answer.
func classify(err error) error {
	silent := errors.Is(err, link.ErrLost) || errors.Is(err, link.ErrUnsent)
	if silent || txn.KindOf(err) == txn.Unknown {
		return &noAnswer{err}
	}
	return err
}
