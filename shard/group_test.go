package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// group is a meta group of several members, or one of data, driven by one goroutine. Time passes by ticks.
type group struct {
	tb      testing.TB
	now     time.Duration
	rnd     *rand.Rand
	members map[uint64]*groupMember
	order   []uint64
	cut     func(from, to uint64) bool
	wanted  []uint64
	keep    int64          // Options.KeepBytes
	sentTo  map[uint64]int // snapshots
	joint   int            // passes between two sets of voters
	slow    int            // ticks that a snapshot travels
	due     []travelling
	route   shardrpc.Route
	oracle  txn.Timestamp // of a group of data, the last that was issued
}

// travelling is what arrives in so many ticks.
type travelling struct {
	ticks int
	land  func()
}

type groupMember struct {
	g          *group
	id         uint64
	down       bool
	state, log *mvcc.Mem
	meta       *meta.State
	r          *Replica
	replies    map[uint64]any
	inbox      []Event
}

// groupEnv is the clock of all members; nothing waits on it.
type groupEnv struct{ *group }

func (e groupEnv) Now() time.Duration                         { return e.now }
func (e groupEnv) Wall() int64                                { return 1_000_000 + e.now.Microseconds() }
func (e groupEnv) Rand() uint64                               { return e.rnd.Uint64() }
func (e groupEnv) Go(string, func())                          {}
func (e groupEnv) Sleep(context.Context, time.Duration) error { return env.ErrStopped }
func (e groupEnv) Point(string) error                         { return nil }

func (e groupEnv) Wait(context.Context, *env.Future, time.Duration) error { return env.ErrTimeout }

func newGroup(tb testing.TB, ids ...uint64) *group {
	return newGroupOf(tb, shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1}, ids...)
}

func newGroupOf(tb testing.TB, route shardrpc.Route, ids ...uint64) *group {
	g := &group{route: route, oracle: 1_000_000,
		tb: tb, rnd: rand.New(rand.NewPCG(1, 2)), members: map[uint64]*groupMember{},
		cut: func(uint64, uint64) bool { return false }, sentTo: map[uint64]int{}}
	for _, id := range ids {
		g.add(id, ids)
	}
	g.wanted = ids
	return g
}

func (g *group) add(id uint64, voters []uint64) {
	m := &groupMember{g: g, id: id,
		state: mvcc.OpenMem(mvcc.Compare), log: mvcc.OpenMem(mvcc.LogCompare)}
	b := m.state.NewBatch()
	if err := Bootstrap(b, g.route, voters); err != nil {
		g.tb.Fatal(err)
	}
	if len(voters) > 0 {
		var who []meta.Member
		for _, v := range voters {
			who = append(who, meta.Member{ID: v, Address: fmt.Sprint("m", v), Nonce: v})
		}
		if err := meta.PutMembers(b, who); err != nil {
			g.tb.Fatal(err)
		}
	}
	if err := b.Commit(true); err != nil {
		g.tb.Fatal(err)
	}
	g.members[id], g.order = m, append(g.order, id)
	m.start()
}

func (m *groupMember) start() {
	m.down, m.replies, m.inbox = false, map[uint64]any{}, nil
	var err error
	if m.meta, err = meta.Load(m.state); err != nil {
		m.g.tb.Fatal(err)
	}
	o := Options{Member: m.id, Route: m.g.route, State: m.state,
		Log: m.log, Points: locks.NewTSCache(16), Newest: new(Newest), Env: groupEnv{m.g}, Meta: m.meta,
		Versions: mvcc.NewVersionCache(0),
		Wanted:   func() []uint64 { return m.g.wanted }, TruncateBytes: 1 << 10, KeepBytes: m.g.keep}
	if m.g.route.Shard != shardrpc.MetaShard {
		o.Meta = nil
	}
	if m.r, err = New(o); err != nil {
		m.g.tb.Fatal(err)
	}
}

// crash ends a member; what was not synced is lost.
func (m *groupMember) crash() {
	m.r.Close()
	none := func(int) int { return 0 }
	m.state, m.log = m.state.Crash(none), m.log.Crash(none)
	m.down = true
}

// settle carries out effects until nothing moves.
func (g *group) settle() {
	for moved := true; moved; {
		moved = false
		for _, id := range g.order {
			if m := g.members[id]; !m.down {
				moved = m.pass() || moved
			}
		}
	}
}

func (m *groupMember) pass() bool {
	inbox := m.inbox
	m.inbox = nil
	for _, ev := range inbox {
		m.r.Step(ev)
	}
	e := m.r.Effects()
	if e.Failed != nil {
		m.g.tb.Fatalf("member %d: %v", m.id, e.Failed)
	}
	for _, id := range m.r.log.conf.VotersOutgoing { // they still count
		m.g.joint++
		if voters := m.r.Status().Voters; !slices.Contains(voters, id) {
			m.g.tb.Errorf("member %d shows the voters %v without %d", m.id, voters, id)
		}
	}
	for _, msg := range e.Messages {
		m.deliver(msg.GetTo(), Message{msg})
	}
	if e.Append != nil {
		b := m.log.NewBatch()
		e.Append.WriteTo(b)
		if err := b.Commit(true); err != nil {
			m.g.tb.Fatal(err)
		}
		m.inbox = append(m.inbox, Appended{})
	}
	if e.Install != nil {
		if err := e.Install.Commit(); err != nil {
			m.g.tb.Fatal(err)
		}
		m.r.Step(Tick{}) // the engine has it, and the replica has not heard of that
		m.inbox = append(m.inbox, Installed{})
	}
	for _, s := range e.Snapshots {
		m.sendSnapshot(s)
	}
	if n := e.AskOracle; n > 0 {
		first := m.g.oracle + 1
		m.g.oracle += txn.Timestamp(n)
		m.inbox = append(m.inbox, Timestamps{First: first, N: n})
	}
	for _, r := range e.Replies {
		m.replies[r.ID] = r.Msg
	}
	return len(inbox) > 0 || !e.Empty()
}

func (m *groupMember) deliver(to uint64, ev Event) bool {
	other := m.g.members[to]
	if other == nil || other.down || m.g.cut(m.id, to) {
		return false
	}
	other.inbox = append(other.inbox, ev)
	return true
}

func (m *groupMember) sendSnapshot(s SendSnapshot) {
	m.g.sentTo[s.To]++
	ok := false
	if to := m.g.members[s.To]; to != nil && !to.down && !m.g.cut(m.id, s.To) {
		stage, err := to.state.Stage(to.r.Bounds())
		for err == nil {
			var chunk []byte
			if chunk, err = s.Export.Next(64); err != nil || chunk == nil {
				break
			}
			err = stage.Add(chunk)
		}
		if err != nil {
			m.g.tb.Fatal(err)
		}
		if m.g.slow > 0 {
			m.g.due = append(m.g.due, travelling{m.g.slow, func() {
				m.inbox = append(m.inbox,
					SnapshotSent{s.To, m.deliver(s.To, Snapshot{Msg: s.Msg, Stage: stage})})
			}})
			_ = s.Export.Close()
			return
		}
		ok = m.deliver(s.To, Snapshot{Msg: s.Msg, Stage: stage})
	}
	if err := s.Export.Close(); err != nil {
		m.g.tb.Fatal(err)
	}
	m.inbox = append(m.inbox, SnapshotSent{s.To, ok})
}

func (g *group) tick(n int) {
	for range n {
		g.now += tickTime
		due := g.due
		g.due = nil
		for _, d := range due {
			if d.ticks--; d.ticks > 0 {
				g.due = append(g.due, d)
			} else {
				d.land()
			}
		}
		for _, id := range g.order {
			if m := g.members[id]; !m.down {
				m.r.Step(Tick{})
			}
		}
		g.settle()
	}
}

// leader is whoever serves; the test fails if nobody does within n ticks.
func (g *group) leader(n int) *groupMember {
	g.tb.Helper()
	for range n {
		for _, id := range g.order {
			if m := g.members[id]; !m.down && m.r.Status().Serving {
				return m
			}
		}
		g.tick(1)
	}
	g.tb.Fatalf("nobody serves after %d ticks", n)
	return nil
}

// propose opens a session, or commits a write: the smallest thing that goes through the log.
func (g *group) propose(m *groupMember) bool {
	id := uint64(len(m.replies)) + 1000
	if m.r.o.Meta == nil {
		return g.commit(m, id)
	}
	m.r.Step(Request{ID: id, Msg: &shardrpc.SessionRequest{Target: metaTarget, Address: "gw"}})
	g.settle()
	resp, ok := m.replies[id].(*shardrpc.SessionResponse)
	return ok && resp.Answer == shardrpc.OK
}

func (g *group) commit(m *groupMember, id uint64) bool {
	g.oracle++
	who := txn.NewID(1, id)
	m.r.Step(Request{ID: id, Msg: &shardrpc.CommitRequest{
		Target: shardrpc.Target{Shard: g.route.Shard, Epoch: g.route.Epoch}, Txn: who,
		Age: txn.Age{At: g.oracle, ID: who}, BaseTS: g.oracle, MaxTS: txn.Forever,
		Reads: txn.ReadSet{MaxTS: txn.Forever}, Program: setTo("k", []byte("v"))}})
	g.settle()
	resp, ok := m.replies[id].(*shardrpc.CommitResponse)
	return ok && resp.Answer == shardrpc.OK
}

func (g *group) mustPropose(m *groupMember, n int) {
	g.tb.Helper()
	for i := range n {
		if !g.propose(m) {
			g.tb.Fatalf("proposal %d of %d fails on member %d", i, n, m.id)
		}
	}
}

// same fails the test unless all wanted members are at the same point.
func (g *group) same() {
	g.tb.Helper()
	want := g.members[g.wanted[0]]
	for _, id := range g.wanted {
		m := g.members[id]
		if a, b := m.r.mu.state.AppliedIndex, want.r.mu.state.AppliedIndex; a != b {
			g.tb.Fatalf("member %d applied %d, member %d applied %d", m.id, a, want.id, b)
		}
		if a, b := m.meta.LastSession(), want.meta.LastSession(); a != b {
			g.tb.Fatalf("member %d knows session %d, member %d knows %d", m.id, a, want.id, b)
		}
	}
}
