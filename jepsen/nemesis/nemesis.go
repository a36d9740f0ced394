//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
)

// Nemesis is one kind of fault.
type Nemesis struct {
	Name   string // "pause-leader"
	Number string // "N5", of the matrix
	What   string // one line for people

	// Served: commits must go on while the fault lasts, since a majority is left whose members
	// reach each other and a gateway. Otherwise only after it was healed.
	Served bool
	// Objective is how long after the fault began (Served) or was healed every shard must have
	// committed again.
	Objective time.Duration
	Hold      time.Duration // how long it lasts at least, before Heal
	Members   int           // how many it needs; 0: 3 or 5
	Reads     string        // the only --reads under which it must be survived; empty: any

	Begin func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error)

	touches touch
}

// Fault is one that has begun.
type Fault struct {
	What string // "m2, leader of shards 1 and 3, was killed"
	// Heal undoes it, once, and returns when all that was hurt is up again; it may lag still.
	Heal func(ctx context.Context) error
	// Proof says, after Heal, how it is known that it happened; an error if it cannot be shown.
	Proof func(ctx context.Context) (string, error)
}

// touch is what a nemesis takes for itself.
type touch uint16

const (
	links    touch = 1 << iota
	cuts           // links that carry nothing, so that a node may have nothing to do
	members        // their lives
	gateways       // theirs
	pauses         // processes that take no commands while it lasts
	clocks         // of all processes that run
	disks          // of members that must not be started anew meanwhile
	leaders        // who leads what
	all            // of a shard's members at least one that does something
	whole          // everything: it counts on all else being well
)

// How long it may take until the slowest of all shards commits again.
const (
	leaderLoss  = 1500 * time.Millisecond // of all that one member leads
	oracleLoss  = 10 * time.Second        // of sight: until those who lead see it
	gatewayLoss = 3 * time.Second         // until what it has left open is decided
	slowDisk    = 3 * time.Second
	restartAll  = 5 * time.Second  // of every member, with little data
	spaceBack   = 10 * time.Second // after a full disk
)

// election is after how long without a leader a replica stands for election, at the latest.
const election = 600 * time.Millisecond

// All are the nemeses, in the order of their numbers.
func All() []Nemesis {
	return slices.Concat([]Nemesis{none()}, deaths(), pausing(), partitions(), delays(), clockFaults(),
		diskFaults(), powerLosses(), damages(), changes())
}

// ByName finds one.
func ByName(name string) (Nemesis, bool) {
	all := All()
	i := slices.IndexFunc(all, func(n Nemesis) bool { return n.Name == name })
	if i < 0 {
		return Nemesis{}, false
	}
	return all[i], true
}

// none is the control: nothing happens.
func none() Nemesis {
	return Nemesis{
		Name: "none", Number: "N0", What: "nothing happens", Served: true,
		Objective: leaderLoss, Hold: time.Second,
		Begin: func(context.Context, *cluster.Cluster, *rand.Rand) (*Fault, error) {
			return &Fault{
				What:  "nothing",
				Heal:  func(context.Context) error { return nil },
				Proof: func(context.Context) (string, error) { return "nothing was done", nil },
			}, nil
		},
	}
}

// Compatible says whether two can last at the same time: neither undoes the other, and the
// cluster must survive both.
func Compatible(a, b Nemesis) bool {
	both := a.touches | b.touches
	switch {
	case a.touches == 0 || b.touches == 0: // nothing is nothing twice
		return false
	case a.touches&b.touches != 0 || both&whole != 0:
		return false
	case both&pauses != 0 && both&(clocks|disks|members) != 0:
		return false // a process that stands still takes no commands
	case both&cuts != 0 && both&(pauses|disks) != 0:
		return false // who has nothing to do shows neither that links lose nor that syncs are slow
	case both&disks != 0 && both&members != 0:
		return false // a new process has a good disk
	case a.Members != 0 && b.Members != 0 && a.Members != b.Members:
		return false
	}
	return a.Reads == "" || b.Reads == "" || a.Reads == b.Reads
}

// order is when a nemesis of a pair is healed. What touches links begins last,
// since who is asked for leaders may be cut off by it, and is healed first.
func (t touch) order() touch {
	if t&links != 0 {
		return 0
	}
	return t
}

// Both is two at the same time. What either leaves of a majority the two may take: it counts from
// when they are healed until commits go on, even if both are served alone.
//
// They are healed in the order of what they touch. Links are mended first: what waits for a process
// to be ready again would wait for ever on one that is cut off. Clocks are set right when all
// processes are there: one that starts has the clock that it had.
func Both(a, b Nemesis) (Nemesis, error) {
	if !Compatible(a, b) {
		return Nemesis{}, fmt.Errorf("%s and %s cannot last at the same time", a.Name, b.Name)
	}
	if b.touches.order() < a.touches.order() {
		a, b = b, a
	}
	return Nemesis{
		Name: a.Name + "+" + b.Name, Number: a.Number + "+" + b.Number,
		What: a.What + "; " + b.What, Objective: max(a.Objective, b.Objective, restartAll),
		Hold: max(a.Hold, b.Hold), Members: max(a.Members, b.Members), Reads: a.Reads + b.Reads,
		touches: a.touches | b.touches,
		Begin: func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			// The one that needs more of the cluster begins, as long as it is well.
			later, err := b.Begin(ctx, c, r)
			if err != nil {
				return nil, err
			}
			first, err := a.Begin(ctx, c, r)
			if err != nil {
				return nil, errors.Join(err, later.Heal(ctx))
			}
			return first.with(later), nil
		},
	}, nil
}

// with is both faults, f healed first.
func (f *Fault) with(later *Fault) *Fault {
	return &Fault{
		What: f.What + "; " + later.What,
		Heal: func(ctx context.Context) error { return errors.Join(f.Heal(ctx), later.Heal(ctx)) },
		Proof: func(ctx context.Context) (string, error) {
			a, errA := f.Proof(ctx)
			b, errB := later.Proof(ctx)
			return a + "; " + b, errors.Join(errA, errB)
		},
	}
}

// names are nodes as a list for people.
func names(nodes []cluster.Node) string {
	s := make([]string, 0, len(nodes))
	for _, n := range nodes {
		s = append(s, string(n))
	}
	return strings.Join(s, ", ")
}
