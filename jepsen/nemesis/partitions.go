//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// partitionHold is long enough for leases to end and others to be elected, and for gateways to
// find them.
const partitionHold = 2500 * time.Millisecond

// partitions are links that carry nothing, N7 to N12. In a ring and over a bridge every leader
// keeps its majority, and still there may be no commits: a shard's leader that does not reach the
// oracle's gets no timestamps, and nothing moves either of them.
func partitions() []Nemesis {
	list := []Nemesis{{
		Name: "isolate-one", Number: "N7", What: "a member reaches nobody", Served: true,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			n := aliveOne(c, r)
			rest := append(without(c.Members(), n), c.Gateways()...)
			return parted(c, portrait(ctx, c, n)+" is cut off", apart([]cluster.Node{n}, rest))
		},
	}, {
		Name: "majority-minority", Number: "N8", Served: true,
		What: "a minority is cut from the others, with a gateway or without",
		Begin: func(_ context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return halves(c, r, 1)
		},
	}, {
		Name: "gateways-minority", Number: "N8", What: "a minority with all gateways is cut off",
		Begin: func(_ context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return halves(c, r, 0)
		},
	}, {
		Name: "majorities-ring", Number: "N9", Members: 5,
		What: "each member sees another majority",
		Begin: func(_ context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			order := shuffled(r, c.Members())
			what := "only neighbours in the ring " + names(order) + " reach each other"
			return parted(c, what, ring(order))
		},
	}, {
		Name: "bridge", Number: "N10", What: "two halves, and one member that sees both",
		Begin: func(_ context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			order, _ := living(c, r)
			mid, last := len(order)/2, len(order)-1
			order[mid], order[last] = order[last], order[mid] // one that is dead cuts nobody off
			return parted(c, fmt.Sprintf("%s and %s reach each other only by %s", names(order[:mid]),
				names(order[len(order)-mid:]), order[mid]), bridge(order))
		},
	}, {
		Name: "deaf-leader", Number: "N11", Served: true,
		What: "a leader hears no member and sends to all",
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return oneWay(ctx, c, r, deaf)
		},
	}, {
		Name: "mute-leader", Number: "N11", Served: true,
		What: "a leader sends to no member and hears all",
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			return oneWay(ctx, c, r, mute)
		},
	}, {
		Name: "gateway-cut", Number: "N12", What: "a gateway does not reach the leader of some shard",
		Served: true, touches: gateways,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			l, err := aLeader(ctx, c, r)
			if err != nil {
				return nil, err
			}
			g := one(r, c.Gateways())
			what := fmt.Sprintf("%s and %s do not reach each other", g, portrayed(l.seen, l.node))
			return parted(c, what, apart([]cluster.Node{g}, []cluster.Node{l.node}))
		},
	}, {
		Name: "clients-cut", Number: "N12", What: "clients lose one gateway after the other",
		Served: true, touches: gateways, Begin: disconnect,
	}, {
		Name: "answers-lost", Number: "N12", What: "gateways hear no answers, one after the other",
		Served: true, touches: gateways, Begin: loseAnswers,
	}}
	for i := range list {
		n := &list[i]
		n.Objective, n.Hold, n.touches = leaderLoss, partitionHold, n.touches|links|cuts
	}
	return list
}

// halves cuts a minority from all others. Of the gateways the first so many are surely with the
// majority, and the rest with the minority; clients reach all of them.
func halves(c *cluster.Cluster, r *rand.Rand, most int) (*Fault, error) {
	order, _ := living(c, r)
	outside := shuffled(r, c.Gateways())
	few := minority(len(order))
	if most > 0 {
		most += r.IntN(len(outside) - most + 1)
	}
	small := append(order[:few:few], outside[most:]...)
	large := append(order[few:len(order):len(order)], outside[:most]...)
	return parted(c, fmt.Sprintf("%s are cut from %s", names(small), names(large)),
		apart(small, large))
}

func oneWay(
	ctx context.Context, c *cluster.Cluster, r *rand.Rand,
	which func(cluster.Node, []cluster.Node) []cut,
) (*Fault, error) {
	l, err := aLeader(ctx, c, r)
	if err != nil {
		return nil, err
	}
	cuts := which(l.node, c.Members())
	return parted(c, fmt.Sprintf("%s: nothing goes %v", portrayed(l.seen, l.node), cuts), cuts)
}

// String is "m1>m2".
func (k cut) String() string { return fmt.Sprintf("%s>%s", k.from, k.to) }

// parted cuts links, and shows by what was lost on them that they were.
func parted(c *cluster.Cluster, what string, cuts []cut) (*Fault, error) {
	if len(cuts) == 0 {
		return nil, errors.New("there is nothing to cut: the cluster is too small")
	}
	before := make(map[cut]cluster.LinkState)
	for _, k := range cuts {
		c.Cut(k.from, k.to)
		before[k] = c.Link(k.from, k.to)
	}
	after := make(map[cut]cluster.LinkState)
	return &Fault{
		What: what,
		Heal: func(context.Context) error {
			for _, k := range cuts {
				after[k] = c.Link(k.from, k.to)
				c.Mend(k.from, k.to)
			}
			return nil
		},
		Proof: func(context.Context) (string, error) { return lostOn(cuts, before, after) },
	}, nil
}

// onItsWay is what may arrive yet after a link was cut: the piece that was being passed on.
const onItsWay = 64 << 10

// lostOn demands that something was lost on some link: between two followers little is sent, and
// nothing from one to a gateway that does not ask.
func lostOn(cuts []cut, before, after map[cut]cluster.LinkState) (string, error) {
	var lost int64
	used := 0
	for _, k := range cuts {
		if passed := after[k].Passed - before[k].Passed; passed > onItsWay {
			return "", fmt.Errorf("%d bytes went over %v, which was cut", passed, k)
		}
		if d := after[k].Dropped - before[k].Dropped; d > 0 {
			lost += d
			used++
		}
	}
	if lost == 0 {
		return "", fmt.Errorf("nothing was lost on the links that were cut: %v", cuts)
	}
	return fmt.Sprintf("%d bytes lost on %d of %d links", lost, used, len(cuts)), nil
}

// disconnect cuts the clients from one gateway after the other, again and again.
func disconnect(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	all := shuffled(r, c.Gateways())
	return blinking(ctx, c, r, "clients are cut from "+names(all)+" in turn", func(n int) []cut {
		return apart([]cluster.Node{cluster.Clients}, all[n%len(all):][:1])
	})
}

// loseAnswers lets one gateway after the other ask, and hear nothing of what was done.
func loseAnswers(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	all, members := shuffled(r, c.Gateways()), c.Members()
	what := "what members answer to " + names(all) + " is lost, in turn"
	return blinking(ctx, c, r, what, func(n int) []cut { return deaf(all[n%len(all)], members) })
}

// blinking cuts some links after the other, each for less than half a second, until it is healed.
func blinking(
	ctx context.Context, c *cluster.Cluster, r *rand.Rand, what string, nth func(n int) []cut,
) (*Fault, error) {
	chance := fork(r)
	var dropped int64
	times := 0
	work := begin(ctx, func(ctx context.Context) error {
		for more := true; more; times++ {
			cuts := nth(times)
			for _, k := range cuts {
				dropped -= c.Link(k.from, k.to).Dropped
				c.Cut(k.from, k.to)
			}
			more = cluster.Sleep(ctx, time.Duration(100+chance.IntN(400))*time.Millisecond)
			for _, k := range cuts {
				c.Mend(k.from, k.to)
				dropped += c.Link(k.from, k.to).Dropped
			}
		}
		return nil
	})
	return &Fault{
		What: what,
		Heal: func(context.Context) error { return work.stop() },
		Proof: func(context.Context) (string, error) {
			if dropped == 0 {
				return "", fmt.Errorf("of %d cuts none has lost a byte", times)
			}
			return fmt.Sprintf("%d cuts, %d bytes lost", times, dropped), nil
		},
	}, nil
}
