package member

import (
	"runtime"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/raftwire"
	"github.com/cairnkv/cairn/txn"
)

// worker owns replicas: it alone steps them.
type worker struct {
	m *Member
	// dirty are the replicas stepped in this pass, without duplicates.
	dirty   []*hosted
	replies []shard.Reply
	out     outgoing
	appends []appending

	mu struct {
		sync.Mutex
		inbox []item
		bytes int // of raft messages in inbox
		calls map[uint64]chan any
		next  uint64 // id of the next call
	}
	signal chan struct{} // of one place: there is something in the inbox
}

type item struct {
	to *hosted
	ev shard.Event // nil: only take the effects
}

func newWorker(m *Member) *worker {
	w := &worker{m: m, signal: make(chan struct{}, 1), out: make(outgoing)}
	w.mu.calls = make(map[uint64]chan any)
	return w
}

// post queues an event. What is posted is bounded by who posts: a call waits
// for its answer, an append is one a replica, ticks and wakes are one until the
// worker comes to it, and raft's messages are dropped behind too much else.
func (w *worker) post(to *hosted, ev shard.Event) {
	w.mu.Lock()
	w.mu.inbox = append(w.mu.inbox, item{to, ev})
	w.mu.Unlock()
	w.wake()
}

// postTick queues a tick unless the worker has not come to the last one: after
// a stall raft must not believe that all that time was silence.
func (w *worker) postTick(to *hosted) {
	if to.ticking.CompareAndSwap(false, true) {
		w.post(to, shard.Tick{})
	}
}

// postConfirm makes the replica look again, however many ask for that.
func (w *worker) postConfirm(to *hosted) {
	if to.waking.CompareAndSwap(false, true) {
		w.post(to, shard.Confirm{})
	}
}

// postMessage queues a raft message, or loses it.
func (w *worker) postMessage(to *hosted, m raftwire.Envelope) {
	size := m.SizeMax()
	w.mu.Lock()
	lose := len(w.mu.inbox) > callsMax/2 || w.mu.bytes+size > inboxBytesMax || w.m.ended()
	if !lose {
		w.mu.bytes += size
		w.mu.inbox = append(w.mu.inbox, item{to, shard.Message{Msg: m.Msg}})
	}
	w.mu.Unlock()
	if !lose {
		w.wake()
	}
}

// drain discards the stages that came too late, once run has ended.
func (w *worker) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.mu.inbox {
		if s, ok := i.ev.(shard.Snapshot); ok {
			s.Stage.Discard()
		}
	}
	w.mu.inbox = nil
}

func (w *worker) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// call queues a request and returns where its answer will come; false if too
// many are waiting.
func (w *worker) call(to *hosted, msg any) (<-chan any, bool) {
	answer := make(chan any, 1)
	w.mu.Lock()
	if len(w.mu.calls) >= callsMax {
		w.mu.Unlock()
		return nil, false
	}
	w.mu.next++
	id := w.mu.next
	w.mu.calls[id] = answer
	w.mu.inbox = append(w.mu.inbox, item{to, shard.Request{ID: id, Msg: msg}})
	w.mu.Unlock()
	w.wake()
	return answer, true
}

// run steps whatever has come, then carries out the effects, pass by pass:
// what comes meanwhile is the next pass.
func (w *worker) run() {
	var batch []item
	for {
		select {
		case <-w.signal:
		case <-w.m.stop:
			return
		case <-w.m.failed:
			return
		}
		// Whoever can run now may have something to post too: so passes get larger, and fewer.
		runtime.Gosched()
		w.mu.Lock()
		batch, w.mu.inbox, w.mu.bytes = w.mu.inbox, batch[:0], 0
		w.mu.Unlock()
		for i := range batch {
			w.step(batch[i].to, batch[i].ev)
		}
		clear(batch)
		w.finish()
	}
}

func (w *worker) step(to *hosted, ev shard.Event) {
	switch ev.(type) {
	case nil:
	case shard.Tick:
		to.ticking.Store(false)
	case shard.Confirm:
		to.waking.Store(false)
	}
	if ev != nil {
		to.Step(ev)
	}
	for _, d := range w.dirty {
		if d == to {
			return
		}
	}
	w.dirty = append(w.dirty, to)
}

// finish carries out the effects of a pass until none are left.
func (w *worker) finish() {
	for len(w.dirty) > 0 {
		h := w.dirty[0]
		e := h.Effects()
		if e.Empty() {
			w.dirty = w.dirty[1:]
			continue
		}
		w.carryOut(h, &e)
	}
	w.dirty = nil
	w.m.appender.put(w.appends)
	clear(w.appends)
	w.appends = w.appends[:0]
	w.m.peers.send(w.out)
	w.answer()
}

func (w *worker) carryOut(h *hosted, e *shard.Effects) {
	if e.Failed != nil {
		w.m.fail(e.Failed)
	}
	if e.Append != nil {
		w.appends = append(w.appends, appending{h, e.Append})
	}
	if e.Install != nil {
		w.m.install(h, e.Install)
	}
	for _, s := range e.Snapshots {
		w.m.moving.send(h, s)
	}
	w.out.add(h, e)
	w.replies = append(w.replies, e.Replies...)
	if e.AskOracle > 0 {
		w.m.oracle.ask(h, e.AskOracle)
	}
	for _, id := range e.AskOwner {
		h.Step(shard.OwnerSays{Txn: id, Owner: w.m.ownerOf(id)})
	}
}

// answer hands the replies of a pass to their callers.
func (w *worker) answer() {
	if len(w.replies) == 0 {
		return
	}
	w.mu.Lock()
	for _, r := range w.replies {
		if c, ok := w.mu.calls[r.ID]; ok {
			delete(w.mu.calls, r.ID)
			c <- r.Msg // has a place for it
		}
	}
	w.mu.Unlock()
	clear(w.replies)
	w.replies = w.replies[:0]
}

// ownerOf asks this process: the only gateway that a member with an embedded
// gateway knows. Of another's transactions it knows that they end with the
// lease of its session. A session as a whole is over when it has ended.
func (m *Member) ownerOf(id txn.ID) txn.Owner {
	owns := m.owner.Load()
	switch {
	case m.meta.Ended(id.Session()):
		return txn.OwnerGone
	case owns == nil, !m.meta.Alive(id.Session()), slices.Contains(m.meta.Leased(), id.Session()):
		return txn.OwnerUnknown
	case id == txn.SessionID(id.Session()), (*owns)(id):
		return txn.OwnerWorking
	}
	return txn.OwnerGone
}
