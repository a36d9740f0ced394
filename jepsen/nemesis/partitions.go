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
// keeps its majority, and still a shard whose leader does not reach the oracle's cannot commit
// until that leader gives it away, after 1.5 to 3 s, to one that does. That is not always the next
// one: all shards committed after 30 ms to 9 s over a bridge, which is served for that reason, and
// after 50 ms to 17 s in a ring of five, which must only be stood.
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
		Name: "bridge", Number: "N10", Served: true, Begin: bridged,
		What: "two halves, and one member that sees both",
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
		if n.Name == "bridge" {
			n.Objective = oracleLoss
		}
	}
	return list
}

// bridged cuts the members into two halves with one between them, who leads not all there is: those
// who lead nothing have nothing to lose.
func bridged(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
	l, err := aLeader(ctx, c, r)
	if err != nil {
		return nil, err
	}
	order, _ := living(c, r)
	mid, last := len(order)/2, len(order)-1
	order[mid], order[last] = order[last], order[mid] // one that is dead cuts nobody off
	if order[mid] == l.node {
		order[mid], order[0] = order[0], order[mid]
	}
	return parted(c, fmt.Sprintf("%s and %s reach each other only by %s", names(order[:mid]),
		names(order[len(order)-mid:]), order[mid]), bridge(order))
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
	tolls := make([]toll, len(cuts))
	for i, k := range cuts {
		tolls[i].begin(c, k)
	}
	return &Fault{
		What: what,
		Heal: func(context.Context) error {
			for i, k := range cuts {
				tolls[i].end(c, k)
			}
			return nil
		},
		Proof: func(context.Context) (string, error) { return lostOn(cuts, tolls) },
	}, nil
}

// toll is what a link has lost while it was cut, and what has passed although it was.
type toll struct{ bytes, ends, dials, passed int64 }

func (t *toll) lost() int64 { return t.bytes + t.ends + t.dials }

func (t *toll) add(s cluster.LinkState, sign int64) {
	t.bytes += sign * s.Dropped
	t.ends += sign * s.Ends
	t.dials += sign * s.Dials
}

func (t *toll) begin(c *cluster.Cluster, k cut) {
	t.add(c.Link(k.from, k.to), -1) // before: what it loses at once counts
	c.Cut(k.from, k.to)
	t.passed -= c.Link(k.from, k.to).Passed // after: nothing passes from here on
}

func (t *toll) end(c *cluster.Cluster, k cut) {
	s := c.Link(k.from, k.to)
	t.add(s, 1)
	t.passed += s.Passed
	c.Mend(k.from, k.to)
}

// lostOn demands that something was lost on some link: between two followers little is sent, and
// nothing from one to a gateway that does not ask.
func lostOn(cuts []cut, tolls []toll) (string, error) {
	var all toll
	used := 0
	for i, k := range cuts {
		t := tolls[i]
		if t.passed > 0 {
			return "", fmt.Errorf("%d bytes went over %v, which was cut", t.passed, k)
		}
		if t.lost() > 0 {
			used++
		}
		all.bytes, all.ends, all.dials = all.bytes+t.bytes, all.ends+t.ends, all.dials+t.dials
	}
	if all.lost() == 0 {
		return "", fmt.Errorf("nothing was lost on the links that were cut: %v", cuts)
	}
	return fmt.Sprintf("%v lost on %d of %d links", &all, used, len(cuts)), nil
}

// String is for people.
func (t *toll) String() string {
	return fmt.Sprintf("%d bytes, %d ends and %d dials", t.bytes, t.ends, t.dials)
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
	var all toll
	times := 0
	work := begin(ctx, func(ctx context.Context) error {
		for more := true; more; times++ {
			cuts := nth(times)
			for _, k := range cuts {
				all.begin(c, k)
			}
			more = cluster.Sleep(ctx, time.Duration(100+chance.IntN(400))*time.Millisecond)
			for _, k := range cuts {
				all.end(c, k)
			}
		}
		return nil
	})
	return &Fault{
		What: what,
		Heal: func(context.Context) error { return work.stop() },
		Proof: func(context.Context) (string, error) {
			if all.lost() == 0 || all.passed > 0 {
				return "", fmt.Errorf("%d cuts: %v lost, %d bytes passed", times, &all, all.passed)
			}
			return fmt.Sprintf("%d cuts, %v lost", times, &all), nil
		},
	}, nil
}
