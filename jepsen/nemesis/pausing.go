//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// pausing is SIGSTOP, N5 and N6.
func pausing() []Nemesis {
	leader := func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
		l, err := aLeader(ctx, c, r)
		if err != nil {
			return nil, err
		}
		return paused(ctx, c, []cluster.Node{l.node})
	}
	return []Nemesis{{
		Name: "pause-leader", Number: "N5", What: "SIGSTOP of a leader for twice an election",
		Served: true, Objective: leaderLoss, Hold: 2 * election, touches: pauses, Begin: leader,
	}, {
		Name: "pause-leader-long", Number: "N5", What: "SIGSTOP of a leader for 3 s",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: pauses, Begin: leader,
	}, {
		Name: "pause-all", Number: "N6", What: "SIGSTOP of all members",
		Objective: leaderLoss, Hold: 2 * election,
		touches: pauses | links | all, // they send nothing that could be lost
		Begin: func(ctx context.Context, c *cluster.Cluster, _ *rand.Rand) (*Fault, error) {
			return paused(ctx, c, c.Members())
		},
	}, {
		Name: "pause-gateway", Number: "N6", What: "SIGSTOP of a gateway until its session has ended",
		Served: true, Objective: gatewayLoss, Hold: 3 * time.Second, touches: pauses | gateways,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return paused(ctx, c, []cluster.Node{one(r, c.Gateways())})
		},
	}}
}

// paused stops nodes. Each measures by itself for how long it did not run.
func paused(ctx context.Context, c *cluster.Cluster, nodes []cluster.Node) (*Fault, error) {
	what := names(nodes)
	if len(nodes) == 1 && nodes[0].ID() > 0 {
		what = portrait(ctx, c, nodes[0])
	}
	t, err := layTrail(c, nodes...)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, n := range nodes {
		errs = append(errs, c.Pause(n))
	}
	began := time.Now()
	var lasted time.Duration
	f := &Fault{
		What: what + " stopped",
		Heal: func(context.Context) error {
			lasted = time.Since(began)
			var errs []error
			for _, n := range nodes {
				errs = append(errs, c.Resume(n))
			}
			return errors.Join(errs...)
		},
		Proof: func(ctx context.Context) (string, error) {
			var stalls []string
			for _, n := range nodes {
				stall, err := stalled(ctx, t, n, lasted)
				if err != nil {
					return "", err
				}
				stalls = append(stalls, fmt.Sprintf("%s %v", n, stall))
			}
			return "by their logs they did not run for: " + strings.Join(stalls, ", "), nil
		},
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, f.Heal(ctx))
	}
	return f, nil
}

// stalled is for how long a process did not run, as its log tells once it runs again.
func stalled(
	ctx context.Context, t *trail, n cluster.Node, lasted time.Duration,
) (stall time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	err = until(ctx, fmt.Sprintf("%s tells that it did not run for %v", n, lasted),
		func() (bool, error) {
			said, err := t.said(n)
			stall = longest(said)
			return stall >= lasted*8/10, err // it looks every few milliseconds
		})
	return stall, err
}

// longest is the longest stall that a log tells of.
func longest(log string) (most time.Duration) {
	for line := range strings.Lines(log) {
		_, after, found := strings.Cut(line, `msg="the process did not run" for=`)
		if !found {
			continue
		}
		if d, err := time.ParseDuration(strings.TrimSpace(after)); err == nil {
			most = max(most, d.Round(time.Millisecond))
		}
	}
	return most
}
