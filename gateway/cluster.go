package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// transferMax is how long a new leader may take: ten elections.
	transferMax = 5 * time.Second
	// transferPoll is how often the members are asked meanwhile.
	transferPoll = 25 * time.Millisecond
)

// transferLeader hands the leadership of a shard over, and answers once somebody else leads it.
func (g *Gateway) transferLeader(
	ctx context.Context, req *cairnv1.TransferLeaderRequest,
) (*cairnv1.TransferLeaderResponse, error) {
	if g.Transfer == nil {
		return nil, &txn.Error{Kind: txn.Invalid, Reason: "single_member",
			Err:  errors.New("a single member leads everything"),
			Next: "start a cluster of 3 or 5 members to have somebody to hand over to"}
	}
	until := g.Env.Now() + transferMax
	members, err := g.statusUntil(ctx, until)
	if err != nil {
		return nil, err
	}
	s, err := mayTransfer(members, req)
	if err != nil {
		return nil, err
	}
	before := s.serving()
	if before != 0 && before == req.ToMember {
		return &cairnv1.TransferLeaderResponse{LeaderId: before}, nil
	}
	if err := g.Transfer(ctx, req.Shard, req.ToMember); err != nil {
		return nil, err
	}
	leader, err := g.awaitLeader(ctx, req.Shard, before, until)
	if err != nil {
		return nil, err
	}
	return &cairnv1.TransferLeaderResponse{LeaderId: leader}, nil
}

// statusUntil asks the members, who have until then to answer.
func (g *Gateway) statusUntil(
	ctx context.Context, until time.Duration,
) ([]shardrpc.MemberStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, max(until-g.Env.Now(), transferPoll))
	defer cancel()
	return g.Status(ctx)
}

// mayTransfer finds the shard, and refuses what cannot come to pass.
func mayTransfer(
	members []shardrpc.MemberStatus, req *cairnv1.TransferLeaderRequest,
) (*shardView, error) {
	shards := shardsOf(members)
	if len(shards) == 0 {
		return nil, &txn.Error{Kind: txn.Unavailable, Reason: "no_member",
			Err: fmt.Errorf("none of the %d members answers", len(members)), Next: nextStatus}
	}
	var ids []uint64
	for i := range shards {
		ids = append(ids, uint64(shards[i].best().Shard))
	}
	at := slices.Index(ids, req.Shard)
	if at < 0 {
		return nil, &txn.Error{Kind: txn.Invalid, Reason: "shard_unknown", Next: nextStatus,
			Err: fmt.Errorf("there is no shard %d, but %v", req.Shard, ids)}
	}
	s := &shards[at]
	if req.ToMember == 0 {
		if len(s.best().Voters) == 1 {
			return nil, txn.Errorf(txn.Invalid, "single_member",
				"shard %d has a single voting copy, on member %d", req.Shard, s.best().Voters[0])
		}
		return s, nil
	}
	return s, mayLead(members, s, req.ToMember)
}

// mayLead refuses a member that cannot lead a shard.
func mayLead(members []shardrpc.MemberStatus, s *shardView, to uint64) error {
	var ids []uint64
	for i := range members {
		ids = append(ids, members[i].MemberID)
	}
	at, shard := slices.Index(ids, to), s.best().Shard
	switch {
	case at < 0:
		return &txn.Error{Kind: txn.Invalid, Reason: "member_unknown", Next: nextStatus,
			Err: fmt.Errorf("there is no member %d, but %v", to, ids)}
	case members[at].Down != "":
		return &txn.Error{Kind: txn.Unavailable, Reason: "member_down",
			Err:  fmt.Errorf("member %d does not answer: %s", to, members[at].Down),
			Next: "start it, or name another member"}
	case len(s.best().Voters) > 0 && !slices.Contains(s.best().Voters, to):
		return &txn.Error{Kind: txn.Invalid, Reason: "member_not_voter",
			Err:  fmt.Errorf("member %d keeps no voting copy of shard %d", to, shard),
			Next: fmt.Sprintf("name one of the members %v", s.best().Voters)}
	}
	return nil
}

const nextStatus = "look at the status of the cluster"

// awaitLeader polls until another member than before leads the shard and serves it.
func (g *Gateway) awaitLeader(
	ctx context.Context, shard, before uint64, until time.Duration,
) (uint64, error) {
	for {
		members, err := g.statusUntil(ctx, until)
		if err == nil {
			shards := shardsOf(members)
			at := slices.IndexFunc(shards, func(s shardView) bool {
				return uint64(s.best().Shard) == shard
			})
			if at >= 0 {
				if now := shards[at].serving(); now != 0 && now != before {
					return now, nil
				}
			}
		}
		if g.Env.Now() >= until {
			return 0, errNotMoved(shard, before)
		}
		if err := g.Env.Sleep(ctx, transferPoll); err != nil {
			return 0, &txn.Error{Kind: txn.Unknown, Reason: "interrupted", Err: err,
				Next: "the leadership may move yet; " + nextStatus}
		}
	}
}

func errNotMoved(shard, before uint64) error {
	still := "nobody leads it"
	if before != 0 {
		still = fmt.Sprintf("member %d led it before", before)
	}
	return &txn.Error{Kind: txn.Unavailable, Reason: "leader_not_moved",
		Err: fmt.Errorf("no other member has come to lead shard %d and serve it within %v; %s",
			shard, transferMax, still),
		Next: "see in the status that whoever shall lead is up and does not lag, and ask again"}
}
