package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnkv/cairn/txn"
)

const (
	// readyMax is how long the cluster may take until it serves for the first time.
	readyMax = 60 * time.Second
	// stopMax is how long a child may take to end before it is killed.
	stopMax = 5 * time.Second
)

// Demo is a cluster on one machine.
type Demo struct {
	Options
	// Exe is a program with the subcommands shard, gateway and status.
	Exe    string
	Stdin  io.Reader // orders; its end means nothing
	Stdout io.Writer

	stopMax time.Duration // 0: that of the package
}

// Command is `cairn demo`.
func Command() *cobra.Command {
	d := &Demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a cluster of real processes on this machine",
		Long: `Start a cluster of real processes on this machine, say how to talk to it, and look after
it: what dies is reported, and started again when you say so. Orders that it takes:

` + usage + `
Its data is in a temporary directory and goes with it, or in --data, which is used again at
the next start.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				return txn.Errorf(txn.Invalid, "arguments", "%q is one word too many", args[0])
			}
			if d.Exe, err = os.Executable(); err != nil {
				return err
			}
			d.Stdin, d.Stdout = cmd.InOrStdin(), cmd.OutOrStdout()
			return d.Run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.IntVar(&d.Nodes, "nodes", 3, "members: 1, 3 or 5")
	f.IntVar(&d.Gateways, "gateways", 1, "gateways")
	f.StringVar(&d.Data, "data", "", "directory for the data; a temporary one if empty")
	f.IntVar(&d.BasePort, "base-port", 0,
		"port of the first gateway; the first member's is 101 more (default free ports)")
	return cmd
}

// Run runs the cluster until ctx is done, a signal comes, or somebody types
// quit: all of them are an orderly end. Nothing that it started is left.
func (d *Demo) Run(ctx context.Context) (err error) {
	if err := d.validate(); err != nil {
		return err
	}
	dir, err := d.directory()
	if err != nil {
		return err
	}
	if d.Data == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	members, gateways, err := d.places(dir)
	if err != nil {
		return err
	}
	s := newSupervisor(d, dir, plan(dir, members, gateways))
	return s.run(ctx, d.Stdin)
}

func (d *Demo) directory() (string, error) {
	if d.Data == "" {
		return os.MkdirTemp("", "cairn-demo-")
	}
	dir, err := filepath.Abs(d.Data)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// banner says what runs and what to try.
func (s *supervisor) banner() {
	what := "kept for the next start with this --data"
	if s.temporary {
		what = "gone when this ends"
	}
	s.say("Cairn serves. Data and logs are in %s, %s.\n", s.dir, what)
	var victim string
	for _, c := range s.children {
		pid := "not running"
		if c.process != nil {
			pid = fmt.Sprint("pid ", c.process.pid())
			if victim == "" {
				victim = fmt.Sprintf("%d   # %s", c.process.pid(), c.name)
			}
		}
		address := c.address
		if c.gateway {
			address = "http://" + address
		}
		s.say("  %-3s %-28s %s", c.name, address, pid)
	}
	gateway, _ := s.anyGateway()
	s.say(tryText, gateway, s.exe, victim, usage)
}

const tryText = `
Try it from another terminal:
  export CAIRN_ENDPOINT=http://%[1]s
  %[2]s set greeting hello
  %[2]s get greeting
  %[2]s status
  kill -9 %[3]s; then read, write and look at the status again
Or type here:
%[4]sCtrl-C ends it all.`
