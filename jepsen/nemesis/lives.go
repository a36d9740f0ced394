//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

// aLeader is who leads the oracle's shard, or one of all.
func aLeader(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (cluster.Node, error) {
	const shards = 5
	shard := uint64(1)
	if r.IntN(2) == 1 {
		shard = 1 + r.Uint64N(shards)
	}
	n, err := c.Leader(ctx, shard)
	if err != nil {
		return "", fmt.Errorf("who leads shard %d: %w", shard, err)
	}
	return n, nil
}

// living are the members that run, by chance, and then those that do not: to cut off who is dead
// already would be nothing.
func living(c *cluster.Cluster, r *rand.Rand) (order []cluster.Node, alive int) {
	var dead []cluster.Node
	for _, n := range shuffled(r, c.Members()) {
		if ok, _ := c.Running(n); ok {
			order = append(order, n)
		} else {
			dead = append(dead, n)
		}
	}
	return append(order, dead...), len(order)
}

// aliveOne is a member that runs.
func aliveOne(c *cluster.Cluster, r *rand.Rand) cluster.Node {
	order, _ := living(c, r)
	return order[0]
}

// portrait names a member and what it leads; it is for people, so an error is part of it.
func portrait(ctx context.Context, c *cluster.Cluster, n cluster.Node) string {
	s, err := c.Status(ctx)
	if err != nil {
		return fmt.Sprintf("%s (%v)", n, err)
	}
	return portrayed(s, n)
}

func portrayed(s client.Status, n cluster.Node) string {
	var led []string
	for _, shard := range s.Shards {
		if shard.Leader && shard.LeaderID == n.ID() {
			led = append(led, strconv.FormatUint(shard.ID, 10))
		}
	}
	switch len(led) {
	case 0:
		return fmt.Sprintf("%s, leader of nothing,", n)
	case 1:
		return fmt.Sprintf("%s, leader of shard %s,", n, led[0])
	}
	return fmt.Sprintf("%s, leader of shards %s,", n, strings.Join(led, " "))
}

// revive starts those that have ended, and waits until they are ready.
func revive(ctx context.Context, c *cluster.Cluster, nodes []cluster.Node) error {
	var errs []error
	for _, n := range nodes {
		if ok, _ := c.Running(n); !ok {
			errs = append(errs, c.Start(n))
		}
	}
	for _, n := range nodes {
		if err := c.AwaitReady(ctx, n); err != nil {
			errs = append(errs, fmt.Errorf("starting %s again: %w", n, err))
		}
	}
	return errors.Join(errs...)
}

// awaitEnd returns when a process has ended by itself, and says how.
func awaitEnd(ctx context.Context, c *cluster.Cluster, n cluster.Node) (ended string, err error) {
	err = until(ctx, string(n)+" ends", func() (bool, error) {
		var ok bool
		ok, ended = c.Running(n)
		return !ok, nil
	})
	return ended, err
}

// killed kills nodes, all of them before it looks at any.
func killed(ctx context.Context, c *cluster.Cluster, nodes []cluster.Node) (*Fault, error) {
	t, err := layTrail(c, nodes...)
	if err != nil {
		return nil, err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("before a kill: %w", err)
	}
	var whom, ends, errs = []string{}, []string{}, []error{}
	for _, n := range nodes {
		errs = append(errs, c.Kill(n))
		if n.ID() > 0 {
			whom = append(whom, portrayed(s, n))
		} else {
			whom = append(whom, string(n))
		}
	}
	for _, n := range nodes {
		ok, ended := c.Running(n)
		if ok {
			errs = append(errs, fmt.Errorf("%s was killed and runs", n))
		}
		ends = append(ends, fmt.Sprintf("%s: %s", n, ended))
	}
	f := &Fault{
		What: strings.TrimSuffix(strings.Join(whom, " "), ",") + " killed",
		Heal: func(ctx context.Context) error { return revive(ctx, c, nodes) },
		Proof: func(ctx context.Context) (string, error) {
			again, err := t.restarted(ctx, nodes)
			return strings.Join(ends, ", ") + "; " + again, err
		},
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, f.Heal(ctx))
	}
	return f, nil
}
