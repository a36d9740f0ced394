package member

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
)

// replace starts member 4 in the place of another, which is down.
func (c *cluster) replace(old *process) *process {
	c.t.Helper()
	by := c.add()
	by.o.ID, by.o.Replace, by.o.Address, by.o.Splits = 4, old.o.ID, by.address, nil
	by.joinAt = []string{c.follower(shardrpc.MetaShard).address} // names the others
	by.start()
	c.ready()
	c.caughtUp(by)
	c.all = slices.DeleteFunc(c.all, func(p *process) bool { return p == old })
	eventually(c.t, "all know who has votes", func() bool { return c.voters(1, 2, 4) })
	return by
}

// voters reports whether just these members have votes, in all shards and to all members.
func (c *cluster) voters(ids ...uint64) bool {
	for _, p := range c.all {
		for _, id := range p.member.ids() {
			s := p.member.shards[id].Status()
			if !slices.Equal(s.Voters, ids) || len(s.Learners) > 0 {
				return false
			}
		}
	}
	return true
}

// Who lost its disk is replaced, and ends when it comes back all the same; after that the group
// has two members to lose one of again.
func TestReplace(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	c.set("a", "1")
	c.set("z", "2")
	old := c.all[2]
	old.stop()
	by := c.replace(old)
	for _, p := range c.all[:2] {
		eventually(t, "the list has the new member", func() bool {
			m := p.member.meta.Members()
			return len(m) == 3 && m[2].ID == 4 && m[2].Address == by.address
		})
	}
	old.start()
	m := old.up()
	eventually(t, "it ends", func() bool { return m.Failure() != nil })
	wantError(t, m.Failure(), "member_replaced", "--replace", "remove data")
	old.stop()

	c.all[0].crash()
	if a, z := c.get("a"), c.get("z"); a != "1" || z != "2" {
		t.Errorf("a is %q, z is %q", a, z)
	}
	c.set("a", "3")
}

// A list of members that is old keeps nobody from answering one that was let in since, and lets
// nobody back in who was not.
func TestAnswersWhoIsNew(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	p := c.all[0].member
	meet := func(id uint64, address string) {
		p.Posted(link.Identity{ClusterID: p.ClusterID(), ID: id, Address: address},
			uint8(shardrpc.MethodRaft), nil)
	}
	known := func(id uint64, want string) {
		t.Helper()
		address := ""
		if at, ok := p.peers.to(id); ok {
			address = at.address
		}
		if address != want {
			t.Errorf("member %d is at %q, not %q", id, address, want)
		}
	}
	known(4, "")
	meet(4, "127.0.0.1:4")
	known(4, "127.0.0.1:4")
	p.peers.refresh()
	known(4, "127.0.0.1:4")
	meet(2, "127.0.0.1:2")
	known(2, c.all[1].address)
	meet(1, "127.0.0.1:1")
	known(1, "")

	old := c.all[2]
	old.stop()
	by := c.replace(old)
	p.peers.refresh()
	known(4, by.address)
	meet(3, old.address)
	known(3, "")
}

// Nobody is replaced whose vote the rest needs: it waits until the others are there. Who is
// replaced while it runs ends by itself.
func TestReplaceTooEarly(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	c.set("a", "1")
	lost, healthy := c.all[2], c.all[1]
	lost.stop()
	gone := time.Now()
	eventually(t, "what was heard of it is old", func() bool {
		return time.Since(gone) > 2*shard.ElectionTicks*lost.o.TickInterval
	})
	by := c.add()
	by.o.ID, by.o.Replace, by.o.Address, by.o.Splits = 4, 2, by.address, nil
	by.joinAt = []string{c.all[0].address, healthy.address}
	said := &sayer{t: t}
	by.o.Log = slog.New(slog.NewTextHandler(said, nil))
	by.start()
	said.eventually("besides member 2 only 1 of 3 members answer")
	c.set("a", "2")
	lost.start()
	m := healthy.member
	eventually(t, "it ends", func() bool { return m.Failure() != nil })
	wantError(t, m.Failure(), "member_replaced")
	healthy.stop()
	c.all = []*process{c.all[0], lost, by}
	c.ready()
	eventually(t, "all know who has votes", func() bool { return c.voters(1, 3, 4) })
	if a := c.get("a"); a != "2" {
		t.Errorf("a is %q", a)
	}
}

// A member that leads a shard, and never hears that it was replaced: the meta group has gone on
// without it. It asks, and gives the shard to somebody who knows.
func TestReplacedLeader(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	id := c.target(key("a")).Shard
	old := c.all[1]
	eventually(t, "it leads the shard, and not the meta group", func() bool {
		for _, shardID := range []shardrpc.ShardID{id, shardrpc.MetaShard} {
			h := c.leader(shardID).member.shards[shardID]
			to := uint64(1)
			if shardID == id {
				to = old.o.ID
			}
			if h.Leader() != to {
				h.worker.post(h, shard.Transfer{To: to})
				return false
			}
		}
		return true
	})
	old.deaf.Store(true)
	by := c.add()
	by.o.ID, by.o.Replace, by.o.Address, by.o.Splits = 4, 2, by.address, nil
	by.joinAt = []string{c.all[0].address}
	by.start()
	m := old.member
	eventually(t, "it ends", func() bool { return m.Failure() != nil })
	wantError(t, m.Failure(), "member_replaced")
	old.stop()
	c.all = []*process{c.all[0], c.all[2], by}
	c.ready()
	eventually(t, "all know who has votes", func() bool { return c.voters(1, 3, 4) })
	c.set("a", "1")
}

// sayer is a log that a test reads along.
type sayer struct {
	t    *testing.T
	mu   sync.Mutex
	said []byte
}

func (s *sayer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, b...)
	return s.t.Output().Write(b)
}

func (s *sayer) eventually(what string) {
	s.t.Helper()
	eventually(s.t, "it says "+what, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return bytes.Contains(s.said, []byte(what))
	})
}

func TestReachable(t *testing.T) {
	for address, ok := range map[string]bool{
		"10.0.0.1:7701": true, "db-1.example:7701": true, "[::1]:7701": true,
		"": false, ":7701": false, "0.0.0.0:7701": false, "[::]:7701": false,
		"10.0.0.1": false, "10.0.0.1:0": false, "10.0.0.1:x": false,
	} {
		if err := reachable(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Members that would wait for a leader for different times do not talk to each other: a lease
// rests on the others' waiting.
func TestTicksDiffer(t *testing.T) {
	c := newCluster(t, 3)
	said := &sayer{t: t}
	odd := c.all[0]
	odd.o.TickInterval *= 2
	odd.o.Log = slog.New(slog.NewTextHandler(said, nil))
	for _, p := range c.all {
		p.start()
	}
	said.eventually("setting mismatch: here it is --tick 40ms, on the other side --tick 20ms")
}
