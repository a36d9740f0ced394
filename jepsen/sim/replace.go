package sim

import (
	"context"
	"slices"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// loseDisk takes a member's engines away for ever. A member with a new id
// takes its place on the node, and another loses its disk only after everybody
// knows that this one has a vote: a group survives one lost disk at a time.
func (w *world) loseDisk() {
	if w.replacing() {
		return
	}
	n := pick(w.chance, w.members)
	if n.proc != nil {
		w.end(n, lossNone)
	}
	w.saw("disk lost")
	n.replaces, n.member = n.member, w.lastMember()+1
	n.echoes = nil
	w.say("the disk of %s is lost: member %d comes in the place of %d", n.name, int(n.member),
		int(n.replaces))
	if err := n.empty(); err != nil {
		w.violate("%s: %w", n.name, err)
		return
	}
	if !n.coming {
		w.startLater(n, w.between(0, w.faults.downMax))
	}
}

func (w *world) lastMember() uint64 {
	last := uint64(0)
	for _, n := range w.members {
		last = max(last, n.member)
	}
	return last
}

// replacing reports whether a replica may not have the voters that it should.
func (w *world) replacing() bool {
	return slices.ContainsFunc(w.groups, func(g *group) bool { return !g.complete() })
}

// complete reports whether all replicas know all members as voters, and no
// others. That the leader does is not enough: if it is lost the others may not
// have learned that those who left do not count any more.
func (g *group) complete() bool {
	want := slices.Sorted(slices.Values(g.voters()))
	for _, n := range g.nodes {
		rep := g.replica(n)
		if rep == nil || !slices.Equal(rep.r.Status().Voters, want) {
			return false
		}
	}
	return true
}

// empty gives n the engines of a member that waits for snapshots.
func (n *node) empty() error {
	n.state, n.log = mvcc.OpenMem(mvcc.Compare), mvcc.OpenMem(mvcc.LogCompare)
	b := n.state.NewBatch()
	defer b.Close()
	for _, g := range n.hosts {
		if err := shard.Bootstrap(b, g.route, nil); err != nil {
			return err
		}
	}
	return b.Commit(true)
}

// founders are the first members of the cluster.
func (w *world) founders() []meta.Member {
	var all []meta.Member
	for _, n := range w.members {
		all = append(all, meta.Member{ID: n.member, Address: n.name, Nonce: n.member})
	}
	return all
}

// wanted is shard.Options.Wanted.
func (m *member) wanted() []uint64 {
	var ids []uint64
	for _, o := range m.cluster.Members() {
		ids = append(ids, o.ID)
	}
	return slices.Sorted(slices.Values(ids))
}

// joinCluster asks the meta group to take a new member in, until it has.
func (p *process) joinCluster() {
	w, n := p.w, p.node
	req := &shardrpc.ReplaceRequest{Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1},
		Old: n.replaces, New: n.member, Nonce: n.member, Address: n.name}
	for n.replaces != 0 {
		v, err := p.reach(context.Background(), shardrpc.MetaShard, "replace", w.plan.callTimeout,
			func(m *member, answer func(any)) {
				m.request(shardrpc.MetaShard, carried(req), answer)
			})
		resp, _ := v.(*shardrpc.ReplaceResponse)
		switch {
		case err != nil:
		case resp.Answer == shardrpc.OK:
			w.saw("member replaced")
			n.replaces = 0
		case resp.Answer == shardrpc.Refused && txn.KindOf(resp.Err) == txn.Unavailable:
			w.saw("replacement too early")
		case resp.Answer == shardrpc.Refused:
			w.violate("member %d may not replace %d: %w", n.member, n.replaces, resp.Err)
			return
		}
		if p.Sleep(context.Background(), 5*tickInterval) != nil {
			return
		}
	}
}
