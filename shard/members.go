package shard

import (
	"slices"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// replaceMember puts a new member in the place of one that is lost. The leaders
// of all groups then work towards that (steer).
func (r *Replica) replaceMember(id uint64, m *shardrpc.ReplaceRequest) {
	by := meta.Member{ID: m.New, Address: m.Address, Nonce: m.Nonce}
	a, rejected := r.rejects(m.Target, nil, nil)
	if !rejected && r.o.Meta == nil {
		a, rejected = shardrpc.Moved, true
	}
	if rejected {
		r.reply(id, &shardrpc.ReplaceResponse{Reply: shardrpc.Reply{Answer: a}})
		return
	}
	if r.answerReplace(id, m) {
		return
	}
	if why := r.tooEarly(m.Old); why != nil {
		r.reply(id, refuseReplace(why))
		return
	}
	body, err := meta.ReplaceCommand(m.Old, by)
	if err != nil {
		r.fail(err)
		return
	}
	r.await(&command{kind: cmdMeta, body: body}, func(a applied) {
		if !a.ok || !r.answerReplace(id, m) {
			r.reply(id, &shardrpc.ReplaceResponse{Reply: shardrpc.Reply{Answer: shardrpc.Retry}})
		}
	})
}

// tooEarly is why old must not be replaced now. Until a change is over those who
// leave have votes; and those who stay must be able to go on without old.
func (r *Replica) tooEarly(old uint64) *txn.Error {
	conf := r.log.conf
	if len(conf.VotersOutgoing) > 0 || len(conf.Learners) > 0 || !r.Settled() {
		return meta.Changing(shardrpc.MetaShard)
	}
	stay := 0
	for _, id := range conf.Voters {
		if id != old && (id == r.o.Member || r.active(id)) {
			stay++
		}
	}
	if stay > len(conf.Voters)/2 {
		return nil
	}
	e := txn.Errorf(txn.Unavailable, "quorum_at_risk",
		"besides member %d only %d of %d members answer", old, stay, len(conf.Voters))
	e.Next = "start the others first, or replace one that is down"
	return e
}

// Settled reports whether the group has, as far as this replica has applied, just
// the voters that it should have. Any goroutine may ask.
func (r *Replica) Settled() bool {
	want := slices.Sorted(slices.Values(r.wanted()))
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(want) == 0 || len(r.mu.learners) == 0 && slices.Equal(r.mu.voters, want)
}

// MayVote reports whether a member's vote counts, as far as this replica has
// applied. Before its first snapshot it knows nobody, and anybody's may. Any
// goroutine may ask.
func (r *Replica) MayVote(member uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mu.voters) == 0 || slices.Contains(r.mu.voters, member)
}

// answerReplace answers if it has been done, or never can be.
func (r *Replica) answerReplace(id uint64, m *shardrpc.ReplaceRequest) bool {
	retry := &shardrpc.ReplaceResponse{Reply: shardrpc.Reply{Answer: shardrpc.Retry}}
	if r.o.Meta.Has(m.New, m.Nonce) {
		r.reply(id, &shardrpc.ReplaceResponse{
			Reply: shardrpc.Reply{Answer: shardrpc.OK}, Members: r.o.Meta.Members()})
		return true
	}
	by := meta.Member{ID: m.New, Address: m.Address, Nonce: m.Nonce}
	why := r.o.Meta.Objection(m.Old, by)
	if why == nil {
		return false
	}
	if r.lead == nil {
		r.reply(id, retry)
		return true
	}
	r.assert(id, refuseReplace(why), retry)
	return true
}

func refuseReplace(why *txn.Error) *shardrpc.ReplaceResponse {
	return &shardrpc.ReplaceResponse{Reply: shardrpc.Reply{
		Answer: shardrpc.Refused, Reason: shardrpc.ReasonInvalid, Err: why}}
}
