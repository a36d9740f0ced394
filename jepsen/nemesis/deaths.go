//go:build unix

package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

// deaths are kill -9, N1 to N4.
func deaths() []Nemesis {
	return []Nemesis{{
		Name: "kill-leader", Number: "N1", What: "kill -9 of the leader of some shard",
		Served: true, Objective: leaderLoss, Hold: 2 * time.Second, touches: members,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			t, err := layTrail(c, c.Members()...)
			if err != nil {
				return nil, err
			}
			l, err := aLeader(ctx, c, r)
			if err != nil {
				return nil, err
			}
			f, err := killed(ctx, t, l.seen, []cluster.Node{l.node})
			if err != nil {
				return nil, err
			}
			return l.over(c, f), nil
		},
	}, {
		Name: "kill-minority", Number: "N2", What: "kill -9 of as many members as can be lost",
		Served: true, Objective: leaderLoss, Hold: 2 * time.Second, touches: members,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			all := c.Members()
			return killedNow(ctx, c, shuffled(r, all)[:minority(len(all))])
		},
	}, {
		Name: "kill-all", Number: "N3", What: "kill -9 of all members at once",
		Objective: restartAll, Hold: 500 * time.Millisecond,
		touches: members | links, // nobody is left to be cut off
		Begin: func(ctx context.Context, c *cluster.Cluster, _ *rand.Rand) (*Fault, error) {
			return killedNow(ctx, c, c.Members())
		},
	}, {
		Name: "kill-gateway", Number: "N4",
		What:   "kill -9 of a gateway, if it can be while intents are open",
		Served: true, Objective: gatewayLoss, Hold: 2 * time.Second, touches: gateways,
		Begin: killGateway,
	}}
}

// killedNow kills nodes whatever they do.
func killedNow(
	ctx context.Context, c *cluster.Cluster, nodes []cluster.Node,
) (*Fault, error) {
	t, err := layTrail(c, nodes...)
	if err != nil {
		return nil, err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("before a kill: %w", err)
	}
	return killed(ctx, t, s, nodes)
}

// killGateway waits for intents, which a commit on its way has, but not for long: a load that
// writes in one phase has none.
func killGateway(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	const patience = time.Second
	g := one(r, c.Gateways())
	t, err := layTrail(c, g)
	if err != nil {
		return nil, err
	}
	var s client.Status
	seen, cancel := context.WithTimeout(ctx, patience)
	_ = until(seen, "a commit is on its way", func() (bool, error) { // then without one
		var err error
		s, err = c.Status(seen)
		return err == nil && s.Totals.Intents > 0, err
	})
	cancel()
	f, err := killed(ctx, t, s, []cluster.Node{g})
	if err != nil {
		return nil, err
	}
	f.What += " while no intents were open"
	if n := s.Totals.Intents; n > 0 {
		f.What = fmt.Sprintf("%s killed when %d intents of it or of others had been seen", g, n)
	}
	return f, nil
}
