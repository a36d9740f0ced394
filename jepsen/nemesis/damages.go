//go:build unix

package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

const (
	settleMax = 20 * time.Second // until the others have what the victim had
	verdict   = 20 * time.Second // until a damaged member is ready, or has ended
)

// damages are files that change behind a member's back, N19.
func damages() []Nemesis {
	list := []Nemesis{
		{Name: "bitflip-wal", What: "a bit is flipped in a write-ahead log of one member",
			Begin: damaging(walFile, false)},
		{Name: "bitflip-sst", What: "a bit is flipped in a table of one member",
			Begin: damaging(tableFile, false)},
		{Name: "bitflip-manifest", What: "a bit is flipped in a MANIFEST of one member",
			Begin: damaging(manifestFile, false)},
		{Name: "truncate-wal", What: "up to 1 KiB is cut off a write-ahead log of one member",
			Begin: damaging(walFile, true)},
	}
	for i := range list {
		n := &list[i]
		n.Number, n.Served, n.Objective, n.Hold = "N19", true, leaderLoss, 2*time.Second
		n.touches = whole
	}
	return list
}

// damaging kills a member, damages one of its files, and starts it.
func damaging(k kind, cutOff bool) func(
	context.Context, *cluster.Cluster, *rand.Rand) (*Fault, error) {
	return func(ctx context.Context, c *cluster.Cluster, r *rand.Rand) (*Fault, error) {
		v := &victim{c: c, node: one(r, c.Members()), latent: k == tableFile}
		what := portrait(ctx, c, v.node)
		if err := c.Kill(v.node); err != nil {
			return nil, err
		}
		done, err := v.damage(ctx, k, cutOff, r)
		if err == nil {
			v.trail, err = layTrail(c, v.node)
		}
		if err != nil {
			return nil, errors.Join(err, revive(ctx, c, []cluster.Node{v.node}))
		}
		if err := errors.Join(c.Expect(v.node), c.Start(v.node)); err != nil {
			return nil, fmt.Errorf("starting %s on damaged files: %w", v.node, err)
		}
		v.done = done.String()
		return &Fault{
			What: fmt.Sprintf("%s killed; %s; started", what, done),
			Heal: v.heal, Proof: v.proof,
		}, nil
	}
}

// victim is a member with damaged files.
type victim struct {
	c     *cluster.Cluster
	node  cluster.Node
	trail *trail
	done  string
	// latent damage is found by whoever reads there; until then it stays.
	latent bool

	ended string       // how it refused to run on, empty if it did not
	fresh cluster.Node // in its place, empty if it stayed
}

// damage waits until the victim's memory is not needed any more, and damages a file.
func (v *victim) damage(
	ctx context.Context, k kind, cutOff bool, r *rand.Rand,
) (damage, error) {
	if err := v.settle(ctx); err != nil {
		return damage{}, err
	}
	if k != walFile { // a start puts what is in the logs into tables, and begins a MANIFEST
		err := errors.Join(revive(ctx, v.c, []cluster.Node{v.node}), v.c.Kill(v.node), v.settle(ctx))
		if err != nil {
			return damage{}, err
		}
	}
	dir := v.c.Data(v.node)
	engines := []string{stateEngine, logEngine}
	r.Shuffle(len(engines), func(i, j int) { engines[i], engines[j] = engines[j], engines[i] })
	for _, engine := range engines {
		d, err := choose(dir, engine, k, cutOff, r)
		if errors.Is(err, errNothing) {
			continue
		}
		if err == nil {
			err = d.inflict(dir)
		}
		return d, err
	}
	return damage{}, fmt.Errorf("%s: %w", v.node, errNothing)
}

// settle returns when every other member has applied whatever the victim may have acknowledged:
// where somebody else leads, all that can be committed is in his log.
func (v *victim) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	goal := make(goals)
	return until(ctx, "all others have what "+string(v.node)+" had", func() (bool, error) {
		s, err := v.c.Status(ctx)
		if err != nil {
			return false, err
		}
		settled := len(s.Shards) > 0
		for _, shard := range s.Shards {
			settled = v.settled(shard, goal) && settled
		}
		return settled, nil
	})
}

// goals are how far the leader's log of each shard reached, when it was seen first in its term.
type goals map[uint64]struct{ term, last uint64 }

// settled notes the goal, of the latest term that a leader was seen in: who led before may not have
// had all. As long as two say that they lead, neither is believed.
func (v *victim) settled(shard client.ShardStatus, goal goals) bool {
	dead := v.node.ID()
	leader, term, ok := leaderOf(client.Status{Shards: []client.ShardStatus{shard}}, shard.ID)
	if !ok || leader == v.node || term < goal[shard.ID].term {
		return false
	}
	for _, replica := range shard.Replicas {
		if replica.Member == shard.LeaderID && term > goal[shard.ID].term {
			goal[shard.ID] = struct{ term, last uint64 }{term, replica.Last}
		}
	}
	for _, replica := range shard.Replicas {
		lags := replica.Lag == client.LagUnknown || replica.Applied < goal[shard.ID].last
		if replica.Member != dead && lags {
			return false
		}
	}
	return true
}

// heal waits for what comes of it. A member that has ended, or has found its damage, or has some
// still, is replaced, as an operator would.
func (v *victim) heal(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, verdict)
	defer cancel()
	ready := begin(short, func(ctx context.Context) error { return v.c.AwaitReady(ctx, v.node) })
	err := until(short, string(v.node)+" is ready or has ended", func() (bool, error) {
		select {
		case <-ready.done:
			return true, nil
		default:
		}
		ok, how := v.c.Running(v.node)
		if !ok {
			v.ended = how
		}
		return !ok, nil
	})
	_ = ready.stop()
	if ok, how := v.c.Running(v.node); !ok {
		v.ended = how
		return errors.Join(err, v.replace(ctx))
	}
	line, lineErr := v.trail.line(v.node, findings...)
	if err != nil || lineErr != nil || line != "" || v.latent {
		return errors.Join(err, lineErr, v.c.Kill(v.node), v.replace(ctx))
	}
	return nil
}

func (v *victim) replace(ctx context.Context) (err error) {
	if v.fresh, err = v.c.Replace(ctx, v.node); err != nil {
		return fmt.Errorf("replacing %s after %s: %w", v.node, v.done, err)
	}
	return nil
}

// findings are how a member says that its files are not what they were.
var findings = []string{
	"corrupt", "checksum", "log_hole", "has lost its", "has lost what was synced", "does not decode",
	"storage has failed", "missing from the log", "malformed manifest", "file does not exist",
}

// proof says what came of the damage. To end without a word about it would be wrong; to notice
// nothing is not: where nobody reads nobody can.
func (v *victim) proof(ctx context.Context) (string, error) {
	line, err := v.trail.line(v.node, findings...)
	switch {
	case err != nil:
		return "", err
	case v.ended != "" && line == "":
		return "", fmt.Errorf("%s; then it ended (%s) and did not say why: %s",
			v.done, v.ended, v.trail.lastWords(v.node))
	case v.ended != "":
		line = fmt.Sprintf("it ended (%s): %s", v.ended, line)
	case line != "":
		line = "it found that: " + line
	default:
		line = "latent: it has not met the damage yet"
	}
	if v.fresh == "" {
		again, err := v.trail.restarted(ctx, []cluster.Node{v.node})
		return line + "; " + again, err
	}
	in, err := inPlace(ctx, v.c, v.node, v.fresh)
	return line + "; " + in, err
}
