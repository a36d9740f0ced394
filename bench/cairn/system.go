package cairn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cairnkv/cairn/bench/driver"
	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/launch"
	"github.com/cairnkv/cairn/internal/loopback"
)

// The ways of load.Run.
const (
	wayStream = "stream" // and ""
	wayUnary  = "unary"
)

var _ driver.System = (*System)(nil)

// System is Cairn, serving. Its methods are for one goroutine.
type System struct {
	o        Options
	layout   layout
	dir      string // "": nothing was started
	launcher *launch.Launcher
	members  []*process
	gateways []*process
	stream   *client.DB
	unary    *client.DB
	filled   map[table]filled
	imported atomic.Int64 // pages, by all runs
	close    func() error
}

// Start starts what o says, and returns when it serves. Once it does it no longer depends on ctx.
func Start(ctx context.Context, o Options) (*System, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &System{o: o, layout: newLayout(o.Shards), filled: make(map[table]filled)}
	s.close = sync.OnceValue(s.stop)
	err := s.start(ctx)
	if err == nil {
		err = s.connect(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start starts the processes, unless they run already.
func (s *System) start(ctx context.Context) (err error) {
	if s.o.Kind == Target {
		return nil
	}
	if s.dir, err = os.MkdirTemp(s.o.Dir, "cairn-bench-"); err != nil {
		return err
	}
	programs := s.o.Programs
	if programs == "" {
		programs = filepath.Join(s.dir, "programs")
		if err := Build(ctx, "", programs); err != nil {
			return err
		}
	}
	s.launcher = launch.New(nil)
	if s.o.Kind == Embedded {
		err = s.startEmbedded(filepath.Join(programs, "gateway"))
	} else {
		err = s.startCluster(filepath.Join(programs, "shard"), filepath.Join(programs, "gateway"))
	}
	if err != nil {
		return err
	}
	for _, p := range s.processes() {
		if err := p.await(ctx); err != nil {
			return err
		}
	}
	s.o.Endpoint = "http://" + s.gateways[0].address
	return nil
}

func (s *System) startEmbedded(program string) error {
	free, err := loopback.Free(1)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "e1")
	p := &process{usage: load.Usage{Role: "embedded", Name: "e1", Data: data}, address: free[0]}
	args := append([]string{"--data", data}, s.splitFlags()...)
	err = s.launch(p, program, append(args, s.o.GatewayFlags...)...)
	if err == nil {
		s.gateways = append(s.gateways, p)
	}
	return err
}

func (s *System) startCluster(shard, gateway string) error {
	free, err := loopback.Free(s.o.Members + 1)
	if err != nil {
		return err
	}
	addresses := free[:s.o.Members]
	all := strings.Join(addresses, ",")
	for i, address := range addresses {
		name := fmt.Sprint("m", i+1)
		data := filepath.Join(s.dir, name)
		p := &process{usage: load.Usage{Role: "member", Name: name, Data: data}, address: address}
		args := append([]string{"--data", data}, s.splitFlags()...)
		if s.o.Members > 1 {
			args = append(args, "--id", fmt.Sprint(i+1), "--join", all)
		}
		args = append(args, s.o.MemberFlags...)
		if err := s.launch(p, shard, args...); err != nil {
			return err
		}
		s.members = append(s.members, p)
	}
	p := &process{usage: load.Usage{Role: "gateway", Name: "g1"}, address: free[s.o.Members]}
	args := append([]string{"--shards", all}, s.o.GatewayFlags...)
	if err := s.launch(p, gateway, args...); err != nil {
		return err
	}
	s.gateways = append(s.gateways, p)
	return nil
}

func (s *System) splitFlags() []string {
	if splits := s.layout.splits(); len(splits) > 0 {
		return []string{"--split", strings.Join(splits, ",")}
	}
	return nil
}

// connect makes the clients, with their defaults, and asks whether anybody answers.
func (s *System) connect(ctx context.Context) (err error) {
	if s.stream, err = client.New(client.Options{Endpoint: s.o.Endpoint}); err != nil {
		return err
	}
	if s.unary, err = client.New(client.Options{Endpoint: s.o.Endpoint, Unary: true}); err != nil {
		return err
	}
	if _, err = s.stream.Status(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.o.Endpoint, err)
	}
	return nil
}

// Endpoint is where the gateway is.
func (s *System) Endpoint() string { return s.o.Endpoint }

func (s *System) processes() []*process {
	return append(append([]*process(nil), s.members...), s.gateways...)
}

// Commands are the command lines of all that was started.
func (s *System) Commands() []string {
	var all []string
	for _, p := range s.processes() {
		all = append(all, strings.Join(p.cmd.Args, " "))
	}
	return all
}

// Processes implements driver.System. Of a target it knows none.
func (s *System) Processes() map[int]load.Usage {
	all := make(map[int]load.Usage)
	for _, p := range s.processes() {
		all[p.cmd.Process.Pid] = p.usage
	}
	return all
}

// Prepare implements driver.System. Keys that an earlier run has left are used again.
func (s *System) Prepare(
	ctx context.Context, r load.Run,
) (op load.Op, release func(), err error) {
	prepare := workloads[r.Workload]
	if prepare == nil {
		return nil, nil, fmt.Errorf("no workload %q; there are: %s",
			r.Workload, strings.Join(Workloads(), " "))
	}
	b := &bench{system: s, layout: s.layout, run: r}
	switch r.Way {
	case "", wayStream:
		b.db = s.stream
	case wayUnary:
		b.db = s.unary
	default:
		return nil, nil, fmt.Errorf("the way %q is not %s or %s", r.Way, wayStream, wayUnary)
	}
	if r.Keys < 1 || r.ValueBytes < balanceBytes {
		return nil, nil, fmt.Errorf("%d keys and values of %d bytes: at least 1, and %d",
			r.Keys, r.ValueBytes, balanceBytes)
	}
	if op, err = prepare(b, ctx); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.Workload, err)
	}
	return op, func() {}, nil
}

// Close ends all that was started; its data is gone then. The error tells of processes that had
// ended by themselves. It can be called again, and says the same.
func (s *System) Close() error { return s.close() }

func (s *System) stop() error {
	for _, db := range []*client.DB{s.stream, s.unary} {
		if db != nil {
			db.Close()
		}
	}
	err := errors.Join(stop(s.gateways), stop(s.members))
	if s.launcher != nil {
		s.launcher.Close()
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
