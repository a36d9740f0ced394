// Command peers is the driver of a system that Cairn is measured against. It starts the servers,
// carries out what the harness says on standard input, and ends them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/bench/driver"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/etcd"
	"github.com/cairnkv/cairn/bench/peers/nats"
	"github.com/cairnkv/cairn/bench/peers/peer"
	"github.com/cairnkv/cairn/bench/peers/postgres"
	"github.com/cairnkv/cairn/bench/peers/redis"
)

const (
	startMax  = 30 * time.Second
	exitUsage = 2
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "member" {
		member(os.Args[2], os.Args[3:])
		return
	}
	os.Exit(run())
}

// member makes this process a server: those whose module is linked in need no program of their own.
func member(system string, args []string) {
	switch system {
	case "etcd":
		etcd.Main(args)
	case "nats":
		nats.Main(args)
	default:
		fmt.Fprintf(os.Stderr, "peers: no member of %q: etcd or nats\n", system)
		os.Exit(exitUsage)
	}
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := &options{}
	if err := o.flags().Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return 0
		}
		fmt.Fprintln(os.Stderr, "peers:", err)
		return exitUsage
	}
	if err := o.validate(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		return exitUsage
	}
	if err := o.drive(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		return 1
	}
	return 0
}

// options are what the flags say.
type options struct {
	system  string
	members int
	sync    string
	dir     string
}

func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("peers", pflag.ContinueOnError)
	f.StringVar(&o.system, "system", "etcd", "etcd, nats, redis or postgres")
	f.IntVar(&o.members, "members", 3, "of etcd or nats: 3 or 1; the others have one server")
	f.StringVar(&o.sync, "sync", "always",
		"when nats and redis sync what they answer: always, before they do; default, as they come")
	f.StringVar(&o.dir, "dir", "",
		"where the servers keep their data (default: a new temporary directory)")
	return f
}

func (o *options) validate() error {
	var errs []error
	if !strings.Contains(" etcd nats redis postgres ", " "+o.system+" ") {
		errs = append(errs, fmt.Errorf("--system %q: etcd, nats, redis or postgres", o.system))
	}
	if o.members != 1 && o.members != 3 {
		errs = append(errs, fmt.Errorf("--members %d: 3 or 1", o.members))
	}
	if o.sync != "always" && o.sync != "default" {
		errs = append(errs, fmt.Errorf("--sync %q: always or default", o.sync))
	}
	if o.sync == "default" && (o.system == "etcd" || o.system == "postgres") {
		errs = append(errs, fmt.Errorf("--sync default: %s always syncs, by its own default", o.system))
	}
	return errors.Join(errs...)
}

// drive starts the system and does what the harness says until it has no more.
func (o *options) drive(ctx context.Context) (err error) {
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "peers-"); err != nil {
			return fmt.Errorf("a directory for the servers: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	set := child.NewSet(dir, os.Stderr)
	defer func() { err = errors.Join(err, set.Stop()) }()
	system, err := o.start(ctx, set)
	if err != nil {
		return fmt.Errorf("start %s: %w", o.system, err)
	}
	return driver.Serve(ctx, os.Stdin, os.Stdout, system) // closes the system, not its servers
}

func (o *options) start(ctx context.Context, set *child.Set) (*peer.System, error) {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := []string{self, "member", o.system}
	switch o.system {
	case "etcd":
		return etcd.Start(ctx, set, command, o.members)
	case "nats":
		return nats.Start(ctx, set, command, nats.Options{Members: o.members, Sync: o.sync == "always"})
	case "redis":
		return redis.Start(ctx, set, o.sync == "always")
	default:
		return postgres.Start(ctx, set)
	}
}
