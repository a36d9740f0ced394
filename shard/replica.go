package shard

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// forgetTicks is every how many ticks a planted bug forgets whom it has refused.
const forgetTicks = 125

// noTerm is what serving holds while the replica does not serve.
const noTerm = 0

// Replica is one replica of a shard. Step, Effects and Close belong to one
// goroutine; Read, Validate and Status may be called from any.
type Replica struct {
	o     Options
	rn    *raft.RawNode
	log   *raftLog
	ready *raft.Ready // handed out for appending
	eff   Effects
	// unsaved is a HardState that goes with the next append.
	unsaved   *raftpb.HardState
	cut       *truncation // to go with the next append
	size      logSize
	logBytes  atomic.Int64 // what size says
	collected atomic.Int64 // records and rows, since it began
	locked    atomic.Int64 // locks that are held, at the last tick
	lockWaits atomic.Int64 // requests that waited for locks then
	pending   []*command
	late      late
	rows      rowSet        // of requests
	iter      mvcc.Iterator // over the applied state; nil after an apply
	reader    *mvcc.Reader
	lead      *leadership // nil unless leading
	proposals uint64      // counter
	asking    bool        // an AskOracle has not been answered
	failed    bool
	gate      voteGate
	heard     map[uint64]time.Duration // when a message of another member came last
	incoming  *incoming                // a snapshot that has arrived; nil: none
	seenTerm  uint64                   // of raft, when Status was told last

	serving atomic.Uint64 // the term that this replica serves in, or noTerm
	leader  atomic.Uint64 // the member that leads, as far as known; 0: none
	lease   readLease
	cache   atomic.Pointer[locks.ShardCache]
	status  struct {
		sync.Mutex
		*locks.StatusCache
	}
	readers readers
	mu      struct {
		sync.RWMutex
		batch   uint64 // how often the applied state has changed
		state   mvcc.ShardState
		intents *mvcc.Intents
		dropped dropped
		usage   map[txn.KeyspaceID]txn.Usage
		latches *locks.Latches
		newest  *mvcc.NewestVersions // that a leader knows
		changed *env.Future          // resolved when a reader that waits should look again
		// For Status.
		term             uint64
		voters, learners []uint64
	}
	waiters atomic.Int32 // readers that wait for mu.changed
}

// Bootstrap puts the first state of a shard into a batch of the state engine.
//
// All voters begin with the same state, which counts as the outcome of the first
// entry: who comes later finds it truncated and gets a snapshot. Without voters
// the replica is such a one, and waits for its snapshot.
func Bootstrap(b mvcc.Batch, route shardrpc.Route, voters []uint64) error {
	conf, err := proto.Marshal(&raftpb.ConfState{Voters: voters})
	if err != nil {
		return err
	}
	s := &mvcc.ShardState{Epoch: route.Epoch, ConfState: conf}
	if len(voters) > 0 {
		s.AppliedIndex, s.AppliedTerm = firstIndex, firstTerm
	}
	mvcc.PutShardState(b, uint64(route.Shard), s)
	return nil
}

// The entry that stands for what Bootstrap writes.
const firstIndex, firstTerm = 1, 1

// New opens the replica on what its engines hold. A group of one campaigns at once.
func New(o Options) (*Replica, error) {
	o.setDefaults()
	r := &Replica{o: o, heard: make(map[uint64]time.Duration)}
	state, ok, err := mvcc.GetShardState(o.State, uint64(o.Route.Shard), false)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, txn.Errorf(txn.Internal, "no_shard_state",
			"shard %d has no state on this member", o.Route.Shard)
	}
	r.mu.state = state
	r.mu.intents, r.mu.latches = mvcc.NewIntents(), locks.NewLatches()
	r.mu.changed = new(env.Future)
	r.status.StatusCache = locks.NewStatusCache()
	r.reader = mvcc.NewReader(nil, nil)
	if err := r.mu.intents.Load(o.State, o.Route.Span); err != nil {
		return nil, err
	}
	if r.rows, err = loadRows(o.State, o.Route.Span); err != nil {
		return nil, err
	}
	if r.mu.dropped, r.mu.usage, err = loadKeyspaces(&o, &state); err != nil {
		return nil, err
	}
	if r.log, err = openLog(o.Log, o.Route.Shard, &state); err != nil {
		return nil, err
	}
	r.cut = r.log.short
	r.log.conf, r.log.state = &raftpb.ConfState{}, r.metadata
	if err := proto.Unmarshal(state.ConfState, r.log.conf); err != nil {
		return nil, err
	}
	r.rn, err = raft.NewRawNode(&raft.Config{
		ID: o.Member, ElectionTick: ElectionTicks, HeartbeatTick: HeartbeatTicks,
		Storage: r.log, Applied: state.AppliedIndex,
		MaxSizePerMsg: messageBytesMax, MaxCommittedSizePerReady: committedBytesMax,
		MaxUncommittedEntriesSize: uncommittedBytesMax,
		MaxInflightMsgs:           inflightMessagesMax, MaxInflightBytes: inflightBytesMax,
		CheckQuorum: true, PreVote: true, StepDownOnRemoval: true,
		DisableProposalForwarding: !mutant.On(mutant.R8), Logger: quietLogger{},
	})
	if err != nil {
		return nil, err
	}
	r.lease.changed = new(env.Future)
	if slices.Equal(r.log.conf.Voters, []uint64{o.Member}) {
		return r, r.rn.Campaign() // nobody can have been promised anything
	}
	r.contact() // R1: we may have promised something before we ended
	return r, nil
}

// Close ends reads that wait and frees what Step holds. Nothing may be
// stepped after it.
func (r *Replica) Close() {
	r.dropLeadership()
	r.dropIter()
	r.readers.close()
	if r.incoming != nil && !r.incoming.installing {
		r.incoming.stage.Discard()
	}
}

// Step takes one event. It never blocks but on the state engine.
func (r *Replica) Step(ev Event) {
	if r.failed {
		return
	}
	switch ev := ev.(type) {
	case Request:
		r.request(ev)
	case Appended:
		r.appended()
	case Tick:
		r.tick()
	case Timestamps:
		r.timestamps(ev)
	case OwnerSays:
		r.ownerSays(ev)
	case Durable:
		r.durable(ev.Index)
	case Message:
		r.receive(ev.Msg)
	case ExtendOracle:
		r.extendOracle()
	case Confirm:
		r.extendOracle() // who waits for the oracle wakes us too
	case Transfer:
		r.transfer(ev.To)
	case Gather:
		r.gather(ev.To)
	default:
		r.stepSnapshot(ev)
	}
}

// stepRaft hands raft a message of another replica.
func (r *Replica) stepRaft(m *raftpb.Message) {
	if m.GetType() == raftpb.MsgHeartbeat && m.GetCommit() > r.log.last {
		r.fail(r.log.lost(m.GetCommit()))
		return
	}
	err := r.rn.Step(m)
	if mutant.On(mutant.R8) && errors.Is(err, raft.ErrProposalDropped) {
		return // a forwarded one; to be dropped is its sender's lot
	}
	if err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) {
		r.fail(err)
		return
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
		if m.GetTerm() == r.rn.BasicStatus().GetTerm() {
			r.contact()
		}
	default:
	}
}

// Effects takes what the Steps since the last call came to.
func (r *Replica) Effects() Effects {
	for more := !r.failed; more; {
		r.evaluateGranted()
		r.propose()
		r.heartbeats()
		r.drain()
		r.askOracle()
		more = r.lead != nil && len(r.lead.granted) > 0 || r.wantsRound()
	}
	e := r.eff
	r.eff = Effects{}
	return e
}

// fail stops the replica: its engine or its log cannot be trusted any more.
func (r *Replica) fail(err error) {
	if r.failed {
		return
	}
	r.failed = true
	r.eff.Failed = err
	r.dropLeadership()
}

func (r *Replica) reply(id uint64, msg any) {
	r.eff.Replies = append(r.eff.Replies, Reply{ID: id, Msg: msg})
}

// wakeReaders makes waiting readers look again; r.mu must be held.
func (r *Replica) wakeReaders() {
	if r.waiters.Swap(0) > 0 {
		r.mu.changed.Resolve()
		r.mu.changed = new(env.Future)
	}
}

// waitForChange is what a reader waits for; r.mu must be held, reading at least.
func (r *Replica) waitForChange() *env.Future {
	r.waiters.Add(1)
	return r.mu.changed
}

// learn takes note of what became of a transaction (C16). It reports false for
// another outcome than the one that is known: outcomes are for ever (I5), so
// somebody who asks us is broken, and we are not.
func (r *Replica) learn(id txn.ID, status txn.Status, commit txn.Timestamp) bool {
	r.status.Lock()
	was, at, known := r.status.Get(id)
	same := !known || was == status && at == commit
	if same {
		r.status.Put(id, status, commit)
	}
	r.status.Unlock()
	r.mu.Lock()
	r.wakeReaders()
	r.mu.Unlock()
	return same
}

func (r *Replica) outcome(id txn.ID) (txn.Status, txn.Timestamp, bool) {
	r.status.Lock()
	defer r.status.Unlock()
	return r.status.Get(id)
}

// tick passes time: raft's, and that of whoever waits with a bound.
func (r *Replica) tick() {
	r.rn.Tick()
	r.readers.drop(r.mu.batch)
	r.openGate()
	if err := r.applyLate(); err != nil {
		r.fail(err)
		return
	}
	if l := r.lead; l != nil {
		l.dead.Advance(r.o.Newest.Load())
		if mutant.On(mutant.A4) && l.ticks%forgetTicks == 0 {
			l.dead = locks.NewDead()
		}
		for _, step := range []func(){
			r.collect, r.tickStalled, r.tickLocks, r.tickQueries, r.watchLeases, r.steer,
		} {
			if step(); r.lead != l {
				break // the disk has failed
			}
		}
	}
	r.countLocks()
}

// durable truncates the log up to what the state engine has on disk (R14), and
// not beyond what other replicas still need of it: any of them within KeepBytes,
// and those that are catching up within catchUpKeeps times that.
func (r *Replica) durable(index uint64) {
	if mutant.On(mutant.R14) {
		index = r.mu.state.AppliedIndex
	}
	size := r.logBytes.Load()
	if r.cut != nil || r.ready != nil || size < r.o.TruncateBytes {
		return
	}
	if size < catchUpKeeps*r.o.KeepBytes {
		index = min(index, r.needed(size < r.o.KeepBytes))
	}
	if index <= r.log.first {
		return
	}
	term, err := r.log.Term(index)
	if err != nil {
		r.fail(err)
		return
	}
	r.cut = &truncation{first: r.log.first + 1, index: index, term: term}
	r.log.truncate(index, term)
	r.size.truncate(index)
	r.logBytes.Store(r.size.bytes())
}

// needed is up to which entry all replicas have the log, or those that are
// catching up, as far as this one knows. What a snapshot brings that is on its
// way they have. A follower may lead next, and knows nothing of the others.
func (r *Replica) needed(all bool) uint64 {
	has := r.log.last
	switch {
	case r.lead != nil:
	case all:
		return 0
	default:
		return has
	}
	for id, p := range r.rn.Status().Progress { // order: a minimum
		switch {
		case id == r.o.Member:
		case p.State == tracker.StateSnapshot: // ends soon if nobody is there
			has = min(has, p.PendingSnapshot)
		case !all && !r.catchesUp(id):
		case p.State == tracker.StateProbe:
			has = min(has, max(p.Match, p.Next-1))
		default:
			has = min(has, p.Match)
		}
	}
	return has
}

// catchesUp reports whether a replica was heard of since it can have begun to
// install a snapshot, of which it says nothing until it has.
func (r *Replica) catchesUp(id uint64) bool {
	at, ok := r.heard[id]
	return ok && r.o.Env.Now()-at < installMax
}

// LogBytes is how large the log is, of what this process appended; the
// driver flushes the state engine when it grows too long. Any goroutine may ask.
func (r *Replica) LogBytes() int64 { return r.logBytes.Load() }

// Leader is the member that leads the group, as far as this replica knows; 0:
// none. Any goroutine may ask.
func (r *Replica) Leader() uint64 { return r.leader.Load() }

// Route is the shard's descriptor.
func (r *Replica) Route() shardrpc.Route { return r.o.Route }

// Status is for operators.
func (r *Replica) Status() shardrpc.ShardStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	serving, leader := r.serving.Load(), r.leader.Load()
	return shardrpc.ShardStatus{
		Route: r.o.Route, Leader: leader == r.o.Member, Serving: serving != noTerm,
		LeaderID: leader, Voters: r.mu.voters, Learners: r.mu.learners, Term: r.mu.term,
		AppliedIndex: r.mu.state.AppliedIndex, FirstIndex: r.log.firstIndex.Load(),
		LastIndex: r.log.lastIndex.Load(),
		Intents:   r.mu.intents.Len(), Keys: r.mu.state.Keys, Bytes: r.mu.state.Bytes,
		Collected: r.collected.Load(),
		Locks:     int(r.locked.Load()), LockWaits: int(r.lockWaits.Load()),
	}
}

// recordFloor is at or below which no record is made any more, and what is not
// there cannot be told (A6).
func (r *Replica) recordFloor() txn.Timestamp {
	if mutant.On(mutant.A6) {
		return 0
	}
	return r.mu.state.RecordFloor
}

// ageMax is L3's limit, in the oracle's time.
const ageMax = locks.DeadFor

// inShard reports whether all that a request names lies in the shard's span.
func inShard(span txn.Span, keys []txn.Key, spans []txn.Span) bool {
	for _, k := range keys {
		if !span.Contains(k) {
			return false
		}
	}
	for _, s := range spans {
		if in := span.Intersect(s); in.Start.Compare(s.Start) != 0 || in.End.Compare(s.End) != 0 {
			return false
		}
	}
	return true
}
