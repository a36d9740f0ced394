package member

import (
	"testing"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// replace starts member 4 in the place of another, which is down.
func (c *cluster) replace(old *process) *process {
	c.t.Helper()
	by := c.add()
	by.o.ID, by.o.Replace, by.o.Address, by.o.Splits = 4, old.o.ID, by.address, nil
	by.joinAt = old.o.Founders
	by.start()
	c.ready()
	c.caughtUp(by)
	return by
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
	eventually(t, "the new member votes everywhere", func() bool {
		for _, id := range by.member.ids() {
			for _, p := range []*process{c.all[0], c.all[1], by} {
				v := p.member.shards[id].Status().Voters
				if len(v) != 3 || v[2] != 4 {
					return false
				}
			}
		}
		return true
	})

	old.start()
	m := old.up()
	<-m.Failed()
	wantError(t, m.Failure(), "member_replaced", "--replace", "remove data")
	old.stop()
	c.all[2] = by

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
	c.all[2] = by
	p.peers.refresh()
	known(4, by.address)
	meet(3, old.address)
	known(3, "")
}
