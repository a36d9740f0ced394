package shard

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// incoming is another replica's state that has arrived.
type incoming struct {
	stage      mvcc.Stage
	index      uint64
	installing bool // the stage is with the driver
}

// Bounds are all keys of the state engine that belong to this replica: what a
// snapshot replaces.
func (r *Replica) Bounds() []mvcc.Bounds {
	return mvcc.ReplicaBounds(uint64(r.o.Route.Shard), r.o.Route.Span, r.o.Meta != nil)
}

// metadata describes the applied state, for raft.
func (r *Replica) metadata() *raftpb.SnapshotMetadata {
	s := &r.mu.state
	index, term := s.AppliedIndex, s.AppliedTerm
	return &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: r.log.conf}
}

// sendSnapshot sends the state as it is now, which is at least what raft asked
// for: raft goes by what the other side says that it got.
func (r *Replica) sendSnapshot(m *raftpb.Message) {
	export, err := r.o.State.Export(r.Bounds())
	if err != nil {
		r.fail(err)
		return
	}
	m = proto.Clone(m).(*raftpb.Message)
	m.Snapshot = &raftpb.Snapshot{Metadata: r.metadata()}
	r.eff.Snapshots = append(r.eff.Snapshots, SendSnapshot{m.GetTo(), m, export})
}

func (r *Replica) snapshotSent(ev SnapshotSent) {
	status := raft.SnapshotFailure
	if ev.OK {
		status = raft.SnapshotFinish
	}
	r.rn.ReportSnapshot(ev.To, status)
}

// snapshot offers raft a state that has arrived. Raft may not need it any more.
func (r *Replica) snapshot(ev Snapshot) {
	if r.incoming != nil {
		ev.Stage.Discard() // one at a time; it comes again
		return
	}
	r.incoming = &incoming{stage: ev.Stage, index: ev.Msg.GetSnapshot().GetMetadata().GetIndex()}
	r.stepRaft(ev.Msg)
}

// settle is called with every Ready after a state was offered to raft: the
// first of them says whether raft took it.
func (r *Replica) settle(rd *raft.Ready) (installing bool) {
	in := r.incoming
	if in == nil || in.installing {
		return false
	}
	if rd == nil || raft.IsEmptySnap(rd.Snapshot) {
		r.incoming = nil
		in.stage.Discard()
		return false
	}
	in.installing = true
	r.late = late{} // the snapshot has it, and the engine will soon
	r.dropIter()
	r.eff.Install = in.stage
	r.ready = rd
	return true
}

// installed reads what the engine holds now, and drops all that was known of
// what it held before (C15). The log begins anew behind it.
func (r *Replica) installed() {
	r.incoming.stage.Discard()
	r.incoming = nil
	rd := r.ready
	r.ready = nil
	if err := r.reload(); err != nil {
		r.fail(err)
		return
	}
	meta := rd.Snapshot.GetMetadata()
	if s := &r.mu.state; s.AppliedIndex != meta.GetIndex() || s.AppliedTerm != meta.GetTerm() {
		r.fail(txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
			"shard %d: a snapshot of index %d, term %d brought the state of %d, %d", r.o.Route.Shard,
			meta.GetIndex(), meta.GetTerm(), s.AppliedIndex, s.AppliedTerm))
		return
	}
	r.cut = r.log.reset(meta.GetIndex(), meta.GetTerm())
	r.size.reset()
	r.logBytes.Store(0)
	r.appendReady(rd)
}

func (r *Replica) reload() error {
	state, ok, err := mvcc.GetShardState(r.o.State, uint64(r.o.Route.Shard), false)
	if err != nil {
		return err
	}
	if !ok {
		return txn.Errorf(txn.Internal, mvcc.ReasonCorruption,
			"shard %d: a snapshot without a state", r.o.Route.Shard)
	}
	intents := mvcc.NewIntents()
	if err := intents.Load(r.o.State, r.o.Route.Span); err != nil {
		return err
	}
	if r.rows, err = loadRows(r.o.State, r.o.Route.Span); err != nil {
		return err
	}
	gone, used, err := loadKeyspaces(&r.o, &state)
	if err != nil {
		return err
	}
	conf := &raftpb.ConfState{}
	if err := proto.Unmarshal(state.ConfState, conf); err != nil {
		return err
	}
	if r.o.Meta != nil {
		if err := r.o.Meta.Reload(r.o.State); err != nil {
			return err
		}
	}
	r.log.conf = conf
	r.status.Lock()
	r.status.StatusCache = locks.NewStatusCache()
	r.status.Unlock()
	r.mu.Lock()
	r.mu.state, r.mu.intents = state, intents
	r.mu.dropped, r.mu.usage = gone, used
	r.mu.batch++
	r.wakeReaders()
	r.mu.Unlock()
	r.readers.drop(r.mu.batch)
	r.noteGroup()
	return nil
}

func (r *Replica) stepSnapshot(ev Event) {
	switch ev := ev.(type) {
	case Snapshot:
		r.snapshot(ev)
	case Installed:
		r.installed()
	case SnapshotSent:
		r.snapshotSent(ev)
	case Unreachable:
		r.rn.ReportUnreachable(ev.To)
	}
}
