package shard

import (
	"bytes"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/txn"
)

// voteGate is the promise on which leases rest: for a lease's time after a
// message of the current leader, and after this process began, the replica
// neither votes nor stands for election, unless the leader itself hands over
// (R1 to R3). It goes by durations, not by raft's ticks nor by whom raft takes
// for the leader.
//
// Votes that come or go too early are held until it opens, which is to raft as
// if the network had been slow.
type voteGate struct {
	until    time.Duration // by Env.Now
	campaign time.Duration // when to stand for election unless a leader is heard of
	in, out  []*raftpb.Message
	newest   txn.Timestamp // with a planted bug: seen when the leader was last heard of
}

// campaignTransfer is raft's mark on votes of an election that the leader asked for.
const campaignTransfer = "CampaignTransfer"

// heldVotesMax bounds the messages held in each direction; more are dropped.
const heldVotesMax = 16

// contact begins the promise anew.
func (r *Replica) contact() {
	now := r.o.Env.Now()
	r.gate.until = max(r.gate.until, now+r.o.Lease)
	r.gate.campaign = r.gate.until + r.jitter()
	if mutant.On(mutant.L1StartEarly) {
		r.gate.newest = r.o.Newest.Load()
	}
}

// jitter spreads the elections of followers that lost their leader together.
func (r *Replica) jitter() time.Duration {
	return time.Duration(r.o.Env.Rand() % uint64(r.o.Lease/2))
}

func (r *Replica) gateOpen() bool {
	return mutant.On(mutant.VoteGate) || r.o.Env.Now() >= r.gate.until
}

// gated reports whether m must wait while the gate is closed.
func gated(m *raftpb.Message) bool {
	t := m.GetType()
	return (t == raftpb.MsgVote || t == raftpb.MsgPreVote) &&
		!bytes.Equal(m.Context, []byte(campaignTransfer))
}

// passedOn reports whether m is what a follower was asked and would have the
// leader do, or what comes of that. The leader does what it is asked itself: then
// its own rules hold (R4, R8).
func passedOn(m *raftpb.Message) bool {
	switch m.GetType() {
	case raftpb.MsgProp, raftpb.MsgTransferLeader, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp:
		return true
	default:
		return false
	}
}

func hold(held []*raftpb.Message, m *raftpb.Message) []*raftpb.Message {
	if len(held) >= heldVotesMax {
		return held
	}
	return append(held, m)
}

// receive takes in a message of another replica.
func (r *Replica) receive(m *raftpb.Message) {
	r.heard[m.GetFrom()] = r.o.Env.Now()
	if passedOn(m) && !mutant.On(mutant.R8) {
		return
	}
	if gated(m) && !r.gateOpen() {
		r.gate.in = hold(r.gate.in, m)
		return
	}
	if m.GetType() == raftpb.MsgHeartbeatResp && r.lead != nil {
		r.lead.answered[m.GetFrom()] = true
	}
	r.stepRaft(m)
}

// openGate lets through what was held, and stands for election when it is time.
func (r *Replica) openGate() {
	if !r.gateOpen() {
		return
	}
	in := r.gate.in
	r.gate.in = nil
	for _, m := range in {
		r.stepRaft(m)
	}
	st := r.rn.BasicStatus()
	for _, m := range r.gate.out {
		candidate := st.RaftState == raft.StateCandidate || st.RaftState == raft.StatePreCandidate
		if candidate && m.GetTerm() >= st.GetTerm() {
			r.eff.Messages = append(r.eff.Messages, m)
		}
	}
	r.gate.out = nil
	now := r.o.Env.Now()
	if st.RaftState == raft.StateFollower && now >= r.gate.campaign && r.lead == nil {
		r.gate.campaign = now + r.o.Lease + r.jitter()
		r.failIf(r.rn.Campaign())
	}
}
