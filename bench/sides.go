package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/bench/report"
)

// side is a system, and the process that starts and drives it.
type side struct {
	report.Side
	program string
	args    []string
	dir     string // where the process works; empty: here
}

func (s *side) command() *exec.Cmd {
	cmd := exec.Command(s.program, s.args...)
	cmd.Dir, cmd.Env, cmd.Stderr = s.dir, os.Environ(), os.Stderr
	if s.Procs > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprint("GOMAXPROCS=", s.Procs))
	}
	return cmd
}

// named fills in what the report says of a side.
func (s *side) named(program string, procs int) *side {
	s.Procs, s.Command = procs, strings.Join(append([]string{program}, s.args...), " ")
	if procs > 0 {
		s.Command = fmt.Sprintf("GOMAXPROCS=%d %s", procs, s.Command)
	}
	return s
}

// cairnSide is this program as the driver of Cairn.
func (o *options) cairnSide() (*side, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &side{program: self, args: o.cairn.args(), Side: report.Side{
		Name: "cairn", Version: o.cairn.version(), Nodes: o.cairn.nodes(),
		Durability: o.cairn.durability(),
	}}
	return s.named("bench", o.procs), nil
}

// version is that of what is built here. Which one a target has it alone knows.
func (o *cairnOptions) version() string {
	if o.Kind == cairn.Target {
		return "whatever serves there"
	}
	return version(".")
}

// durability is what Cairn promises by its defaults, which nothing here changes.
func (o *cairnOptions) durability() string {
	switch o.Kind {
	case cairn.Embedded:
		return "synced to the disk before the answer"
	case cairn.Cluster:
		return fmt.Sprintf("synced to the disks of %d of %d members before the answer",
			o.Members/2+1, o.Members)
	}
	return "as the target was started"
}

// peer is a system that Cairn is measured against.
type peer struct {
	// workloads are those of Cairn that it has something like, and its own names for them.
	workloads map[string][]string
	order     []string // of the workloads, as they are measured by default
	nodes     []int    // that there can be
	syncs     bool     // whether --sync has a say
}

// transfers are the ways of etcd: its transactions in memory as they are, the same with both keys
// fetched at once, and reading and then comparing.
var transfers = []string{"transfer-stm", "transfer-stm-prefetch", "transfer-cas"}

var peers = map[string]peer{
	"etcd": {
		order: []string{"put", "get", "transfer-two-optimistic", "mixed"},
		nodes: []int{3, 1},
		workloads: map[string][]string{
			"put": {"put"}, "get": {"get"}, "get-snapshot": {"get-serializable"}, "range": {"range"},
			"oneshot": {"oneshot"}, "mixed": {"mixed"},
			"transfer-same-optimistic":  transfers,
			"transfer-same-pessimistic": transfers,
			"transfer-two-optimistic":   transfers,
			"transfer-two-pessimistic":  transfers,
		},
	},
	"nats": {
		order: []string{"put", "get", "mixed"}, nodes: []int{3, 1}, syncs: true,
		workloads: map[string][]string{"put": {"put"}, "get": {"get"}, "mixed": {"mixed"}},
	},
	"redis": {
		order: []string{"put", "get", "mixed"}, nodes: []int{1}, syncs: true,
		workloads: map[string][]string{"put": {"put"}, "get": {"get"}, "mixed": {"mixed"}},
	},
	"postgres": {
		order: []string{"put", "get", "transfer-two-optimistic", "mixed"}, nodes: []int{1},
		workloads: map[string][]string{
			"put": {"put"}, "get": {"get"}, "mixed": {"mixed"},
			"transfer-same-optimistic":  {"transfer-serializable"},
			"transfer-same-pessimistic": {"transfer-locks"},
			"transfer-two-optimistic":   {"transfer-serializable"},
			"transfer-two-pessimistic":  {"transfer-locks"},
		},
	},
}

// peerModule is where the drivers of peers are: a module of its own.
const peerModule = "bench/peers"

// build compiles a program of the module in a directory.
func build(ctx context.Context, dir, pkg, program string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", pkg, dir, err, out)
	}
	return nil
}

// version is the commit that is checked out, and whether anything has changed since.
func version(dir string) string {
	cmd := exec.Command("git", "describe", "--always", "--dirty", "--exclude", "*")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
