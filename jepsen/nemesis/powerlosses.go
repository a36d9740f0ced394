//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

// powerLosses take what was not synced, N17 and N18. Nothing acknowledged is among that, so any
// number of members may lose power at any time.
func powerLosses() []Nemesis {
	return []Nemesis{{
		Name: "power-loss-one", Number: "N17", What: "a leader loses power, and what it had not synced",
		Served: true, Objective: leaderLoss, Hold: 2 * time.Second, touches: members,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			l, err := aLeader(ctx, c, r)
			if err != nil {
				return nil, err
			}
			f, err := dark(ctx, c, r, []cluster.Node{l.node})
			if err != nil {
				return nil, err
			}
			return l.over(c, f), nil
		},
	}, {
		Name: "power-loss-all", Number: "N17", What: "all members lose power at once",
		Objective: restartAll, Hold: 500 * time.Millisecond,
		touches: members | links, // nobody is left to be cut off
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return dark(ctx, c, r, c.Members())
		},
	}, {
		Name: "part-kill", Number: "N18", Served: true, Objective: restartAll, Hold: 3 * time.Second,
		What:    "a member loses power and starts, while one that has its data is cut off",
		touches: members | links,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return darkWithout(ctx, c, r, func(n cluster.Node) (*Fault, error) {
				rest := append(without(c.Members(), n), c.Gateways()...)
				return parted(c, portrait(ctx, c, n)+" is cut off", apart([]cluster.Node{n}, rest))
			})
		},
	}, {
		Name: "pause-kill", Number: "N18", Served: true, Objective: restartAll, Hold: 3 * time.Second,
		What:    "a member loses power and starts, while one that has its data stands still",
		touches: members | pauses,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return darkWithout(ctx, c, r, func(n cluster.Node) (*Fault, error) {
				return paused(ctx, c, []cluster.Node{n})
			})
		},
	}}
}

// unsynced is how long a member waits at most for a moment at which it has something to lose. With
// the least load that is no time.
const unsynced = 500 * time.Millisecond

// dark takes the power from nodes, all at the same time.
func dark(
	ctx context.Context, c *cluster.Cluster, r *rand.Rand, nodes []cluster.Node,
) (*Fault, error) {
	t, err := layTrail(c, nodes...)
	if err != nil {
		return nil, err
	}
	keep := []int{0, 25, 50, 75}[r.IntN(4)]
	errs := make(chan error, len(nodes))
	var all sync.WaitGroup
	for _, n := range nodes {
		loss := fault.PowerLoss{KeepPercent: keep, Seed: r.Uint64(),
			WaitMillis: unsynced.Milliseconds()}
		all.Go(func() {
			if _, err := c.Command(ctx, n, fault.Command{PowerLoss: &loss}); err != nil {
				errs <- fmt.Errorf("taking the power from %s: %w", n, err)
			}
		})
	}
	all.Wait()
	close(errs)
	f := &Fault{
		What: fmt.Sprintf("%s lost power and all but %d %% of what was not synced", names(nodes), keep),
		Heal: func(ctx context.Context) error { return revive(ctx, c, nodes) },
	}
	for err := range errs {
		return nil, errors.Join(err, f.Heal(ctx))
	}
	for _, n := range nodes {
		if err := wasKilled(c, n); err != nil {
			return nil, errors.Join(err, f.Heal(ctx))
		}
	}
	f.Proof = func(ctx context.Context) (string, error) {
		lost, err := t.lost(nodes)
		if err != nil {
			return "", err
		}
		again, err := t.restarted(ctx, nodes)
		return lost + "; " + again, err
	}
	return f, nil
}

// lost is what nodes say that they have lost with their power. If that is nothing, nothing was
// proven that a kill does not prove.
func (t *trail) lost(nodes []cluster.Node) (string, error) {
	var said []string
	bytes, names := int64(0), int64(0)
	for _, n := range nodes {
		line, err := t.line(n, "lost_bytes", "power_loss_failed")
		if err != nil {
			return "", err
		}
		words, b, m, ok := lossIn(line)
		if !ok {
			return "", fmt.Errorf("%s does not tell of a loss of power: %s", n, t.lastWords(n))
		}
		bytes, names = bytes+b, names+m
		said = append(said, fmt.Sprintf("%s: %s", n, words))
	}
	if bytes+names == 0 {
		return "", fmt.Errorf("nothing was lost with the power: %s", strings.Join(said, "; "))
	}
	return strings.Join(said, "; "), nil
}

// lossIn is what a line of a log tells of a loss of power.
func lossIn(line string) (words string, bytes, names int64, ok bool) {
	_, words, _ = strings.Cut(line, "msg=fault ")
	_, err := fmt.Sscanf(words, "lost_bytes=%d lost_names=%d", &bytes, &names)
	return words, bytes, names, err == nil
}

// darkWithout takes a leader away, by out, and then from another member what it had not synced.
// Whatever those two have acknowledged the two have to bring: those that are left may have none
// of it, and elect a leader as soon as the second one is back.
func darkWithout(
	ctx context.Context, c *cluster.Cluster, r *rand.Rand, out func(cluster.Node) (*Fault, error),
) (*Fault, error) {
	l, err := aLeader(ctx, c, r)
	if err != nil {
		return nil, err
	}
	away, err := out(l.node)
	if err != nil {
		return nil, err
	}
	loss, err := dark(ctx, c, r, []cluster.Node{one(r, without(c.Members(), l.node))})
	if err != nil {
		return nil, errors.Join(err, away.Heal(ctx))
	}
	if err := loss.Heal(ctx); err != nil {
		return nil, errors.Join(err, away.Heal(ctx))
	}
	both := away.with(loss)
	both.Heal = away.Heal
	return both, nil
}
