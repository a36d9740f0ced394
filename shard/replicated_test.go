package shard

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

var metaTarget = shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}

func TestGroupElectsAndFailsOver(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	first := g.leader(30)
	g.mustPropose(first, 10)
	first.crash()
	died := g.now
	second := g.leader(40)
	if took := g.now - died; took > time.Second {
		t.Errorf("the next leader serves after %v", took)
	}
	g.mustPropose(second, 10)
	first.start()
	g.tick(20)
	g.same()
	if got := first.meta.LastSession(); got != 20 {
		t.Errorf("%d sessions, want 20", got)
	}
}

// A follower that lacks what the log has lost gets a snapshot; one that lacks less gets entries.
func TestGroupCatchUp(t *testing.T) {
	data := shardrpc.Route{Shard: 2, Epoch: 1}
	metas := shardrpc.Route{Shard: shardrpc.MetaShard, Epoch: 1}
	for _, c := range []struct {
		name      string
		route     shardrpc.Route
		keep      int64
		snapshots bool
	}{
		{"log", metas, 1 << 20, false}, {"snapshot", metas, 1, true},
		// When the snapshot comes the follower has left for later what its own log has.
		{"data, log", data, 1 << 20, false}, {"data, snapshot", data, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGroupOf(t, c.route, 1, 2, 3)
			g.keep = c.keep
			for _, id := range g.order {
				g.members[id].crash()
				g.members[id].start()
			}
			lead := g.leader(30)
			late := g.members[lead.id%3+1]
			g.mustPropose(lead, 3)
			late.crash()
			for range 10 {
				g.mustPropose(lead, 20)
				for _, m := range g.members { // order: each on its own
					if !m.down {
						m.r.Step(Durable{Index: m.r.mu.state.AppliedIndex})
					}
				}
				g.tick(1)
			}
			late.start()
			g.tick(30)
			g.same()
			if sent := g.sentTo[late.id] > 0; sent != c.snapshots {
				t.Errorf("%d snapshots", g.sentTo[late.id])
			}
			late.crash() // what a snapshot brought is durable
			late.start()
			g.tick(30)
			g.same()
		})
	}
}

func TestGroupReplacesMember(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	old := g.leader(30)
	g.mustPropose(old, 50)
	old.crash()
	lead := g.leader(40)
	replace := func(id, of, by uint64) shardrpc.Answer {
		lead.r.Step(Request{ID: id, Msg: &shardrpc.ReplaceRequest{Target: metaTarget,
			Old: of, New: by, Nonce: 44, Address: "m4"}})
		g.tick(1)
		return lead.replies[id].(*shardrpc.ReplaceResponse).Answer
	}
	if a := replace(1, old.id, 4); a != shardrpc.OK {
		t.Fatalf("the replacement is answered by %v", a)
	}
	g.add(4, nil)
	g.wanted = nil
	for _, m := range lead.meta.Members() {
		g.wanted = append(g.wanted, m.ID)
	}
	g.tick(60)
	g.same()
	if g.joint == 0 {
		t.Error("the change of voters had no two sets")
	}
	lead = g.leader(1)
	if got := lead.r.Status().Voters; !slices.Equal(got, g.wanted) {
		t.Errorf("the voters are %v, want %v", got, g.wanted)
	}
	if a := replace(2, g.wanted[0], old.id); a != shardrpc.Refused {
		t.Errorf("an id is given out twice: %v", a)
	}
	if a := replace(3, old.id, 4); a != shardrpc.OK {
		t.Errorf("the same replacement again is answered by %v", a)
	}
	for _, id := range g.wanted { // the new one's vote counts
		if id != 4 && id != lead.id {
			g.members[id].crash()
		}
	}
	g.tick(30)
	g.mustPropose(g.leader(30), 10)
}

// After one member after another was replaced all lose power. Those who are left need no votes of
// those who are lost to find out that they do not need them.
func TestGroupRemembersItsMembers(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	for i := range uint64(2) {
		old, by := (lead.id+i)%3+1, 4+i
		g.members[old].crash()
		g.add(by, nil)
		lead.r.Step(Request{ID: by, Msg: &shardrpc.ReplaceRequest{Target: metaTarget,
			Old: old, New: by, Nonce: by, Address: "m"}})
		g.settle()
		g.wanted = nil
		for _, m := range lead.meta.Members() {
			g.wanted = append(g.wanted, m.ID)
		}
		g.tick(60)
		g.same()
		if got := lead.r.Status().Voters; !slices.Equal(got, g.wanted) {
			t.Fatalf("the voters are %v, want %v", got, g.wanted)
		}
	}
	for _, id := range g.wanted {
		g.members[id].crash()
	}
	for _, id := range g.wanted {
		g.members[id].start()
	}
	g.mustPropose(g.leader(60), 1)
}

func TestGroupTransfersLeadership(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.mustPropose(lead, 3)
	g.tick(3)
	began := g.now
	lead.r.Step(Transfer{})
	g.settle()
	if _, ok := lead.r.IssueNow(1); ok {
		t.Error("timestamps by a lease while somebody is made leader")
	}
	next := g.leader(5)
	if next == lead || g.now-began > 2*tickTime {
		t.Errorf("member %d leads after %v", next.id, g.now-began)
	}
	g.mustPropose(next, 3)
}

// Leaderships are gathered by whoever keeps up, and by nobody else.
func TestGroupGathers(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	late := g.members[lead.id%3+1]
	late.crash()
	g.mustPropose(lead, gatherLag+1)
	late.start()
	lead.r.Step(Gather{To: late.id}) // was not heard of
	g.tick(30)
	if got := g.leader(5); got != lead {
		t.Fatalf("member %d leads, which was away", got.id)
	}
	lead.r.Step(Gather{To: late.id})
	if g.settle(); g.leader(5) != late {
		t.Error("a member that has caught up does not lead")
	}
}

// What is written while a snapshot travels is kept, or another one follows, and so on.
func TestGroupSnapshotUnderLoad(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	g.keep = 2 << 10
	for _, id := range g.order {
		g.members[id].crash()
		g.members[id].start()
	}
	lead := g.leader(30)
	late := g.members[lead.id%3+1]
	late.crash()
	work := func(n int) {
		g.mustPropose(lead, n)
		for _, m := range g.members { // order: each on its own
			if !m.down {
				m.r.Step(Durable{Index: m.r.mu.state.AppliedIndex})
			}
		}
		g.tick(1)
	}
	forgotten := int(installMax/tickTime) + 2 // ticks
	for range forgotten {
		work(3)
	}
	late.start()
	g.slow = 4
	for range 40 {
		work(40) // more than keep within 4 ticks
	}
	if lag := lead.r.mu.state.AppliedIndex - late.r.mu.state.AppliedIndex; lag > 80 || g.sentTo[late.id] != 1 {
		t.Errorf("after %d snapshots it lags by %d", g.sentTo[late.id], lag)
	}
	late.crash() // nobody waits for it for ever
	for range forgotten {
		work(3)
	}
	if kept := lead.r.log.last - lead.r.log.first; kept > 1000 {
		t.Errorf("%d entries are kept for a member that is away", kept)
	}
}

// A change of voters ends although raft's own attempt to end it was dropped, and nobody writes.
func TestGroupJointEnds(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.mustPropose(lead, 3)
	g.tick(3)
	out := g.members[lead.id%3+1]
	out.crash() // it will not take the leadership
	if err := lead.r.rn.ProposeConfChange(&raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{
		change(raftpb.ConfChangeAddLearnerNode, 9), change(raftpb.ConfChangeRemoveNode, out.id),
	}}); err != nil {
		t.Fatal(err)
	}
	lead.r.Step(Transfer{To: out.id}) // drops proposals while it lasts
	g.settle()
	if len(lead.r.log.conf.VotersOutgoing) == 0 {
		t.Fatal("the change was over at once")
	}
	g.tick(5 * steerTicks)
	if conf := lead.r.log.conf; len(conf.VotersOutgoing) > 0 {
		t.Errorf("the group stays between two sets of voters: %v", conf)
	}
}

// Raft lets a follower pass on a transfer to the leader, which would go through with it and keep
// its lease (R4; seed 19867 of the simulator). Nobody sends that, and nobody takes it.
func TestTransferIsNotPassedOn(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	term := lead.r.Status().Term
	message := func(kind raftpb.MessageType, term, from uint64) Message {
		return Message{&raftpb.Message{Type: &kind, To: &lead.id, From: &from, Term: &term}}
	}
	var others []uint64
	for _, id := range g.order {
		if id != lead.id {
			others = append(others, id)
		}
	}
	lead.r.Step(message(raftpb.MsgTransferLeader, term, others[0]))
	g.tick(3)
	lead.r.lease.wanted = true
	g.settle()
	if _, ok := lead.r.IssueNow(1); !ok || !lead.r.Status().Serving {
		t.Error("a leader took what a follower passed on")
	}

	lead.r.Step(message(raftpb.MsgHeartbeat, term+1, others[0])) // it leads no more
	lead.r.Step(Transfer{To: others[1]})
	for lead.pass() {
	}
	for _, ev := range g.members[others[0]].inbox {
		if m, ok := ev.(Message); ok && m.Msg.GetType() == raftpb.MsgTransferLeader {
			t.Errorf("a transfer was passed on: %v", m.Msg)
		}
	}
}

// A leader that is cut off answers nothing after its lease, and nobody else serves before (I8).
func TestGroupLeaseEnds(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	lead.r.lease.wanted = true
	g.settle()
	if _, ok := lead.r.IssueNow(1); !ok {
		t.Fatal("no lease after a round")
	}
	g.cut = func(from, to uint64) bool { return from == lead.id || to == lead.id }
	var ended, next time.Duration
	for began := g.now; next == 0; g.tick(1) {
		if _, ok := lead.r.IssueNow(1); ok {
			ended = g.now - began
		}
		for _, m := range g.members { // order: at most one
			if m != lead && m.r.Status().Serving {
				next = g.now - began
			}
		}
	}
	if ended == 0 || ended >= LeaseDefault || next <= ended || next > time.Second {
		t.Errorf("the lease ended after %v, the next leader served after %v", ended, next)
	}
}

// A leader that has offered its leadership to somebody has no lease any more: the offer may arrive at
// any time, and whoever takes it is elected beside the gates (R4).
func TestTransferEndsLease(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	lead.r.lease.wanted = true
	g.settle()
	if _, ok := lead.r.IssueNow(1); !ok {
		t.Fatal("no lease after a round")
	}
	g.cut = func(from, to uint64) bool { return from == lead.id || to == lead.id }
	lead.r.Step(Transfer{To: lead.id%3 + 1})
	if _, ok := lead.r.IssueNow(1); ok {
		t.Error("a lease beside an offer")
	}
}

// A claim of a leader that has lost touch waits for a round, and proves nothing without one (L4).
func TestGroupClaimWaits(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.tick(20)
	g.cut = func(from, to uint64) bool { return from == lead.id || to == lead.id }
	lead.r.Step(Request{ID: 7, Msg: &shardrpc.RenewRequest{Target: metaTarget, Session: 99}})
	g.settle()
	if got := lead.replies[7]; got != nil {
		t.Fatalf("answered %+v without a word of the others", got)
	}
	g.tick(30)
	if got := lead.replies[7].(*shardrpc.RenewResponse); got.Answer != shardrpc.Retry {
		t.Errorf("a deposed leader answers %v", got.Answer)
	}
}

func TestGateHoldsVotes(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.tick(3)
	follower := g.members[lead.id%3+1]
	other := 6 - lead.id - follower.id
	kind, term, index := raftpb.MsgPreVote, follower.r.rn.BasicStatus().GetTerm()+1, uint64(1000)
	vote := &raftpb.Message{Type: &kind, From: &other, To: &follower.id, Term: &term,
		LogTerm: &term, Index: &index}
	follower.r.Step(Message{vote})
	if e := follower.r.Effects(); len(e.Messages) != 0 || len(follower.r.gate.in) != 1 {
		t.Fatalf("%d messages, %d held", len(e.Messages), len(follower.r.gate.in))
	}
	g.now += LeaseDefault
	for range ElectionTicks {
		follower.r.rn.Tick()
	}
	follower.r.Step(Tick{})
	e := follower.r.Effects()
	if !slices.ContainsFunc(e.Messages, func(m *raftpb.Message) bool {
		return m.GetType() == raftpb.MsgPreVoteResp && m.GetTo() == other
	}) {
		t.Errorf("no answer to the vote after the gate opened: %v", e.Messages)
	}
}

// A log that has lost the end that it had acknowledged, as by a damaged disk: the leader counts on
// more than is there. That is an error that says what to do, where raft would panic.
func TestLostLog(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.mustPropose(lead, 3)
	other := g.members[g.order[0]]
	if other == lead {
		other = g.members[g.order[1]]
	}
	heartbeat := func(commit uint64) {
		kind, term := raftpb.MsgHeartbeat, lead.r.Status().Term
		other.r.Step(Message{&raftpb.Message{Type: &kind, To: &other.id, From: &lead.id, Term: &term,
			Commit: &commit}})
	}
	last := other.r.Status().LastIndex
	if heartbeat(last); other.r.eff.Failed != nil {
		t.Fatalf("an entry that is there: %v", other.r.eff.Failed)
	}
	heartbeat(last + 1)
	e, ok := errors.AsType[*txn.Error](other.r.eff.Failed)
	if !ok || e.Reason != "log_lost" || !strings.Contains(e.Next, "--replace") {
		t.Errorf("an entry that is lost: %v", other.r.eff.Failed)
	}
}
