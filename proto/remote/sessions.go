package remote

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// OpenSession opens a leased session for the gateway at address. If its answer
// is lost, the session that nobody knows of ends by itself.
func (c *Client) OpenSession(ctx context.Context, address string) (uint32, error) {
	resp, err := call[shardrpc.SessionResponse](ctx, c, request{
		Message: &shardrpc.SessionRequest{Target: meta(), Address: address, Leased: true},
		method:  shardrpc.MethodSession, shard: shardrpc.MetaShard})
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
	resp, err := call[shardrpc.RenewResponse](ctx, c, request{
		Message: &shardrpc.RenewRequest{Target: meta(), Session: session},
		method:  shardrpc.MethodRenew, shard: shardrpc.MetaShard})
	switch {
	case err != nil:
		return false, unavailable("remote.Renew", err)
	case resp.Answer == shardrpc.OK, resp.Answer == shardrpc.Gone:
		return resp.Answer == shardrpc.OK, nil
	}
	return false, unavailable("remote.Renew", errNotServing)
}

// FindSession is where the gateway of a session can be reached. open false says
// that the session has ended.
func (c *Client) FindSession(
	ctx context.Context, session uint32,
) (address string, open bool, err error) {
	resp, err := call[shardrpc.FindSessionResponse](ctx, c, request{
		Message: &shardrpc.FindSessionRequest{Target: meta(), Session: session},
		method:  shardrpc.MethodFindSession, shard: shardrpc.MetaShard})
	switch {
	case err != nil:
		return "", false, unavailable("remote.FindSession", err)
	case resp.Answer == shardrpc.OK, resp.Answer == shardrpc.Gone:
		return resp.Address, resp.Answer == shardrpc.OK, nil
	}
	return "", false, unavailable("remote.FindSession", errNotServing)
}

// meta addresses the meta group, which is never split.
func meta() shardrpc.Target { return shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1} }

var errNotServing = errors.New("the shard does not serve now")

// unavailable is for calls that may be made again whatever became of them.
func unavailable(op string, err error) error {
	return &txn.Error{Kind: txn.Unavailable, Op: op, Reason: "member_unreachable", Err: err}
}
