package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/gateway"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/shard/member"
	"github.com/cairnkv/cairn/txn"
)

// shutdownMax is how long requests in progress may take when the program ends.
const shutdownMax = 5 * time.Second

// Gateway is the embedded default: a gateway and a member in one process.
type Gateway struct {
	Listen   string   // 127.0.0.1:7600
	Data     string   // ./cairn-data
	Splits   []string // keys that cut keyspace default at the first start
	Hosts    []string
	CacheMiB int64
	PProf    bool
	LogJSON  bool
	Stdout   io.Writer
	Stderr   io.Writer

	// Serving, if set, is called with the address once /readyz answers 200.
	Serving func(address string)

	log    *slog.Logger
	env    *env.Real
	member *member.Member
	gw     *gateway.Gateway
	server *http.Server
	lis    net.Listener
}

// Flags declares the flags of cmd/gateway.
func (g *Gateway) Flags(f *pflag.FlagSet) {
	f.StringVar(&g.Listen, "listen", "127.0.0.1:7600", "address of the API")
	f.StringVar(&g.Data, "data", "./cairn-data", "data directory; made if missing")
	f.StringSliceVar(&g.Splits, "split", nil,
		`keys that cut the keyspace into shards at the first start (default ":,h,p")`)
	f.StringSliceVar(&g.Hosts, "host", nil,
		"names besides loopback under which clients may reach this gateway")
	f.Int64Var(&g.CacheMiB, "cache", 128, "block cache in MiB")
	f.BoolVar(&g.PProf, "pprof", false, "serve /debug/pprof/")
	f.BoolVar(&g.LogJSON, "log-json", false, "log in JSON instead of text")
}

// Run serves until ctx is done or the disk fails. It returns nil after an
// orderly end; everything it opened is closed.
func (g *Gateway) Run(ctx context.Context) error {
	g.log = g.logger()
	err := g.open(ctx)
	if err == nil {
		err = g.serve(ctx)
	}
	return errors.Join(err, g.close())
}

func (g *Gateway) logger() *slog.Logger {
	if g.LogJSON {
		return slog.New(slog.NewJSONHandler(g.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(g.Stderr, nil))
}

func (g *Gateway) open(ctx context.Context) (err error) {
	if g.lis, err = net.Listen("tcp", g.Listen); err != nil {
		return &txn.Error{Kind: txn.Invalid, Op: "run.Gateway", Reason: "listen", Err: err,
			Next: "stop whatever listens there, or choose another address with --listen"}
	}
	g.env = env.NewReal()
	var splits [][]byte
	for _, s := range g.Splits {
		splits = append(splits, []byte(s))
	}
	g.member, err = member.Open(member.Options{Dir: g.Data, Release: release.Version, Splits: splits,
		Env: g.env, CacheBytes: g.CacheMiB << 20, Log: g.log})
	if err != nil {
		return err
	}
	// One process serves this directory, so the sessions of its earlier lives
	// are over.
	session, err := g.member.OpenSession(ctx, g.lis.Addr().String(), true)
	if err != nil {
		return err
	}
	c, err := coordinator.New(coordinator.Options{
		Env: g.env, Shards: g.member, Session: session})
	if err != nil {
		return err
	}
	g.member.SetOwner(c.Owns)
	g.gw, err = gateway.New(gateway.Options{Coordinator: c, Env: g.env,
		Status: g.member.Status, Ready: g.member.Ready, Version: release.Version, Log: g.log,
		Hosts: g.Hosts, AccessPProf: g.PProf})
	return err
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
	case <-g.member.Failed():
		err = g.member.Failure()
	}
	g.gw.Close()
	grace, cancel := context.WithTimeout(context.Background(), shutdownMax)
	defer cancel()
	if g.server.Shutdown(grace) != nil {
		_ = g.server.Close()
	}
	<-served
	return err
}

// announce waits until every shard serves, then says so.
func (g *Gateway) announce(ctx context.Context) {
	for g.member.Ready() != nil && g.member.Failure() == nil {
		if g.env.Sleep(ctx, time.Millisecond) != nil {
			return
		}
	}
	address := g.lis.Addr().String()
	fmt.Fprintf(g.Stdout, startMessage, release.Version, address, g.Data, address)
	if g.Serving != nil {
		g.Serving(address)
	}
}

const startMessage = `Cairn %s listens on http://%s, data in %s.
Try it from another terminal:
  curl -X PUT --data hello http://%[4]s/v1/keys/greeting
  go run ./cmd/cairn get greeting
Ctrl-C stops it; nothing acknowledged is lost.
`

func (g *Gateway) close() error {
	if g.gw != nil {
		g.gw.Close()
	}
	if g.env != nil {
		g.env.Close()
	}
	var errs []error
	if g.member != nil {
		errs = append(errs, g.member.Close())
	}
	if g.server == nil && g.lis != nil {
		errs = append(errs, g.lis.Close())
	}
	return errors.Join(errs...)
}
