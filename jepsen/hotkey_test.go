package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	hotClients = 16
	hotPairs   = 5
	hotQuick   = 100  // writes of a run, by all clients together
	hotLong    = 3000 // in the long tier
	hotKey     = "hot"

	hotRatioMin = 0.3             // of the throughput of one client
	hotWaitMax  = 2 * time.Second // for one write, all tries of it
)

// TestHotKey lets sixteen clients count up one key, then one client, five times in turn: together
// they get less done than one alone, but not much less, and each of them gets on.
// CAIRN_HOTKEY=1 (make long-hotkey) runs it longer; the quick tier's bounds are ten times as wide.
func TestHotKey(t *testing.T) {
	writes, slack := hotQuick, 10
	if os.Getenv("CAIRN_HOTKEY") != "" {
		writes, slack = hotLong, 1
	}
	g := start(t, build(t), t.TempDir())
	dbs := make([]*client.DB, hotClients)
	for i := range dbs {
		var err error
		if dbs[i], err = client.New(client.Options{Endpoint: g.endpoint}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(dbs[i].Close)
	}
	for _, mode := range hotModes() {
		t.Run(string(mode), func(t *testing.T) {
			var many, one []hotRun
			for i := range hotPairs {
				key := fmt.Sprintf("hot/%s/%d/", mode, i)
				many = append(many, countTogether(t, dbs, hotWork{key + "many", mode, writes}))
				one = append(one, countTogether(t, dbs[:1], hotWork{key + "one", mode, writes}))
			}
			ratio := medianRate(many) / medianRate(one)
			t.Logf("%d clients %.0f/s, one client %.0f/s: ratio %.2f of the medians of %d pairs of %d writes",
				hotClients, medianRate(many), medianRate(one), ratio, hotPairs, writes)
			t.Logf("longest wait for a write: one client %v", ms(longestOf(one, 0)))
			report, worst := perClient(many)
			t.Logf("with %d clients:%s", hotClients, report)
			if least := hotRatioMin / float64(slack); ratio < least {
				t.Errorf("ratio %.2f, at least %.2f", ratio, least)
			}
			if most := hotWaitMax * time.Duration(slack); worst > most {
				t.Errorf("a write took %v, at most %v", worst, most)
			}
		})
	}
}

// hotModes are the lockings that a hot key is tried with.
func hotModes() []locking { return []locking{optimistic, pessimistic} }

// hotWork is a key to count up, and how.
type hotWork struct {
	key    string
	mode   locking
	writes int // to be done, by all together
}

// hotRun is what came of it.
type hotRun struct {
	rate    float64         // writes a second
	each    []int           // writes of each client
	longest []time.Duration // that each client waited for one of its own
}

// countTogether counts until all together have done the work, and everybody has ended what he
// was at. Then the key must say how often that was.
func countTogether(t *testing.T, dbs []*client.DB, w hotWork) hotRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	r := hotRun{each: make([]int, len(dbs)), longest: make([]time.Duration, len(dbs))}
	errs := make([]error, len(dbs))
	var counting sync.WaitGroup
	var done atomic.Int64
	began, took := time.Now(), time.Duration(0)
	for i, db := range dbs {
		counting.Go(func() {
			for int(done.Load()) < w.writes {
				asked := time.Now()
				if errs[i] = w.countUp(ctx, db); errs[i] != nil {
					return
				}
				r.each[i]++
				r.longest[i] = max(r.longest[i], time.Since(asked))
				if int(done.Add(1)) == w.writes { // for one of us only
					took = time.Since(began)
				}
			}
		})
	}
	counting.Wait()
	sum := 0
	for i, err := range errs {
		if err != nil {
			t.Fatalf("client %d, after %d writes: %v", i, r.each[i], err)
		}
		sum += r.each[i]
	}
	if e, err := dbs[0].Get(ctx, w.key); err != nil || e.Value.Int() != int64(sum) {
		t.Fatalf("the key is %d after %d writes, %v", e.Value.Int(), sum, err)
	}
	r.rate = float64(w.writes) / took.Seconds()
	return r
}

func (w hotWork) countUp(ctx context.Context, db *client.DB) error {
	var o client.TxnOptions
	var read []client.ReadOption
	if w.mode == pessimistic {
		o.Pessimistic, read = true, append(read, client.ForUpdate())
	}
	return db.UpdateWith(ctx, o, func(tx *client.Txn) error {
		e, err := tx.Get(ctx, w.key, read...)
		if err != nil {
			return err
		}
		n := int64(0)
		if e.Found() {
			n = e.Value.Int()
		}
		_, err = tx.Set(ctx, w.key, client.IntValue(n+1), client.SetOptions{})
		return err
	})
}

func medianRate(runs []hotRun) float64 {
	var rates []float64
	for _, r := range runs {
		rates = append(rates, r.rate)
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

// longestOf is how long one of the clients waited for a write at most.
func longestOf(runs []hotRun, client int) (longest time.Duration) {
	for _, r := range runs {
		longest = max(longest, r.longest[client])
	}
	return longest
}

// perClient tells how often each client got through in all runs together and how long it waited
// at most, and the longest of that.
func perClient(runs []hotRun) (report string, worst time.Duration) {
	var b strings.Builder
	var writes []int
	for i := range runs[0].each {
		n := 0
		for _, r := range runs {
			n += r.each[i]
		}
		writes, worst = append(writes, n), max(worst, longestOf(runs, i))
		fmt.Fprintf(&b, "\n  client %2d: %5d writes, longest wait %v", i, n, ms(longestOf(runs, i)))
	}
	slices.Sort(writes)
	fmt.Fprintf(&b, "\n  writes of a client: least %d, median %d, most %d; longest wait %v",
		writes[0], writes[len(writes)/2], writes[len(writes)-1], ms(worst))
	return b.String(), worst
}
