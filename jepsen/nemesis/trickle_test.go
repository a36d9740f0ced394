//go:build unix

package nemesis

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

const (
	trickleEvery = 10 * time.Millisecond // between two writes of a writer
	writeMax     = 2 * time.Second
	readersMax   = 16
)

// prefixes are what keys of the four data shards begin with, by shard.
var prefixes = map[uint64]string{2: "0", 3: "a", 4: "m", 5: "z"}

// trickle writes a new key every few milliseconds, on each shard by each gateway, and remembers
// what was acknowledged.
type trickle struct {
	dbs     []*client.DB
	cancel  context.CancelFunc
	writers sync.WaitGroup

	mu    sync.Mutex
	acked map[string]int64
	since time.Time                // of the mark
	first map[uint64]time.Duration // from it to the first commit that began after it
	sick  map[string]int           // errors, by their text
}

func newTrickle(t *testing.T, c *cluster.Cluster) *trickle {
	t.Helper()
	w := &trickle{acked: make(map[string]int64), sick: make(map[string]int)}
	w.mark()
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for _, g := range c.Gateways() {
		db, err := client.New(client.Options{Endpoint: c.Endpoint(g)})
		if err != nil {
			t.Fatal(err)
		}
		w.dbs = append(w.dbs, db)
		for shard := range prefixes {
			w.writers.Go(func() { w.write(ctx, db, shard, string(g)) })
		}
	}
	return w
}

func (w *trickle) stop() {
	w.cancel()
	w.writers.Wait()
}

func (w *trickle) close() {
	w.stop()
	for _, db := range w.dbs {
		db.Close()
	}
}

// mark begins to measure anew.
func (w *trickle) mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.first = time.Now(), make(map[uint64]time.Duration)
	w.sick = make(map[string]int)
}

// committed is how long after the mark every shard had committed something.
func (w *trickle) committed() (took time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.first {
		took = max(took, d)
	}
	return took, len(w.first) == len(prefixes)
}

func (w *trickle) write(ctx context.Context, db *client.DB, shard uint64, by string) {
	for n := int64(0); ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s/%s/%07d", prefixes[shard], by, n)
		call, cancel := context.WithTimeout(ctx, writeMax)
		began := time.Now()
		_, err := db.Set(call, key, client.IntValue(n), client.SetOptions{})
		cancel()
		w.note(key, n, shard, began, err)
		cluster.Sleep(ctx, trickleEvery)
	}
}

func (w *trickle) note(key string, n int64, shard uint64, began time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.sick[err.Error()]++
		return
	}
	w.acked[key] = n
	if _, known := w.first[shard]; !known && began.After(w.since) {
		w.first[shard] = time.Since(w.since)
	}
}

// check reads back what was acknowledged since the last check.
func (w *trickle) check(ctx context.Context) (keys int, err error) {
	w.mu.Lock()
	acked := w.acked
	w.acked = make(map[string]int64)
	w.mu.Unlock()
	var read errgroup.Group
	read.SetLimit(readersMax)
	for key, want := range acked {
		db := w.dbs[keys%len(w.dbs)]
		keys++
		read.Go(func() error {
			e, err := db.Get(ctx, key)
			if err != nil {
				return fmt.Errorf("reading %s back: %w", key, err)
			}
			if e.Revision < 0 || e.Value.Int() != want {
				return fmt.Errorf("%s was acknowledged as %d and is %+v", key, want, e)
			}
			return nil
		})
	}
	return keys, read.Wait()
}

// await returns when every shard has committed since the mark.
func (w *trickle) await(ctx context.Context, r *row) error {
	return until(ctx, "every shard commits", func() (ok bool, err error) {
		r.commit, ok = w.committed()
		if !ok {
			err = fmt.Errorf("only shards %v did; clients saw: %v", w.firsts(), w.errors())
		}
		return ok, err
	})
}

func (w *trickle) firsts() map[uint64]time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.first)
}

// errors are those of writes, by how often they came.
func (w *trickle) errors() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.sick)
}
