package shard

import "github.com/cairnkv/cairn/proto/shardrpc"

// answerWrite sends what proves nothing, or a refusal, in the form that fits w.
func (r *Replica) answerWrite(w *write, rep shardrpc.Reply) {
	switch {
	case w.commit != nil:
		r.reply(w.id, &shardrpc.CommitResponse{Reply: rep})
	case w.prewrite != nil:
		r.reply(w.id, &shardrpc.PrewriteResponse{Reply: rep})
	default:
		r.answerDecide(w, shardrpc.DecideResponse{Answer: rep.Answer})
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
	r.lead.dead.Add(w.txn, w.baseTS)
	rep.Answer = shardrpc.Refused
	r.answerWrite(w, rep)
	r.release(w)
}

// retry gives w up without proving anything.
func (r *Replica) retry(w *write) {
	r.answerWrite(w, shardrpc.Reply{Answer: shardrpc.Retry})
	r.release(w)
}
