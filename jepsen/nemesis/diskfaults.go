//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

const slowSync = 500 * time.Millisecond

// diskFaults are disks that are slow, full or broken, N14 to N16.
func diskFaults() []Nemesis {
	slow := fault.Disk{SyncDelayMillis: slowSync.Milliseconds()}
	sick := func(leads bool, d fault.Disk) func(
		context.Context, *cluster.Cluster, *rand.Rand) (*Fault, error) {
		return func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
			l, err := aLeader(ctx, c, r)
			if err != nil {
				return nil, err
			}
			n := l.node
			if !leads {
				n = one(r, without(c.Members(), n))
			}
			return sickDisk(ctx, c, n, d)
		}
	}
	return []Nemesis{{
		Name: "slow-sync-leader", Number: "N14", What: "each sync of a leader takes 500 ms more",
		Served: true, Objective: slowDisk, Hold: 3 * time.Second, touches: disks,
		Begin: sick(true, slow),
	}, {
		Name: "slow-sync-follower", Number: "N14", What: "each sync of a follower takes 500 ms more",
		Served: true, Objective: slowDisk, Hold: 3 * time.Second, touches: disks,
		Begin: sick(false, slow),
	}, {
		Name: "disk-full", Number: "N15", What: "the disk of a leader is full",
		Served: true, Objective: leaderLoss, Hold: 3 * time.Second, touches: disks,
		Begin: sick(true, fault.Disk{Full: true}),
	}, {
		Name: "disk-low", Number: "N15", What: "all disks are so low on room that growth is refused",
		Objective: spaceBack, Hold: 3 * time.Second, touches: disks, Begin: lowDisks,
	}, {
		Name: "sync-error", Number: "N16", What: "the disk of a leader answers syncs with EIO",
		Served: true, Objective: leaderLoss, Hold: 2 * time.Second, touches: disks,
		Begin: sick(true, fault.Disk{SyncError: true}),
	}}
}

// sickDisk makes the disk of a member bad. The member may end of it, unless the disk is only slow;
// then Heal starts it again, as whoever watches over processes would, on a disk that is well.
func sickDisk(
	ctx context.Context, c *cluster.Cluster, n cluster.Node, d fault.Disk,
) (*Fault, error) {
	t, err := layTrail(c, n)
	if err != nil {
		return nil, err
	}
	what := portrait(ctx, c, n)
	if d.SyncError || d.Full {
		if err := c.Expect(n); err != nil {
			return nil, err
		}
	}
	s := &sick{c: c, node: n, disk: d, trail: t}
	if s.before, err = c.Command(ctx, n, fault.Command{Disk: &d}); err != nil {
		return nil, fmt.Errorf("the disk of %s: %w", n, err)
	}
	return &Fault{
		What: fmt.Sprintf("%s has a bad disk: %+v", what, d), Heal: s.heal,
		Proof: func(context.Context) (string, error) {
			if s.ended == "" {
				return counted(s.before, s.after, d)
			}
			return endedOf(t, n, s.ended, d)
		},
	}, nil
}

// sick is a member whose disk is bad.
type sick struct {
	c             *cluster.Cluster
	node          cluster.Node
	disk          fault.Disk
	trail         *trail
	before, after fault.State
	ended         string // how; empty: it lived on
}

func (s *sick) heal(ctx context.Context) error {
	var err error
	if s.disk.SyncError { // it must not go on whatever else it does
		if err = s.awaitEnd(ctx, mustEnd); err != nil {
			_, well := s.c.Command(ctx, s.node, fault.Command{Disk: &fault.Disk{}})
			return errors.Join(fmt.Errorf("its syncs fail: %w", err), well)
		}
		return revive(ctx, s.c, []cluster.Node{s.node})
	}
	s.after, err = s.c.Command(ctx, s.node, fault.Command{Disk: &fault.Disk{}})
	if err == nil {
		err = s.goes(ctx)
	}
	if ok, how := s.c.Running(s.node); !ok {
		s.ended = how
		return revive(ctx, s.c, []cluster.Node{s.node})
	}
	return err
}

// goes waits for the end of a member that is well again, if it cannot go on after what it met.
func (s *sick) goes(ctx context.Context) error {
	if s.after.WritesRefused == s.before.WritesRefused {
		return nil
	}
	line, err := s.trail.line(s.node, "has failed", noSpace)
	if err != nil {
		return err
	}
	if line != "" {
		return s.awaitEnd(ctx, mustEnd)
	}
	_ = s.awaitEnd(ctx, mayEnd) // or it could do without what was refused
	return nil
}

func (s *sick) awaitEnd(ctx context.Context, most time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	s.ended, err = awaitEnd(ctx, s.c, s.node)
	return err
}

// noSpace is what a member writes whose disk is full.
const noSpace = "no space left on device"

// mayEnd is how long a member that was refused something may take until it says that it cannot go
// on, or ends.
const mayEnd = 2 * time.Second

// mustEnd is how long a member may live on a disk that fails: it always has something to sync, and
// closing waits a while for the engine.
const mustEnd = 15 * time.Second

func counted(before, after fault.State, d fault.Disk) (string, error) {
	delayed := after.SyncsDelayed - before.SyncsDelayed
	refused := after.WritesRefused - before.WritesRefused
	if d.SyncDelayMillis > 0 && delayed == 0 || d.Full && refused == 0 {
		return "", fmt.Errorf("the disk was %+v; before %+v, after %+v", d, before, after)
	}
	return fmt.Sprintf("it lived on; %d syncs delayed, %d writes refused", delayed, refused), nil
}

func endedOf(t *trail, n cluster.Node, ended string, d fault.Disk) (string, error) {
	words := []string{"input/output error"}
	switch {
	case d.Full:
		words = []string{noSpace}
	case d.SyncDelayMillis > 0:
		return "", fmt.Errorf("slow syncs have ended %s (%s): %s", n, ended, t.lastWords(n))
	}
	line, err := t.line(n, words...)
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", fmt.Errorf("%s ended (%s) and does not say why: %s", n, ended, t.lastWords(n))
	}
	return fmt.Sprintf("it ended (%s): %s", ended, line), nil
}

// lowDisks lets every member believe that there is no room for more.
func lowDisks(ctx context.Context, c *cluster.Cluster, _ *rand.Rand) (*Fault, error) {
	all := c.Members()
	t, err := layTrail(c, all...)
	if err != nil {
		return nil, err
	}
	set := func(ctx context.Context, d fault.Disk) error {
		var errs []error
		for _, n := range all {
			if _, err := c.Command(ctx, n, fault.Command{Disk: &d}); err != nil {
				errs = append(errs, fmt.Errorf("the disk of %s: %w", n, err))
			}
		}
		return errors.Join(errs...)
	}
	if err := set(ctx, fault.Disk{Low: true}); err != nil {
		return nil, errors.Join(err, set(ctx, fault.Disk{}))
	}
	return &Fault{
		What: "no member has room",
		Heal: func(ctx context.Context) error { return set(ctx, fault.Disk{}) },
		Proof: func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, spaceBack)
			defer cancel()
			for _, n := range all {
				for _, words := range []string{"nearly full", "has room again"} {
					err := until(ctx, fmt.Sprintf("%s tells of %q", n, words), func() (bool, error) {
						line, err := t.line(n, words)
						return line != "", err
					})
					if err != nil {
						return "", err
					}
				}
			}
			return "each said that its disk was nearly full, and that there was room again", nil
		},
	}, nil
}
