package sim

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

const tickInterval = 40 * time.Millisecond

// member drives the replicas of one process, as package shard/member does
// with goroutines.
type member struct {
	p        *process
	state    *watched
	replicas []*replica // by shard
	full     atomic.Pointer[txn.Error]
	meta     *replica // nil: another member has it
	cluster  *meta.State
	appends  []waitingAppend
	writing  bool // a group of appends is on its way to the disk
	arrivals map[shardrpc.ShardID]*arrival
}

type waitingAppend struct {
	rep *replica
	a   *shard.Append
}

// now is shard.Options.Now.
func (m *member) now() (txn.Timestamp, bool) {
	if m.meta == nil {
		return 0, false
	}
	return m.meta.r.IssueNow(1)
}

// requestWindow is short, so that requests are pushed out of it in a world's short life.
const requestWindow = 4

// replica is a shard.Replica with what its driver remembers.
type replica struct {
	m        *member
	g        *group
	r        *shard.Replica
	requests map[uint64]request
	lastID   uint64
	draining bool // its effects will be taken soon
	waking   bool // it will be told to look for reads that wait
	applied  uint64
	last     uint64 // of the entries that it wrote to the log in this life
	owner    owner
}

// request is one that a replica has not answered.
type request struct {
	msg    any
	answer func(any)
}

func startMember(p *process) error {
	n := p.node
	m := &member{p: p, arrivals: map[shardrpc.ShardID]*arrival{}}
	m.state = &watched{Mem: n.state, m: m}
	p.member = m
	points := locks.NewTSCache(p.w.plan.cacheSlots)
	newest := new(shard.Newest)
	versions := mvcc.NewVersionCache(0)
	for _, g := range n.hosts {
		rep := &replica{m: m, g: g, requests: map[uint64]request{}}
		o := shard.Options{Member: n.member, Route: g.route, State: m.state, Log: n.log,
			Points: points, Newest: newest, Env: p, Full: &m.full, Versions: versions,
			Now:  m.now,
			Wake: rep.wake, Quorum: p.w.plan.quorum,
			Retention:     p.w.plan.retention,
			RequestWindow: requestWindow,
			TruncateBytes: p.w.plan.truncate, KeepBytes: p.w.plan.keep}
		if p.w.plan.grouped {
			o.Wanted = m.wanted
		}
		if g.route.Shard == shardrpc.MetaShard {
			state, err := meta.Load(n.state)
			if err != nil {
				return err
			}
			m.meta, m.cluster, o.Meta = rep, state, state
		}
		if err := rep.reload(); err != nil {
			return err
		}
		r, err := shard.New(o)
		if err != nil {
			return err
		}
		rep.r = r
		m.replicas = append(m.replicas, rep)
		rep.drainSoon()
		rep.tickLater(p.w.between(0, tickInterval))
	}
	m.flushLater()
	return nil
}

// close is the orderly end of a member whose tasks have ended.
func (m *member) close() {
	for _, rep := range m.replicas {
		rep.r.Close()
	}
	for _, eng := range []*mvcc.Mem{m.p.node.state, m.p.node.log} {
		if err := eng.Flush(); err != nil {
			m.p.w.violate("%s does not close: %w", m.p.name, err)
		}
	}
}

func (m *member) replica(id shardrpc.ShardID) *replica {
	for _, rep := range m.replicas {
		if rep.g.route.Shard == id {
			return rep
		}
	}
	return nil
}

func (rep *replica) step(ev shard.Event) {
	rep.own(func() {
		if rep.beforeStep(ev) {
			rep.r.Step(ev)
			rep.drainSoon()
		}
	})
}

// drainSoon lets several steps share their effects, or not.
func (rep *replica) drainSoon() {
	if rep.draining {
		return
	}
	rep.draining = true
	w := rep.m.p.w
	delay := time.Duration(0)
	if w.oneIn(3) {
		delay = w.between(0, w.plan.drainMax)
	}
	w.on(rep.m.p, delay, "drain", rep.drain)
}

func (rep *replica) drain() {
	rep.draining = false
	rep.own(rep.carryOut)
}

// carryOut does what the replica wants done.
func (rep *replica) carryOut() {
	w := rep.m.p.w
	e := rep.r.Effects()
	if e.Failed != nil {
		rep.failed(e.Failed)
		return
	}
	if !rep.beforeEffects(&e) {
		return
	}
	rep.send(e.Messages)
	if e.Append != nil {
		if n := len(e.Append.Entries); n > 0 {
			rep.last = e.Append.Entries[n-1].GetIndex()
		}
		if w.rounds != nil {
			w.rounds.propose(rep, e.Append)
		}
		rep.m.appends = append(rep.m.appends, waitingAppend{rep, e.Append})
		rep.m.writeNext()
	}
	if e.Install != nil {
		rep.install(e.Install)
	}
	for i := range e.Snapshots {
		rep.sendSnapshot(&e.Snapshots[i])
	}
	for _, r := range e.Replies {
		asked := rep.requests[r.ID]
		delete(rep.requests, r.ID)
		w.sawRefusal(r.Msg)
		asked.answer(r.Msg)
	}
	if e.AskOracle > 0 {
		rep.askOracle(e.AskOracle)
	}
	for _, id := range e.AskOwner {
		rep.askOwner(id)
	}
}

func (rep *replica) tickLater(delay time.Duration) {
	rep.m.p.after(delay, "tick", func() {
		rep.step(shard.Tick{})
		if rep == rep.m.meta {
			rep.step(shard.ExtendOracle{})
		}
		rep.tickLater(tickInterval)
	})
}

// writeNext appends what all replicas want appended, then syncs once, then
// tells them.
func (m *member) writeNext() {
	if m.writing || len(m.appends) == 0 {
		return
	}
	m.writing = true
	group := m.appends
	m.appends = nil
	w, log := m.p.w, m.p.node.log
	b := log.NewBatch()
	sync := false
	for i, g := range group {
		g.a.WriteTo(b)
		sync = sync || g.a.Sync
		if last := i == len(group)-1; last || w.oneIn(2) { // a crash may part them
			if err := b.Commit(false); err != nil {
				w.violate("the log of %s: %w", m.p.name, err)
			}
			b.Close()
			b = log.NewBatch()
		}
	}
	b.Close()
	took := w.between(0, 50*time.Microsecond)
	if sync {
		took = m.p.node.syncTime()
	}
	// The disk works on while the process is paused.
	w.on(nil, took, "synced", func() {
		if !m.p.alive {
			return
		}
		if sync {
			if err := log.Flush(); err != nil {
				w.violate("the log of %s: %w", m.p.name, err)
			}
		}
		w.on(m.p, 0, "appended", func() { m.appended(group) })
	})
}

func (m *member) appended(group []waitingAppend) {
	m.writing = false
	for _, g := range group {
		g.rep.step(shard.Appended{})
	}
	m.writeNext()
}

// flushLater lets the state engine reach the disk now and then, and tells the
// replicas how much of them did.
func (m *member) flushLater() {
	w := m.p.w
	w.on(m.p, w.between(10*time.Millisecond, 300*time.Millisecond), "flush", func() {
		state := m.p.node.state
		if w.hit(w.plan.flush) {
			if err := state.Flush(); err != nil {
				w.violate("the state of %s: %w", m.p.name, err)
			}
		}
		for _, rep := range m.replicas {
			rep.tellDurable(state)
		}
		m.flushLater()
	})
}

func (rep *replica) tellDurable(state mvcc.Engine) {
	w, id := rep.m.p.w, rep.g.route.Shard
	s, ok, err := mvcc.GetShardState(state, uint64(id), true)
	if err != nil || !ok {
		w.violate("shard %d has no durable state: %w", id, err)
		return
	}
	before := rep.r.LogBytes()
	rep.step(shard.Durable{Index: s.AppliedIndex})
	if rep.r.LogBytes() < before {
		w.saw("log truncated")
	}
}

// request hands a request to a replica; answer is called at most once.
func (m *member) request(id shardrpc.ShardID, msg any, answer func(any)) {
	rep := m.replica(id)
	rep.lastID++
	rep.requests[rep.lastID] = request{msg, answer}
	rep.step(shard.Request{ID: rep.lastID, Msg: msg})
}

// read and validate run on a task of the caller.
func (m *member) read(ctx context.Context, msg *shardrpc.ReadRequest) (
	*shardrpc.ReadResponse, error,
) {
	rep := m.replica(msg.Shard)
	resp, err := rep.r.Read(ctx, msg)
	if err == nil && !resp.Retry {
		rep.answers()
	}
	return resp, err
}

func (m *member) validate(ctx context.Context, msg *shardrpc.ValidateRequest) (
	*shardrpc.Reply, error,
) {
	rep := m.replica(msg.Shard)
	resp, err := rep.r.Validate(ctx, msg)
	if err == nil && resp.Answer != shardrpc.Retry {
		rep.answers()
	}
	return resp, err
}

// alive answers whether a session is open, as far as this member knows.
func (m *member) alive(session uint32) txn.Owner {
	switch {
	case m.meta == nil || !m.meta.r.Status().Serving:
		return txn.OwnerUnknown
	case m.cluster.Alive(session):
		return txn.OwnerWorking
	case m.cluster.Ended(session):
		return txn.OwnerGone
	default:
		return txn.OwnerUnknown // it is newer than what this member knows
	}
}

// sawRefusal counts what requests are refused for.
func (w *world) sawRefusal(msg any) {
	var r *shardrpc.Reply
	switch m := msg.(type) {
	case *shardrpc.CommitResponse:
		r = &m.Reply
	case *shardrpc.PrewriteResponse:
		r = &m.Reply
	case *shardrpc.LockResponse:
		if m.Answer == shardrpc.Refused {
			w.saw("lock refused: " + m.Reason)
		}
		return
	default:
		return
	}
	if r.Answer == shardrpc.Refused {
		w.saw("refused: " + r.Reason)
	}
}
