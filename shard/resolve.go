package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// resolve ends a decided transaction's intents here. What became of it is
// known from the moment the request is in: readers and writers that wait go on
// before the log has it.
func (r *Replica) resolve(id uint64, m *shardrpc.ResolveRequest) {
	a, rejected := r.rejects(m.Target, m.Keys, nil)
	if !rejected && len(m.Done) > 0 && !r.o.Route.Span.Contains(m.Done) {
		a, rejected = shardrpc.Moved, true
	}
	if rejected {
		r.reply(id, &shardrpc.ResolveResponse{Answer: a})
		return
	}
	r.o.Newest.Raise(max(m.BaseTS, m.CommitTS))
	status, commit := txn.Aborted, txn.Timestamp(0)
	if m.Commit {
		status, commit = txn.Committed, m.CommitTS
	}
	if !r.learn(m.Txn, status, commit) {
		r.reply(id, &shardrpc.ResolveResponse{Answer: shardrpc.Refused})
		return
	}
	if m.Commit || !mutant.On(mutant.C1) {
		r.lead.dead.Add(m.Txn, m.BaseTS) // a copy of its prewrite may still be travelling
	}
	// Its intents are here, with an outcome that is known: who gets the locks
	// now meets them (K3).
	r.wake(r.lead.locks.ReleaseTxn(m.Txn, m.BaseTS))
	if len(m.Keys)+len(m.Done) == 0 && r.nothingOf(m.Txn) {
		r.assert(id, &shardrpc.ResolveResponse{Answer: shardrpc.OK},
			&shardrpc.ResolveResponse{Answer: shardrpc.Retry})
		return
	}
	c := r.resolution(m.Txn, status, commit, m.Keys)
	if len(m.Done) > 0 {
		c.flags |= flagDone
		if m.Commit {
			c.flags |= flagSettle
		}
		c.primary = m.Done
	}
	r.await(c, func(a applied) {
		resp := &shardrpc.ResolveResponse{Answer: shardrpc.OK}
		if !a.ok {
			resp.Answer = shardrpc.Retry
		}
		r.reply(id, resp)
		if c.flags&flagSettle != 0 {
			r.answerQueries(m.Txn)
		}
	})
	r.unstall(m.Txn)
}

// resolution is the command that ends the intents of id on keys; no keys: on
// every key of the shard.
func (r *Replica) resolution(
	id txn.ID, status txn.Status, commit txn.Timestamp, keys []txn.Key,
) *command {
	c := &command{kind: cmdResolve, txn: id, keys: keys}
	if status == txn.Committed {
		c.flags, c.ts = flagCommit, commit
	}
	return c
}

// nothingOf reports whether id has no intent here, nor one on its way.
func (r *Replica) nothingOf(id txn.ID) bool {
	return len(r.mu.intents.OfTxn(id)) == 0 && !r.inLog(id)
}
