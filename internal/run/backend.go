package run

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/gateway"
	"github.com/cairnkv/cairn/internal/release"
	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/remote"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/member"
	"github.com/cairnkv/cairn/txn"
)

// backend is where a gateway has its shards: in this process, or behind links.
type backend struct {
	shards  coordinator.Shards
	session uint32 // to begin with; 0: none yet
	where   string // for people
	status  func(context.Context) ([]shardrpc.MemberStatus, error)
	locks   func(context.Context) ([]gateway.ShardLocks, error)
	// within is that of coordinator.Options; nil: calls need tasks.
	within func(context.Context, time.Duration) context.Context
	// readSoon is that of coordinator.Options; nil: whoever reads waits.
	readSoon coordinator.ReadSoon
	// metrics are those of the member in this process, or of the links to others.
	metrics prometheus.Collector
	// transfer hands a leadership over; nil: there is nobody to take it.
	transfer func(ctx context.Context, shard, to uint64) error
	// findSession is where another gateway is, by its session; nil: there is none.
	findSession func(context.Context, uint32) (address string, open bool, err error)
	ready       func() error
	// begin is told the coordinator, once there is one.
	begin func(*coordinator.Coordinator)
	// failed is closed when the gateway cannot go on; then failure says why.
	failed  <-chan struct{}
	failure func() error
	// leave ends what waits, before the coordinator's tasks are waited for.
	leave func()
	close func() error
}

var (
	_ coordinator.Shards = (*member.Member)(nil)
	_ coordinator.Shards = (*remote.Client)(nil)
)

// withSplits is o for a member of this release, cut at splits if it is new.
func withSplits(o member.Options, splits []string) member.Options {
	o.Release = release.Version
	for _, s := range splits {
		o.Splits = append(o.Splits, []byte(s))
	}
	return o
}

// newBackend finds the shards, and the debug build's faults their disk.
func (g *Gateway) newBackend(ctx context.Context) (_ *backend, err error) {
	data := g.Data
	if len(g.Shards) > 0 {
		data = ""
	}
	if g.debug, err = newDebug(g.env, data, g.log); err != nil {
		return nil, err
	}
	if len(g.Shards) > 0 {
		return g.linked()
	}
	return g.embedded(ctx)
}

// embedded opens the member of this process.
func (g *Gateway) embedded(ctx context.Context) (*backend, error) {
	m, err := member.Open(g.debug.disk(withSplits(member.Options{Dir: g.Data, Env: g.env,
		CacheBytes: g.CacheMiB << 20, EphemeralBytes: g.Ephemeral, Retention: g.Retention,
		Log: g.log}, g.Splits)))
	if err != nil {
		return nil, err
	}
	// One process serves this directory, so the sessions of its earlier lives
	// are over.
	session, err := m.OpenSession(ctx, g.address, true)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &backend{
		shards: m, session: session, where: "data in " + g.Data,
		status: m.Status, ready: m.Ready, metrics: newMemberMetrics(m),
		locks: func(ctx context.Context) ([]gateway.ShardLocks, error) {
			return showLocks(ctx, m)
		},
		begin:  func(c *coordinator.Coordinator) { m.SetOwner(c.Owns) },
		failed: m.Failed(), failure: m.Failure,
		leave: func() {}, close: m.Close,
	}, nil
}

// linked reaches the members of a cluster, of which --shards names some. They need
// not be there yet.
func (g *Gateway) linked() (*backend, error) {
	if len(g.Splits) > 0 {
		return nil, txn.Errorf(txn.Invalid, "split",
			"--split belongs to the members that --shards names, not to their gateways")
	}
	for _, address := range g.Shards {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, &txn.Error{Kind: txn.Invalid, Reason: "shards", Err: err,
				Next: "give --shards as host:port,host:port"}
		}
	}
	c := remote.Dial(g.Shards, remote.Options{Log: g.log})
	l := newLease(leaseOptions{env: g.env, members: c, gateway: g.address, log: g.log})
	return &backend{
		transfer: func(ctx context.Context, shard, to uint64) error {
			return c.Transfer(ctx, shardrpc.ShardID(shard), to)
		},
		locks: func(ctx context.Context) ([]gateway.ShardLocks, error) {
			return showLocks(ctx, c)
		},
		shards: c, within: link.WithPatience, readSoon: c.ReadSoon,
		where:  "shards at " + strings.Join(g.Shards, ", "),
		status: c.Status, ready: l.ready, findSession: c.FindSession,
		begin: l.begin, metrics: newLinkMetrics(c, l),
		failure: func() error { return nil },
		leave: func() {
			l.leave()
			c.Close()
		},
		close: func() error { return nil },
	}, nil
}
