//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	// statusTimeout bounds how long one gateway takes to tell the status.
	statusTimeout = 2 * time.Second
	// transferTimeout is a little more than a gateway waits for who is to lead.
	transferTimeout = 6 * time.Second
)

// ask calls gateways that are up, one after the other, until one answers; around the links from the
// clients, but not around those between gateways and members.
func (c *Cluster) ask(
	ctx context.Context, each time.Duration, call func(context.Context, *client.DB) error,
) error {
	var errs []error
	for _, g := range c.gateways {
		s, err := c.server(g)
		if err != nil {
			return err
		}
		s.mu.Lock()
		_, err = s.running()
		if err == nil && s.paused {
			err = fmt.Errorf("%s is paused", g)
		}
		s.mu.Unlock()
		if err == nil {
			bounded, cancel := context.WithTimeout(ctx, each)
			err = call(bounded, c.dbs[g])
			cancel()
		}
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", g, err))
	}
	return fmt.Errorf("no gateway answers: %w", errors.Join(errs...))
}

// Status is what some gateway says that is up.
func (c *Cluster) Status(ctx context.Context) (status client.Status, err error) {
	err = c.ask(ctx, statusTimeout, func(ctx context.Context, db *client.DB) (err error) {
		status, err = db.Status(ctx)
		return err
	})
	return status, err
}

// Leader is who leads a shard: 1 is meta, with the oracle; 2 to 5 hold keys. It waits for one.
func (c *Cluster) Leader(ctx context.Context, shard uint64) (leader Node, err error) {
	err = c.awaitStatus(ctx, func(s client.Status) error {
		for _, sh := range s.Shards {
			if sh.ID == shard {
				leader, err = leaderOf(sh)
				return err
			}
		}
		return fmt.Errorf("there is no shard %d", shard)
	})
	return leader, err
}

// leaderOf is the member that says so and is known for it.
func leaderOf(s client.ShardStatus) (Node, error) {
	for _, r := range s.Replicas {
		if s.Leader && r.Leader && r.Member == s.LeaderID {
			return member(r.Member), nil
		}
	}
	return "", fmt.Errorf("shard %d has no leader", s.ID)
}

// awaitStatus returns when good has nothing to say of the status.
func (c *Cluster) awaitStatus(ctx context.Context, good func(client.Status) error) error {
	why := errors.New("nobody was asked")
	for ctx.Err() == nil {
		s, err := c.Status(ctx)
		if err == nil {
			err = good(s)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() == nil { // else it is only about that
			why = err
		}
		Sleep(ctx, pollEvery)
	}
	return fmt.Errorf("it did not happen in time: %w: %w", context.Cause(ctx), why)
}

// Transfer hands the leadership of a shard to a member.
func (c *Cluster) Transfer(ctx context.Context, shard uint64, to Node) error {
	if s, err := c.server(to); err != nil || s.data == "" {
		return fmt.Errorf("%s cannot lead shard %d: it is no member", to, shard)
	}
	return c.ask(ctx, transferTimeout, func(ctx context.Context, db *client.DB) error {
		id, err := db.TransferLeader(ctx, shard, to.ID())
		if err == nil && id != to.ID() {
			err = fmt.Errorf("shard %d is led by %s now, not by %s: try again", shard, member(id), to)
		}
		return err
	})
}

// AwaitHealthy returns when all are up, every shard has one leader that all of its members know,
// and every replica has applied what its leader had applied at the time of the call: under load
// there is always something newer.
func (c *Cluster) AwaitHealthy(ctx context.Context) error {
	for _, n := range c.nodes() {
		if err := c.AwaitReady(ctx, n); err != nil {
			return err
		}
	}
	var goal map[uint64]uint64
	err := c.awaitStatus(ctx, func(s client.Status) (err error) {
		goal, err = applied(s)
		return err
	})
	if err != nil {
		return err
	}
	members := c.Members()
	return c.awaitStatus(ctx, func(s client.Status) error { return healthy(s, members, goal) })
}

// applied is what the leader of each shard has.
func applied(s client.Status) (map[uint64]uint64, error) {
	goal := make(map[uint64]uint64)
	for _, shard := range s.Shards {
		if _, err := leaderOf(shard); err != nil {
			return nil, err
		}
		goal[shard.ID] = shard.Applied
	}
	return goal, nil
}

// healthy says what is wrong.
func healthy(s client.Status, members []Node, goal map[uint64]uint64) error {
	for _, m := range s.Members {
		if m.Down != "" {
			return fmt.Errorf("%s is down: %s", member(m.ID), m.Down)
		}
	}
	if len(s.Shards) != len(goal) {
		return fmt.Errorf("%d shards were there, %d are", len(goal), len(s.Shards))
	}
	for _, shard := range s.Shards {
		leader, err := leaderOf(shard)
		if err != nil {
			return err
		}
		var voters []Node
		for _, v := range shard.Voters {
			voters = append(voters, member(v))
		}
		if !slices.Equal(voters, members) || len(shard.Learners) > 0 {
			return fmt.Errorf("shard %d has the voters %v and the learners %v, not the voters %v",
				shard.ID, voters, shard.Learners, members)
		}
		for _, r := range shard.Replicas {
			n := member(r.Member)
			if r.Leader != (n == leader) {
				return fmt.Errorf("shard %d is led by %s, and %s does not agree", shard.ID, leader, n)
			}
			if r.Lag == client.LagUnknown || r.Applied < goal[shard.ID] {
				return fmt.Errorf("%s lags in shard %d: it has applied %d, not %d",
					n, shard.ID, r.Applied, goal[shard.ID])
			}
		}
	}
	return nil
}
