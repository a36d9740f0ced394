//go:build unix

package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// lag is how long a link takes, jitter more or less.
type lag struct{ delay, jitter time.Duration }

// delays are slow links. A question and its answer take 200 ms over two of 100 ms, more with
// jitter, and a leader that is silent for 400 ms is taken for dead: leaders change, and sessions of
// gateways end. With one slow member every shard committed after 30 ms to 17 s, the latter where
// that member led the oracle's; with all slow not all did in a minute. So those must only be stood,
// and commits come back when they are over.
func delays() []Nemesis {
	long := lag{100 * time.Millisecond, 50 * time.Millisecond}
	short := lag{20 * time.Millisecond, 10 * time.Millisecond}
	uneven := lag{150 * time.Millisecond, 150 * time.Millisecond}
	every := func(l lag) func(context.Context, *cluster.Cluster, *rand.Rand) (*Fault, error) {
		return func(_ context.Context, c *cluster.Cluster, _ *rand.Rand) (*Fault, error) {
			all := c.Members()
			slow := apart(all, c.Gateways())
			for i := range all {
				slow = append(slow, apart(all[i:i+1], all[:i])...)
			}
			return slowed(c, l, "every link is slow", slow)
		}
	}
	return []Nemesis{{
		Name: "delay-one", Number: "N12", What: "every link of a member takes 100 ms, 50 more or less",
		Objective: leaderLoss, Hold: partitionHold, touches: links,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			n := aliveOne(c, r)
			rest := append(without(c.Members(), n), c.Gateways()...)
			return slowed(c, long, "every link of "+portrait(ctx, c, n)+" is slow",
				apart([]cluster.Node{n}, rest))
		},
	}, {
		Name: "delay-gateway", Number: "N12",
		What:   "every link of a gateway takes 150 ms, 150 more or less",
		Served: true, Objective: leaderLoss, Hold: 2 * partitionHold, touches: links | gateways,
		Begin: func(_ context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			g := one(r, c.Gateways())
			return slowed(c, uneven, "every link of "+string(g)+" is slow",
				apart([]cluster.Node{g}, c.Members()))
		},
	}, {
		Name: "delay-all", Number: "N12", What: "every link takes 100 ms, 50 more or less",
		Objective: leaderLoss, Hold: partitionHold, touches: links, Begin: every(long),
	}, {
		Name: "delay-short", Number: "N12", What: "every link takes 20 ms, 10 more or less",
		Served: true, Objective: leaderLoss, Hold: partitionHold, touches: links, Begin: every(short),
	}}
}

// slowed delays links, and shows by what had to wait on them that it did.
func slowed(c *cluster.Cluster, l lag, what string, slow []cut) (*Fault, error) {
	var pieces int64
	for _, k := range slow {
		pieces -= c.Link(k.from, k.to).Delayed
		c.Slow(k.from, k.to, l.delay-l.jitter, 2*l.jitter)
	}
	return &Fault{
		What: what,
		Heal: func(context.Context) error {
			for _, k := range slow {
				c.Mend(k.from, k.to)
				pieces += c.Link(k.from, k.to).Delayed
			}
			return nil
		},
		Proof: func(context.Context) (string, error) {
			if pieces == 0 {
				return "", fmt.Errorf("nothing was delayed on %v", slow)
			}
			return fmt.Sprintf("%d pieces were delayed on %d links", pieces, len(slow)), nil
		},
	}, nil
}
