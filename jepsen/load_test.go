package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

const (
	callMax     = 20 * time.Second      // what a call of the load may take
	loadEvery   = 4 * time.Millisecond  // between two calls of one worker: the load leaves room
	hammerEvery = time.Millisecond      // between two reads of one reader
	probeEvery  = 20 * time.Millisecond // between two probes
	probeMax    = time.Second
	perShard    = 4 // counters
	movers      = 4 // of units between accounts
)

// shardKeys are what keys of the four data shards begin with, by shard (the default of --split).
// The meta group has no keys; whatever is written needs its oracle.
var shardKeys = map[uint64]string{1: "a", 2: "0", 3: "a", 4: "m", 5: "z"}

// counter is a key that one writer counts up. What anybody reads from the moment on at which seen
// was n is at least n: n was acknowledged, or read.
type counter struct {
	key   string
	seen  atomic.Int64
	tried atomic.Int64 // the newest value that may be there
	acked atomic.Int64 // the newest value that was acknowledged
}

// load is writers over counters on all data shards and transfers between accounts, through both
// gateways, paced.
type load struct {
	t        *testing.T
	dbs      []*client.DB
	counters []*counter
	names    []string
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	stopped  sync.Once
	moved    atomic.Int64

	mu     sync.Mutex
	errs   []error // that a client saw
	broken []error // that no client may see
	took   figures // of acknowledged writes
}

// startLoad runs a load until stop, or the end of the test.
func startLoad(t *testing.T, c *cluster) *load {
	t.Helper()
	l := &load{t: t, dbs: c.dbs, names: accounts()}
	for _, name := range l.names {
		if _, err := l.dbs[0].Set(t.Context(), name, client.IntValue(each), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	for shard := uint64(2); shard <= 5; shard++ {
		for i := range perShard {
			c := &counter{key: fmt.Sprintf("%scount/%d", shardKeys[shard], i)}
			l.counters = append(l.counters, c)
			l.running.Go(func() { l.count(l.dbs[i%2], c) })
		}
	}
	for i := range movers {
		l.running.Go(func() { l.move(l.dbs[i%2]) })
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	l.stopped.Do(func() {
		l.cancel()
		l.running.Wait()
	})
}

// count writes 1, 2, 3 and so on, each on the condition that the key is as the write before has
// left it. So a write that was acknowledged and lost, or happened twice, shows at the next one.
func (l *load) count(db *client.DB, c *counter) {
	revision, doubt := int64(-1), false
	for l.ctx.Err() == nil {
		n := c.tried.Add(1)
		ctx, cancel := context.WithTimeout(l.ctx, callMax)
		began := time.Now()
		res, err := db.Set(ctx, c.key, client.IntValue(n),
			client.SetOptions{If: client.Conditions{Revision: &revision}})
		cancel()
		switch {
		case err != nil:
			doubt = true
			l.failed(err)
		case res.Set:
			l.timed(time.Since(began))
			c.acked.Store(n)
			raise(&c.seen, n)
			revision, doubt = res.Revision, false
		case !doubt:
			l.wrong("%s is at revision %d after nobody wrote beyond %d", c.key, res.Revision, revision)
			return
		default: // one of unknown outcome has happened
			revision = res.Revision
		}
		pause(loadEvery)
	}
}

func (l *load) move(db *client.DB) {
	for l.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(l.ctx, callMax)
		if err := transfer(ctx, db, l.names); err != nil {
			l.failed(err)
		} else {
			l.moved.Add(1)
		}
		cancel()
		pause(loadEvery)
	}
}

func raise(a *atomic.Int64, to int64) {
	for {
		if was := a.Load(); was >= to || a.CompareAndSwap(was, to) {
			return
		}
	}
}

// failed notes an error, but for those of the load's own end.
func (l *load) failed(err error) {
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, fmt.Errorf("%s: %w", time.Now().Format("15:04:05.000"), err))
}

func (l *load) wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = append(l.broken, fmt.Errorf(format, args...))
}

func (l *load) timed(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took)
}

// since takes how long the writes took that ended since the last call.
func (l *load) since() figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := l.took
	l.took = nil
	return took
}

// read reads a counter and holds the answer against what must be there.
func (l *load) read(ctx context.Context, db *client.DB, c *counter) error {
	least := c.seen.Load()
	e, err := db.Get(ctx, c.key)
	if err != nil {
		return fmt.Errorf("%s: %w", c.key, err)
	}
	n := int64(0)
	if e.Found() {
		n = e.Value.Int()
	}
	if most := c.tried.Load(); n < least || n > most {
		l.wrong("%s is %d, not %d to %d", c.key, n, least, most)
	}
	raise(&c.seen, n)
	return nil
}

// hammer reads counters through both gateways until stop, which tells how many reads there were.
func (l *load) hammer(readers int) (stop func() int64) {
	ctx, cancel := context.WithCancel(l.ctx)
	var done atomic.Int64
	var running sync.WaitGroup
	for i := range readers {
		running.Add(1)
		l.running.Go(func() { // stopped with the load at the latest
			defer running.Done()
			for ctx.Err() == nil {
				err := l.read(ctx, l.dbs[i%2], l.counters[rand.IntN(len(l.counters))])
				if err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					l.failed(err)
				}
				pause(hammerEvery)
			}
		})
	}
	return func() int64 {
		cancel()
		running.Wait()
		return done.Load()
	}
}

// check reads everything back through both gateways, while the load goes on or after it: nothing
// acknowledged is lost, nothing goes back, and the sum of the accounts is what it was.
func (l *load) check() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	for i, db := range l.dbs {
		for _, c := range l.counters {
			if err := l.read(ctx, db, c); err != nil {
				l.t.Fatalf("gateway %d: %v", i, err)
			}
		}
		entries, err := db.BatchGet(ctx, l.names, client.BatchGetOptions{RequireAll: true})
		sum := int64(0)
		for _, e := range entries {
			sum += e.Value.Int()
		}
		if err != nil || sum != int64(each*len(l.names)) {
			l.t.Fatalf("gateway %d: the sum is %d, not %d, %v", i, sum, each*len(l.names), err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.broken {
		l.t.Error(err)
	}
	if len(l.broken) > 0 {
		l.t.FailNow()
	}
}

// faults are the errors that clients saw. Those of an unknown outcome are always allowed for what
// was killed on the way.
func (l *load) faults() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errs
}

func (l *load) writes() (n int64) {
	for _, c := range l.counters {
		n += c.acked.Load()
	}
	return n
}

func (l *load) String() string {
	unknown := 0
	faults := l.faults()
	for _, err := range faults {
		if txn.KindOf(err) == txn.Unknown {
			unknown++
		}
	}
	return fmt.Sprintf("%d writes and %d transfers so far, %d errors, %d of them of unknown outcome",
		l.writes(), l.moved.Load(), len(faults), unknown)
}

// firstCommit returns when a shard has acknowledged a write that began after the call. Every 20 ms
// another probe begins, through one gateway and the other in turn, whatever became of those
// before: what is measured is longer than the outage by at most that and one write.
func (c *cluster) firstCommit(t *testing.T, shard uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var probes sync.WaitGroup
	defer probes.Wait()
	defer cancel()
	done := make(chan struct{}, 1)
	ticks := time.NewTicker(probeEvery)
	defer ticks.Stop()
	for i := 0; ; i++ {
		probes.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, probeMax)
			defer cancel()
			key := fmt.Sprintf("%sprobe/%d", shardKeys[shard], i)
			_, err := c.dbs[i%2].Set(ctx, key, client.IntValue(int64(i)), client.SetOptions{})
			if err == nil {
				select {
				case done <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-done:
			return
		case <-ctx.Done():
			t.Errorf("no write to shard %d was acknowledged for %v", shard, patience)
			return
		case <-ticks.C:
		}
	}
}
