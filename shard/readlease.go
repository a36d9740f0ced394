package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"go.etcd.io/raft/v3"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
)

// The part of a lease that is given up: for clocks whose rates differ, and for
// what a clock cannot tell (docs/transactions.md 2.3).
const (
	leaseRatePercent = 2
	leaseMargin      = 20 * time.Millisecond
)

// readLease says how long nobody else can lead. A round of heartbeats that a
// quorum has answered is one: the gates of that quorum stay closed for
// Options.Lease from when the round was sent. Where there is no lease, a round
// that was sent after what is to be confirmed serves as well.
type readLease struct {
	mu        sync.Mutex
	term      uint64 // 0: not leading
	alone     bool   // the only voter: nobody can lead without its vote
	never     bool   // a round for each confirmation: R4, and Options.Quorum
	until     time.Duration
	mono      time.Duration // when the round behind until was sent
	wall      int64         // likewise, in us
	sent      uint64        // rounds, of all leaderships
	confirmed uint64        // the last round that a quorum answered
	wanted    bool          // somebody waits for a round that is not sent
	used      bool          // the lease served somebody since the last round was sent
	changed   *env.Future   // resolved when something of the above got better or ended
}

// round is one on its way. A leadership has at most one: raft repeats its
// heartbeats until they are answered.
type round struct {
	id   uint64 // 0: none
	mono time.Duration
	wall int64
}

// begin is for a leadership that begins, with term 0 for one that ends.
func (l *readLease) begin(term uint64, never bool) {
	l.mu.Lock()
	l.term, l.never, l.until, l.wanted, l.used = term, never, 0, false, false
	l.mu.Unlock()
	l.wake()
}

// forbid ends the lease of this term for good: somebody may be made leader
// without regard to gates (R4).
func (l *readLease) forbid() {
	if mutant.On(mutant.R4) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.never, l.until = true, 0
}

// void ends the lease until the next round: the members have changed, and with
// them whose promises count.
func (l *readLease) void() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = 0
}

func (l *readLease) wake() {
	l.mu.Lock()
	f := l.changed
	l.changed = new(env.Future)
	l.mu.Unlock()
	if f != nil {
		f.Resolve()
	}
}

// valid reports whether the lease of term covers this moment. A machine that
// was suspended shows it by the difference of its clocks (T8).
func (l *readLease) valid(term uint64, mono time.Duration, wall int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.covers(term, mono, wall)
}

func (l *readLease) covers(term uint64, mono time.Duration, wall int64) bool {
	ok := l.runs(term, mono, wall)
	l.used = l.used || ok && !l.alone
	return ok
}

func (l *readLease) runs(term uint64, mono time.Duration, wall int64) bool {
	if l.term == term && l.alone {
		return true
	}
	drift := time.Duration(wall-l.wall)*time.Microsecond - (mono - l.mono)
	return l.term == term && !l.never && mono < l.until && drift.Abs() < leaseMargin
}

// Leased reports whether this replica may say now how things are without
// asking a quorum. Of all replicas of a shard at most one may at a time (I8).
func (r *Replica) Leased() bool {
	l, term := &r.lease, r.serving.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	return term != noTerm && l.runs(term, r.o.Env.Now(), r.o.Env.Wall())
}

// check is valid, or the answer of round want (0: none yet). With neither it
// returns what to wait for, and for which round.
func (l *readLease) check(term, want uint64, e env.Env) (ok bool, wait *env.Future, next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.term != term:
		return false, nil, 0
	case want != 0 && l.confirmed >= want, l.covers(term, e.Now(), e.Wall()):
		return true, nil, 0
	case want == 0:
		want, l.wanted = l.sent+1, true
	}
	return false, l.changed, want
}

// holds reports whether this replica led in term at a moment after the call:
// by its lease, or by a round of heartbeats. It belongs behind every evaluation
// whose result says how things are (L4, V8, R5), on the caller's goroutine.
func (r *Replica) holds(ctx context.Context, term uint64) (bool, error) {
	if r.serving.Load() != term {
		return false, nil
	}
	if mutant.On(mutant.L4) {
		return true, nil
	}
	until := r.o.Env.Now() + readWaitMax
	for want := uint64(0); ; {
		ok, wait, next := r.lease.check(term, want, r.o.Env)
		if wait == nil {
			return ok, nil
		}
		if want == 0 {
			want = next
			r.o.Wake()
		}
		err := r.o.Env.Wait(ctx, wait, until)
		if errors.Is(err, env.ErrTimeout) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// claim is an answer that says how things are, and that waits for a round.
type claim struct {
	round        uint64
	id           uint64
	msg, instead any
}

// assert answers with msg once it is certain that this replica led after it
// was made (L4), or with instead, which proves nothing.
func (r *Replica) assert(id uint64, msg, instead any) {
	l := r.lead
	if mutant.On(mutant.L4) || r.lease.valid(l.term, r.o.Env.Now(), r.o.Env.Wall()) {
		r.reply(id, msg)
		return
	}
	r.lease.mu.Lock()
	r.lease.wanted = true
	want := r.lease.sent + 1
	r.lease.mu.Unlock()
	l.claims = append(l.claims, claim{want, id, msg, instead})
}

// heartbeats begins a round if somebody waits for one, or if the lease is in
// use and a quarter of it is over.
func (r *Replica) heartbeats() {
	l := r.lead
	if !r.mayBeginRound() {
		return
	}
	now := r.o.Env.Now()
	r.lease.mu.Lock()
	old := now-r.lease.mono >= r.o.Lease/4
	begin := r.lease.wanted || r.lease.used && old && !r.lease.never
	if begin {
		r.lease.sent++
		r.lease.wanted, r.lease.used = false, false
		l.round = round{id: r.lease.sent, mono: now, wall: r.o.Env.Wall()}
	}
	r.lease.mu.Unlock()
	if begin {
		r.rn.ReadIndex(binary.BigEndian.AppendUint64(nil, l.round.id))
	}
}

// mayBeginRound: before an entry of this term is applied raft would keep the
// request, without a bound, and if it has just stepped down it would pass it on.
func (r *Replica) mayBeginRound() bool {
	l := r.lead
	if r.failed || l == nil || l.round.id != 0 || r.mu.state.AppliedTerm != l.term {
		return false
	}
	return r.stillLeads()
}

func (r *Replica) wantsRound() bool {
	if !r.mayBeginRound() {
		return false
	}
	r.lease.mu.Lock()
	defer r.lease.mu.Unlock()
	return r.lease.wanted
}

// confirm takes in what rounds a quorum has answered. Ids are never used
// twice, so an answer to an earlier leadership's round finds nobody (R7).
func (r *Replica) confirm(states []raft.ReadState) {
	for i := range states {
		l := r.lead
		id := binary.BigEndian.Uint64(states[i].RequestCtx)
		if l == nil || l.round.id != id {
			continue
		}
		d := r.o.Lease
		r.lease.mu.Lock()
		r.lease.confirmed = id
		if !r.lease.never {
			r.lease.until = l.round.mono + d - d*leaseRatePercent/100 - leaseMargin
			r.lease.mono, r.lease.wall = l.round.mono, l.round.wall
		}
		r.lease.mu.Unlock()
		r.lease.wake()
		l.round = round{}
		for len(l.claims) > 0 && l.claims[0].round <= id {
			r.reply(l.claims[0].id, l.claims[0].msg)
			l.claims = l.claims[1:]
		}
	}
}
