package sim

import (
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// rounds follows what coordinators ask of shards into the logs of those. The
// kind of a command and its transaction say which request proposed it: in a run
// without faults and conflicts there is one.
type rounds struct {
	asked   []*asked
	byEntry map[logEntry][]*asked
	nobodys []string // commands that no request proposed
}

// asked is a request on behalf of an operation. Moments order everything; 0: it
// has not happened.
type asked struct {
	op             *Op
	shard          shardrpc.ShardID
	kind           shard.ProposalKind // of the command that it comes to; "": none
	txn            txn.ID
	sent, answered uint64
	proposed       uint64
	applied        uint64 // by the replica that proposed it
}

type logEntry struct {
	shard shardrpc.ShardID
	index uint64
}

func newRounds() *rounds { return &rounds{byEntry: map[logEntry][]*asked{}} }

// ask notes a request of the task that runs. The function that it returns is
// for its answer.
func (r *rounds) ask(w *world, to shardrpc.ShardID, msg any) (answered func()) {
	a := &asked{op: w.current.op, shard: to, txn: transaction(msg), sent: w.moment()}
	switch msg.(type) {
	case *shardrpc.CommitRequest:
		a.kind = shard.ProposalWrite
	case *shardrpc.PrewriteRequest:
		a.kind = shard.ProposalPrewrite
	case *shardrpc.DecideRequest:
		a.kind = shard.ProposalDecide
	case *shardrpc.ResolveRequest:
		a.kind = shard.ProposalResolve
	case *shardrpc.InquireRequest:
		a.kind = shard.ProposalForgo
	}
	r.asked = append(r.asked, a)
	return func() { a.answered = w.moment() }
}

// propose notes what a leader gives to its log.
func (r *rounds) propose(rep *replica, add *shard.Append) {
	w, id := rep.m.p.w, rep.g.route.Shard
	if id == shardrpc.MetaShard || !rep.r.Status().Leader {
		return
	}
	for _, e := range add.Entries {
		all, err := shard.Proposals(e)
		if err != nil {
			w.violate("%s: %w", rep.m.p.name, err)
			return
		}
		for _, p := range all {
			i := slices.IndexFunc(r.asked, func(a *asked) bool {
				return a.shard == id && a.kind == p.Kind && a.txn == p.Txn && a.proposed == 0
			})
			if i < 0 {
				r.nobodys = append(r.nobodys, fmt.Sprintf("a %s of %v at shard %d", p.Kind, p.Txn, id))
				continue
			}
			r.asked[i].proposed = w.moment()
			at := logEntry{id, e.GetIndex()}
			r.byEntry[at] = append(r.byEntry[at], r.asked[i])
		}
	}
}

// apply notes that a leader applies an entry.
func (r *rounds) apply(rep *replica, index uint64) {
	if !rep.r.Status().Leader {
		return
	}
	for _, a := range r.byEntry[logEntry{rep.g.route.Shard, index}] {
		if a.applied == 0 { // not again after a restart
			a.applied = rep.m.p.w.moment()
		}
	}
}

// before counts the rounds of consensus on the way of an operation to its
// answer, one after the other: a request that was sent after the answer to
// another one stands behind that. Only commands of its own transactions may be
// among them.
func (r *rounds) before(op *Op) (n int, err error) {
	var way []*asked // in the order in which they were sent
	for _, a := range r.asked {
		if a.op != op || a.proposed == 0 || a.applied == 0 || a.applied > op.End {
			continue
		}
		if !slices.Contains(op.IDs, a.txn) {
			return 0, fmt.Errorf("a %s of %v at shard %d is on its way", a.kind, a.txn, a.shard)
		}
		way = append(way, a)
	}
	behind := make([]int, len(way)) // with the rounds before it
	for i, a := range way {
		behind[i] = 1
		for j, b := range way[:i] {
			if b.answered != 0 && b.answered < a.sent {
				behind[i] = max(behind[i], behind[j]+1)
			}
		}
		n = max(n, behind[i])
	}
	return n, nil
}
