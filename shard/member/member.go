package member

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// Member is one open data directory with its replicas.
type Member struct {
	o      Options
	dir    *datadir
	state  *mvcc.Pebble
	log    *mvcc.Pebble
	meta   *meta.State
	routes []shardrpc.Route
	shards map[shardrpc.ShardID]*hosted // nothing writes it after Open

	workers  []*worker
	appender *appender
	oracle   *oracle
	peers    *peers
	moving   *snapshots
	newest   shard.Newest
	memory   *shard.Ephemeral
	full     atomic.Pointer[txn.Error]
	looking  atomic.Bool   // lookReplaced is asking
	slow     atomic.Uint64 // operations of the disk
	owner    atomic.Pointer[func(txn.ID) bool]

	// engines is held for reading by whoever uses the engines on a goroutine
	// of its own; Close takes it before it closes them.
	engines sync.RWMutex

	failOnce sync.Once
	failed   chan struct{}   // closed by fail
	failure  error           // set before failed is closed
	stop     chan struct{}   // closed by Close
	running  context.Context // until stop
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	closed   sync.Once
	closeErr error
}

// hosted is a replica with the worker that owns it.
type hosted struct {
	*shard.Replica
	worker          *worker
	ticking, waking atomic.Bool // a Tick, a Confirm is in the worker's inbox
	waits           uint64      // for a batch of the appender, whose lock guards it; 0: for none
}

// defaultWorkers leaves cores to the links, the appender and the disk; what one worker does in a
// pass shares messages.
func defaultWorkers() int { return min(max(runtime.GOMAXPROCS(0)/2, 1), 64) }

// Open opens the data directory, making it if it is new, and starts every
// replica. It returns before they serve; see Ready. Errors are *txn.Error.
func Open(o Options) (*Member, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, &txn.Error{Kind: txn.Invalid, Op: "member.Open", Reason: "options", Err: err}
	}
	m := &Member{o: o, failed: make(chan struct{}), stop: make(chan struct{}),
		shards: make(map[shardrpc.ShardID]*hosted)}
	m.running, m.cancel = context.WithCancel(context.Background())
	m.peers, m.moving = newPeers(m), newSnapshots(m)
	if err := m.open(); err != nil {
		_ = m.closeEngines() // err came first and says more
		return nil, err
	}
	m.start()
	return m, nil
}

func (m *Member) open() error {
	fs := m.o.FS
	if fs == nil {
		fs = vfs.Default
	}
	dir, err := openDir(fs, m.o.Dir, m.o.ident())
	if err != nil {
		return err
	}
	m.dir = dir
	if dir.id.Cluster == "" {
		e := txn.Errorf(txn.Invalid, "no_cluster", "the data directory %s belongs to no cluster yet",
			m.o.Dir)
		e.Next = "start it with --join, or with --join and --replace"
		return e
	}
	if err := dir.removeUnfinished(); err != nil {
		return err
	}
	if err := m.openEngines(); err != nil {
		return err
	}
	if err := m.prepare(); err != nil {
		return err
	}
	if m.meta, err = meta.Load(m.state); err != nil {
		return err
	}
	return m.openReplicas()
}

func (m *Member) openEngines() (err error) {
	cache := mvcc.NewCache(m.o.CacheBytes)
	defer cache.Unref()
	options := func(kind mvcc.Kind) mvcc.PebbleOptions {
		return mvcc.PebbleOptions{Dir: m.dir.join(kind.String()), Kind: kind, FS: m.o.FS,
			Watched: m.o.Watched, Cache: cache, OnFatal: m.fail,
			OnSlow: func(time.Duration) { m.slow.Add(1) }, Log: m.o.Log}
	}
	if m.state, err = mvcc.OpenPebble(options(mvcc.StateEngine)); err != nil {
		return err
	}
	m.log, err = mvcc.OpenPebble(options(mvcc.LogEngine))
	return err
}

// prepare makes the first state of a new directory, and refuses one that has
// lost its state or its log (R12).
func (m *Member) prepare() error {
	_, known, err := m.state.Get(mvcc.LocalKey("ident"))
	if err != nil {
		return err
	}
	_, logged, err := m.log.Get(shard.LogIdentKey())
	switch {
	case err != nil:
		return err
	case m.dir.id.Ready && !known:
		return lost(m.o.Dir, mvcc.StateEngine)
	case m.dir.id.Ready && !logged:
		return lost(m.o.Dir, mvcc.LogEngine)
	case !m.dir.id.Ready:
		if err := bootstrap(m); err != nil {
			return err
		}
		m.dir.id.Ready = true
		if err := m.dir.save(); err != nil {
			return err
		}
	}
	m.routes, err = readRoutes(m.state)
	return err
}

func lost(dir string, what mvcc.Kind) error {
	e := txn.Errorf(txn.Internal, what.String()+"_missing",
		"the data directory %s has lost its %v", dir, what)
	e.Next = "restore it from a backup, or start a new member in its place (--replace); " +
		"do not start an empty one under the same id"
	return e
}

func (m *Member) openReplicas() error {
	m.appender = newAppender(m)
	for range m.o.Workers {
		m.workers = append(m.workers, newWorker(m))
	}
	points := locks.NewTSCache(locks.TSCacheSlots)
	versions := mvcc.NewVersionCache(m.o.CacheBytes / 2)
	m.memory = shard.NewEphemeral(m.o.EphemeralBytes)
	all := append([]shardrpc.Route{{Shard: shardrpc.MetaShard, Epoch: 1}}, m.routes...)
	for i, route := range all {
		o := shard.Options{Member: m.dir.id.Member, Route: route, State: m.state, Log: m.log,
			Points: points, Newest: &m.newest, Env: m.o.Env, Full: &m.full, Versions: versions,
			Ephemeral: m.memory,
			Lease:     m.o.TickInterval * shard.ElectionTicks, Quorum: m.o.QuorumReads,
			Retention: m.o.Retention, Keyspace: m.meta.Keyspace,
			Wanted: m.wanted, TruncateBytes: m.o.TruncateBytes, KeepBytes: m.o.KeepBytes}
		h := &hosted{worker: m.workers[i%len(m.workers)]}
		o.Wake = func() { h.worker.postConfirm(h) }
		o.Hold = func() bool { return m.appender.hold(h) }
		o.Now = func() (txn.Timestamp, bool) { return m.oracle.meta.IssueNow(1) }
		if route.Shard == shardrpc.MetaShard {
			o.Meta = m.meta
		}
		r, err := shard.New(o)
		if err != nil {
			return err
		}
		h.Replica = r
		m.shards[route.Shard] = h
	}
	m.oracle = newOracle(m)
	return nil
}

// wanted are the members that should have replicas.
func (m *Member) wanted() []uint64 {
	var ids []uint64
	for _, w := range m.meta.Members() {
		ids = append(ids, w.ID)
	}
	return ids
}

func (m *Member) start() {
	m.watchDisk()
	for _, w := range m.workers {
		m.tasks.Go(w.run)
	}
	m.tasks.Go(m.appender.run)
	m.tasks.Go(m.keep)
	m.tasks.Go(m.tend)
	for _, id := range m.ids() {
		h := m.shards[id]
		h.worker.post(h, nil) // takes the effects of New
	}
}

// ids are all shards, meta first.
func (m *Member) ids() []shardrpc.ShardID {
	ids := []shardrpc.ShardID{shardrpc.MetaShard}
	for _, r := range m.routes {
		ids = append(ids, r.Shard)
	}
	return ids
}

// fail stops the member: its disk cannot be trusted any more. It never waits,
// since an engine may call it with its locks held.
func (m *Member) fail(err error) {
	m.failOnce.Do(func() {
		m.failure = err
		close(m.failed)
	})
}

// Failed is closed when the member cannot go on; then Failure says why. The
// process should end: what was acknowledged is in the log.
func (m *Member) Failed() <-chan struct{} { return m.failed }

// Failure is the reason, once Failed is closed.
func (m *Member) Failure() error {
	select {
	case <-m.failed:
		return m.failure
	default:
		return nil
	}
}

// SetOwner tells how to ask this process's gateway whether a transaction is
// still its own (F7). Until then nobody is known to own any.
func (m *Member) SetOwner(owns func(txn.ID) bool) { m.owner.Store(&owns) }

// Close stops the goroutines, then the replicas, then the engines, and gives
// the directory back. It returns the failure if there was one.
func (m *Member) Close() error {
	m.closed.Do(func() {
		close(m.stop)
		m.cancel()
		for _, w := range m.workers {
			w.wake()
		}
		m.appender.wake()
		m.tasks.Wait()
		m.peers.close()
		for _, id := range m.ids() {
			m.shards[id].Close()
		}
		m.engines.Lock() // waits for readers, whom the replicas have woken
		defer m.engines.Unlock()
		m.moving.sweep(true)
		for _, w := range m.workers {
			w.drain()
		}
		m.closeErr = errors.Join(m.Failure(), m.closeEngines())
	})
	return m.closeErr
}

func (m *Member) closeEngines() error {
	var errs []error
	if m.state != nil {
		errs = append(errs, m.state.Close())
	}
	if m.log != nil {
		errs = append(errs, m.log.Close())
	}
	if m.dir != nil {
		errs = append(errs, m.dir.close())
	}
	return errors.Join(errs...)
}

// ID is this member's, of all in its cluster.
func (m *Member) ID() uint64 { return m.dir.id.Member }

// ClusterID is the same for all members of a cluster, and for no other.
func (m *Member) ClusterID() string { return m.dir.id.Cluster }

// Ready reports what keeps the member from serving; nil if nothing does.
func (m *Member) Ready() error {
	if err := m.Failure(); err != nil {
		return err
	}
	for _, id := range m.ids() {
		switch s := m.shards[id].Status(); {
		case s.LeaderID == 0:
			return txn.Errorf(txn.Unavailable, "no_leader", "nobody leads shard %d yet", id)
		case s.AppliedIndex == 0:
			return txn.Errorf(txn.Unavailable, "no_snapshot",
				"shard %d waits for its first snapshot", id)
		case s.Leader && !s.Serving:
			return txn.Errorf(txn.Unavailable, "starting", "shard %d does not serve yet", id)
		}
	}
	return nil
}

// Status is for operators.
func (m *Member) Status(context.Context) ([]shardrpc.MemberStatus, error) {
	m.engines.RLock()
	defer m.engines.RUnlock()
	if m.ended() {
		return nil, m.unavailable()
	}
	free, total, err := m.o.DiskSpace(m.o.Dir)
	if err != nil {
		m.o.Log.Warn("cannot measure the disk", "dir", m.o.Dir, "error", err)
	}
	s := shardrpc.MemberStatus{ClusterID: m.dir.id.Cluster, MemberID: m.dir.id.Member,
		Address: m.dir.id.address(), DataDir: m.o.Dir, DiskFree: free, DiskTotal: total,
		DiskUsed: m.state.Stats().DiskBytes + m.log.Stats().DiskBytes}
	for _, id := range m.ids() {
		s.Shards = append(s.Shards, m.shards[id].Status())
	}
	return []shardrpc.MemberStatus{s}, nil
}
