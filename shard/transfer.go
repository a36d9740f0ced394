package shard

import (
	"slices"

	"go.etcd.io/raft/v3/tracker"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

// transfer hands the leadership to a voter, or to the furthest one that was
// heard of lately. It reports whether that has begun. Until it has worked or
// failed raft takes no proposals.
func (r *Replica) transfer(to uint64) bool {
	if r.lead == nil || !r.stillLeads() {
		return false // raft would pass it on to a leader whose lease knows nothing of it
	}
	if to == 0 {
		to = r.furthest()
	}
	if to == r.o.Member {
		return true
	}
	if !slices.Contains(r.log.conf.Voters, to) {
		return false
	}
	r.lease.forbid() // before the message leaves: R4
	r.rn.TransferLeader(to)
	return true
}

// gatherLag is how many entries of the log a voter may lack to be gathered to.
const gatherLag = 64

// gather hands the leadership to a voter that keeps up.
func (r *Replica) gather(to uint64) {
	if r.lead == nil || r.lead.startTS == 0 || !r.active(to) {
		return
	}
	p, ok := r.rn.Status().Progress[to]
	if ok && p.State == tracker.StateReplicate && p.Match+gatherLag >= r.log.last {
		r.transfer(to)
	}
}

// furthest is the voter besides this one that has most of the log; 0: none.
func (r *Replica) furthest() uint64 {
	best, match := uint64(0), uint64(0)
	wanted := r.wanted()
	for id, p := range r.rn.Status().Progress { // order: a maximum, ties to the smaller id
		switch {
		case id == r.o.Member, p.IsLearner, !r.active(id):
		case wanted != nil && !slices.Contains(wanted, id):
		case best == 0, p.Match > match, p.Match == match && id < best:
			best, match = id, p.Match
		}
	}
	return best
}

// active reports whether a replica was heard of lately. Raft's own mark for that
// is cleared at every check of the quorum, and then says nothing for a while.
func (r *Replica) active(id uint64) bool {
	at, ok := r.heard[id]
	return ok && r.o.Env.Now()-at < r.o.Lease
}

func (r *Replica) requestTransfer(id uint64, m *shardrpc.TransferRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	if !rejected {
		a = shardrpc.OK
		if !r.transfer(m.To) {
			a = shardrpc.Refused
		}
	}
	r.reply(id, &shardrpc.TransferResponse{Answer: a})
}
