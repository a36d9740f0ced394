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

// lead is that a member leads a shard.
type lead struct {
	node        cluster.Node
	shard, term uint64
	seen        client.Status // that says so
}

// aLeader is who leads the oracle's shard, or one of all.
func aLeader(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (lead, error) {
	const shards = 5
	l := lead{shard: 1}
	if r.IntN(2) == 1 {
		l.shard = 1 + r.Uint64N(shards)
	}
	err := until(ctx, fmt.Sprintf("shard %d has a leader", l.shard), func() (ok bool, err error) {
		if l.seen, err = c.Status(ctx); err != nil {
			return false, err
		}
		l.node, l.term, ok = leaderOf(l.seen, l.shard)
		return ok, nil
	})
	return l, err
}

// leaderOf is the member that says so and is known for it. None, if another one says so too.
func leaderOf(s client.Status, shard uint64) (n cluster.Node, term uint64, ok bool) {
	for _, sh := range s.Shards {
		if sh.ID != shard || !sh.Leader {
			continue
		}
		for _, r := range sh.Replicas {
			if r.Leader && r.Member != sh.LeaderID {
				return "", 0, false
			}
			ok = ok || r.Leader
		}
		return cluster.Node(fmt.Sprint("m", sh.LeaderID)), sh.Term, ok
	}
	return "", 0, false
}

// over adds to the proof that the leadership has ended: there is a later term.
func (l lead) over(c *cluster.Cluster, f *Fault) *Fault {
	proof := f.Proof
	f.Proof = func(ctx context.Context) (string, error) {
		said, err := proof(ctx)
		if err != nil {
			return said, err
		}
		ctx, cancel := context.WithTimeout(ctx, soon)
		defer cancel()
		var now lead
		err = until(ctx, fmt.Sprintf("shard %d is led in a term after %d", l.shard, l.term),
			func() (bool, error) {
				s, err := c.Status(ctx)
				var ok bool
				now.node, now.term, ok = leaderOf(s, l.shard)
				return ok && now.term > l.term, err
			})
		return fmt.Sprintf("%s; shard %d was led by %s in term %d, and by %s in %d then",
			said, l.shard, l.node, l.term, now.node, now.term), err
	}
	return f
}

// living are the members that do something, by chance, and then those that are dead or stand still:
// to cut these off would be nothing.
func living(c *cluster.Cluster, r *rand.Rand) (order []cluster.Node, alive int) {
	var dead []cluster.Node
	for _, n := range shuffled(r, c.Members()) {
		if ok, _ := c.Running(n); ok && !c.Paused(n) {
			order = append(order, n)
		} else {
			dead = append(dead, n)
		}
	}
	return append(order, dead...), len(order)
}

// aliveOne is a member that does something.
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

// killed kills nodes, all of them before it looks at any. They were seen just before.
func killed(
	ctx context.Context, t *trail, seen client.Status, nodes []cluster.Node,
) (*Fault, error) {
	var whom, ends, errs = []string{}, []string{}, []error{}
	for _, n := range nodes {
		errs = append(errs, t.c.Kill(n))
		if n.ID() > 0 {
			whom = append(whom, portrayed(seen, n))
		} else {
			whom = append(whom, string(n))
		}
	}
	for _, n := range nodes {
		if err := wasKilled(t.c, n); err != nil {
			errs = append(errs, err)
		}
		ends = append(ends, fmt.Sprintf("%s: %s", n, killedEnd))
	}
	f := &Fault{
		What: strings.TrimSuffix(strings.Join(whom, " "), ",") + " killed",
		Heal: func(ctx context.Context) error { return revive(ctx, t.c, nodes) },
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

// killedEnd is how a process ends by SIGKILL.
const killedEnd = "signal: killed"

// wasKilled says if it was otherwise.
func wasKilled(c *cluster.Cluster, n cluster.Node) error {
	if ok, ended := c.Running(n); ok {
		return fmt.Errorf("%s was killed and runs", n)
	} else if ended != killedEnd {
		return fmt.Errorf("%s was killed and ended otherwise: %s", n, ended)
	}
	return nil
}
