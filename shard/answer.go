package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// answerWrite sends what proves nothing, in the form that fits w.
func (r *Replica) answerWrite(w *write, rep shardrpc.Reply) {
	if w.decided != nil {
		w.decided(shardrpc.DecideResponse{Answer: rep.Answer})
		return
	}
	r.reply(w.id, w.response(rep))
}

// response is rep in the form that fits w.
func (w *write) response(rep shardrpc.Reply) any {
	switch {
	case w.commit != nil:
		return &shardrpc.CommitResponse{Reply: rep}
	case w.prewrite != nil:
		return &shardrpc.PrewriteResponse{Reply: rep}
	case w.inquire != nil:
		return &shardrpc.InquireResponse{Answer: rep.Answer}
	default:
		return &shardrpc.DecideResponse{Answer: rep.Answer}
	}
}

func (r *Replica) answerDecide(w *write, resp shardrpc.DecideResponse) {
	if w.decided != nil {
		w.decided(resp)
		return
	}
	r.reply(w.id, &resp)
}

// refuse proves that w's transaction can never write at this shard (L5): it
// holds all latches, idempotence was checked, and the id is dead from now on,
// so that no other copy of the request can succeed.
func (r *Replica) refuse(w *write, rep shardrpc.Reply) {
	if !mutant.On(mutant.L5) {
		r.lead.dead.Add(w.txn, w.baseTS)
	}
	rep.Answer = shardrpc.Refused
	r.assert(w.id, w.response(rep), w.response(shardrpc.Reply{Answer: shardrpc.Retry}))
	r.release(w)
}

// retry gives w up without proving anything.
func (r *Replica) retry(w *write) {
	r.answerWrite(w, shardrpc.Reply{Answer: shardrpc.Retry})
	r.release(w)
}
