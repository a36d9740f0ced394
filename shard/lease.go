package shard

import (
	"slices"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
)

// leases are what the meta leader knows of leased sessions. It is memory of
// the leadership: under a new one every session begins a full lease.
type leases struct {
	renewed map[uint32]time.Duration // when a session was last renewed, or first seen
	watched time.Duration            // when watch last looked
	ending  []uint32                 // their end is in the log
}

// leaseGapMax is how long a leader may go without looking after the leases
// before it no longer knows who was silent: itself or the gateways.
const leaseGapMax = meta.SessionTTL / 2

// watchLeases proposes the end of sessions that were not renewed in time.
func (r *Replica) watchLeases() {
	if r.o.Meta == nil || r.lead.startTS == 0 {
		return
	}
	l, now := r.lead, r.o.Env.Now()
	s := &l.leases
	if s.renewed == nil || now-s.watched > leaseGapMax {
		s.renewed = make(map[uint32]time.Duration)
	}
	s.watched = now
	if len(s.ending) > 0 {
		return
	}
	for _, id := range r.o.Meta.Leased() {
		at, seen := s.renewed[id]
		switch {
		case !seen:
			s.renewed[id] = now
		case now-at >= meta.SessionTTL:
			s.ending = append(s.ending, id)
		}
	}
	if len(s.ending) == 0 {
		return
	}
	r.await(&command{kind: cmdMeta, body: meta.EndCommand(s.ending)}, func(applied) {
		for _, id := range s.ending {
			delete(s.renewed, id) // if the end was dropped it has a lease more
		}
		s.ending = nil
	})
}

// findSession tells other gateways where a session's is. That it has ended is
// the end of its transactions: only a leader who is one may say so.
func (r *Replica) findSession(id uint64, m *shardrpc.FindSessionRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	if !rejected && r.o.Meta == nil {
		a, rejected = shardrpc.Moved, true
	}
	if rejected {
		r.reply(id, &shardrpc.FindSessionResponse{Answer: a})
		return
	}
	resp := &shardrpc.FindSessionResponse{Answer: shardrpc.Gone}
	if address, open := r.o.Meta.Address(m.Session); open {
		resp = &shardrpc.FindSessionResponse{Answer: shardrpc.OK, Address: address}
	}
	r.assert(id, resp, &shardrpc.FindSessionResponse{Answer: shardrpc.Retry})
}

// renew gives a session another full lease.
func (r *Replica) renew(id uint64, m *shardrpc.RenewRequest) {
	a, rejected := r.rejects(m.Target, nil, nil)
	switch {
	case rejected:
	case r.o.Meta == nil:
		a = shardrpc.Moved
	case !slices.Contains(r.o.Meta.Leased(), m.Session):
		a = shardrpc.Gone
	case slices.Contains(r.lead.leases.ending, m.Session):
		a = shardrpc.Retry
	default:
		a = shardrpc.OK
		if s := &r.lead.leases; s.renewed != nil {
			s.renewed[m.Session] = r.o.Env.Now()
		}
	}
	resp := &shardrpc.RenewResponse{Answer: a}
	if r.lead == nil || a == shardrpc.Retry || a == shardrpc.Moved {
		r.reply(id, resp)
		return
	}
	r.assert(id, resp, &shardrpc.RenewResponse{Answer: shardrpc.Retry})
}
