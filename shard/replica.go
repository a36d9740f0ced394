package shard

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// Raft's numbers (docs/transactions.md 2.3 and 4.2). Times are in ticks.
const (
	ElectionTicks       = 10
	HeartbeatTicks      = 2
	messageBytesMax     = 1 << 20
	committedBytesMax   = 8 << 20
	uncommittedBytesMax = 64 << 20
	inflightMessagesMax = 256
	inflightBytesMax    = 16 << 20
)

// Limits of one replica.
const (
	applyBatchBytesMax = 4 << 20  // cut between entries
	entryBytesMax      = 64 << 10 // a larger command travels alone
	entryCommandsMax   = 256
	writesMax          = 4096 // admitted and unanswered; more get Retry
	queriesMax         = 4096 // unanswered; more get Retry
	evaluationsMax     = 8    // of one write, each with a newer timestamp
	stallTicks         = 2    // how long a write waits for another's intent
	queryTicks         = 2    // how long a Query waits for a decision
	readWaitMax        = 5 * time.Second
	intentWaitMax      = 2 * time.Millisecond // then the reader asks the primary
	scanBytesDefault   = 1 << 20
	readAheadMax       = 10_000_000 // us that a read may lie ahead of the wall clock
)

// TruncateBytesMin is how much a log must have grown before it is truncated.
const TruncateBytesMin = 4 << 20

// noTerm is what serving holds while the replica does not serve.
const noTerm = 0

// Options are fixed for the life of a Replica. All are required but Meta.
type Options struct {
	Member uint64 // this replica's raft id
	Route  shardrpc.Route
	State  mvcc.Engine
	Log    mvcc.Engine
	Points *locks.TSCache // of the process
	Newest *Newest        // of the process
	Env    env.Env
	Meta   *meta.State                // of the meta group's replica only
	Full   *atomic.Pointer[txn.Error] // set while the disk has no room for growth
}

// Replica is one replica of a shard. Step, Effects and Close belong to one
// goroutine; Read, Validate and Status may be called from any.
type Replica struct {
	o     Options
	rn    *raft.RawNode
	log   *raftLog
	ready *raft.Ready // handed out for appending
	eff   Effects
	// unsaved is a HardState that needs no sync of its own; it goes with the
	// next append.
	unsaved   *raftpb.HardState
	cut       *truncation  // to go with the next append
	logBytes  atomic.Int64 // appended since the last truncation
	pending   []*command
	iter      mvcc.Iterator // over the applied state; nil after an apply
	reader    *mvcc.Reader
	lead      *leadership // nil unless leading
	proposals uint64      // counter
	asking    bool        // an AskOracle has not been answered
	failed    bool

	serving atomic.Uint64 // the term that this replica serves in, or noTerm
	cache   atomic.Pointer[locks.ShardCache]
	status  struct {
		sync.Mutex
		*locks.StatusCache
	}
	mu struct {
		sync.RWMutex
		state   mvcc.ShardState
		intents *mvcc.Intents
		latches *locks.Latches
		changed *env.Future // resolved when a reader that waits should look again
	}
	waiters atomic.Int32 // readers that wait for mu.changed
}

// Bootstrap puts the first state of a shard into a batch of the state engine.
func Bootstrap(b mvcc.Batch, route shardrpc.Route, voters []uint64) error {
	conf, err := proto.Marshal(&raftpb.ConfState{Voters: voters})
	if err != nil {
		return err
	}
	mvcc.PutShardState(b, uint64(route.Shard), &mvcc.ShardState{Epoch: route.Epoch, ConfState: conf})
	return nil
}

// New opens the replica on what its engines hold. A group of one campaigns at once.
func New(o Options) (*Replica, error) {
	if o.Full == nil {
		o.Full = new(atomic.Pointer[txn.Error])
	}
	if o.Meta != nil { // it holds no user's keys
		o.Route.Span = txn.Span{Start: txn.Key{0}, End: txn.Key{0}}
	}
	r := &Replica{o: o}
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
	if r.log, err = openLog(o.Log, o.Route.Shard, &state); err != nil {
		return nil, err
	}
	r.cut = r.log.short
	r.log.conf = &raftpb.ConfState{}
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
		DisableProposalForwarding: true, Logger: quietLogger{},
	})
	if err != nil {
		return nil, err
	}
	if slices.Equal(r.log.conf.Voters, []uint64{o.Member}) {
		err = r.rn.Campaign()
	}
	return r, err
}

// Close ends reads that wait and frees what Step holds. Nothing may be
// stepped after it.
func (r *Replica) Close() {
	r.dropLeadership()
	r.dropIter()
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
		if err := r.rn.Step(ev.Msg); err != nil && !errors.Is(err, raft.ErrStepPeerNotFound) {
			r.fail(err)
		}
	case ExtendOracle:
		r.extendOracle()
	}
}

// Effects takes what the Steps since the last call came to.
func (r *Replica) Effects() Effects {
	for more := !r.failed; more; {
		r.evaluateGranted()
		r.propose()
		r.drain()
		r.askOracle()
		more = r.lead != nil && len(r.lead.granted) > 0
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

// drain moves raft on until it waits for the log, or for us.
func (r *Replica) drain() {
	for r.ready == nil && !r.failed && r.rn.HasReady() {
		rd := r.rn.Ready()
		if !raft.IsEmptyHardState(rd.HardState) {
			r.unsaved = rd.HardState
		}
		if len(rd.Entries) == 0 && !rd.MustSync {
			r.finish(&rd)
			continue
		}
		a := &Append{Shard: r.o.Route.Shard, Hard: r.unsaved, Entries: rd.Entries,
			Sync:    !mutant.On(mutant.AckBeforeSync),
			lastOld: r.log.last, truncate: r.cut}
		for _, e := range rd.Entries {
			r.logBytes.Add(int64(len(e.Data)))
		}
		r.unsaved, r.cut = nil, nil
		r.log.append(rd.Entries)
		r.ready, r.eff.Append = &rd, a
	}
	r.watchLeadership()
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
	r.eff.Messages = append(r.eff.Messages, rd.Messages...)
	if err := r.apply(rd.CommittedEntries); err != nil {
		r.fail(err)
		return
	}
	r.rn.Advance(*rd)
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

// learn takes note of what became of a transaction (C16).
func (r *Replica) learn(id txn.ID, status txn.Status, commit txn.Timestamp) {
	r.status.Lock()
	r.status.Put(id, status, commit)
	r.status.Unlock()
	r.mu.Lock()
	r.wakeReaders()
	r.mu.Unlock()
}

func (r *Replica) outcome(id txn.ID) (txn.Status, txn.Timestamp, bool) {
	r.status.Lock()
	defer r.status.Unlock()
	return r.status.Get(id)
}

// tick passes time: raft's, and that of whoever waits with a bound.
func (r *Replica) tick() {
	r.rn.Tick()
	if l := r.lead; l != nil {
		l.dead.Advance(r.o.Newest.Load())
		r.tickStalled()
		r.tickQueries()
		r.watchLeases()
	}
}

// durable truncates the log up to what the state engine has on disk (R14).
func (r *Replica) durable(index uint64) {
	if r.cut != nil || index <= r.log.first || r.logBytes.Load() < TruncateBytesMin {
		return
	}
	term, err := r.log.Term(index)
	if err != nil {
		r.fail(err)
		return
	}
	r.cut = &truncation{first: r.log.first + 1, index: index, term: term}
	r.log.truncate(index, term)
	r.logBytes.Store(0)
}

// LogBytes is how much was appended since the log was last truncated; the
// driver flushes the state engine when it grows too long. Any goroutine may ask.
func (r *Replica) LogBytes() int64 { return r.logBytes.Load() }

// Route is the shard's descriptor.
func (r *Replica) Route() shardrpc.Route { return r.o.Route }

// Status is for operators.
func (r *Replica) Status() shardrpc.ShardStatus {
	r.mu.RLock()
	defer r.mu.RUnlock()
	serving := r.serving.Load()
	return shardrpc.ShardStatus{
		Route: r.o.Route, Leader: serving != noTerm, Serving: serving != noTerm, Term: serving,
		AppliedIndex: r.mu.state.AppliedIndex, FirstIndex: r.log.firstIndex.Load(),
		Intents: r.mu.intents.Len(), Keys: r.mu.state.Keys, Bytes: r.mu.state.Bytes,
	}
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
