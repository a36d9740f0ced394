package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// Options are fixed for the life of a Gateway.
type Options struct {
	Coordinator *coordinator.Coordinator // required
	Env         env.Env                  // required
	// Status asks the members how they are. Required.
	Status func(context.Context) ([]shardrpc.MemberStatus, error)
	// Locks asks every shard of data for its lock table. Required.
	Locks func(context.Context) ([]ShardLocks, error)
	// Transfer asks the leader of a shard to hand over to a member, 0: to whichever is furthest. It
	// need not wait until that is done. nil: a single member, in this process, leads everything.
	Transfer func(ctx context.Context, shard, to uint64) error
	// FindSession says where the gateway of a session can be reached (host:port), or that the
	// session has ended. nil: there is no other gateway.
	FindSession func(ctx context.Context, session uint32) (address string, open bool, err error)
	// Ready says why requests cannot be served now. nil: they always can.
	Ready func() error
	// Version of the program, as in "0.1.0".
	Version  string
	Registry *prometheus.Registry // a new one
	Log      *slog.Logger         // discard
	// Hosts are names, without port, under which the gateway may be reached besides loopback. A
	// request for another Host is refused, lest a web page reach us through a DNS name of its own.
	Hosts       []string
	AccessPProf bool // serve /debug/pprof/
}

func (o Options) withDefaults() Options {
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if o.Coordinator == nil {
		errs = append(errs, errors.New("Coordinator is required"))
	}
	if o.Env == nil {
		errs = append(errs, errors.New("Env is required"))
	}
	if o.Status == nil {
		errs = append(errs, errors.New("Status is required"))
	}
	if o.Locks == nil {
		errs = append(errs, errors.New("Locks is required"))
	}
	for _, h := range o.Hosts {
		if h == "" || strings.ContainsAny(h, "/: ") && !strings.HasPrefix(h, "[") {
			errs = append(errs, fmt.Errorf("Hosts: %q is not a name without port", h))
		}
	}
	return errors.Join(errs...)
}

// Gateway answers clients. It is safe for concurrent use.
type Gateway struct {
	Options
	held      *heldTxns
	keyspaces keyspaces
	peers     *peers
	metrics   *metrics
	hosts     map[string]bool
	mounts    map[string]http.Handler // by the first element of the path
	started   time.Duration           // by Env.Now
	// Of direct calls.
	callees     map[string]*callee // by path
	errorWriter *connect.ErrorWriter
	buffers     sync.Pool // of *directBuffers

	closing context.Context // done once Close has begun
	close   context.CancelFunc
	swept   env.Future // the sweeper of transactions that are open here has ended
	cleared env.Future // and that of those that were left behind anywhere
}

// New makes a Gateway and starts its sweepers of abandoned transactions.
func New(o Options) (*Gateway, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("gateway options: %w", err)
	}
	g := &Gateway{Options: o.withDefaults(), started: o.Env.Now()}
	g.held = newHeldTxns(o.Env)
	g.peers = newPeers(&g.Options)
	g.closing, g.close = context.WithCancel(context.Background())
	g.hosts = make(map[string]bool)
	for _, h := range o.Hosts {
		g.hosts[strings.ToLower(strings.Trim(h, "[]"))] = true
	}
	var err error
	if g.metrics, err = newMetrics(g.Registry, g.Version); err != nil {
		return nil, fmt.Errorf("gateway metrics: %w", err)
	}
	if err = g.metrics.watch(g.Registry, g.Coordinator, g.held.count); err != nil {
		return nil, fmt.Errorf("gateway metrics: %w", err)
	}
	g.mount()
	o.Env.Go("gateway.sweep", g.sweep)
	o.Env.Go("gateway.clear", g.clear)
	o.Env.Go("gateway.keyspaces", g.watchKeyspaces)
	o.Env.Go("gateway.deletions", g.finishDeletions)
	return g, nil
}

// Close ends the streams of clients as soon as their open calls are answered, rolls back all
// transactions that clients left open, and waits for the sweepers and for what goes on behind the
// backs of callers. Call it before the HTTP server
// is shut down, which waits for the streams.
func (g *Gateway) Close() {
	g.close()
	// An Env that has stopped has no sweepers.
	_ = g.Env.Wait(context.Background(), &g.swept, 0)
	_ = g.Env.Wait(context.Background(), &g.cleared, 0)
	_ = g.Env.Wait(context.Background(), &g.keyspaces.watched, 0)
	_ = g.Env.Wait(context.Background(), &g.keyspaces.finished, 0)
	g.metrics.txns.WithLabelValues(outcomeAbandoned).Add(float64(g.held.closeAll()))
	g.Coordinator.Drain(g.Env.Now() + closeMax)
	g.peers.http.CloseIdleConnections()
}

// sweep rolls back what clients have abandoned until the Gateway closes.
func (g *Gateway) sweep() {
	defer g.swept.Resolve()
	for g.Env.Sleep(g.closing, sweepEvery) == nil {
		g.metrics.txns.WithLabelValues(outcomeAbandoned).Add(float64(g.held.sweep()))
	}
}

// clear sees to what any gateway has left behind in the shards, until the
// Gateway closes.
func (g *Gateway) clear() {
	defer g.cleared.Resolve()
	for g.Env.Sleep(g.closing, clearEvery) == nil {
		n, err := g.Coordinator.Sweep(g.closing, g.Env.Now()+clearEvery)
		if err != nil && g.closing.Err() == nil {
			g.Log.Warn("old transactions could not be cleared away", "err", err)
		}
		g.metrics.cleared.Add(float64(n))
	}
}
