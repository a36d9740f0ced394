package sim

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/raftwire"
)

// send gives raft messages to the network, each by itself: it may lose them,
// double them, and let one overtake another.
func (rep *replica) send(messages []*raftpb.Message) {
	w, from := rep.m.p.w, rep.m.p.node
	for _, m := range messages {
		rep.g.claims(w, m)
		to := rep.g.node(m.GetTo())
		if to == nil {
			continue // gone for ever
		}
		if to == from {
			w.violate("shard %d of %s sends itself %v", rep.g.route.Shard, rep.m.p.name, m)
			return
		}
		switch m.GetType() {
		case raftpb.MsgProp:
			rep.forward(to, m)
			continue
		case raftpb.MsgTransferLeader, raftpb.MsgReadIndex:
			w.violate("shard %d of %s passes on %v (R4)", rep.g.route.Shard, rep.m.p.name, m)
			return
		default:
		}
		if m.GetType() == raftpb.MsgPreVote && w.hit(w.faults.forget) {
			w.on(nil, 0, "forget", func() { w.forget(to) })
		}
		b := raftwire.Append(nil, []raftwire.Envelope{{Shard: rep.g.route.Shard, Msg: m}})
		member := m.GetTo()
		sent := w.transmit(from, to, "raft", func(at *process) {
			if at.member == nil || at.node.member != member {
				return
			}
			batch, err := raftwire.Decode(b)
			if err != nil {
				w.violate("%s cannot read a raft message: %w", at.name, err)
				return
			}
			if peer := at.member.replica(batch[0].Shard); peer != nil {
				peer.step(shard.Message{Msg: batch[0].Msg})
			}
		})
		if !sent && w.hit(w.faults.unreachable) {
			w.saw("unreachable")
			w.on(rep.m.p, 0, "unreachable", func() { rep.step(shard.Unreachable{To: member}) })
		}
	}
}

// forward is what must not happen (R8): the wire refuses proposals. With R9
// planted too they go past it, to show what the check at apply is good for.
func (rep *replica) forward(to *node, m *raftpb.Message) {
	w := rep.m.p.w
	if !mutant.On(mutant.R9) {
		w.violate("shard %d of %s forwards a proposal (R8)", rep.g.route.Shard, rep.m.p.name)
		return
	}
	m = proto.Clone(m).(*raftpb.Message)
	w.transmit(rep.m.p.node, to, "proposal", func(*process) {
		if peer := rep.g.replica(to); peer != nil {
			peer.step(shard.Message{Msg: m})
		}
	})
}

// wake is shard.Options.Wake.
func (rep *replica) wake() {
	if rep.waking {
		return
	}
	rep.waking = true
	rep.m.p.w.on(rep.m.p, 0, "confirm", func() {
		rep.waking = false
		rep.step(shard.Confirm{})
	})
}

// install commits a snapshot's stage as soon as the disk has done it.
func (rep *replica) install(stage mvcc.Stage) {
	w := rep.m.p.w
	w.on(rep.m.p, 2*rep.m.p.node.syncTime(), "install", func() {
		rep.aside(func() {
			if !rep.goesOn(rep.site("shard.snapshot.before-apply", rep.hush)) {
				return
			}
			if err := stage.Commit(); err != nil {
				w.violate("a snapshot on %s: %w", rep.m.p.name, err)
				return
			}
			w.saw("snapshot installed")
			if err := rep.reload(); err != nil {
				w.violate("after a snapshot on %s: %w", rep.m.p.name, err)
				return
			}
			if rep.goesOn(rep.site("shard.snapshot.after-apply", rep.hush)) {
				rep.step(shard.Installed{})
			}
		})
	})
}

// reload takes the applied index from the engine.
func (rep *replica) reload() error {
	s, _, err := mvcc.GetShardState(rep.m.p.node.state, uint64(rep.g.route.Shard), false)
	rep.applied = s.AppliedIndex
	return err
}
