package shard

import (
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
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
	resp := &shardrpc.ReplaceResponse{Reply: shardrpc.Reply{
		Answer: shardrpc.Refused, Reason: shardrpc.ReasonInvalid, Err: why}}
	if r.lead == nil {
		r.reply(id, retry)
		return true
	}
	r.assert(id, resp, retry)
	return true
}
