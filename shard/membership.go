package shard

import (
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

const (
	// steerTicks is how often a leader compares its group with the one wanted.
	steerTicks = 10
	// promoteLagMax is how many entries a learner may lack to become a voter.
	promoteLagMax = 256
)

// wanted are the members that should have a replica; nil: the ones that do.
func (r *Replica) wanted() []uint64 {
	if r.o.Wanted == nil {
		return nil
	}
	return r.o.Wanted()
}

// steer moves the group a step towards the members that it should have: first
// the missing ones learn, and once all of them have nearly everything they
// become voters, in one joint change in which the others leave.
func (r *Replica) steer() {
	l := r.lead
	if l == nil || r.serving.Load() != l.term {
		return
	}
	if l.ticks++; l.ticks%steerTicks != 0 {
		return
	}
	want := r.wanted()
	conf := r.log.conf
	if len(conf.VotersOutgoing) > 0 {
		// Raft proposes this itself, but once; it may have been dropped.
		_ = r.rn.ProposeConfChange(&raftpb.ConfChangeV2{})
		return
	}
	newest := slices.Max(slices.Concat(conf.Voters, conf.Learners))
	if len(want) == 0 || slices.Max(want) < newest {
		return // without a list, or with one that is older than the group
	}
	changes := r.changes(want)
	if len(changes) == 0 {
		return
	}
	leaves := func(c *raftpb.ConfChangeSingle) bool {
		return c.GetType() == raftpb.ConfChangeRemoveNode && c.GetNodeId() == r.o.Member
	}
	if slices.ContainsFunc(changes, leaves) && r.furthest() != 0 {
		r.transfer(0) // somebody who stays does it
		return
	}
	// Raft makes nothing of it while an earlier change is not applied.
	_ = r.rn.ProposeConfChange(&raftpb.ConfChangeV2{Changes: changes})
}

// changes are those of the next step.
func (r *Replica) changes(want []uint64) []*raftpb.ConfChangeSingle {
	conf := r.log.conf
	for _, id := range want {
		if !slices.Contains(conf.Voters, id) && !slices.Contains(conf.Learners, id) {
			return []*raftpb.ConfChangeSingle{change(raftpb.ConfChangeAddLearnerNode, id)}
		}
	}
	var changes []*raftpb.ConfChangeSingle
	progress := r.rn.Status().Progress
	for _, id := range conf.Learners {
		p := progress[id]
		switch {
		case !slices.Contains(want, id):
			changes = append(changes, change(raftpb.ConfChangeRemoveNode, id))
		case p.State != tracker.StateReplicate, !r.active(id),
			p.Match+promoteLagMax < r.mu.state.AppliedIndex:
			return nil
		default:
			changes = append(changes, change(raftpb.ConfChangeAddNode, id))
		}
	}
	for _, id := range conf.Voters {
		if !slices.Contains(want, id) {
			changes = append(changes, change(raftpb.ConfChangeRemoveNode, id))
		}
	}
	return changes
}

func change(kind raftpb.ConfChangeType, id uint64) *raftpb.ConfChangeSingle {
	return &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: &id}
}

// applyConfChange takes in who the members are from this entry on.
func (r *Replica) applyConfChange(a *applying, e *raftpb.Entry) error {
	var cc raftpb.ConfChangeV2
	if e.GetType() != raftpb.EntryConfChangeV2 {
		return txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
			"shard %d: entry %d has type %v", r.o.Route.Shard, e.GetIndex(), e.GetType())
	}
	if err := proto.Unmarshal(e.Data, &cc); err != nil {
		return txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
			"shard %d: entry %d does not decode: %w", r.o.Route.Shard, e.GetIndex(), err)
	}
	r.log.conf = r.rn.ApplyConfChange(&cc)
	conf, err := proto.Marshal(r.log.conf)
	if err != nil {
		return err
	}
	a.state.ConfState = conf
	r.lease.void()
	r.noteGroup()
	return nil
}
