package main

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cairnkv/cairn/client"
)

// TestClusterMemberReplaced loses a member's disk. With an empty one, and forgotten votes, it must
// not come back under its old id; a member with a new one takes its place, and its vote counts.
func TestClusterMemberReplaced(t *testing.T) {
	besideOthers(t)
	for range rounds(t, 1, 1) {
		replaceMember(t)
	}
}

func replaceMember(t *testing.T) {
	c := newCluster(t, 3)
	l := startLoad(t, c)
	l.awaitWrites(t, 300)
	if code := c.members[2].terminate(t); code != 0 {
		t.Errorf("member 3 ended with %d", code)
	}
	if err := os.RemoveAll(c.data(3)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first try has left a directory behind
		c.start(t, 3)
		code, said := c.members[2].exit(t), string(c.members[2].said(4<<10))
		if code != 2 || !strings.Contains(said, "--replace 3") {
			t.Fatalf("with an empty disk member 3 ended with %d, and said:\n%s", code, said)
		}
		t.Logf("it says: %s", said)
	}

	c.members = append(c.members, spawn(t, c.p.shard, freeAddress(t), "--data", c.data(4), "--cache", "32",
		"--id", "4", "--join", strings.Join(c.addresses, ","), "--replace", "3"))
	c.members[3].await(t)
	eventually(t, "1, 2 and 4 have the votes in every shard", func() bool {
		return !slices.ContainsFunc(c.status(t).Shards, func(s client.ShardStatus) bool {
			return !s.Leader || !slices.Equal(s.Voters, []uint64{1, 2, 4}) || len(s.Learners) > 0
		})
	})
	c.awaitCaughtUp(t, 4)
	l.check()

	c.members[0].kill()
	var shards sync.WaitGroup
	for shard := uint64(2); shard <= 5; shard++ {
		shards.Go(func() { c.firstCommit(t, shard) })
	}
	shards.Wait()
	l.awaitWrites(t, 300)
	l.check()
	c.start(t, 1)
	c.members[0].await(t)
	l.stop()
	l.check()
	c.awaitLag0(t)
	for _, m := range c.status(t).Members {
		if m.ID == 3 {
			t.Error("member 3 is still one of them")
		}
	}
	for _, err := range l.faults() {
		t.Logf("a client saw: %v", err)
	}
}
