package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/loopback"
	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/remote"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/proto/transport"
	"github.com/cairnkv/cairn/shard/raftwire"
	"github.com/cairnkv/cairn/txn"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// eventually tries until ok, every few milliseconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(patience); !ok(); <-ticks.C {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// process is a member as a process of a cluster runs it: behind a server at an address of its own,
// on a disk that outlives it.
type process struct {
	t       testing.TB
	env     *env.Real
	o       Options
	disk    *vfs.MemFS
	address string
	joinAt  []string                    // with o.Replace
	wrap    func(*vfs.MemFS) vfs.FS     // the disk, if set
	left    map[shardrpc.ShardID]uint64 // see leave
	deaf    atomic.Bool                 // to raft's messages of the meta group
	// serve, if set, stands between the link and the member.
	serve func(ctx context.Context, method uint8, b []byte, next link.Serve) ([]byte, error)

	// Of one life.
	member   *Member
	founding atomic.Pointer[Founding]
	link     *link.Server
	handler  atomic.Pointer[http.Handler]
	server   *http.Server
	served   chan error
	cancel   context.CancelFunc
	begun    chan error // of one place: what start came to
}

// cluster are members with ids from 1, and a client of all.
type cluster struct {
	t      testing.TB
	all    []*process
	client *remote.Client
}

// testLog writes to the test's output what matters to an operator.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// newCluster makes n founders that have not started.
func newCluster(t testing.TB, n int) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var addresses []string
	for range n {
		addresses = append(addresses, c.add().address)
	}
	for i, p := range c.all {
		p.o.ID, p.o.Founders = uint64(i)+1, addresses
	}
	t.Cleanup(func() {
		if c.client != nil {
			c.client.Close()
		}
		for _, p := range c.all {
			if p.member != nil && t.Failed() {
				t.Logf("member %d: failure: %v", p.o.ID, p.member.Failure())
			}
			p.stop()
			p.env.Close()
		}
	})
	return c
}

// add makes a process with an address and an empty disk.
func (c *cluster) add() *process {
	free, err := loopback.Free(len(c.all) + 1)
	if err != nil {
		c.t.Fatal(err)
	}
	free = slices.DeleteFunc(free, func(address string) bool { // one that is down is not free
		return slices.ContainsFunc(c.all, func(p *process) bool { return p.address == address })
	})
	p := &process{t: c.t, env: env.NewReal(), disk: vfs.NewCrashableMem(), address: free[0]}
	p.o = Options{Dir: "data", Release: "v1.test", Env: p.env, CacheBytes: 1 << 20, Workers: 2,
		DiskSpace: plenty, TickInterval: 20 * time.Millisecond, Splits: [][]byte{[]byte("m")},
		Log: testLog(c.t)}
	c.all = append(c.all, p)
	return p
}

// start starts a life; wait says what came of it.
func (p *process) start() {
	lis, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.o.FS = p.disk
	if p.wrap != nil {
		p.o.FS = p.wrap(p.disk)
	}
	p.handler.Store(new(http.Handler(http.NotFoundHandler())))
	p.server = transport.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*p.handler.Load()).ServeHTTP(w, r)
	}))
	p.served, p.begun = make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func(s *http.Server, served chan<- error) { served <- s.Serve(lis) }(p.server, p.served)
	go func() { p.begun <- p.begin(ctx) }()
}

func (p *process) begin(ctx context.Context) error {
	if p.o.Replace != 0 {
		if err := Join(ctx, p.o, p.joinAt); err != nil {
			return err
		}
	} else if err := p.found(ctx); err != nil {
		return err
	}
	m, err := Open(p.o)
	if err != nil {
		return err
	}
	p.member = m
	serve := m.Serve
	if p.serve != nil {
		serve = func(ctx context.Context, method uint8, b []byte) ([]byte, error) {
			return p.serve(ctx, method, b, m.Serve)
		}
	}
	p.show(serve, link.ServerOptions{Self: m.Identity(), Posted: p.posted})
	return nil
}

// posted loses what p is deaf to.
func (p *process) posted(from link.Identity, method uint8, b []byte) {
	if batch, err := raftwire.Decode(b); err == nil && p.deaf.Load() {
		b = raftwire.Append(nil, slices.DeleteFunc(batch, func(e raftwire.Envelope) bool {
			return e.Shard == shardrpc.MetaShard
		}))
	}
	p.member.Posted(from, method, b)
}

func (p *process) found(ctx context.Context) error {
	f, err := Found(p.o)
	if f == nil || err != nil {
		return err
	}
	l := p.show(f.Serve, link.ServerOptions{Self: f.Identity()})
	p.founding.Store(f)
	err = f.Run(ctx)
	l.Close()
	return errors.Join(err, f.Close())
}

func (p *process) show(serve link.Serve, o link.ServerOptions) *link.Server {
	p.link = link.NewServer(serve, o)
	mux := http.NewServeMux()
	mux.Handle(link.Path, p.link)
	p.handler.Store(new(http.Handler(mux)))
	return p.link
}

// wait waits until start has come to something.
func (p *process) wait() error {
	select {
	case err := <-p.begun:
		p.begun <- err
		return err
	case <-time.After(patience):
		return errors.New("it neither began nor failed")
	}
}

// up is wait for one that must begin.
func (p *process) up() *Member {
	p.t.Helper()
	if err := p.wait(); err != nil {
		p.t.Fatalf("member %d: %v", p.o.ID, err)
	}
	return p.member
}

// stop ends a life in order, but hands nothing over.
func (p *process) stop() { p.end(false) }

// crash ends a life and loses what was not synced.
func (p *process) crash() { p.end(true) }

func (p *process) end(crash bool) {
	if p.server == nil {
		return
	}
	p.cancel()
	p.begun <- <-p.begun // wait may be under way
	if crash && p.member != nil {
		p.member.peers.close() // nothing leaves after the moment that is kept
	}
	_ = p.server.Close()
	<-p.served
	if p.link != nil {
		p.link.Close()
	}
	disk := p.disk
	if crash {
		disk = p.disk.CrashClone(vfs.CrashCloneCfg{})
	}
	if p.member != nil {
		if err := p.member.Close(); err != nil && p.member.Failure() == nil {
			p.t.Error(err)
		}
	}
	p.disk, p.server, p.link, p.member = disk, nil, nil, nil
}

// start starts all of them and waits until they serve.
func (c *cluster) start() {
	c.t.Helper()
	for _, p := range c.all {
		p.start()
	}
	c.ready()
}

// ready waits until all that were started serve.
func (c *cluster) ready() {
	c.t.Helper()
	for _, p := range c.all {
		if p.server != nil {
			m := p.up()
			eventually(c.t, "a member is ready", func() bool { return m.Ready() == nil })
		}
	}
}

// remote is a client of the cluster, as a gateway has one.
func (c *cluster) remote() *remote.Client {
	if c.client == nil {
		var addresses []string
		for _, p := range c.all {
			addresses = append(addresses, p.address)
		}
		c.client = remote.Dial(addresses, remote.Options{})
	}
	return c.client
}

// attempts calls f with a fresh timestamp until it is done.
func (c *cluster) attempts(what string, f func(ctx context.Context, at txn.Timestamp) bool) {
	c.t.Helper()
	r := c.remote()
	eventually(c.t, what, func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Second)
		defer cancel()
		at, err := r.Timestamp(ctx, 1)
		return err == nil && f(ctx, at)
	})
}

func (c *cluster) target(k txn.Key) shardrpc.Target {
	c.t.Helper()
	for _, p := range c.all {
		if p.member != nil {
			return target(p.member, k)
		}
	}
	c.t.Fatal("no member is up")
	return shardrpc.Target{}
}

// set writes a key until that is acknowledged.
func (c *cluster) set(k, v string) {
	c.t.Helper()
	to := c.target(key(k))
	c.attempts("a commit", func(ctx context.Context, base txn.Timestamp) bool {
		id := txn.NewID(1, ids.Add(1))
		resp, err := c.remote().Commit(ctx, &shardrpc.CommitRequest{Target: to, Txn: id,
			Age: txn.Age{At: base, ID: id}, BaseTS: base, MaxTS: math.MaxInt64, Program: set(k, v)})
		return err == nil && resp.Answer == shardrpc.OK
	})
}

// get reads a key as text; empty: there is none.
func (c *cluster) get(k string) (value string) {
	c.t.Helper()
	to := c.target(key(k))
	c.attempts("a read", func(ctx context.Context, at txn.Timestamp) bool {
		resp, err := c.remote().Read(ctx,
			&shardrpc.ReadRequest{Target: to, At: at, Keys: []txn.Key{key(k)}})
		if err != nil || resp.Retry || len(resp.Versions) != 1 {
			return false
		}
		value = string(resp.Versions[0].Value.Data)
		return true
	})
	return value
}

// leader waits for the member that leads a shard.
func (c *cluster) leader(id shardrpc.ShardID) (leader *process) {
	c.t.Helper()
	eventually(c.t, "somebody leads", func() bool {
		for _, p := range c.all {
			if p.member != nil && p.member.shards[id].Status().Serving {
				leader = p
				return true
			}
		}
		return false
	})
	return leader
}

// follower is a member that does not lead the shard.
func (c *cluster) follower(id shardrpc.ShardID) *process {
	leader := c.leader(id)
	for _, p := range c.all {
		if p != leader && p.member != nil {
			return p
		}
	}
	return nil
}

// caughtUp waits until the member has applied what the leader of every shard has.
func (c *cluster) caughtUp(p *process) {
	c.t.Helper()
	for _, id := range p.member.ids() {
		want := c.leader(id).member.shards[id].Status().AppliedIndex
		eventually(c.t, fmt.Sprintf("shard %d of member %d catches up", id, p.o.ID), func() bool {
			return p.member.shards[id].Status().AppliedIndex >= want
		})
	}
}

// asked reports whether a founder has asked this one, which still waits.
func (p *process) asked(id uint64) bool {
	f := p.founding.Load()
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.asked[id-1].nonce != 0
}
