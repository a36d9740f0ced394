package main

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const (
	failoverTarget50 = 700 * time.Millisecond  // from the death of a leader to the first commit
	failoverTarget95 = 1500 * time.Millisecond // the same
	againTarget      = 3 * time.Second         // from the start of all members to commits on all shards
)

// TestClusterLeaderKilled kills the leader of one shard after the other under load, the oracle's
// among them: three, or ten for each of CAIRN_CLUSTER_ROUNDS.
func TestClusterLeaderKilled(t *testing.T) {
	c := newCluster(t, 3)
	l := startLoad(t, c)
	var took figures
	for i := range rounds(t, 3, 10) {
		shard := []uint64{3, 1, 5, 2, 4}[i%5]
		pause(50*time.Millisecond + rand.N(200*time.Millisecond))
		id := c.leader(t, shard)
		began := time.Now()
		c.members[id-1].kill()
		c.firstCommit(t, shard)
		took = append(took, time.Since(began))
		c.start(t, id)
		c.members[id-1].await(t)
		c.awaitCaughtUp(t, id)
		l.check()
		t.Logf("kill %d, of member %d, which led shard %d: first commit after %v, caught up after %v; %v",
			i, id, shard, ms(took[i]), ms(time.Since(c.members[id-1].began)), l)
	}
	l.stop()
	l.check()
	c.awaitLag0(t)
	t.Logf("first commit after the death of a leader: %v; the targets are %v and %v",
		took, failoverTarget50, failoverTarget95)
	for _, err := range l.faults() {
		t.Logf("a client saw: %v", err)
	}
	if took.at(50) > within(t, failoverTarget50) || took.at(95) > within(t, failoverTarget95) {
		t.Error("a new leader takes too long")
	}
}

// TestClusterAllKilled kills all members at once under load: once, or CAIRN_CLUSTER_ROUNDS times.
func TestClusterAllKilled(t *testing.T) {
	c := newCluster(t, 3)
	l := startLoad(t, c)
	var took figures
	for i := range rounds(t, 1, 1) {
		pause(200*time.Millisecond + rand.N(300*time.Millisecond))
		for _, m := range c.members {
			if err := m.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range c.members {
			<-m.exited
		}
		began := time.Now()
		for id := range c.members {
			c.start(t, id+1)
		}
		var shards sync.WaitGroup
		for shard := uint64(2); shard <= 5; shard++ {
			shards.Go(func() { c.firstCommit(t, shard) })
		}
		shards.Wait()
		took = append(took, time.Since(began))
		for id := range c.members {
			c.awaitCaughtUp(t, id+1)
		}
		l.check()
		t.Logf("round %d: commits on all shards %v after the start of the members; %v", i, ms(took[i]), l)
	}
	l.stop()
	l.check()
	c.awaitLag0(t)
	t.Logf("commits on all shards after the start of all members: %v; the target is a median of %v",
		took, againTarget)
	if took.at(50) > within(t, againTarget) {
		t.Error("members take too long to serve again")
	}
}
