package sim

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// watch is what must be the same for all replicas of a group, whenever it
// happens.
type watch struct {
	leaders map[uint64]uint64 // the member that leads, by term
	term    uint64            // the last of them
	entries map[uint64]uint64 // hash of what was applied, by index
}

func newWatch() watch {
	return watch{leaders: map[uint64]uint64{}, entries: map[uint64]uint64{}}
}

// claims notes who leads: at most one member in a term.
func (g *group) claims(w *world, m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap, raftpb.MsgTimeoutNow:
	default:
		return
	}
	term, from := m.GetTerm(), m.GetFrom()
	other, known := g.watch.leaders[term]
	switch {
	case known && other != from:
		w.violate("shard %d has two leaders in term %d: members %d and %d",
			g.route.Shard, term, other, from)
	case !known:
		g.watch.leaders[term] = from
		g.watch.term = max(g.watch.term, term)
		w.say("member %d leads shard %d in term %d", int(from), int(g.route.Shard), int(term))
		if len(g.watch.leaders) > 1 {
			w.saw("leadership changed")
		}
		g.oneLease(w, from, term)
		if n := g.node(from); n != nil {
			w.letEchoes(n)
		}
	}
}

// oneLease: when a leader begins nobody else has a lease any more (I8, A14).
func (g *group) oneLease(w *world, leader, term uint64) {
	for _, n := range g.nodes {
		rep := g.replica(n)
		// A leader of an older term may begin late, and comes to nothing.
		if rep != nil && n.member != leader && n.proc.pausedUntil <= w.now && rep.r.Leased() &&
			rep.r.Status().Term < term {
			w.violate("shard %d: member %d leads while %s still has a lease (I8)",
				g.route.Shard, leader, n.proc.name)
		}
	}
}

// answers is called whenever rep has answered how things are: by a lease it
// may do so only while nobody else leads (I8).
func (rep *replica) answers() {
	w, s := rep.m.p.w, rep.r.Status()
	if newest := rep.g.watch.term; newest > s.Term && rep.r.Leased() {
		w.violate("shard %d on %s answers by a lease of term %d, in term %d member %d leads (I8)",
			rep.g.route.Shard, rep.m.p.name, s.Term, newest, rep.g.watch.leaders[newest])
	}
}

// logEntryKey is where the log engine has an entry (docs/formats.md).
func logEntryKey(id shardrpc.ShardID, index uint64) []byte {
	b := append(binary.BigEndian.AppendUint64(nil, uint64(id)), 'e')
	return binary.BigEndian.AppendUint64(b, index)
}

// appliedTo follows a replica: it never goes back, and at each index it
// applies the entry that every other replica applies there.
func (rep *replica) appliedTo(index uint64) {
	w, id := rep.m.p.w, rep.g.route.Shard
	if index < rep.applied {
		w.violate("shard %d on %s has applied %d, then %d", id, rep.m.p.name, rep.applied, index)
		return
	}
	for i := rep.applied + 1; i <= index; i++ {
		b, ok, err := rep.m.p.node.log.Get(logEntryKey(id, i))
		if err != nil || !ok {
			w.violate("shard %d on %s applies entry %d, which is not in its log (%w)",
				id, rep.m.p.name, i, err)
			return
		}
		h := fnv.New64a()
		_, _ = h.Write(b)
		if other, known := rep.g.watch.entries[i]; known && other != h.Sum64() {
			w.violate("shard %d on %s applies another entry %d than others have", id, rep.m.p.name, i)
			return
		}
		rep.g.watch.entries[i] = h.Sum64()
		if w.rounds != nil {
			w.rounds.apply(rep, i)
		}
	}
	rep.applied = index
}

// watched is the state engine of a member. It looks at all that is applied.
type watched struct {
	*mvcc.Mem
	m *member
}

// NewBatch begins a batch that is looked at when it is committed.
func (e *watched) NewBatch() mvcc.Batch { return &watchedBatch{Batch: e.Mem.NewBatch(), e: e} }

type watchedBatch struct {
	mvcc.Batch
	e    *watched
	gone map[string]bool // what the batch has deleted so far
	sites
}

// Set implements mvcc.Batch.
func (b *watchedBatch) Set(key, value []byte) {
	b.beforeCommit(b.e.m, key)
	if b.err != nil {
		return
	}
	if err := b.look(key, value); err != nil {
		b.e.m.p.w.violate("what %s applies: %w", b.e.m.p.name, err)
	}
	b.Batch.Set(key, value)
}

// Delete implements mvcc.Batch.
func (b *watchedBatch) Delete(key []byte) {
	if b.gone == nil {
		b.gone = map[string]bool{}
	}
	b.gone[string(key)] = true
	_, err := mvcc.DecodeIntentKey(key)
	b.resolves = b.resolves || err == nil
	_, _, err = mvcc.DecodeRecordKey(key)
	b.collects = b.collects || err == nil
	b.Batch.Delete(key)
}

// Commit implements mvcc.Batch.
func (b *watchedBatch) Commit(sync bool) error {
	if b.err != nil {
		return b.err
	}
	b.committed = true
	return b.Batch.Commit(sync)
}

// Close implements mvcc.Batch.
func (b *watchedBatch) Close() {
	b.afterCommit()
	b.Batch.Close()
}

// look checks one write before it happens.
func (b *watchedBatch) look(key, value []byte) error {
	m := b.e.m
	if k, ts, err := mvcc.DecodeDataKey(key); err == nil {
		return b.lookVersion(k, ts, value)
	}
	old, _, err := b.e.Mem.Get(key)
	if err != nil {
		return err
	}
	if k, err := mvcc.DecodeIntentKey(key); err == nil {
		return b.lookIntent(k, old, value)
	}
	if k, id, err := mvcc.DecodeRecordKey(key); err == nil {
		return b.lookRecord(k, id, old, value)
	}
	for _, rep := range m.replicas {
		if bytes.Equal(key, mvcc.ShardStateKey(uint64(rep.g.route.Shard))) {
			s, err := mvcc.DecodeShardState(value)
			if err == nil {
				rep.appliedTo(s.AppliedIndex)
			}
			return err
		}
	}
	return nil
}

// lookVersion: its timestamp was issued (I1), to nobody else (I2), and it is
// not another version than one that is there already (I4).
func (b *watchedBatch) lookVersion(k txn.Key, ts txn.Timestamp, value []byte) error {
	w, m := b.e.m.p.w, b.e.m
	v, err := mvcc.DecodeVersion(ts, value)
	if err != nil {
		return err
	}
	other, used := w.writers[ts]
	switch {
	case !w.issued.has(ts):
		w.violate("%v gets a version at %d on %s, which the oracle never issued (I1)", k, ts, m.p.name)
	case used && other != v.Txn:
		w.violate("%v and %v both write at %d (I2)", other, v.Txn, ts)
	case !used:
		w.writers[ts] = v.Txn
	}
	old, had, err := b.e.Mem.Get(mvcc.DataKey(k, ts))
	if err == nil && had && !bytes.Equal(old, value) {
		w.violate("the version of %v at %d changes on %s (I4)", k, ts, m.p.name)
	}
	return err
}

// lookIntent: there is none of another transaction (I3).
func (b *watchedBatch) lookIntent(k txn.Key, old, value []byte) error {
	if old == nil || b.gone[string(mvcc.IntentKey(k))] {
		return nil
	}
	have, err := mvcc.DecodeIntent(k, old)
	if err != nil {
		return err
	}
	in, err := mvcc.DecodeIntent(k, value)
	if err == nil && in.Txn != have.Txn {
		b.e.m.p.w.violate("%v has an intent of %v and gets one of %v on %s (I3)", k, have.Txn, in.Txn,
			b.e.m.p.name)
	}
	return err
}

// lookRecord: what is decided stays so (I5).
func (b *watchedBatch) lookRecord(primary txn.Key, id txn.ID, old, value []byte) error {
	to, err := mvcc.DecodeRecord(primary, id, value)
	b.decides = b.decides || to.Status.Final()
	if err != nil || old == nil {
		return err
	}
	from, err := mvcc.DecodeRecord(primary, id, old)
	same := from.Status == to.Status && from.CommitTS == to.CommitTS
	if err == nil && from.Status.Final() && !same {
		b.e.m.p.w.violate("the record of %v moves from %v to %v on %s (I5)", id, from.Status, to.Status,
			b.e.m.p.name)
	}
	return err
}
