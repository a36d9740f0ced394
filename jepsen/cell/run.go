package cell

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/cairnkv/cairn/jepsen/cluster"
	"github.com/cairnkv/cairn/jepsen/history"
	"github.com/cairnkv/cairn/jepsen/nemesis"
	"github.com/cairnkv/cairn/jepsen/workload"
)

const (
	clients     = 20
	warmUp      = time.Second      // of load before the first fault
	calm        = time.Second      // of load between two rounds
	healthMax   = 60 * time.Second // from healing to a cluster that lacks nothing
	finalMax    = 30 * time.Second // for the last reads
	recoverMax  = 10               // times the objective: after that nothing is waited for
	founding    = 60 * time.Second
	overheadMax = 4 * time.Minute // of a cell, beside its load
	// overheadQuick is the same in the quick tier.
	overheadQuick = time.Minute
)

// Programs are those of a debug build.
type Programs = cluster.Programs

// Build makes the programs in dir, with the planted bugs or without.
func Build(ctx context.Context, dir string, mutants bool) (Programs, error) {
	return cluster.Build(ctx, dir, mutants)
}

// Options say where and with what cells run.
type Options struct {
	Programs   Programs
	Dir        string // the cell's own; there must be none yet
	Namespaces bool
	// Strict holds recovery against the objectives themselves: the long tier. Otherwise
	// against ten times as much.
	Strict bool
	// Keep leaves the members' data behind even if the cell passed.
	Keep bool
}

// Run runs a cell. The error is one of the surroundings: that nothing could be
// judged. Everything else is in the verdict.
func Run(ctx context.Context, p Plan, o Options) (*Verdict, error) {
	most := overheadQuick
	if o.Strict {
		most = overheadMax
	}
	driven, cancel := context.WithTimeout(ctx, 3*time.Duration(p.Load)+most)
	defer cancel()
	if err := os.MkdirAll(filepath.Dir(o.Dir), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("a cell needs a directory of its own: %w", err)
	}
	began := time.Now()
	r, err := found(driven, p, o)
	if err != nil {
		return nil, err
	}
	if r.c != nil {
		r.drive(driven)
		if err := r.c.Close(); err != nil {
			r.v.Ended = append(r.v.Ended, err.Error())
		}
		r.judge(ctx)
	}
	if ctx.Err() != nil { // it was broken off: what is missing proves nothing
		return nil, ctx.Err()
	}
	r.v.Took = Duration(time.Since(began))
	r.v.decide()
	return r.v, errors.Join(r.v.write(), r.tidy())
}

// command runs the cell again.
func (o *Options) command(p *Plan) string {
	c := p.Command()
	if !o.Strict {
		c += " --quick"
	}
	if o.Namespaces {
		c += " --namespaces"
	}
	return c
}

// run is a cell that runs.
type run struct {
	o      Options
	v      *Verdict
	w      workload.Workload
	rounds []nemesis.Nemesis
	c      *cluster.Cluster
	rec    *history.Recorder
	out    *os.File // the history
	probes *probes
	chance *rand.Rand
	loaded time.Duration // how long the load ran
	end    time.Duration // when all that clients did was over
}

// found makes everything that the load needs. A cluster that does not come up is the
// cell's verdict.
func found(ctx context.Context, p Plan, o Options) (*run, error) {
	r := &run{o: o, v: &Verdict{Plan: p, Dir: o.Dir, Command: o.command(&p)},
		chance: rand.New(rand.NewPCG(p.Seed, 0))}
	if err := r.look(); err != nil {
		return nil, err
	}
	var err error
	if r.out, err = os.Create(filepath.Join(o.Dir, historyFile)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, founding)
	defer cancel()
	r.c, err = cluster.Found(ctx, cluster.Options{Dir: o.Dir, Programs: o.Programs, Members: p.Members,
		Gateways: 2, Commit: p.Commit, Reads: p.Reads, Mutant: p.Mutant, Namespaces: o.Namespaces})
	if err != nil {
		r.v.problem("no cluster: %v", err)
		return r, r.out.Close()
	}
	r.rec = history.NewRecorder(r.out)
	return r, nil
}

// look finds the workload and the nemeses of the plan.
func (r *run) look() error {
	p := &r.v.Plan
	var ok bool
	if r.w, ok = workload.ByName(p.Workload); !ok {
		return fmt.Errorf("there is no workload %q; --list names them", p.Workload)
	}
	for _, round := range p.Rounds {
		n, err := together(round)
		switch {
		case err != nil:
			return err
		case n.Members > p.Members:
			return fmt.Errorf("%s needs --members %d", n.Name, n.Members)
		case n.Reads != "" && n.Reads != p.Reads:
			return fmt.Errorf("%s needs --reads %s", n.Name, n.Reads)
		}
		r.rounds = append(r.rounds, n)
	}
	return nil
}

// together makes one nemesis of a round.
func together(round Round) (all nemesis.Nemesis, err error) {
	for i, name := range round {
		n, ok := nemesis.ByName(name)
		switch {
		case !ok:
			return all, fmt.Errorf("there is no nemesis %q; --list names them", name)
		case i == 0:
			all = n
		default:
			if all, err = nemesis.Both(all, n); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// drive runs the load with all rounds of faults, heals, and reads everything.
func (r *run) drive(ctx context.Context) {
	var endpoints []string
	for _, g := range r.c.Gateways() {
		endpoints = append(endpoints, r.c.Endpoint(g))
	}
	load, err := workload.Start(ctx, r.w, workload.Options{
		Endpoints: endpoints, Recorder: r.rec, Clients: clients, Seed: r.v.Plan.Seed})
	if err != nil {
		r.v.problem("the load did not begin: %v", err)
		return
	}
	began := r.rec.Now()
	if r.probes, err = startProbes(ctx, endpoints, r.rec.Now); err != nil {
		load.Stop()
		r.v.problem("%v", err)
		return
	}
	r.wait(ctx, warmUp)
	for i := range r.rounds {
		if err := r.round(ctx, i); err != nil {
			r.v.problem("%s: %v", r.v.Plan.Rounds[i], err)
			break
		}
		r.wait(ctx, calm)
	}
	least := time.Duration(r.v.Plan.Load)
	r.wait(ctx, least-(r.rec.Now()-began))
	for r.o.Strict && r.rec.OK() < committedMin && r.rec.Now()-began < 2*least && ctx.Err() == nil {
		r.wait(ctx, calm)
	}
	load.Stop()
	r.probes.stop()
	r.loaded = r.rec.Now() - began
	r.c.MendAll()
	final, cancel := context.WithTimeout(ctx, finalMax)
	defer cancel()
	if err := load.Final(final); err != nil {
		r.v.problem("the last reads: %v", err)
	}
	r.end = r.rec.Now()
}

// round is one of faults: they begin, last, and are healed.
func (r *run) round(ctx context.Context, i int) error {
	n := r.rounds[i]
	began := r.rec.Now()
	r.v.Rounds = append(r.v.Rounds, RoundResult{Round: r.v.Plan.Rounds[i], Served: n.Served,
		Began: Duration(began), Objective: Duration(n.Objective)})
	res := &r.v.Rounds[i]
	r.probes.hurt.Store(true)
	defer r.probes.hurt.Store(false)
	f, err := n.Begin(ctx, r.c, r.chance)
	if err != nil {
		return fmt.Errorf("it did not begin: %w", err)
	}
	res.What = f.What
	r.wait(ctx, n.Hold)
	err = f.Heal(ctx)
	healed := r.rec.Now()
	res.Healed = Duration(healed)
	if err == nil {
		err = r.recover(ctx, res)
	}
	if n.Served {
		res.Recovered = Duration(r.probes.longest(began, healed+time.Duration(res.Recovered)))
	}
	healthy, cancel := context.WithTimeout(ctx, healthMax)
	defer cancel()
	err = errors.Join(err, r.c.AwaitHealthy(healthy))
	proof, unproven := f.Proof(ctx)
	if unproven != nil {
		unproven = fmt.Errorf("nothing proves that it happened: %w", unproven)
	}
	res.Proof = proof
	return errors.Join(err, unproven)
}

// recover measures how long after the healing all shards have committed again.
func (r *run) recover(ctx context.Context, res *RoundResult) error {
	most := recoverMax * max(time.Duration(res.Objective), time.Second)
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	took, err := r.probes.await(ctx, time.Duration(res.Healed))
	res.Recovered = Duration(took)
	return err
}

// wait waits, unless the time is over already.
func (r *run) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
