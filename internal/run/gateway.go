package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/gateway"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// shutdownMax is how long requests in progress may take when the program ends.
const shutdownMax = 5 * time.Second

// Gateway is a gateway: with a member in the same process, the default, or
// with the cluster of which Shards names members.
type Gateway struct {
	Listen string // 127.0.0.1:7600
	// Advertise is where other gateways of the cluster reach this one; where it listens.
	Advertise string
	Shards    []string // host:port of members; none: there is one in this process
	Data      string   // ./cairn-data
	Splits    []string // keys that cut keyspace default at the first start
	Hosts     []string
	CacheMiB  int64
	Ephemeral int64  // bytes of memory for ephemeral keys; 64 MiB
	Commit    string // parallel or 2pc
	// Retention is how long the outcome of a transaction can be asked for. 15min
	Retention time.Duration
	PProf     bool
	LogJSON   bool
	Stdout    io.Writer
	Stderr    io.Writer

	// Serving, if set, is called with the address once /readyz answers 200.
	Serving func(address string)

	log     *slog.Logger
	env     *env.Real
	debug   debug
	address string // for other gateways
	back    *backend
	gw      *gateway.Gateway
	server  *http.Server
	lis     net.Listener
}

// Flags declares the flags of cmd/gateway.
func (g *Gateway) Flags(f *pflag.FlagSet) {
	f.StringVar(&g.Listen, "listen", "127.0.0.1:7600", "address of the API")
	f.StringVar(&g.Advertise, "advertise", "",
		"address under which other gateways reach this one, with --shards (default: where it listens)")
	f.StringSliceVar(&g.Shards, "shards", nil,
		"addresses of members that run by themselves; without it one runs here")
	f.StringVar(&g.Data, "data", "./cairn-data",
		"data directory; made if missing; none with --shards")
	f.StringSliceVar(&g.Splits, "split", nil,
		`keys that cut the keyspace into shards at the first start (default ":,h,p")`)
	f.StringSliceVar(&g.Hosts, "host", nil,
		"names besides loopback under which clients may reach this gateway")
	f.Int64Var(&g.CacheMiB, "cache", 128, "block cache in MiB; half as much for newest versions")
	f.Int64Var(&g.Ephemeral, "ephemeral-bytes", shard.EphemeralBytesDefault,
		"memory for ephemeral keys; those that are used least have to go when it is full")
	f.StringVar(&g.Commit, "commit", "parallel", "how transactions over several shards commit: "+
		"parallel takes one consensus round before the answer, 2pc takes two")
	f.DurationVar(&g.Retention, "request-retention", shard.RetentionDefault,
		"how long the outcome of a transaction can be asked for (with --shards the members say)")
	f.BoolVar(&g.PProf, "pprof", false, "serve /debug/pprof/")
	f.BoolVar(&g.LogJSON, "log-json", false, "log in JSON instead of text")
}

// Run serves until ctx is done or the disk fails. It returns nil after an
// orderly end; everything it opened is closed.
func (g *Gateway) Run(ctx context.Context) error {
	g.log = newLogger(g.Stderr, g.LogJSON)
	err := g.open(ctx)
	if err == nil {
		err = g.serve(ctx)
	}
	return errors.Join(err, g.close())
}

// newLogger is the log of a program.
func newLogger(w io.Writer, asJSON bool) *slog.Logger {
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// commitMode is what --commit says.
func commitMode(s string) (coordinator.CommitMode, error) {
	switch s {
	case "parallel", "":
		return coordinator.Parallel, nil
	case "2pc":
		return coordinator.TwoPhase, nil
	default:
		return 0, txn.Errorf(txn.Invalid, "commit", "--commit is parallel or 2pc, not %q", s)
	}
}

func (g *Gateway) open(ctx context.Context) (err error) {
	mode, err := commitMode(g.Commit)
	if err != nil {
		return err
	}
	if g.lis, err = listen(g.Listen); err != nil {
		return err
	}
	if g.address, err = advertised(g.Advertise, g.lis); err != nil {
		return err
	}
	g.env = env.NewReal()
	if g.back, err = g.newBackend(ctx); err != nil {
		return err
	}
	c, err := coordinator.New(coordinator.Options{
		Env: g.env, Shards: g.back.shards, Within: g.back.within, Session: g.back.session,
		Commit: mode, ReadSoon: g.back.readSoon})
	if err != nil {
		return err
	}
	g.back.begin(c)
	registry := prometheus.NewRegistry()
	if err := registry.Register(g.back.metrics); err != nil {
		return err
	}
	g.gw, err = gateway.New(gateway.Options{Coordinator: c, Env: g.env,
		Status: g.back.status, Locks: g.back.locks, Transfer: g.back.transfer, Ready: g.back.ready,
		FindSession: g.back.findSession,
		Version:     release.Version, Registry: registry, Log: g.log,
		Hosts: g.names(), AccessPProf: g.PProf})
	return err
}

// names are those under which the gateway may be reached: other gateways know its address.
func (g *Gateway) names() []string {
	host, _, err := net.SplitHostPort(g.address)
	if err != nil || len(g.Shards) == 0 {
		return g.Hosts
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return append(slices.Clone(g.Hosts), host)
}

// listen opens the port of a server.
func listen(address string) (net.Listener, error) {
	lis, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &txn.Error{Kind: txn.Invalid, Op: "run.listen", Reason: "listen", Err: err,
			Next: "stop whatever listens there, or choose another address with --listen"}
	}
	return lis, nil
}

func (g *Gateway) serve(ctx context.Context) error {
	g.server = transport.NewServer(g.gw.Handler())
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(g.lis) }()
	g.announce(ctx)
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		return err
	case <-g.back.failed:
		err = g.back.failure()
	}
	g.gw.Close()
	shutDown(g.server)
	<-served
	return err
}

// awaitReady waits until ready has nothing to say, or failure has. It reports
// false if ctx is done or the process ends before.
func awaitReady(ctx context.Context, e env.Env, ready, failure func() error) bool {
	for ready() != nil && failure() == nil {
		if e.Sleep(ctx, time.Millisecond) != nil {
			return false
		}
	}
	return failure() == nil
}

// shutDown lets requests in progress end, for as long as shutdownMax.
func shutDown(s *http.Server) {
	grace, cancel := context.WithTimeout(context.Background(), shutdownMax)
	defer cancel()
	if s.Shutdown(grace) != nil {
		_ = s.Close()
	}
}

// announce waits until every shard serves, then says so.
func (g *Gateway) announce(ctx context.Context) {
	if !awaitReady(ctx, g.env, g.back.ready, g.back.failure) {
		return
	}
	address := g.lis.Addr().String()
	fmt.Fprintf(g.Stdout, startMessage, release.Version, address, g.back.where)
	if g.Serving != nil {
		g.Serving(address)
	}
}

const startMessage = `Cairn %s listens on http://%s, %s.
Try it from another terminal:
  curl -X PUT --data hello http://%[2]s/v1/keys/greeting
  go run ./cmd/cairn get greeting
Ctrl-C stops it; nothing acknowledged is lost.
`

func (g *Gateway) close() error {
	if g.gw != nil {
		g.gw.Close()
	}
	if g.back != nil {
		g.back.leave()
	}
	if g.env != nil {
		g.env.Close()
	}
	var errs []error
	if g.back != nil {
		errs = append(errs, g.back.close())
	}
	if g.server == nil && g.lis != nil {
		errs = append(errs, g.lis.Close())
	}
	return errors.Join(append(errs, g.debug.close())...)
}
