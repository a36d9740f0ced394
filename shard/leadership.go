package shard

import (
	"cmp"
	"maps"
	"slices"

	"go.etcd.io/raft/v3"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// leadership is all that a leader promises from memory. It is dropped whole.
type leadership struct {
	term      uint64
	startTS   txn.Timestamp // 0: not yet
	preparing bool          // startTS is being fetched
	dead      *locks.Dead
	waiting   map[uint64]waiter   // by proposal
	writes    map[*write]struct{} // admitted and unanswered
	granted   []*write            // have their latches and are to be evaluated
	stalled   []*write            // behind another's intent, without latches
	queries   []*query
	oracle    []func(txn.Timestamp) // who wants a timestamp
	asked     []func(txn.Timestamp) // whose request is with the oracle
	extending bool                  // meta: an ExtendOracle is in the log
	leases    leases                // meta
}

// waiter is told what became of a proposal.
type waiter func(applied)

type applied struct {
	ok      bool // false: rejected without effect
	status  txn.Status
	commit  txn.Timestamp
	gone    bool
	session uint32
}

// watchLeadership notices elections won and lost.
func (r *Replica) watchLeadership() {
	st := r.rn.BasicStatus()
	leads := st.RaftState == raft.StateLeader
	if r.lead != nil && (!leads || st.GetTerm() != r.lead.term) {
		r.dropLeadership()
	}
	if r.lead == nil && leads && !r.failed {
		r.lead = &leadership{term: st.GetTerm(), dead: locks.NewDead(),
			waiting: make(map[uint64]waiter), writes: make(map[*write]struct{})}
	}
	r.prepareToServe()
}

// prepareToServe is L1: lead, have applied an entry of this term, then fetch
// leaderStartTS by a request sent after that, then serve.
func (r *Replica) prepareToServe() {
	l := r.lead
	if l == nil || l.preparing || l.startTS != 0 || r.mu.state.AppliedTerm != l.term {
		return
	}
	l.preparing = true
	if r.o.Meta != nil {
		r.proposeExtension()
		return
	}
	l.oracle = append(l.oracle, func(ts txn.Timestamp) {
		l.startTS = ts
		r.o.Newest.Raise(ts)
		cache := locks.NewShardCache(r.o.Points)
		cache.RaiseLow(ts)
		r.cache.Store(cache)
		r.serving.Store(l.term)
	})
}

// dropLeadership forgets every promise and answers everyone with Retry.
func (r *Replica) dropLeadership() {
	l := r.lead
	if l == nil {
		return
	}
	r.lead = nil
	r.serving.Store(noTerm)
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
	for _, q := range l.queries {
		r.reply(q.id, &shardrpc.QueryResponse{Answer: shardrpc.Retry})
	}
	r.mu.Lock()
	r.mu.latches = locks.NewLatches()
	r.wakeReaders()
	r.mu.Unlock()
}
