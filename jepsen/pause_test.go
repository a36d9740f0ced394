//go:build unix

package main

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

const (
	pausedQuick = 2500 * time.Millisecond // six times as long as a leader may be silent
	pausedLong  = 10 * time.Second
)

// TestClusterLeaderPaused stops the leader of one shard after the other with SIGSTOP and lets it
// go on: once, or CAIRN_CLUSTER_ROUNDS times, the oracle's among them. Reads through both gateways
// hammer it all the time: what still believes to lead must not answer them.
func TestClusterLeaderPaused(t *testing.T) {
	c := newCluster(t, 3)
	l := startLoad(t, c)
	length := pausedQuick
	if _, ok := long(t); ok {
		length = pausedLong
	}
	var took figures
	for i := range rounds(t, 1, 1) {
		shard := []uint64{3, 1, 5, 2, 4}[i%5]
		pause(50*time.Millisecond + rand.N(200*time.Millisecond))
		id := c.leader(t, shard)
		stop := l.hammer(8)
		began := time.Now()
		c.signal(t, id, syscall.SIGSTOP)
		c.firstCommit(t, shard)
		took = append(took, time.Since(began))
		pause(length - time.Since(began))
		if now := c.leader(t, shard); now == id {
			t.Fatalf("member %d leads shard %d and has been stopped for %v", id, shard, length)
		}
		c.signal(t, id, syscall.SIGCONT)
		c.awaitCaughtUp(t, id)
		pause(500 * time.Millisecond) // with reads
		reads := stop()
		l.check()
		t.Logf("pause %d, of member %d, which led shard %d: first commit after %v, %d reads; %v",
			i, id, shard, ms(took[i]), reads, l)
	}
	l.stop()
	l.check()
	c.awaitLag0(t)
	t.Logf("first commit after a leader was stopped: %v", took)
	for _, err := range l.faults() {
		t.Logf("a client saw: %v", err)
	}
	if took.at(100) > 10*failoverTarget95 {
		t.Error("a new leader takes too long")
	}
}

func (c *cluster) signal(t *testing.T, id int, s syscall.Signal) {
	t.Helper()
	if err := c.members[id-1].cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
