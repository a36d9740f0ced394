package shard

import (
	"cmp"
	"maps"
	"slices"

	"go.etcd.io/raft/v3"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// silentLeases is after how many leases without a word a leader counts for none.
const silentLeases = 3

// leadership is all that a leader promises from memory. It is dropped whole.
type leadership struct {
	term      uint64
	startTS   txn.Timestamp // 0: not yet
	preparing bool          // startTS is being fetched
	dead      *locks.Dead
	locks     *locks.Table
	lockTicks int
	waiting   map[uint64]waiter   // by proposal
	writes    map[*write]struct{} // admitted and unanswered
	granted   []*write            // have their latches and are to be evaluated
	stalled   []*write            // behind another's intent, without latches
	queries   []*query
	probes    []intentsQuery
	records   collector
	rows      collector
	stale     staleList
	oracle    []func(txn.Timestamp) // who wants a timestamp
	asked     []func(txn.Timestamp) // whose request is with the oracle
	round     round                 // of heartbeats, on its way
	claims    []claim               // answers that wait for a round, in order
	answered  map[uint64]bool       // a heartbeat, since an append without entries
	volatile  volatile
	ticks     int    // since it began
	extending bool   // meta: an ExtendOracle is in the log
	leases    leases // meta
}

// waiter is told what became of a proposal.
type waiter func(applied)

type applied struct {
	ok      bool // false: rejected without effect
	status  txn.Status
	commit  txn.Timestamp
	gone    bool
	session uint32
	change  meta.KeyspaceOutcome
}

// watchLeadership notices elections won and lost.
func (r *Replica) watchLeadership() {
	st := r.rn.BasicStatus()
	leads := st.RaftState == raft.StateLeader
	if r.lead != nil && (!leads || st.GetTerm() != r.lead.term) {
		r.dropLeadership()
	}
	if r.lead == nil && leads && !r.failed {
		r.lead = &leadership{term: st.GetTerm(), dead: locks.NewDead(), locks: locks.NewTable(),
			waiting: make(map[uint64]waiter), writes: make(map[*write]struct{}),
			answered: make(map[uint64]bool),
			volatile: volatile{life: r.o.Ephemeral.begin()}}
		r.lead.records, r.lead.rows = r.collectors()
		r.mu.Lock()
		r.knowVersions(r.o.Versions.Begin())
		r.mu.Unlock()
		r.lease.begin(st.GetTerm(), r.o.Quorum)
		r.noteGroup()
	}
	leader := st.Lead
	if r.silent(leader) {
		leader = 0
	}
	if r.leader.Load() != leader || r.seenTerm != st.GetTerm() {
		r.leader.Store(leader)
		r.seenTerm = st.GetTerm()
		r.noteGroup()
	}
	r.prepareToServe()
}

// silent reports whether nothing was heard of another member for so long that it
// is no leader to us. Who may not stand for election, or no more, would believe
// in it for ever.
func (r *Replica) silent(leader uint64) bool {
	return leader != r.o.Member && r.o.Env.Now()-r.heard[leader] >= silentLeases*r.o.Lease
}

// stillLeads asks raft, which may have stepped down since watchLeadership.
func (r *Replica) stillLeads() bool {
	st := r.rn.BasicStatus()
	return st.RaftState == raft.StateLeader && st.GetTerm() == r.lead.term
}

// noteGroup shows to Status what only the owner of raft knows.
func (r *Replica) noteGroup() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.term = r.seenTerm
	conf := r.log.conf
	// Until a change of voters is over those who leave count as well.
	voters := slices.Concat(conf.Voters, conf.VotersOutgoing)
	slices.Sort(voters)
	r.mu.voters, r.mu.learners = slices.Compact(voters), conf.Learners
	r.lease.mu.Lock()
	defer r.lease.mu.Unlock()
	r.lease.alone = len(conf.VotersOutgoing) == 0 && slices.Equal(conf.Voters, []uint64{r.o.Member})
}

// prepareToServe is L1: lead, have applied an entry of this term, then fetch
// leaderStartTS by a request sent after that, then serve.
func (r *Replica) prepareToServe() {
	l := r.lead
	if l == nil || l.startTS != 0 {
		return
	}
	applied := r.mu.state.AppliedTerm == l.term || mutant.On(mutant.L1ServeEarly)
	if l.preparing || !applied {
		return
	}
	l.preparing = true
	if r.o.Meta != nil {
		r.proposeExtension()
		return
	}
	if mutant.On(mutant.L1StartEarly) && r.gate.newest != 0 {
		r.serveFrom(r.gate.newest) // the last leader may have served above it since
		return
	}
	l.oracle = append(l.oracle, r.serveFrom)
}

// serveFrom makes ts, which no earlier leader of the group can have served at,
// the low-water of all that this leadership promises.
func (r *Replica) serveFrom(ts txn.Timestamp) {
	r.lead.startTS = ts
	r.o.Newest.Raise(ts)
	cache := locks.NewShardCache(r.o.Points)
	cache.RaiseLow(ts)
	r.cache.Store(cache)
	r.serving.Store(r.lead.term)
}

// dropLeadership forgets every promise and answers everyone with Retry.
func (r *Replica) dropLeadership() {
	l := r.lead
	if l == nil {
		return
	}
	r.lead = nil
	r.serving.Store(noTerm)
	r.lease.begin(noTerm, false)
	if r.o.Meta != nil {
		r.o.Meta.Oracle.Stop()
	}
	r.pending = nil
	for _, id := range slices.Sorted(maps.Keys(l.waiting)) {
		l.waiting[id](applied{})
	}
	// What had not come to a proposal: queued, stalled, or without a timestamp.
	byID := func(a, b *write) int { return cmp.Compare(a.id, b.id) }
	for _, w := range slices.SortedFunc(maps.Keys(l.writes), byID) {
		r.answerWrite(w, shardrpc.Reply{Answer: shardrpc.Retry})
	}
	for _, c := range l.claims {
		r.reply(c.id, c.instead)
	}
	r.dropLocks(l)
	r.dropVolatile(&l.volatile)
	for _, q := range l.queries {
		r.reply(q.id, &shardrpc.QueryResponse{Answer: shardrpc.Retry})
	}
	for _, q := range l.probes {
		r.reply(q.id, &shardrpc.QueryIntentsResponse{Answer: shardrpc.Retry})
	}
	r.mu.Lock()
	r.mu.latches = locks.NewLatches()
	r.knowVersions(nil)
	r.wakeReaders()
	r.mu.Unlock()
}
