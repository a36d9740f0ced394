package shard

import (
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// extendOracle asks for more room when the oracle has little left.
func (r *Replica) extendOracle() {
	l := r.lead
	if l == nil || r.o.Meta == nil || l.startTS == 0 || l.extending {
		return
	}
	asked := r.o.Env.Now()
	if limit, ok := r.o.Meta.Oracle.Wants(asked, r.o.Env.Wall()); ok {
		r.proposeLimit(limit, func() { r.o.Meta.Oracle.Extend(limit, r.o.Env.Now()-asked) })
	}
}

// proposeExtension is the first extension of a term: only after it is applied
// may the oracle speak (T2). The window of an earlier leader is skipped whole.
func (r *Replica) proposeExtension() {
	l := r.lead
	above := r.o.Meta.Limit()
	limit := max(above, txn.Timestamp(r.o.Env.Wall())) + meta.Window
	r.proposeLimit(limit, func() {
		l.startTS = above + 1
		r.o.Meta.Oracle.Start(above, limit, r.o.Env.Now(), r.o.Env.Wall())
		r.serving.Store(l.term)
	})
}

func (r *Replica) proposeLimit(limit txn.Timestamp, then func()) {
	l := r.lead
	l.extending = true
	r.await(&command{kind: cmdMeta, body: meta.ExtendCommand(limit)}, func(a applied) {
		l.extending = false
		switch {
		case r.lead != l:
		case a.ok:
			then()
		default:
			l.preparing = false // dropped: try again at the next event
		}
	})
}

// openSession gives a gateway its session.
func (r *Replica) openSession(id uint64, m *shardrpc.SessionRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	switch {
	case !rejected && r.o.Meta == nil:
		a, rejected = shardrpc.Moved, true
	case !rejected && r.o.Meta.LastSession() == meta.SessionMax:
		a, rejected = shardrpc.Gone, true
	}
	if rejected {
		r.reply(id, &shardrpc.SessionResponse{Answer: a})
		return
	}
	c := &command{kind: cmdMeta, body: meta.SessionCommand(m.Address, m.Sole, m.Leased)}
	r.await(c, func(a applied) {
		resp := &shardrpc.SessionResponse{Answer: shardrpc.Retry}
		if a.ok {
			resp = &shardrpc.SessionResponse{Answer: shardrpc.OK, Session: a.session}
		}
		r.reply(id, resp)
	})
}
