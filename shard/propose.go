package shard

import (
	"errors"
	"slices"

	"go.etcd.io/raft/v3"

	"github.com/cairnkv/cairn/internal/mutant"
)

// pend queues commands for the next raft entry, in order.
func (r *Replica) pend(commands ...*command) {
	for _, c := range commands {
		r.proposals++
		c.proposal, c.term, c.epoch = r.proposals, r.lead.term, r.mu.state.Epoch
		r.pending = append(r.pending, c)
	}
}

// proposeFor queues w's command; done runs once it is applied. A rejected or
// dropped one proves nothing to the coordinator.
func (r *Replica) proposeFor(w *write, c *command, done func()) {
	w.command = c
	if mutant.On(mutant.K3) && w.decide == nil {
		r.wake(r.lead.locks.Release(w.owner(), w.baseTS))
	}
	r.await(c, func(a applied) {
		if !a.ok {
			r.retry(w)
			return
		}
		done()
		r.release(w)
	})
}

// await queues c and tells f what became of it.
func (r *Replica) await(c *command, f waiter) {
	r.pend(c)
	r.lead.waiting[c.proposal] = f
}

// propose hands all pending commands to raft, many to an entry. While the log is
// being written, this one or another that shares its syncs, they wait, as the next
// entry would: so what comes meanwhile shares it. A command is never proposed twice:
// ErrProposalDropped alone says that it is not in the log.
func (r *Replica) propose() {
	if len(r.pending) == 0 || r.ready != nil || r.o.Hold() {
		return
	}
	for len(r.pending) > 0 {
		n, size := 0, 0
		for n < len(r.pending) && n < entryCommandsMax && size < entryBytesMax {
			size += r.pending[n].size()
			n++
		}
		batch := r.pending[:n]
		r.pending = r.pending[n:]
		err := r.rn.Propose(appendEntry(nil, batch))
		if err == nil {
			continue
		}
		if !errors.Is(err, raft.ErrProposalDropped) {
			r.fail(err)
			return
		}
		// What comes after it may rest on it: a write on the resolution of the
		// intent that it met (C16).
		dropped := slices.Concat(batch, r.pending)
		r.pending = nil
		for _, c := range dropped {
			r.answerWaiter(c.proposal, applied{})
		}
	}
	r.pending = nil // and its memory
}

func (r *Replica) answerWaiter(proposal uint64, a applied) {
	if r.lead == nil {
		return
	}
	if f, ok := r.lead.waiting[proposal]; ok {
		delete(r.lead.waiting, proposal)
		f(a)
	}
}
