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
			n, err := aLeader(ctx, c, r)
			if err != nil {
				return nil, err
			}
			return killed(ctx, c, []cluster.Node{n})
		},
	}, {
		Name: "kill-minority", Number: "N2", What: "kill -9 of as many members as can be lost",
		Served: true, Objective: leaderLoss, Hold: 2 * time.Second, touches: members,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			all := c.Members()
			return killed(ctx, c, shuffled(r, all)[:minority(len(all))])
		},
	}, {
		Name: "kill-all", Number: "N3", What: "kill -9 of all members at once",
		Objective: restartAll, Hold: 500 * time.Millisecond,
		touches: members | links, // nobody is left to be cut off
		Begin: func(ctx context.Context, c *cluster.Cluster, _ *rand.Rand) (*Fault, error) {
			return killed(ctx, c, c.Members())
		},
	}, {
		Name: "kill-gateway", Number: "N4", What: "kill -9 of a gateway while transactions commit",
		Served: true, Objective: gatewayLoss, Hold: 2 * time.Second, touches: gateways,
		Begin: killGateway,
	}}
}

// killGateway waits for intents, which a commit on its way has, but not for long.
func killGateway(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	const patience = time.Second
	var s client.Status
	seen, cancel := context.WithTimeout(ctx, patience)
	_ = until(seen, "a commit is on its way", func() (bool, error) { // then without one
		var err error
		s, err = c.Status(seen)
		return err == nil && s.Totals.Intents > 0, err
	})
	cancel()
	f, err := killed(ctx, c, []cluster.Node{one(r, c.Gateways())})
	if err != nil {
		return nil, err
	}
	f.What += fmt.Sprintf(" while %d intents were seen", s.Totals.Intents)
	return f, nil
}
