package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/report"
)

// runCairn measures Cairn alone.
func runCairn(ctx context.Context, args []string) (code int, err error) {
	o := &options{}
	f := o.flags("run", defaults{
		workloads: []string{"put", "get", "transfer-two-optimistic"}, callers: []int{1, 64, 256},
		rounds: 3,
	})
	each := f.IntSlice("shards-each", nil,
		"instead of --shards: a system of each of these numbers of shards, measured by turns")
	if err := errors.Join(parse(f, args, 0), o.settle(f)); err != nil {
		return exitUsage, err
	}
	sides, err := o.cairnSides(f, *each)
	if err != nil {
		return exitUsage, err
	}
	return 0, o.campaign(ctx, sides, alike(o.runs(), len(sides)), nil)
}

// cairnSides are one, or one for each number of shards.
func (o *options) cairnSides(f *pflag.FlagSet, shards []int) (sides []*side, err error) {
	if len(shards) == 0 {
		s, err := o.cairnSide()
		return []*side{s}, err
	}
	for _, o.cairn.Shards = range shards {
		if err := o.cairn.settle(f); err != nil {
			return nil, err
		}
		s, err := o.cairnSide()
		if err != nil {
			return nil, err
		}
		s.Name = fmt.Sprintf("cairn-%d-shards", o.cairn.Shards)
		sides = append(sides, s)
	}
	return sides, nil
}

// peerOptions say how a peer is started.
type peerOptions struct {
	name  string
	nodes int
	sync  string
}

// runPeer measures Cairn and another system, by turns.
func runPeer(ctx context.Context, args []string) (code int, err error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return exitUsage, fmt.Errorf("vs: %s", strings.Join(peerNames(), ", "))
	}
	p, ok := peers[args[0]]
	if !ok {
		return exitUsage, fmt.Errorf("vs %q: %s", args[0], strings.Join(peerNames(), ", "))
	}
	o, of := &options{}, &peerOptions{name: args[0]}
	f := o.flags("vs "+of.name, defaults{workloads: p.order, callers: []int{1, 64, 256}, rounds: 5})
	f.IntVar(&of.nodes, "peer-members", p.nodes[0], "of the peer")
	f.StringVar(&of.sync, "peer-sync", "always",
		"when nats and redis sync what they answer: always, before they do; default, as they come")
	if err := errors.Join(parse(f, args[1:], 0), o.settle(f), of.validate(o)); err != nil {
		return exitUsage, err
	}
	ours, err := o.cairnSide()
	if err != nil {
		return 0, err
	}
	program := filepath.Join(o.out, "bin", "peers")
	if err := build(ctx, peerModule, ".", program); err != nil {
		return 0, err
	}
	theirs := of.side(program)
	if o.cairn.Dir != "" { // the same disk for both
		var dir string
		if dir, err = os.MkdirTemp(o.cairn.Dir, "peers-"); err != nil {
			return 0, fmt.Errorf("--dir: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		theirs.args = append(theirs.args, "--dir", dir)
	}
	theirs.named("peers", o.procs)
	comparisons, pairs := against(o.runs(), p.workloads)
	return 0, o.campaign(ctx, []*side{ours, theirs}, comparisons, pairs)
}

func peerNames() []string { return []string{"etcd", "nats", "redis", "postgres"} }

func (of *peerOptions) validate(o *options) error {
	p := peers[of.name]
	var errs []error
	if !slices.Contains(p.nodes, of.nodes) {
		errs = append(errs, fmt.Errorf("--peer-members %d: %s has %v", of.nodes, of.name, p.nodes))
	}
	if of.sync != "always" && (of.sync != "default" || !p.syncs) {
		errs = append(errs, fmt.Errorf("--peer-sync %q: not of %s", of.sync, of.name))
	}
	for _, w := range o.workloads {
		if p.workloads[w] == nil {
			errs = append(errs, fmt.Errorf("--workload %s: %s has nothing like it", w, of.name))
		}
	}
	return errors.Join(errs...)
}

// side is the peers' program as the driver of one of them.
func (of *peerOptions) side(program string) *side {
	s := &side{program: program, Side: report.Side{Name: of.name, Nodes: of.nodes,
		Version: moduleVersion(of.name), Durability: of.durability()}}
	s.args = []string{"--system", of.name, "--members", fmt.Sprint(of.nodes), "--sync", of.sync}
	return s
}

func (of *peerOptions) durability() string {
	switch {
	case of.sync != "always":
		return "as it comes: not synced before the answer"
	case of.nodes > 1:
		return fmt.Sprintf("synced to the disks of %d of %d members before the answer",
			of.nodes/2+1, of.nodes)
	}
	return "synced to the disk before the answer"
}

// peerModules are those whose version is that of the server. The others are what is installed.
var peerModules = map[string]string{
	"etcd": "go.etcd.io/etcd/server/v3", "nats": "github.com/nats-io/nats-server/v2",
}

// moduleVersion is what the go.mod of the peers asks for.
func moduleVersion(name string) string {
	text, err := os.ReadFile(filepath.Join(peerModule, "go.mod"))
	if err != nil || peerModules[name] == "" {
		return "as installed"
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && words[0] == peerModules[name] {
			return words[1]
		}
	}
	return "unknown"
}

// campaign measures, prints and leaves everything.
func (o *options) campaign(
	ctx context.Context, sides []*side, comparisons []comparison, pairs []report.Pair,
) error {
	c, err := o.measure(ctx, sides, comparisons, pairs)
	if err != nil {
		return err
	}
	return c.tell(o)
}

func (o *options) measure(
	ctx context.Context, sides []*side, comparisons []comparison, pairs []report.Pair,
) (*campaign, error) {
	steps, err := plan(o.rounds, comparisons)
	if err != nil {
		return nil, err
	}
	c := &campaign{sides: sides, steps: steps, start: startDriver, file: o.file(), out: o.out,
		say: os.Stdout}
	c.file.Pairs = pairs
	return c, c.run(ctx)
}
