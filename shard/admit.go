package shard

import (
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// write is a request that latches keys and may propose: a Commit, a Prewrite,
// a Decide or an Inquire. Exactly one of the four is set.
type write struct {
	id       uint64
	commit   *shardrpc.CommitRequest
	prewrite *shardrpc.PrewriteRequest
	decide   *shardrpc.DecideRequest
	inquire  *shardrpc.InquireRequest
	// decided, if set, is told instead of replying: the decide is our own (F7).
	decided func(shardrpc.DecideResponse)

	txn    txn.ID
	baseTS txn.Timestamp
	maxTS  txn.Timestamp
	reads  *txn.ReadSet
	latch  locks.Latch
	keys   []txn.Key // what it may write
	// request, if set, is remembered at anchor.
	request *txn.Request
	anchor  txn.Key

	lead        *leadership // that admitted it
	granted     bool
	command     *command      // in the log, or on the way there; nil: none
	c           txn.Timestamp // provisional commit timestamp; 0: unknown
	asked       bool          // a timestamp is on its way
	evaluations int
	passed      bool // locks are behind it: it commits
	done        bool // and has committed, or laid its intents
	stall       int  // ticks left to wait for another's intent; 0: not waiting
	blocker     *mvcc.Intent
}

// request admits a request or answers at once (L1, L2).
func (r *Replica) request(ev Request) {
	switch m := ev.Msg.(type) {
	case *shardrpc.CommitRequest:
		r.admit(newCommit(ev.ID, m), m.Target)
	case *shardrpc.PrewriteRequest:
		r.admit(newPrewrite(ev.ID, m), m.Target)
	case *shardrpc.DecideRequest:
		r.admit(newDecide(ev.ID, m), m.Target)
	case *shardrpc.ResolveRequest:
		r.resolve(ev.ID, m)
	case *shardrpc.QueryRequest:
		r.query(ev.ID, m)
	case *shardrpc.QueryIntentsRequest:
		r.queryIntents(ev.ID, m)
	case *shardrpc.StaleRequest:
		r.stale(ev.ID, m)
	case *shardrpc.LockRequest:
		r.lock(ev.ID, m)
	case *shardrpc.UnlockRequest:
		r.unlock(ev.ID, m)
	case *shardrpc.LocksRequest:
		r.showLocks(ev.ID, m)
	case *shardrpc.InquireRequest:
		r.admit(newInquiry(ev.ID, m), m.Target)
	case *shardrpc.EphemeralRequest:
		r.ephemeral(ev.ID, m)
	case *shardrpc.SessionRequest:
		r.openSession(ev.ID, m)
	case *shardrpc.RenewRequest:
		r.renew(ev.ID, m)
	case *shardrpc.FindSessionRequest:
		r.findSession(ev.ID, m)
	case *shardrpc.TransferRequest:
		r.requestTransfer(ev.ID, m)
	case *shardrpc.ReplaceRequest:
		r.replaceMember(ev.ID, m)
	default:
		r.requestKeyspace(ev)
	}
}

// requestKeyspace is request for those about keyspaces.
func (r *Replica) requestKeyspace(ev Request) {
	switch m := ev.Msg.(type) {
	case *shardrpc.KeyspacesRequest:
		r.keyspaces(ev.ID, m)
	case *shardrpc.ChangeKeyspaceRequest:
		r.changeKeyspace(ev.ID, m)
	case *shardrpc.DropRequest:
		r.drop(ev.ID, m)
	case *shardrpc.UsageRequest:
		r.usage(ev.ID, m)
	}
}

// rejects is what a request gets that cannot be looked at here and now.
func (r *Replica) rejects(
	t shardrpc.Target, keys []txn.Key, spans []txn.Span,
) (shardrpc.Answer, bool) {
	switch {
	case r.lead == nil || r.serving.Load() != r.lead.term:
		return shardrpc.Retry, true
	case t.Epoch != r.mu.state.Epoch || !inShard(r.o.Route.Span, keys, spans):
		return shardrpc.Moved, true
	}
	return 0, false
}

// admit queues w for its latches; the timestamp of a commit is fetched
// meanwhile (F3.2).
func (r *Replica) admit(w *write, t shardrpc.Target) {
	a, rejected := r.rejects(t, w.latch.Writes, w.latch.ReadSpans)
	if !rejected && !inShard(r.o.Route.Span, w.latch.Reads, nil) {
		a, rejected = shardrpc.Moved, true
	}
	if !rejected && len(r.lead.writes) >= writesMax {
		a, rejected = shardrpc.Retry, true
	}
	if rejected {
		r.answerWrite(w, shardrpc.Reply{Answer: a})
		return
	}
	r.o.Newest.Raise(w.baseTS)
	r.lead.writes[w] = struct{}{}
	w.lead, w.latch.Owner = r.lead, w
	if w.commit != nil {
		r.freshTS(w)
	}
	r.acquire(w)
}

// acquire queues w behind every earlier write that it conflicts with.
func (r *Replica) acquire(w *write) {
	r.mu.Lock()
	reads := w.latch.Reads
	if mutant.On(mutant.A12Latch) {
		w.latch.Reads = nil
	}
	granted := r.mu.latches.Acquire(&w.latch)
	w.latch.Reads = reads
	r.mu.Unlock()
	switch {
	case granted:
		r.lead.granted = append(r.lead.granted, w)
	case mutant.On(mutant.A3) && w.decide == nil:
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonIntent})
	}
}

// freshTS asks the oracle for w's commit timestamp. Until it is there no
// reader passes w's latches.
func (r *Replica) freshTS(w *write) {
	w.asked = true
	if w.c = 0; w.granted {
		r.mu.Lock()
		w.latch.ClearTS()
		r.mu.Unlock()
	}
	l := r.lead
	l.oracle = append(l.oracle, func(ts txn.Timestamp) {
		w.asked, w.c = false, ts
		if w.granted {
			r.evaluate(w)
		}
	})
}

// evaluateGranted evaluates those who have got their latches, and whoever gets
// latches by that: one after the other, since a hot key's queue may be long.
func (r *Replica) evaluateGranted() {
	for r.lead != nil && len(r.lead.granted) > 0 {
		granted := r.lead.granted
		r.lead.granted = nil
		for _, w := range granted {
			w.granted = true
			if !w.asked {
				r.evaluate(w)
			}
		}
	}
}

// release ends w, which has been answered.
func (r *Replica) release(w *write) {
	delete(w.lead.writes, w)
	r.releaseLocks(w)
	r.unlatch(w)
	if w.command != nil {
		r.answerProbes(w.txn)
	}
}

// unlatch lets w's latches go and wakes whoever waited for them.
func (r *Replica) unlatch(w *write) {
	if r.lead != w.lead {
		return // they went with the leadership
	}
	w.granted = false
	r.mu.Lock()
	next := r.mu.latches.Release(&w.latch)
	r.wakeReaders()
	r.mu.Unlock()
	for _, l := range next {
		r.lead.granted = append(r.lead.granted, l.Owner.(*write))
	}
}

// evaluate decides what w comes to. It runs again from the start whenever what
// w waited for has come: a timestamp, or the end of another's intent.
func (r *Replica) evaluate(w *write) {
	if r.lead != w.lead {
		return
	}
	switch {
	case w.decide != nil:
		r.evaluateDecide(w)
		return
	case w.inquire != nil:
		r.evaluateInquiry(w)
		return
	}
	if reason := r.admission(w); mutant.On(mutant.C4) && reason != "" {
		r.refuse(w, shardrpc.Reply{Reason: reason})
		return
	}
	done, err := r.alreadyDone(w)
	if err != nil || done {
		r.failIf(err)
		return
	}
	if r.refusesDropped(w) {
		return
	}
	if reason := r.admission(w); reason != "" {
		r.refuse(w, shardrpc.Reply{Reason: reason})
		return
	}
	if full := r.o.Full.Load(); full != nil && w.grows() {
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonInvalid, Err: full})
		return
	}
	if !r.passLocks(w) {
		return
	}
	way := r.inTheWay(w)
	if way.blocker != nil {
		r.wait(w, way.blocker)
		return
	}
	w.stall, w.blocker = 0, nil
	r.evaluateReads(w, way)
}

// admission is L3, read under the latch with one value of newest.
func (r *Replica) admission(w *write) (reason string) {
	newest := r.o.Newest.Load()
	switch {
	case r.lead.dead.Has(w.txn):
		return shardrpc.ReasonDead
	case w.baseTS <= r.lead.startTS && !mutant.On(mutant.L3Base),
		newest-w.baseTS > ageMax && !mutant.On(mutant.L3Age):
		return shardrpc.ReasonStale
	}
	return ""
}

// evaluateReads places w in time, validates what it read, and lets it write.
func (r *Replica) evaluateReads(w *write, way obstacles) {
	rd, err := r.versions(way.hidden)
	if err != nil {
		r.failIf(err)
		return
	}
	placed, err := r.place(w, rd)
	if err != nil || !placed {
		r.failIf(err)
		return
	}
	// The bump precedes the evaluation: a later write below c would undo
	// what is about to be concluded.
	r.bump(w)
	key, changed, err := changedSince(rd, w.reads, w.c)
	if mutant.On(mutant.M1) {
		rd.Reset(r.iter, nil)
	}
	switch {
	case err != nil:
		r.failIf(err)
	case changed:
		r.refuse(w, conflict(rd, key, w.c))
	case w.commit != nil:
		r.evaluateCommit(w, rd, way.resolves)
	default:
		r.evaluatePrewrite(w, rd, way.resolves)
	}
}

// place finds out whether w may commit at w.c; if not it asks for a later
// timestamp (now nobody can overtake: readers wait while c is unknown), or
// refuses when that would be too late for w.
func (r *Replica) place(w *write, rd *mvcc.Reader) (placed bool, err error) {
	r.mu.Lock()
	w.latch.SetTS(w.c) // before the cache is read: V3
	r.wakeReaders()
	r.mu.Unlock()
	if w.c > w.maxTS && !mutant.On(mutant.MaxTS) {
		r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonPushed})
		return false, nil
	}
	cache := r.cache.Load()
	for _, k := range w.keys {
		newest, err := rd.Newest(k)
		if err != nil {
			return false, err
		}
		if newest.TS < w.c && cache.Floor(k) <= w.c {
			continue
		}
		if w.evaluations++; w.evaluations > evaluationsMax {
			r.refuse(w, shardrpc.Reply{Reason: shardrpc.ReasonPushed, Key: k})
		} else {
			r.freshTS(w)
		}
		return false, nil
	}
	return true, nil
}

// bump records everything that w reads as read at c.
func (r *Replica) bump(w *write) {
	if mutant.On(mutant.K2) && r.lead.locks.Has(w.owner().Age) {
		return
	}
	cache := r.cache.Load()
	for _, k := range w.latch.Reads {
		cache.Bump(k, w.c)
	}
	for _, s := range w.latch.ReadSpans {
		cache.BumpSpan(s, w.c)
	}
}

// changedSince looks for a version that a transaction did not see where it
// read, and that is not above at.
func changedSince(
	rd *mvcc.Reader, reads *txn.ReadSet, at txn.Timestamp,
) (txn.Key, bool, error) {
	for i := range reads.Keys {
		s := &reads.Keys[i]
		v, err := rd.Get(s.Key, at)
		if err != nil || v.TS != s.TS {
			return s.Key, true, err
		}
	}
	for _, s := range reads.Spans {
		k, changed, err := rd.Changed(s.Span, s.At, at)
		if err != nil || changed {
			return k, true, err
		}
	}
	return nil, false, nil
}

// conflict is the refusal of whoever read key and did not see its version at at.
func conflict(rd *mvcc.Reader, key txn.Key, at txn.Timestamp) shardrpc.Reply {
	key = key.Clone() // it may be shared with rd
	rep := shardrpc.Reply{Answer: shardrpc.Refused, Reason: shardrpc.ReasonConflict, Key: key}
	if v, err := rd.Get(key, at); err == nil { // else somebody else will see why
		rep.Writer = v.Txn
	}
	return rep
}

// versions is a reader over the applied state, shared by all evaluations
// until something is applied.
func (r *Replica) versions(hidden []mvcc.Hidden) (*mvcc.Reader, error) {
	if r.iter == nil {
		it, err := r.openIter()
		if err != nil {
			return nil, err
		}
		r.iter = it
	}
	r.reader.Reset(r.iter, hidden)
	return r.reader, nil
}

func (r *Replica) dropIter() {
	if r.iter == nil {
		return
	}
	r.reader.Reset(nil, nil)
	if err := r.iter.Close(); err != nil {
		r.fail(err)
	}
	r.iter = nil
}

func (r *Replica) failIf(err error) {
	if err != nil {
		r.fail(err)
	}
}
