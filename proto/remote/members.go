package remote

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// statusTimeout is how long a member has to say how it is.
const statusTimeout = time.Second

// Routes implements coordinator.Shards.
func (c *Client) Routes(ctx context.Context) ([]shardrpc.Route, error) {
	resp, err := c.routes(ctx)
	if err != nil {
		return nil, err
	}
	return resp.Routes, nil
}

// Members are those that the cluster lists.
func (c *Client) Members(ctx context.Context) ([]shardrpc.Member, error) {
	resp, err := c.routes(ctx)
	if err != nil {
		return nil, unavailable("remote.Members", err)
	}
	return resp.Members, nil
}

// routes asks the meta leader if it is known, since no other member knows of a
// change before it does.
func (c *Client) routes(ctx context.Context) (*shardrpc.RoutesResponse, error) {
	a, ok := c.leaders.begin(shardrpc.MetaShard)
	if !ok {
		return nil, &noAnswer{errNobody}
	}
	return c.askRoutes(ctx, a)
}

func (c *Client) askRoutes(ctx context.Context, a attempt) (*shardrpc.RoutesResponse, error) {
	resp, err := askMember[shardrpc.RoutesResponse](ctx, c, a, request{
		Message: &shardrpc.RoutesRequest{}, method: shardrpc.MethodRoutes})
	if err == nil {
		c.learn(resp.Members)
	}
	return resp, err
}

// Status asks every member how it is, all at once. Of one that does not answer
// it says why. Members are in the order of their ids.
func (c *Client) Status(ctx context.Context) ([]shardrpc.MemberStatus, error) {
	attempts, members := c.leaders.all()
	timed, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	said := make([][]shardrpc.MemberStatus, len(attempts))
	var asking sync.WaitGroup
	for i, a := range attempts {
		asking.Go(func() { said[i] = c.statusOf(timed, a, members[i]) })
	}
	asking.Wait()
	if err := ctx.Err(); err != nil {
		return nil, unavailable("remote.Status", err)
	}
	all := slices.Concat(said...)
	slices.SortStableFunc(all, func(a, b shardrpc.MemberStatus) int {
		return cmp.Compare(a.MemberID, b.MemberID)
	})
	return all, nil
}

func (c *Client) statusOf(
	ctx context.Context, a attempt, m shardrpc.Member,
) []shardrpc.MemberStatus {
	resp, err := askMember[shardrpc.StatusResponse](ctx, c, a, request{
		Message: &shardrpc.StatusRequest{}, method: shardrpc.MethodStatus})
	if err != nil {
		return []shardrpc.MemberStatus{{MemberID: m.ID, Address: m.Address, Down: err.Error()}}
	}
	for i := range resp.Members {
		if resp.Members[i].Address == "" {
			resp.Members[i].Address = m.Address
		}
	}
	return resp.Members
}

// Transfer asks the leader of a shard to hand its leadership to member to, or,
// if that is 0, to whichever is furthest. It returns when that has begun.
func (c *Client) Transfer(ctx context.Context, shard shardrpc.ShardID, to uint64) error {
	const op = "remote.Transfer"
	target, err := c.target(ctx, shard)
	if err != nil {
		return err
	}
	resp, err := call[shardrpc.TransferResponse](ctx, c, request{
		Message: &shardrpc.TransferRequest{Target: target, To: to},
		method:  shardrpc.MethodTransfer, shard: shard})
	if _, refused := errors.AsType[*txn.Error](err); refused {
		return err // the member says why
	}
	switch {
	case err != nil:
		return unavailable(op, err)
	case resp.Answer == shardrpc.OK:
		return nil
	case resp.Answer == shardrpc.Refused:
		e := txn.Errorf(txn.Invalid, "no_such_replica",
			"member %d has no replica of shard %d that could lead it", to, shard)
		e.Op, e.Next = op, "see the members and their shards in the status"
		return e
	}
	return unavailable(op, errNotServing)
}

// target addresses a shard as it is now.
func (c *Client) target(
	ctx context.Context, shard shardrpc.ShardID,
) (shardrpc.Target, error) {
	if shard == shardrpc.MetaShard {
		return meta(), nil
	}
	routes, err := c.Routes(ctx)
	if err != nil {
		return shardrpc.Target{}, unavailable("remote.Transfer", err)
	}
	i := slices.IndexFunc(routes, func(r shardrpc.Route) bool { return r.Shard == shard })
	if i < 0 {
		return shardrpc.Target{}, txn.Errorf(txn.NotFound, "no_such_shard",
			"there is no shard %d", shard)
	}
	return shardrpc.Target{Shard: shard, Epoch: routes[i].Epoch}, nil
}

// Replace asks the meta group to put a new member in the place of one that is lost.
func (c *Client) Replace(
	ctx context.Context, req *shardrpc.ReplaceRequest,
) (*shardrpc.ReplaceResponse, error) {
	return call[shardrpc.ReplaceResponse](ctx, c, request{
		Message: req, method: shardrpc.MethodReplace, shard: shardrpc.MetaShard})
}
