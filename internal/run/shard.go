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
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/member"
	"github.com/cairnkv/cairn/txn"
)

// Shard is a member as a process of its own, for gateways in others.
type Shard struct {
	ID        uint64   // of this member; 0: what the data directory says
	Listen    string   // 127.0.0.1:7701
	Advertise string   // where others reach it; default Listen
	Join      []string // the founders, or with Replace any members
	Replace   uint64   // the member whose place this one takes
	Data      string   // ./cairn-member
	Splits    []string // keys that cut keyspace default at the first start
	Reads     string   // lease (default) or quorum
	Tick      time.Duration
	CacheMiB  int64
	Ephemeral int64         // bytes of memory for ephemeral keys; 64 MiB
	Retention time.Duration // of the outcomes of transactions; 15min
	PProf     bool
	LogJSON   bool
	Stdout    io.Writer
	Stderr    io.Writer

	// Serving, if set, is called with the address once /readyz answers 200.
	Serving func(address string)

	log    *slog.Logger
	env    *env.Real
	debug  debug
	member *member.Member
	pages  atomic.Pointer[http.Handler] // what the server shows now
	link   *link.Server
	server *http.Server
	served chan error // of one place: why the server ended
	lis    net.Listener
}

// Flags declares the flags of cmd/shard.
func (s *Shard) Flags(f *pflag.FlagSet) {
	f.Uint64Var(&s.ID, "id", 0,
		"this member: its place in --join, or with --replace an id that was never used")
	f.StringVar(&s.Listen, "listen", "127.0.0.1:7701", "address for gateways and other members")
	f.StringVar(&s.Advertise, "advertise", "",
		"address under which others reach this member, with --replace (default --listen)")
	f.StringSliceVar(&s.Join, "join", nil,
		"addresses of the members that found the cluster, the same list for all of them; "+
			"without it this is the only member")
	f.Uint64Var(&s.Replace, "replace", 0,
		"take the place of a member that is lost; --join names living ones")
	f.StringVar(&s.Data, "data", "./cairn-member", "data directory; made if missing")
	f.StringSliceVar(&s.Splits, "split", nil,
		`keys that cut the keyspace into shards at the first start (default ":,h,p")`)
	f.StringVar(&s.Reads, "reads", "lease",
		"lease: trust clocks to run at the same rate within 2 %; quorum: ask a quorum each time")
	f.DurationVar(&s.Tick, "tick", 40*time.Millisecond,
		"a leader that is silent for ten of these is replaced; the same for all members")
	f.DurationVar(&s.Retention, "request-retention", shard.RetentionDefault,
		"how long the outcome of a transaction can be asked for; the same for all members")
	f.Int64Var(&s.CacheMiB, "cache", 128, "block cache in MiB; half as much for newest versions")
	f.Int64Var(&s.Ephemeral, "ephemeral-bytes", shard.EphemeralBytesDefault,
		"memory for ephemeral keys; those that are used least have to go when it is full")
	f.BoolVar(&s.PProf, "pprof", false, "serve /debug/pprof/")
	f.BoolVar(&s.LogJSON, "log-json", false, "log in JSON instead of text")
}

// Run serves until ctx is done or the disk fails. It returns nil after an
// orderly end; everything it opened is closed.
func (s *Shard) Run(ctx context.Context) error {
	s.log = newLogger(s.Stderr, s.LogJSON)
	err := s.open(ctx)
	switch {
	case err == nil:
		err = s.serve(ctx)
	case s.member == nil && ctx.Err() != nil:
		err = nil // told to end while it waited for others
	}
	return errors.Join(err, s.close())
}

func (s *Shard) options() (member.Options, error) {
	o := member.Options{ID: s.ID, Dir: s.Data, Env: s.env, CacheBytes: s.CacheMiB << 20, Log: s.log,
		TickInterval: s.Tick, Replace: s.Replace, Address: s.Advertise,
		Retention: s.Retention, EphemeralBytes: s.Ephemeral}
	if o.Address == "" {
		o.Address = s.Listen
	}
	if s.Replace == 0 {
		o.Founders, o.Address = s.Join, ""
	}
	switch s.Reads {
	case "", "lease":
	case "quorum":
		o.QuorumReads = true
	default:
		return o, txn.Errorf(txn.Invalid, "reads", "--reads is lease or quorum, not %q", s.Reads)
	}
	if s.Replace != 0 && len(s.Join) == 0 {
		return o, txn.Errorf(txn.Invalid, "replace", "--replace needs --join with living members")
	}
	return s.debug.disk(withSplits(o, s.Splits)), nil
}

func (s *Shard) open(ctx context.Context) (err error) {
	if s.lis, err = listen(s.Listen); err != nil {
		return err
	}
	s.env = env.NewReal()
	if s.debug, err = newDebug(s.env, s.Data, s.log); err != nil {
		return err
	}
	o, err := s.options()
	if err != nil {
		return err
	}
	if err := s.listenAndServe(); err != nil {
		return err
	}
	if err := s.enter(ctx, o); err != nil {
		return err
	}
	if s.member, err = member.Open(o); err != nil {
		return err
	}
	s.link = s.newLink(s.member.Serve, link.ServerOptions{
		Self: s.member.Identity(), Posted: s.member.Posted})
	return s.show()
}

// enter makes the data directory that of a member of a cluster, if it is to be one.
func (s *Shard) enter(ctx context.Context, o member.Options) error {
	if s.Replace != 0 {
		return member.Join(ctx, o, s.Join)
	}
	f, err := member.Found(o)
	if f == nil || err != nil {
		return err
	}
	s.link = s.newLink(f.Serve, link.ServerOptions{Self: f.Identity()})
	err = s.show()
	if err == nil {
		err = f.Run(ctx)
	}
	s.link.Close()
	s.link = nil
	return errors.Join(err, f.Close())
}

func (s *Shard) newLink(serve link.Serve, o link.ServerOptions) *link.Server {
	o.Refused = func(err error) { s.log.Warn("a process was turned away", "error", err) }
	return link.NewServer(serve, o)
}

// show serves the link and the pages that there are now.
func (s *Shard) show() error {
	pages, err := newShardPages(s)
	if err == nil {
		s.pages.Store(&pages)
	}
	return err
}

// listenAndServe serves whatever is shown, from before there is a member: the
// founders of a cluster have to find each other.
func (s *Shard) listenAndServe() error {
	if err := s.show(); err != nil {
		return err
	}
	s.server = transport.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*s.pages.Load()).ServeHTTP(w, r)
	}))
	s.served = make(chan error, 1)
	go func() { s.served <- s.server.Serve(s.lis) }()
	return nil
}

func (s *Shard) serve(ctx context.Context) error {
	s.announce(ctx)
	var err error
	select {
	case <-ctx.Done():
		s.member.HandOver(context.WithoutCancel(ctx))
	case err = <-s.served:
		s.served <- nil
	case <-s.member.Failed():
		err = s.member.Failure()
	}
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
	members := s.Join
	if s.Replace != 0 || len(members) == 0 {
		members = append(slices.Clone(s.Join), address)
	}
	fmt.Fprintf(s.Stdout, shardMessage, release.Version, address, s.Data, strings.Join(members, ","))
	if s.Serving != nil {
		s.Serving(address)
	}
}

const shardMessage = `Cairn %s: a member listens on %s, data in %s.
Start gateways for it from other terminals, each with a --listen of its own:
  go run ./cmd/gateway --shards %s
Ctrl-C stops it; nothing acknowledged is lost.
`

func (s *Shard) close() error {
	var errs []error
	if s.link != nil {
		s.link.Close()
	}
	if s.server != nil {
		shutDown(s.server)
		<-s.served
	} else if s.lis != nil {
		errs = append(errs, s.lis.Close())
	}
	if s.member != nil {
		errs = append(errs, s.member.Close())
	}
	if s.env != nil {
		s.env.Close()
	}
	return errors.Join(append(errs, s.debug.close())...)
}
