package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	orphanTarget = 3 * time.Second // from a gateway's death to the end of its transactions
	orphanMax    = 5 * time.Second
	each         = 100 // what an account begins with
)

// kills is how often a test kills: quick, or CAIRN_CLUSTER_KILLS times.
func kills(t *testing.T, quick int) int {
	s := os.Getenv("CAIRN_CLUSTER_KILLS")
	if s == "" {
		return quick
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// accounts lie on three shards.
func accounts() []string {
	var names []string
	for i := range 10 {
		for _, shard := range "amz" {
			names = append(names, fmt.Sprintf("%c%d", shard, i))
		}
	}
	return names
}

// transfer moves one unit between two accounts.
func transfer(ctx context.Context, db *client.DB, names []string) error {
	from := rand.IntN(len(names))
	to := (from + 1 + rand.IntN(len(names)-1)) % len(names)
	return db.Update(ctx, func(tx *client.Txn) error {
		for i, change := range map[int]int64{from: -1, to: 1} {
			e, err := tx.Get(ctx, names[i])
			if err != nil {
				return err
			}
			v := client.IntValue(e.Value.Int() + change)
			if _, err := tx.Set(ctx, names[i], v, client.SetOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestKillGateway kills a gateway in the middle of transactions over several shards: three times,
// or CAIRN_CLUSTER_KILLS times. The other one finds out what became of them.
func TestKillGateway(t *testing.T) {
	c, names := newCluster(t, 3), accounts()
	other := c.dbs[1]
	for _, name := range names {
		if _, err := other.Set(t.Context(), name, client.IntValue(each), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	worst := time.Duration(0)
	for i := range kills(t, 3) {
		ended := c.transfersUntilKilled(t, names)
		died := time.Now()
		readAll(t, other, names)
		took, done := time.Since(died), ended()
		worst = max(worst, took)
		entries, err := other.BatchGet(t.Context(), names, client.BatchGetOptions{})
		sum := int64(0)
		for _, e := range entries {
			sum += e.Value.Int()
		}
		if err != nil || sum != int64(each*len(names)) {
			t.Fatalf("kill %d: the sum is %d, %v", i, sum, err)
		}
		t.Logf("kill %d after %d transfers: every key was read %v later", i, done, took.Round(time.Millisecond))
		c.gateways[0] = c.gateway(t, c.gateways[0].address)
	}
	t.Logf("worst %v, the target is %v", worst.Round(time.Millisecond), orphanTarget)
}

// transfersUntilKilled returns when gateway 0 has died. ended waits for its clients, and tells how
// many transfers there were.
func (c *cluster) transfersUntilKilled(t *testing.T, names []string) (ended func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	db := c.dbs[0]
	var done atomic.Int64
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if transfer(ctx, db, names) == nil {
					done.Add(1)
				}
			}
		})
	}
	pause(300*time.Millisecond + rand.N(300*time.Millisecond))
	c.gateways[0].kill()
	cancel()
	return func() int64 {
		workers.Wait()
		return done.Load()
	}
}

// readAll reads every key by itself, side by side.
func readAll(t *testing.T, db *client.DB, names []string) {
	ctx, cancel := context.WithTimeout(t.Context(), orphanMax)
	defer cancel()
	ended := make(chan error, len(names))
	for _, name := range names {
		go func() {
			_, err := db.Get(ctx, name)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			ended <- err
		}()
	}
	var errs []error
	for range names {
		errs = append(errs, <-ended)
	}
	if err := errors.Join(errs...); err != nil {
		t.Errorf("not readable %v after a gateway's death: %v", orphanMax, err)
	}
}

// TestKillMember kills the member under load, twice, or CAIRN_CLUSTER_KILLS times. Gateways find
// it again, and everything acknowledged is there.
func TestKillMember(t *testing.T) {
	c := newCluster(t, 1)
	dbs := c.dbs
	const writers = 8
	var acknowledged [writers]atomic.Int64 // writer w has written keys 1 to this
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for n := int64(1); ctx.Err() == nil; {
				_, err := dbs[w%2].Set(ctx, written(w, n), client.IntValue(n), client.SetOptions{})
				if err == nil {
					acknowledged[w].Store(n)
					n++
				}
			}
		})
	}
	total := func() (sum int64) {
		for w := range acknowledged {
			sum += acknowledged[w].Load()
		}
		return sum
	}
	for i := range kills(t, 2) {
		pause(300*time.Millisecond + rand.N(500*time.Millisecond))
		c.members[0].kill()
		before, began := total(), time.Now()
		c.start(t, 1)
		c.members[0].await(t)
		for total() < before+100 {
			if time.Since(began) > time.Minute {
				t.Fatal("no writes after the member's return")
			}
			pause(5 * time.Millisecond)
		}
		t.Logf("kill %d after %d writes: ready in %v, 100 writes more after %v", i, before,
			c.members[0].ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	}
	cancel()
	running.Wait()
	for w := range writers {
		for n := int64(1); n <= acknowledged[w].Load(); n++ {
			e, err := dbs[(w+1)%2].Get(t.Context(), written(w, n))
			if err != nil || e.Value.Int() != n {
				t.Errorf("%s was acknowledged and is %+v, %v", written(w, n), e, err)
			}
		}
	}
}

func written(writer int, n int64) string { return fmt.Sprintf("%c/%d/%d", "amz"[n%3], writer, n) }
