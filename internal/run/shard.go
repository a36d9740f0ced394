package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/shard/member"
)

// Shard is a member as a process of its own, for gateways in others.
type Shard struct {
	Listen   string   // 127.0.0.1:7701
	Data     string   // ./cairn-member
	Splits   []string // keys that cut keyspace default at the first start
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
	link   *link.Server
	server *http.Server
	lis    net.Listener
}

// Flags declares the flags of cmd/shard.
func (s *Shard) Flags(f *pflag.FlagSet) {
	f.StringVar(&s.Listen, "listen", "127.0.0.1:7701", "address for gateways")
	f.StringVar(&s.Data, "data", "./cairn-member", "data directory; made if missing")
	f.StringSliceVar(&s.Splits, "split", nil,
		`keys that cut the keyspace into shards at the first start (default ":,h,p")`)
	f.Int64Var(&s.CacheMiB, "cache", 128, "block cache in MiB")
	f.BoolVar(&s.PProf, "pprof", false, "serve /debug/pprof/")
	f.BoolVar(&s.LogJSON, "log-json", false, "log in JSON instead of text")
}

// Run serves until ctx is done or the disk fails. It returns nil after an
// orderly end; everything it opened is closed.
func (s *Shard) Run(ctx context.Context) error {
	s.log = newLogger(s.Stderr, s.LogJSON)
	err := s.open()
	if err == nil {
		err = s.serve(ctx)
	}
	return errors.Join(err, s.close())
}

func (s *Shard) open() (err error) {
	if s.lis, err = listen(s.Listen); err != nil {
		return err
	}
	s.env = env.NewReal()
	s.member, err = openMember(member.Options{Dir: s.Data, Env: s.env,
		CacheBytes: s.CacheMiB << 20, Log: s.log}, s.Splits)
	if err != nil {
		return err
	}
	s.link = link.NewServer(s.member.Serve, link.ServerOptions{
		Self: link.Identity{ClusterID: s.member.ClusterID(), ID: s.member.ID()},
		Refused: func(err error) {
			s.log.Warn("a process was turned away", "error", err)
		}})
	return nil
}

func (s *Shard) serve(ctx context.Context) error {
	pages, err := newShardPages(s)
	if err != nil {
		return err
	}
	s.server = transport.NewServer(pages)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.lis) }()
	s.announce(ctx)
	select {
	case <-ctx.Done():
	case err = <-served:
		return err
	case <-s.member.Failed():
		err = s.member.Failure()
	}
	s.link.Close()
	shutDown(s.server)
	<-served
	return err
}

// announce waits until every shard serves, then says so.
func (s *Shard) announce(ctx context.Context) {
	if !awaitReady(ctx, s.env, s.member.Ready, s.member.Failure) {
		return
	}
	address := s.lis.Addr().String()
	if a, ok := s.lis.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		s.log.Warn("whoever can reach this address can read and write everything: "+
			"there is no access control", "listen", address)
	}
	fmt.Fprintf(s.Stdout, shardMessage, release.Version, address, s.Data)
	if s.Serving != nil {
		s.Serving(address)
	}
}

const shardMessage = `Cairn %s: a member listens on %s, data in %s.
Start gateways for it from other terminals, each with a --listen of its own:
  go run ./cmd/gateway --shards %[2]s
Ctrl-C stops it; nothing acknowledged is lost.
`

func (s *Shard) close() error {
	var errs []error
	if s.link != nil {
		s.link.Close()
	}
	if s.member != nil {
		errs = append(errs, s.member.Close())
	}
	if s.env != nil {
		s.env.Close()
	}
	if s.server == nil && s.lis != nil {
		errs = append(errs, s.lis.Close())
	}
	return errors.Join(errs...)
}
