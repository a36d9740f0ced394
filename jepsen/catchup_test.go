package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
)

const (
	valueBytes   = 256 << 10
	bulkBytes    = 80 << 20               // more than a log keeps for who is away, or flushes at
	delayTarget  = 100 * time.Millisecond // p99 of a write while a member catches up
	catchUpMax   = 30 * time.Second
	handOverLost = 100 * time.Millisecond // what a planned hand-over may cost
)

// metric is one number of a member's /metrics.
func (c *cluster) metric(t *testing.T, id int, name string) (value uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("member %d tells %s", id, name), func() bool {
		_, body, err := c.members[id-1].page(t.Context(), "/metrics")
		if err != nil {
			return false
		}
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, name+" "); ok {
				f, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				value = uint64(f)
				return err == nil
			}
		}
		return false
	})
	return value
}

// TestClusterMemberDown kills one member: everything goes on, and no client sees an error. It
// catches up from the log first, then, after more writes than a log keeps, by a snapshot. Once, or
// CAIRN_CLUSTER_ROUNDS times.
func TestClusterMemberDown(t *testing.T) {
	besideOthers(t)
	c := newCluster(t, 3)
	l := startLoad(t, c)
	for i := range rounds(t, 1, 1) {
		id := 1 + (i+2)%3
		t.Logf("round %d: member %d", i, id)
		c.members[id-1].kill()
		l.awaitWrites(t, 500)
		c.catchUp(t, l, id)
		if n := c.metric(t, id, "cairn_raft_snapshots_received_total"); n != 0 {
			t.Errorf("it took %d snapshots instead of a log of 500 writes", n)
		}
		const shard = 4
		c.members[id-1].kill()
		applied := c.metric(t, c.leader(t, shard), fmt.Sprintf(`cairn_shard_applied_index{shard="%d"}`, shard))
		c.writeBulk(t, shard, applied)
		c.catchUp(t, l, id)
		if n := c.metric(t, id, "cairn_raft_snapshots_received_total"); n == 0 {
			t.Error("it caught up without a snapshot: the logs have kept everything")
		}
		l.check()
		for _, err := range l.faults() {
			t.Errorf("a client saw: %v", err)
		}
	}
	l.stop()
	l.check()
	c.awaitLag0(t)
}

// awaitWrites returns when the load has written so much more.
func (l *load) awaitWrites(t *testing.T, more int64) {
	t.Helper()
	goal := l.writes() + more
	eventually(t, fmt.Sprintf("%d more writes", more), func() bool { return l.writes() >= goal })
}

// catchUp starts a member again and measures writes until it has caught up.
func (c *cluster) catchUp(t *testing.T, l *load, id int) {
	t.Helper()
	before := l.since()
	began := time.Now()
	c.start(t, id)
	c.members[id-1].await(t)
	c.awaitCaughtUp(t, id)
	took, meanwhile := time.Since(began), l.since()
	t.Logf("caught up in %v, %d snapshots; writes meanwhile: %v; before: %v; %v", ms(took),
		c.metric(t, id, "cairn_raft_snapshots_received_total"), meanwhile, before, l)
	if took > catchUpMax {
		t.Errorf("it took %v to catch up", took)
	}
	if p99 := meanwhile.at(99); p99 > 10*delayTarget {
		t.Errorf("writes took %v meanwhile", p99)
	}
}

// writeBulk writes bulkBytes to a shard, and returns when its leader's log begins beyond an index:
// some seconds later, since who was heard of lately may be about to catch up.
func (c *cluster) writeBulk(t *testing.T, shard, beyond uint64) {
	t.Helper()
	name := fmt.Sprintf(`cairn_shard_first_index{shard="%d"}`, shard)
	var next atomic.Int64
	var writers sync.WaitGroup
	defer writers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := time.Now()
	for i := range 4 {
		writers.Go(func() {
			value := make([]byte, valueBytes)
			for b := range value {
				value[b] = byte(rand.Int())
			}
			for n := next.Add(1); n*valueBytes <= bulkBytes && ctx.Err() == nil; n = next.Add(1) {
				key := fmt.Sprintf("%sbulk/%d", shardKeys[shard], n)
				_, err := c.dbs[i%2].Set(ctx, key, client.BytesValue(value), client.SetOptions{NoHistory: true})
				if err != nil && ctx.Err() == nil {
					t.Errorf("bulk: %v", err)
					return
				}
			}
		})
	}
	eventually(t, "the log is truncated", func() bool {
		return c.metric(t, c.leader(t, shard), name) > beyond+1
	})
	t.Logf("%d MiB written and the log cut in %v", bulkBytes>>20, ms(time.Since(began)))
}

// TestClusterRollingRestart ends one member after the other with SIGTERM and starts it again, once
// around or CAIRN_CLUSTER_ROUNDS times: leaderships are handed over, and no client sees an error.
func TestClusterRollingRestart(t *testing.T) {
	besideOthers(t)
	c := newCluster(t, 3)
	l := startLoad(t, c)
	stop := l.hammer(4)
	var longest figures
	for range rounds(t, 1, 1) {
		for id := 1; id <= 3; id++ {
			l.awaitWrites(t, 300)
			undisturbed := l.since()
			if code := c.members[id-1].terminate(t); code != 0 {
				t.Errorf("member %d ended with %d", id, code)
			}
			c.start(t, id)
			c.members[id-1].await(t)
			c.awaitCaughtUp(t, id)
			took := l.since()
			longest = append(longest, took.at(100))
			t.Logf("member %d: writes while it was restarted: %v; before: %v; %v", id, took, undisturbed, l)
		}
	}
	t.Logf("%d reads", stop())
	l.stop()
	l.check()
	c.awaitLag0(t)
	t.Logf("the longest write of each restart: %v; the target is %v", longest, handOverLost)
	for _, err := range l.faults() {
		t.Errorf("a client saw: %v", err)
	}
	if longest.at(50) > 10*handOverLost {
		t.Error("a planned restart holds up writes for too long")
	}
}
