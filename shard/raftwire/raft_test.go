package raftwire

import (
	"io"
	"log"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// trio is three replicas of one group that hear each other through this package alone.
type trio struct {
	t      *testing.T
	nodes  map[uint64]*raft.RawNode
	stores map[uint64]*raft.MemoryStorage
	deaf   uint64 // gets nothing
	told   map[raftpb.MessageType]bool
	got    map[uint64][]string // what each has applied
}

func newTrio(t *testing.T) *trio {
	g := &trio{
		t: t, nodes: make(map[uint64]*raft.RawNode), stores: make(map[uint64]*raft.MemoryStorage),
		told: make(map[raftpb.MessageType]bool), got: make(map[uint64][]string),
	}
	for id := uint64(1); id <= 3; id++ {
		store := raft.NewMemoryStorage()
		start := &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}}, Index: new(uint64(1)), Term: new(uint64(1)),
		}}
		if err := store.ApplySnapshot(start); err != nil {
			t.Fatal(err)
		}
		n, err := raft.NewRawNode(&raft.Config{
			ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: store, MaxSizePerMsg: 1 << 20,
			MaxInflightMsgs: 16, PreVote: true, CheckQuorum: true, DisableProposalForwarding: true,
			Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
		})
		if err != nil {
			t.Fatal(err)
		}
		g.nodes[id], g.stores[id] = n, store
	}
	return g
}

// settle passes messages on until there are none.
func (g *trio) settle() {
	g.t.Helper()
	for busy := true; busy; {
		busy = false
		for id := uint64(1); id <= 3; id++ {
			if n := g.nodes[id]; n.HasReady() {
				busy = true
				rd := n.Ready()
				g.handle(id, &rd)
				n.Advance(rd)
			}
		}
	}
}

func (g *trio) handle(id uint64, rd *raft.Ready) {
	g.t.Helper()
	store := g.stores[id]
	if !raft.IsEmptyHardState(rd.HardState) {
		g.must(store.SetHardState(rd.HardState))
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		g.must(store.ApplySnapshot(rd.Snapshot))
		g.got[id] = append(g.got[id], "snapshot")
	}
	g.must(store.Append(rd.Entries))
	for _, e := range rd.CommittedEntries {
		if len(e.GetData()) > 0 {
			g.got[id] = append(g.got[id], string(e.GetData()))
		}
	}
	var batch []Envelope
	for _, m := range rd.Messages {
		g.told[m.GetType()] = true
		if m.GetType() != raftpb.MsgSnap {
			batch = append(batch, Envelope{Shard: 5, Msg: m})
			continue
		}
		got, err := DecodeMessage(AppendMessage(nil, m))
		g.must(err)
		g.step(got)
		g.nodes[id].ReportSnapshot(m.GetTo(), raft.SnapshotFinish)
	}
	got, err := Decode(Append(nil, batch))
	g.must(err)
	for _, e := range got {
		g.step(e.Msg)
	}
}

func (g *trio) step(m *raftpb.Message) {
	g.t.Helper()
	if m.GetTo() != g.deaf {
		g.must(g.nodes[m.GetTo()].Step(m))
	}
}

func (g *trio) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// Raft elects, replicates, reads, catches up by a snapshot and moves its leadership with what this
// package decodes.
func TestRaftUnderstands(t *testing.T) {
	g := newTrio(t)
	g.must(g.nodes[1].Campaign())
	g.settle()
	propose := func(data string) {
		g.must(g.nodes[1].Propose([]byte(data)))
		g.settle()
	}
	propose("a")
	g.deaf = 3
	propose("b")
	last, err := g.stores[1].LastIndex()
	g.must(err)
	conf := &raftpb.ConfState{Voters: []uint64{1, 2, 3}}
	_, err = g.stores[1].CreateSnapshot(last, conf, nil)
	g.must(err)
	g.must(g.stores[1].Compact(last))
	g.deaf = 0
	g.nodes[1].ReportUnreachable(3)
	g.nodes[1].Tick() // a heartbeat, and 3 is behind
	g.settle()
	propose("c")
	g.nodes[2].ReadIndex([]byte("r"))
	g.settle()
	g.nodes[1].TransferLeader(2)
	g.settle()
	if lead := g.nodes[3].BasicStatus().Lead; lead != 2 {
		t.Errorf("%d leads", lead)
	}
	for id, want := range [][]string{1: {"a", "b", "c"}, 2: {"a", "b", "c"}, 3: {"a", "snapshot", "c"}} {
		if !slices.Equal(g.got[uint64(id)], want) {
			t.Errorf("member %d applied %q, want %q", id, g.got[uint64(id)], want)
		}
	}
	for _, kind := range sent {
		if kind != raftpb.MsgTransferLeader && !g.told[kind] { // only a follower passes that on
			t.Errorf("nobody sent a %v", kind)
		}
	}
}
