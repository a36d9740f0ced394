//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

// skew is by how much a clock is wrong at most.
const skew = 10 * time.Second

// clockFaults are wrong clocks, N13. No promise rests on what a clock shows, and leases on clocks
// that run within 2 % of each other (--reads of cmd/shard).
func clockFaults() []Nemesis {
	return []Nemesis{{
		Name: "clock-bump", Number: "N13", What: "each clock is up to 10 s wrong",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: clocks,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return wrongClocks(ctx, c, func() fault.Clock {
				return fault.Clock{Rate: 1, OffsetMicros: wrongBy(r)}
			})
		},
	}, {
		Name: "clock-strobe", Number: "N13",
		What:   "clocks jump up to 10 s to and fro, ten times a second",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: clocks,
		Begin: strobe,
	}, {
		Name: "clock-rate", Number: "N13", What: "each clock runs 1 % too fast or too slow",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: clocks,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			fast := r.IntN(2)
			return wrongClocks(ctx, c, func() fault.Clock {
				fast++ // every other one: some two are as far apart as may be
				return fault.Clock{Rate: []float64{0.99, 1.01}[fast%2]}
			})
		},
	}, {
		Name: "clock-rate-far", Number: "N13", What: "each clock runs up to twice as fast or slow",
		Served: true, Objective: slowDisk, Hold: 3 * time.Second, touches: clocks, Reads: "quorum",
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return wrongClocks(ctx, c, func() fault.Clock {
				return fault.Clock{Rate: 0.5 + 1.5*r.Float64()}
			})
		},
	}}
}

// wrongBy is a second at least.
func wrongBy(r *rand.Rand) int64 {
	by := time.Second + time.Duration(r.Int64N(int64(skew-time.Second)))
	if r.IntN(2) == 0 {
		by = -by
	}
	return by.Microseconds()
}

// setClocks sets the clock of each process, and reads it. One that does not run has it when it is
// started, as those have that are started again.
func setClocks(
	ctx context.Context, c *cluster.Cluster, nodes []cluster.Node, clock func() fault.Clock,
) (*readings, error) {
	all := &readings{c: c, set: make(map[cluster.Node]fault.Clock),
		last: make(map[cluster.Node]reading)}
	for _, n := range nodes {
		set := clock()
		all.set[n] = set
		r, err := read(ctx, c, n, fault.Command{Clock: &set})
		if errors.Is(err, cluster.ErrDown) {
			continue
		}
		if err == nil {
			err = r.shows(set)
		}
		if err != nil {
			return nil, fmt.Errorf("the clock of %s: %w", n, err)
		}
		all.last[n] = r
	}
	return all, nil
}

func rightClocks(ctx context.Context, c *cluster.Cluster, nodes []cluster.Node) error {
	_, err := setClocks(ctx, c, nodes, func() fault.Clock { return fault.Clock{Rate: 1} })
	return err
}

func everyone(c *cluster.Cluster) []cluster.Node { return append(c.Members(), c.Gateways()...) }

func wrongClocks(
	ctx context.Context, c *cluster.Cluster, clock func() fault.Clock,
) (*Fault, error) {
	nodes := everyone(c)
	all, err := setClocks(ctx, c, nodes, clock)
	if err == nil && len(all.last) == 0 {
		err = errors.New("there is no process whose clock could be set")
	}
	if err != nil {
		return nil, errors.Join(err, rightClocks(ctx, c, nodes))
	}
	var shown []string
	for _, n := range nodes {
		set := all.set[n]
		shown = append(shown, fmt.Sprintf("%s %+v x%.3f", n,
			(time.Duration(set.OffsetMicros)*time.Microsecond).Round(time.Millisecond), set.Rate))
	}
	var proof string
	var unproven error
	return &Fault{
		What: "clocks are wrong: " + strings.Join(shown, ", "),
		Heal: func(ctx context.Context) error {
			proof, unproven = all.proof(ctx)
			return rightClocks(ctx, c, nodes)
		},
		Proof: func(context.Context) (string, error) { return proof, unproven },
	}, nil
}

// strobe lets the clocks of half of all processes jump.
func strobe(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	nodes := shuffled(r, everyone(c))
	nodes = nodes[:(len(nodes)+1)/2]
	chance := fork(r)
	var jumps atomic.Int64
	work := begin(ctx, func(ctx context.Context) error {
		for cluster.Sleep(ctx, 100*time.Millisecond) {
			// A jump that has begun is finished: Heal is not to meet its command on the way.
			all, err := setClocks(context.WithoutCancel(ctx), c, nodes, func() fault.Clock {
				return fault.Clock{Rate: 1, OffsetMicros: wrongBy(chance)}
			})
			if err != nil {
				return err
			}
			jumps.Add(int64(len(all.last)))
		}
		return nil
	})
	return &Fault{
		What: "the clocks of " + names(nodes) + " jump",
		Heal: func(ctx context.Context) error {
			return errors.Join(work.stop(), rightClocks(ctx, c, nodes))
		},
		Proof: func(context.Context) (string, error) {
			if jumps.Load() < 2 {
				return "", fmt.Errorf("%d jumps of clocks were seen", jumps.Load())
			}
			return fmt.Sprintf("%d jumps of clocks were seen", jumps.Load()), nil
		},
	}, nil
}
