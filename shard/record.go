package shard

import (
	"slices"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// newDecide latches the primary: record latch and prewrite latch are one (A2).
func newDecide(id uint64, m *shardrpc.DecideRequest) *write {
	w := &write{id: id, decide: m, txn: m.Txn, baseTS: m.BaseTS, maxTS: txn.Forever,
		reads: &txn.ReadSet{}}
	w.latch.Writes = []txn.Key{m.Primary}
	return w
}

// evaluateDecide answers a final record at once and proposes the move of any other.
func (r *Replica) evaluateDecide(w *write) {
	m := w.decide
	rec, err := mvcc.GetRecord(r.o.State, m.Primary, m.Txn)
	if err != nil {
		r.fail(err)
		return
	}
	if rec.Status.Final() || !m.From.Has(rec.Status) || !m.To.Final() {
		r.answerDecide(w, shardrpc.DecideResponse{
			Answer: shardrpc.OK, Status: rec.Status, CommitTS: rec.CommitTS})
		r.release(w)
		return
	}
	if rec.Status == txn.Absent {
		if m.BaseTS <= r.floor(m.Primary) {
			r.answerDecide(w, shardrpc.DecideResponse{Answer: shardrpc.Gone})
			r.release(w)
			return
		}
		if !mutant.On(mutant.A2) {
			r.lead.dead.Add(m.Txn, m.BaseTS) // no prewrite of it may come any more
		}
	}
	c := &command{kind: cmdDecide, txn: m.Txn, baseTS: m.BaseTS, ts: m.CommitTS,
		from: m.From, to: m.To, primary: m.Primary}
	r.await(c, func(a applied) { r.decided(w, a) })
}

func (r *Replica) decided(w *write, a applied) {
	resp := shardrpc.DecideResponse{Answer: shardrpc.OK, Status: a.status, CommitTS: a.commit}
	switch {
	case !a.ok:
		resp = shardrpc.DecideResponse{Answer: shardrpc.Retry}
	case a.gone:
		resp = shardrpc.DecideResponse{Answer: shardrpc.Gone}
	case a.status.Final():
		r.learn(w.txn, a.status, a.commit)
		r.answerQueries(w.txn)
		r.unstall(w.txn)
	}
	r.answerDecide(w, resp)
	r.release(w)
}

// query is someone who wants to know what became of a transaction (F7).
type query struct {
	id    uint64
	req   *shardrpc.QueryRequest
	ticks int  // left to wait
	asked bool // its owner was asked: once, whatever comes back
	// aborted: the end of its transaction was asked for, which answers it.
	aborted bool
}

func (r *Replica) query(id uint64, m *shardrpc.QueryRequest) {
	a, rejected := r.rejects(m.Target, []txn.Key{m.Primary}, nil)
	if !rejected && len(r.lead.queries) >= queriesMax {
		a, rejected = shardrpc.Retry, true
	}
	if rejected {
		r.reply(id, &shardrpc.QueryResponse{Answer: a})
		return
	}
	// Time must pass for an abandoned transaction even if nobody else asks
	// the oracle.
	if len(r.lead.oracle) == 0 {
		r.lead.oracle = append(r.lead.oracle, func(txn.Timestamp) {})
	}
	q := &query{id: id, req: m, ticks: queryTicks}
	if !r.answerQuery(q, txn.OwnerUnknown) {
		r.lead.queries = append(r.lead.queries, q)
	}
}

// answerQuery answers q if it can be answered now.
func (r *Replica) answerQuery(q *query, owner txn.Owner) bool {
	rec, err := mvcc.GetRecord(r.o.State, q.req.Primary, q.req.Txn)
	if err != nil {
		r.fail(err)
		return true
	}
	resp := shardrpc.QueryResponse{Answer: shardrpc.OK, Status: rec.Status, CommitTS: rec.CommitTS,
		Hash: rec.Hash, Keys: rec.Keys}
	if mutant.On(mutant.F7) {
		owner = txn.OwnerGone
	}
	v := txn.Recover(&rec, q.req.BaseTS, r.o.Newest.Load(), r.floor(q.req.Primary), owner)
	switch v {
	case txn.VerdictGone:
		resp = shardrpc.QueryResponse{Answer: shardrpc.Gone}
	case txn.VerdictAsk:
		if !q.asked && !slices.Contains(r.eff.AskOwner, q.req.Txn) {
			r.eff.AskOwner = append(r.eff.AskOwner, q.req.Txn)
		}
		q.asked = true
		return false
	case txn.VerdictAbort:
		if !q.aborted {
			q.aborted = true
			r.abort(q.req)
		}
		return false
	case txn.VerdictWait:
		return false
	case txn.VerdictCommitted, txn.VerdictAborted, txn.VerdictRecover:
	}
	r.reply(q.id, &resp)
	return true
}

// abort moves an abandoned transaction's record; its queries are answered by
// what that comes to.
func (r *Replica) abort(m *shardrpc.QueryRequest) {
	w := newDecide(0, &shardrpc.DecideRequest{Target: m.Target, Txn: m.Txn, Primary: m.Primary,
		BaseTS: m.BaseTS, From: txn.In(txn.Absent, txn.Pending), To: txn.Aborted})
	w.decided = func(shardrpc.DecideResponse) {}
	r.admit(w, m.Target)
}

// answerQueries looks again at everyone who asks about id.
func (r *Replica) answerQueries(id txn.ID) {
	r.sweepQueries(func(q *query) bool {
		return q.req.Txn == id && r.answerQuery(q, txn.OwnerUnknown)
	})
}

// ownerSays goes on with the queries that waited for a coordinator's word, and
// ends the locks of a session that is over.
func (r *Replica) ownerSays(ev OwnerSays) {
	if r.lead == nil {
		return
	}
	if s := ev.Txn.Session(); ev.Txn == txn.SessionID(s) {
		if ev.Owner == txn.OwnerGone {
			r.wake(r.lead.locks.ExpireSession(s))
		}
		return
	}
	aborting := false
	r.sweepQueries(func(q *query) bool {
		if q.req.Txn != ev.Txn {
			return false
		}
		if ev.Owner == txn.OwnerGone && aborting {
			return false
		}
		aborting = ev.Owner == txn.OwnerGone
		return r.answerQuery(q, ev.Owner)
	})
}

// tickQueries answers Pending to those who have waited long enough.
func (r *Replica) tickQueries() {
	r.sweepQueries(func(q *query) bool {
		if q.ticks--; q.ticks > 0 {
			return r.answerQuery(q, txn.OwnerUnknown)
		}
		r.reply(q.id, &shardrpc.QueryResponse{Answer: shardrpc.OK, Status: txn.Pending})
		return true
	})
}

// sweepQueries removes those for which answered says so.
func (r *Replica) sweepQueries(answered func(*query) bool) {
	if r.lead == nil || len(r.lead.queries) == 0 {
		return
	}
	all := r.lead.queries
	r.lead.queries = nil
	keep := make([]*query, 0, len(all))
	for _, q := range all {
		if !answered(q) {
			keep = append(keep, q)
		}
	}
	if r.lead != nil {
		r.lead.queries = append(keep, r.lead.queries...)
	}
}
