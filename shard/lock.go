package shard

import (
	"cmp"
	"slices"
	"time"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Limits of waiting for locks, and of showing them.
const (
	// lockWaitMax bounds LockRequest.Wait: who is still alive asks again, and
	// keeps its place, which goes by age.
	lockWaitMax = 10 * time.Second
	// lockOwnersTicks is how often the sessions of lock owners are asked about.
	lockOwnersTicks = 13 // about 500 ms
	locksShownMax   = 1000
)

// lockCall is a lock request that has not been answered.
type lockCall struct {
	id    uint64
	want  locks.Request
	until time.Duration // by Env.Now
}

// lock grants locks, or queues the request for them. It reads nothing, and what
// it grants is memory of this leadership.
func (r *Replica) lock(id uint64, m *shardrpc.LockRequest) {
	if a, rejected := r.rejects(m.Target, m.Keys, m.Spans); rejected {
		r.replyLock(id, shardrpc.Reply{Answer: a})
		return
	}
	if ks, hit := r.mu.dropped.among(m.Keys, m.Spans); hit {
		r.refuseLock(id, shardrpc.Reply{Reason: shardrpc.ReasonInvalid,
			Err: txn.DroppedKeyspace(ks)})
		return
	}
	if err := r.future(m.BaseTS); err != nil {
		r.refuseLock(id, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: err})
		return
	}
	r.o.Newest.Raise(m.BaseTS)
	if m.BaseTS <= r.lead.startTS || r.o.Newest.Load()-m.BaseTS > ageMax {
		// As L3: nothing else tells it from the copy of one that has ended.
		r.refuseLock(id, shardrpc.Reply{Reason: shardrpc.ReasonStale})
		return
	}
	now := r.o.Env.Now()
	wait := time.Duration(min(max(m.Wait, 0), lockWaitMax.Milliseconds())) * time.Millisecond
	c := &lockCall{id: id, until: now + wait}
	c.want = locks.Request{Owner: locks.Owner{Age: m.Age, Txn: m.Txn}, Mode: m.Mode,
		Keys: m.Keys, Spans: m.Spans, Base: m.BaseTS,
		Since: txn.Timestamp(r.o.Env.Wall()), Caller: c}
	a, woken := r.lead.locks.Lock(&c.want)
	r.wake(woken)
	switch {
	case a != locks.Queued:
		r.answerLock(c, a)
	case wait == 0:
		r.timeOut(&c.want)
	}
}

func (r *Replica) answerLock(c *lockCall, a locks.Answer) {
	switch a {
	case locks.Granted:
		r.assert(c.id, r.lockResponse(shardrpc.Reply{Answer: shardrpc.OK}),
			r.lockResponse(shardrpc.Reply{Answer: shardrpc.Retry}))
	case locks.Wounded:
		by, _ := r.lead.locks.WoundedBy(c.want.Owner.Txn)
		r.refuseLock(c.id, shardrpc.Reply{Reason: shardrpc.ReasonWounded, Holder: lockOwner(by)})
	case locks.Full:
		r.refuseLock(c.id, shardrpc.Reply{Reason: shardrpc.ReasonInvalid,
			Err: txn.Errorf(txn.Exhausted, "too_many_locks",
				"the shard has no room for more locks: %d keys and ranges, %d of them ranges",
				locks.LocksMax, locks.SpansMax)})
	case locks.Over, locks.Queued:
		r.refuseLock(c.id, shardrpc.Reply{Reason: shardrpc.ReasonDead})
	}
}

func (r *Replica) lockResponse(rep shardrpc.Reply) *shardrpc.LockResponse {
	return &shardrpc.LockResponse{Reply: rep, Term: r.lead.term}
}

// refuseLock says no to a lock. That needs no lease: it proves nothing.
func (r *Replica) refuseLock(id uint64, rep shardrpc.Reply) {
	rep.Answer = shardrpc.Refused
	r.replyLock(id, rep)
}

func (r *Replica) replyLock(id uint64, rep shardrpc.Reply) {
	r.reply(id, &shardrpc.LockResponse{Reply: rep})
}

func lockOwner(o locks.Owner) *shardrpc.LockOwner {
	return &shardrpc.LockOwner{Txn: o.Txn, Age: o.Age}
}

// wake answers those who wait for locks no more.
func (r *Replica) wake(woken []locks.Woken) {
	for _, w := range woken {
		r.answerLock(w.Request.Caller.(*lockCall), w.Answer)
	}
}

// timeOut ends the waiting of a request, unless it has ended.
func (r *Replica) timeOut(want *locks.Request) {
	if !want.Queued() {
		return
	}
	holder, _ := r.lead.locks.InTheWay(want)
	r.refuseLock(want.Caller.(*lockCall).id, shardrpc.Reply{Reason: shardrpc.ReasonLockTimeout,
		Key: holder.Key.Clone(), Holder: lockOwner(holder.Owner)})
	r.wake(r.lead.locks.Cancel(want))
}

// unlock ends a transaction as far as locks go.
func (r *Replica) unlock(id uint64, m *shardrpc.UnlockRequest) {
	if a, rejected := r.rejects(m.Target, nil, nil); rejected {
		r.reply(id, &shardrpc.UnlockResponse{Answer: a})
		return
	}
	r.o.Newest.Raise(m.BaseTS)
	r.wake(r.lead.locks.Release(locks.Owner{Age: m.Age, Txn: m.Txn}, m.BaseTS))
	r.assert(id, &shardrpc.UnlockResponse{Answer: shardrpc.OK},
		&shardrpc.UnlockResponse{Answer: shardrpc.Retry})
}

// showLocks is for operators.
func (r *Replica) showLocks(id uint64, m *shardrpc.LocksRequest) {
	if a, rejected := r.rejects(m.Target, nil, nil); rejected {
		r.reply(id, &shardrpc.LocksResponse{Answer: a})
		return
	}
	all, more := r.lead.locks.Snapshot(locksShownMax)
	resp := &shardrpc.LocksResponse{Answer: shardrpc.OK, More: more}
	for i := range all {
		e := &all[i]
		info := shardrpc.LockInfo{Key: e.Key, Span: e.Span, Mode: e.Mode, Owner: *lockOwner(e.Owner),
			Waits: e.Waits, Committing: e.Committing, Since: e.Since}
		for _, o := range e.Behind {
			info.Behind = append(info.Behind, *lockOwner(o))
		}
		resp.Locks = append(resp.Locks, info)
	}
	r.reply(id, resp)
}

// owner is the lock owner of a commit or prewrite.
func (w *write) owner() locks.Owner {
	if w.commit != nil {
		return locks.Owner{Age: w.commit.Age, Txn: w.txn}
	}
	return locks.Owner{Age: w.prewrite.Age, Txn: w.txn}
}

// passLocks is for a write that holds its latches: it wounds who is younger. An
// older one's lock it does not wait for here, where it would keep others from
// its keys: it is refused, and its coordinator queues for the lock. Of those who
// are committing nothing is to be feared but their latches and intents, which
// come next.
//
// What passes is committing from now on: nobody wounds it here (K5).
func (r *Replica) passLocks(w *write) bool {
	t := r.lead.locks
	if w.passed {
		return true
	}
	holder, met, woken := t.Meet(w.owner(), w.keys)
	r.wake(woken)
	if met && !holder.Committing {
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonLocked,
			Key: holder.Key.Clone(), Holder: lockOwner(holder.Owner)})
		return false
	}
	w.passed = true
	r.wake(t.Committing(w.owner(), w.baseTS))
	return true
}

// releaseLocks is for a write that ends and still holds its latches (K3).
//
// A commit that is done ends its owner. All that it read was bumped to c before
// it was evaluated, so whoever locks one of those keys next and writes it goes
// above c (K2). A prewrite that is done leaves its locks to Resolve, as its
// intents. What was refused may be tried again by another attempt, under the
// same locks.
func (r *Replica) releaseLocks(w *write) {
	commits := w.commit != nil || w.prewrite != nil
	if !commits || r.lead != w.lead || !r.lead.locks.Has(w.owner().Age) {
		return
	}
	t := r.lead.locks
	switch {
	case w.done && w.commit != nil:
		r.wake(t.Release(w.owner(), w.baseTS))
	case !w.done:
		r.wake(t.Reopen(w.owner()))
	}
}

// tickLocks ends waiting that has lasted long enough, and asks about owners.
func (r *Replica) tickLocks() {
	l := r.lead
	l.locks.Advance(r.o.Newest.Load())
	if l.locks.Empty() {
		return
	}
	now := r.o.Env.Now()
	var late []*locks.Request
	for want := range l.locks.Waiting() {
		if now >= want.Caller.(*lockCall).until {
			late = append(late, want)
		}
	}
	for _, want := range late {
		r.timeOut(want)
	}
	if l.lockTicks++; l.lockTicks%lockOwnersTicks != 0 {
		return
	}
	for _, s := range l.locks.Sessions() {
		if id := txn.SessionID(s); !slices.Contains(r.eff.AskOwner, id) {
			r.eff.AskOwner = append(r.eff.AskOwner, id)
		}
	}
}

// countLocks is for Status; who does not lead has no locks.
func (r *Replica) countLocks() {
	held, waiting := 0, 0
	if r.lead != nil {
		held, waiting = r.lead.locks.Count()
	}
	r.locked.Store(int64(held))
	r.lockWaits.Store(int64(waiting))
}

// dropLocks answers those who wait for locks of a leadership that has ended.
func (r *Replica) dropLocks(l *leadership) {
	var calls []*lockCall
	for want := range l.locks.Waiting() {
		calls = append(calls, want.Caller.(*lockCall))
	}
	slices.SortFunc(calls, func(a, b *lockCall) int { return cmp.Compare(a.id, b.id) })
	for _, c := range calls {
		r.replyLock(c.id, shardrpc.Reply{Answer: shardrpc.Retry})
	}
}
