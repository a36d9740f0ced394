package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// intentsQuery is someone who recovers a staging transaction and waits until a
// prewrite of it has left the log.
type intentsQuery struct {
	id  uint64
	req *shardrpc.QueryIntentsRequest
}

// queryIntents tells what is left of a transaction here. It waits for a
// prewrite of that transaction which is in the log already, and for no other
// latch: whatever has not come so far will be refused.
func (r *Replica) queryIntents(id uint64, m *shardrpc.QueryIntentsRequest) {
	a, rejected := r.rejects(m.Target, m.Keys, nil)
	if !rejected && len(r.lead.probes) >= queriesMax {
		a, rejected = shardrpc.Retry, true
	}
	if rejected {
		r.reply(id, &shardrpc.QueryIntentsResponse{Answer: a})
		return
	}
	r.o.Newest.Raise(m.BaseTS)
	q := intentsQuery{id, m}
	if r.inLog(m.Txn) {
		r.lead.probes = append(r.lead.probes, q)
		return
	}
	r.answerIntents(q)
}

// inLog reports whether a write of id has been proposed and is not applied.
func (r *Replica) inLog(id txn.ID) bool {
	for w := range r.lead.writes { // order: one is enough
		if w.txn == id && w.command != nil {
			return true
		}
	}
	return false
}

// answerProbes goes on with those who waited for id.
func (r *Replica) answerProbes(id txn.ID) {
	l := r.lead
	if l == nil || len(l.probes) == 0 {
		return
	}
	all := l.probes
	l.probes = nil
	for _, q := range all {
		if q.req.Txn == id {
			r.queryIntents(q.id, q.req)
		} else {
			l.probes = append(l.probes, q)
		}
	}
}

// answerIntents is C1 and C8: what has become a version counts as found, and
// what is missing will be so for ever, since its transaction's id is dead.
func (r *Replica) answerIntents(q intentsQuery) {
	m := q.req
	resp := &shardrpc.QueryIntentsResponse{Answer: shardrpc.OK, Found: txn.Found{Bound: txn.Forever}}
	rd, err := r.versions(nil)
	if err != nil {
		r.fail(err)
		return
	}
	for _, k := range m.Keys {
		if in := r.mu.intents.Get(k); in != nil && in.Txn == m.Txn {
			if in.Hash != m.Hash {
				r.reply(q.id, &shardrpc.QueryIntentsResponse{Answer: shardrpc.Refused})
				return
			}
			resp.MaxTS = max(resp.MaxTS, in.TS)
			if in.Bound != 0 {
				resp.Bound = min(resp.Bound, in.Bound)
			}
			continue
		}
		ts, err := ownVersion(rd, k, m.Txn, m.BaseTS)
		if err != nil {
			r.fail(err)
			return
		}
		if mutant.On(mutant.C8) {
			ts = 0
		}
		if ts != 0 {
			resp.CommitTS = ts
		} else {
			resp.Missing = true
		}
	}
	if resp.Missing && !mutant.On(mutant.C1) {
		r.lead.dead.Add(m.Txn, m.BaseTS)
	}
	r.assert(q.id, resp, &shardrpc.QueryIntentsResponse{Answer: shardrpc.Retry})
}
