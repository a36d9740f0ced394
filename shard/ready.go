package shard

import (
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/internal/mutant"
)

// drain moves raft on until it waits for the log, or for us.
func (r *Replica) drain() {
	for r.ready == nil && !r.failed && r.rn.HasReady() {
		rd := r.rn.Ready()
		r.confirm(rd.ReadStates)
		regroups := slices.ContainsFunc(rd.CommittedEntries, isChange)
		if r.log.promises(rd.HardState) || regroups {
			r.unsaved = r.log.hard
		}
		if r.rn.BasicStatus().RaftState == raft.StateLeader {
			// A leader's messages need not wait for its own log.
			r.send(rd.Messages)
			rd.Messages = nil
		}
		switch {
		case r.settle(&rd):
		case regroups:
			// Those who leave may be gone for ever once it is known that they do not count. So
			// who knows that must never forget it: the log says first how far it is committed.
			r.appendReady(&rd)
		case len(rd.Entries) == 0 && !rd.MustSync:
			r.finish(&rd)
		case r.applyDurable(&rd):
			r.appendReady(&rd)
		}
	}
	if r.ready == nil {
		r.settle(nil)
	}
	r.watchLeadership()
}

// isChange reports whether an entry says who the members are.
func isChange(e *raftpb.Entry) bool { return e.GetType() != raftpb.EntryNormal }

// applyDurable applies what of rd is in the log already: who waits for that need
// not wait for what comes behind it, too. It reports false if that failed.
func (r *Replica) applyDurable(rd *raft.Ready) bool {
	n := len(rd.CommittedEntries)
	if len(rd.Entries) > 0 {
		for n > 0 && rd.CommittedEntries[n-1].GetIndex() >= rd.Entries[0].GetIndex() {
			n--
		}
	}
	err := r.apply(rd.CommittedEntries[:n])
	rd.CommittedEntries = rd.CommittedEntries[n:]
	r.failIf(err)
	return err == nil
}

// appendReady hands out what must be in the log before rd goes on.
func (r *Replica) appendReady(rd *raft.Ready) {
	a := &Append{Shard: r.o.Route.Shard, Hard: r.unsaved, Entries: rd.Entries,
		Sync:    !mutant.On(mutant.AckBeforeSync),
		lastOld: r.log.last, truncate: r.cut}
	for _, e := range rd.Entries {
		r.size.append(e.GetIndex(), len(e.Data))
	}
	r.logBytes.Store(r.size.bytes())
	r.unsaved, r.cut = nil, nil
	r.log.append(rd.Entries)
	r.ready, r.eff.Append = rd, a
}

// appended goes on with the Ready whose entries are durable now.
func (r *Replica) appended() {
	rd := r.ready
	r.ready = nil
	r.finish(rd)
	r.drain()
}

// finish sends, applies and advances.
func (r *Replica) finish(rd *raft.Ready) {
	r.send(rd.Messages)
	if err := r.apply(rd.CommittedEntries); err != nil {
		r.fail(err)
		return
	}
	r.rn.Advance(*rd)
}

// send sorts out which messages may leave now.
func (r *Replica) send(messages []*raftpb.Message) {
	for _, m := range messages {
		switch {
		case m.GetType() == raftpb.MsgSnap:
			r.sendSnapshot(m)
		case r.superfluous(m):
		case gated(m) && !r.gateOpen():
			r.gate.out = hold(r.gate.out, m)
		default:
			r.eff.Messages = append(r.eff.Messages, m)
		}
	}
}

// superfluous reports whether m says no more than how far the log is committed,
// which the next append or heartbeat says too. Unsaid it spares a message and an
// answer for each entry and follower. Raft finds out what a follower lacks by an
// empty append as well, but by none before that has answered a heartbeat. What the
// meta group decides all members want to know soon.
func (r *Replica) superfluous(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgApp || len(m.Entries) > 0 || r.lead == nil || r.o.Meta != nil {
		return false
	}
	answered := r.lead.answered[m.GetTo()]
	delete(r.lead.answered, m.GetTo())
	return !answered
}
