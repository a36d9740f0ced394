//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// changes are what operators do, N20 and N22. A member that is replaced is gone for good.
func changes() []Nemesis {
	return []Nemesis{{
		Name: "replace-member", Number: "N20", What: "a member dies, and a new one takes its place",
		Served: true, Objective: leaderLoss, Hold: time.Second, touches: whole, Begin: replaceOne,
	}, {
		Name: "rolling-restart", Number: "N22", What: "SIGTERM of every process in turn, and start again",
		Served: true, Objective: leaderLoss, Hold: time.Second, touches: members | gateways,
		Begin: roll,
	}, {
		Name: "transfer-storm", Number: "N22", What: "leaderships are handed around all the time",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: leaders | all,
		Begin: storm,
	}}
}

func replaceOne(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	lost := one(r, c.Members())
	what := portrait(ctx, c, lost)
	if err := c.Kill(lost); err != nil {
		return nil, err
	}
	work, fresh := replacing(ctx, c, lost)
	return &Fault{
		What: what + " killed, to be replaced",
		Heal: work.finish,
		Proof: func(ctx context.Context) (string, error) {
			return inPlace(ctx, c, lost, *fresh)
		},
	}, nil
}

func replacing(ctx context.Context, c *cluster.Cluster, lost cluster.Node) (*chore, *cluster.Node) {
	fresh := new(cluster.Node)
	return begin(ctx, func(ctx context.Context) (err error) {
		if *fresh, err = c.Replace(ctx, lost); err != nil {
			return fmt.Errorf("replacing %s: %w", lost, err)
		}
		return nil
	}), fresh
}

// inPlace says that the voters of all shards are the new one, and not the old.
func inPlace(
	ctx context.Context, c *cluster.Cluster, lost, fresh cluster.Node,
) (string, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, shard := range s.Shards {
		if !slices.Contains(shard.Voters, fresh.ID()) || slices.Contains(shard.Voters, lost.ID()) {
			return "", fmt.Errorf("%s is not in the place of %s in shard %d: voters %v",
				fresh, lost, shard.ID, shard.Voters)
		}
	}
	return fmt.Sprintf("%s has the votes of %s in all %d shards", fresh, lost, len(s.Shards)), nil
}

// roll restarts every process in turn, as an update does. It goes on with the next one when the
// one before is ready, and ends by itself.
func roll(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	nodes := append(shuffled(r, c.Members()), shuffled(r, c.Gateways())...)
	t, err := layTrail(c, nodes...)
	if err != nil {
		return nil, err
	}
	work := begin(ctx, func(ctx context.Context) error {
		for _, n := range nodes {
			if err := c.Terminate(ctx, n); err != nil {
				return fmt.Errorf("stopping %s: %w", n, err)
			}
			if err := revive(ctx, c, []cluster.Node{n}); err != nil {
				return err
			}
		}
		return nil
	})
	return &Fault{
		What: names(nodes) + " are restarted in turn",
		Heal: func(ctx context.Context) error {
			return errors.Join(work.finish(ctx), revive(ctx, c, nodes))
		},
		Proof: func(ctx context.Context) (string, error) { return t.restarted(ctx, nodes) },
	}, nil
}

// storm hands leaderships to other members, several times a second.
func storm(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	chance := fork(r)
	var asked, came atomic.Int64
	work := begin(ctx, func(ctx context.Context) error {
		for cluster.Sleep(ctx, time.Duration(50+chance.IntN(200))*time.Millisecond) {
			from, err := anyLead(ctx, c, chance)
			if err != nil {
				continue
			}
			to := one(chance, without(c.Members(), from.node))
			asked.Add(1)
			if c.Transfer(ctx, from.shard, to) != nil {
				continue // as good: its lease is gone
			}
			s, err := c.Status(ctx)
			if n, term, ok := leaderOf(s, from.shard); err == nil && ok && n == to && term > from.term {
				came.Add(1)
			}
		}
		return nil
	})
	return &Fault{
		What: "leaderships are handed around",
		Heal: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, soon)
			defer cancel()
			_ = until(ctx, "one was seen to arrive", func() (bool, error) { // Proof tells if not
				return came.Load() > 0, nil
			})
			return work.stop()
		},
		Proof: func(context.Context) (string, error) {
			if came.Load() == 0 {
				return "", fmt.Errorf("of %d transfers none was seen to arrive", asked.Load())
			}
			return fmt.Sprintf("%d transfers, %d were seen to arrive", asked.Load(), came.Load()), nil
		},
	}, nil
}

// anyLead is that of some shard that has a leader now.
func anyLead(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (l lead, err error) {
	if l.seen, err = c.Status(ctx); err != nil {
		return l, err
	}
	var all []lead
	for _, shard := range l.seen.Shards {
		if n, term, ok := leaderOf(l.seen, shard.ID); ok {
			all = append(all, lead{node: n, shard: shard.ID, term: term, seen: l.seen})
		}
	}
	if len(all) == 0 {
		return l, errors.New("no shard has a leader")
	}
	return all[r.IntN(len(all))], nil
}
