package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// fakeCluster is what three members with two shards say of themselves, and a transfer that works.
type fakeCluster struct {
	mu      sync.Mutex
	members []shardrpc.MemberStatus
	asked   [][2]uint64 // shard and member of the transfers
	polls   int
	// polled, if set, is called with each Status.
	polled func(c *fakeCluster)
	// transfer, if set, is what a transfer does instead of nothing.
	transfer func(c *fakeCluster, shard, to uint64) error
}

func newFakeCluster() *fakeCluster {
	c := &fakeCluster{}
	for id := uint64(1); id <= 3; id++ {
		m := shardrpc.MemberStatus{
			ClusterID: "c", MemberID: id, Address: "h:1", DataDir: "/d", DiskFree: 5, DiskTotal: 9, DiskUsed: 2,
		}
		for _, shard := range []shardrpc.ShardID{1, 2} {
			m.Shards = append(m.Shards, shardrpc.ShardStatus{
				Route: shardrpc.Route{Shard: shard}, Leader: id == 1, Serving: id == 1, LeaderID: 1,
				Voters: []uint64{3, 1, 2}, Term: 4, AppliedIndex: 100 - 10*id, LastIndex: 101 - id,
				Keys: int64(10 * id),
			})
		}
		c.members = append(c.members, m)
	}
	return c
}

// lead makes a member the leader of a shard, as all see it.
func (c *fakeCluster) lead(shard, member uint64, serving bool) {
	for i := range c.members {
		m := &c.members[i]
		for j := range m.Shards {
			if s := &m.Shards[j]; uint64(s.Shard) == shard {
				s.Leader, s.LeaderID, s.Term = m.MemberID == member, member, s.Term+1
				s.Serving = s.Leader && serving
			}
		}
	}
}

// fail makes a member not answer.
func (c *fakeCluster) fail(member uint64, why string) {
	old := &c.members[member-1]
	*old = shardrpc.MemberStatus{MemberID: member, Address: old.Address, Down: why}
}

func (c *fakeCluster) options(o *Options) {
	o.Status = func(context.Context) ([]shardrpc.MemberStatus, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.polls++
		if c.polled != nil {
			c.polled(c)
		}
		members := slices.Clone(c.members)
		for i := range members {
			members[i].Shards = slices.Clone(members[i].Shards)
		}
		return members, nil
	}
	o.Transfer = func(_ context.Context, shard, to uint64) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked = append(c.asked, [2]uint64{shard, to})
		if c.transfer != nil {
			return c.transfer(c, shard, to)
		}
		return nil
	}
}

func TestStatusOfACluster(t *testing.T) {
	c := newFakeCluster()
	c.fail(3, "connection refused")
	f := start(t, c.options)
	s, err := f.g.statusOf(t.Context(), &cairnv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := []*cairnv1.ReplicaStatus{
		{Shard: 2, Member: 1, Leader: true, AppliedIndex: 90, LastIndex: 100, Lag: 10},
		{Shard: 2, Member: 2, AppliedIndex: 80, LastIndex: 99, Lag: 20},
		{Shard: 2, Member: 3, Lag: -1},
	}
	sh := s.Shards[1]
	for i, r := range sh.Replicas {
		if len(sh.Replicas) != len(want) || !proto.Equal(r, want[i]) {
			t.Errorf("replicas %v", sh.Replicas)
		}
	}
	if sh.LeaderId != 1 || sh.Term != 4 || !sh.Leader || !slices.Equal(sh.Voters, []uint64{1, 2, 3}) {
		t.Errorf("shard %v", sh)
	}
	m := s.Members[0]
	if m.Id != 1 || m.Address != "h:1" || m.Down != "" || m.DiskTotalBytes != 9 || m.DiskUsedBytes != 2 ||
		m.Leaderships != 2 || len(m.Replicas) != 2 || m.Replicas[0].Shard != 1 {
		t.Errorf("member %v", m)
	}
	if d := s.Members[2]; d.Id != 3 || d.Address != "h:1" || d.Down != "connection refused" || len(d.Replicas) > 0 {
		t.Errorf("the one that is down: %v", d)
	}
}

// Without a leader the longest log is what the others lag behind; and the member that data_dir
// speaks of is one that answers.
func TestStatusWithoutALeader(t *testing.T) {
	c := newFakeCluster()
	c.fail(1, "timeout")
	f := start(t, c.options)
	s, err := f.g.statusOf(t.Context(), &cairnv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sh := s.Shards[1]
	if s.MemberId != 2 || s.ClusterId != "c" || s.DataDir != "/d" {
		t.Errorf("got %v", s)
	}
	if sh.Leader || sh.LeaderId != 1 || len(sh.Replicas) != 3 || sh.Replicas[0].Lag != -1 ||
		sh.Replicas[1].Lag != 19 || sh.Replicas[2].Lag != 29 || s.Members[0].Leaderships != 0 {
		t.Errorf("shard %v", sh)
	}
}

// A deposed leader may not know it yet.
func TestStatusBelievesTheLaterTerm(t *testing.T) {
	c := newFakeCluster()
	c.lead(2, 2, true)
	old := &c.members[0].Shards[1]
	old.Leader, old.Serving, old.LeaderID, old.Term = true, true, 1, 4
	f := start(t, c.options)
	s, err := f.g.statusOf(t.Context(), &cairnv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if sh := s.Shards[1]; sh.LeaderId != 2 || sh.Keys != 20 || s.Members[1].Leaderships != 1 {
		t.Errorf("shard %v, members %v", sh, s.Members)
	}
}

func TestTransferLeader(t *testing.T) {
	t.Run("to a member", func(t *testing.T) {
		c := newFakeCluster()
		// It leads at the second look, and serves at the fourth.
		c.polled = func(c *fakeCluster) {
			if len(c.asked) > 0 && c.polls >= 2 {
				c.lead(2, 3, c.polls >= 4)
			}
		}
		f := start(t, c.options)
		for name, opts := range map[string][]connect.ClientOption{
			"connect": nil, "grpc": {connect.WithGRPC()}, "json": {connect.WithProtoJSON()},
		} {
			client := cairnv1connect.NewClusterServiceClient(f.h2, f.url, opts...)
			resp, err := client.TransferLeader(t.Context(),
				connect.NewRequest(&cairnv1.TransferLeaderRequest{Shard: 2, ToMember: 3}))
			if err != nil || resp.Msg.LeaderId != 3 {
				t.Errorf("%s: %v %v", name, resp, err)
			}
		}
		if c.polls < 4 || !slices.Equal(c.asked, [][2]uint64{{2, 3}}) {
			t.Errorf("%d looks, transfers %v: one that leads already is not asked again", c.polls, c.asked)
		}
	})
	t.Run("to whoever is furthest", func(t *testing.T) {
		c := newFakeCluster()
		c.transfer = func(c *fakeCluster, shard, _ uint64) error {
			c.lead(shard, 2, true)
			return nil
		}
		f := start(t, c.options)
		resp, err := f.g.transferLeader(t.Context(), &cairnv1.TransferLeaderRequest{Shard: 1})
		if err != nil || resp.LeaderId != 2 || !slices.Equal(c.asked, [][2]uint64{{1, 0}}) {
			t.Errorf("%v %v, transfers %v", resp, err, c.asked)
		}
	})
}

func TestTransferLeaderRefused(t *testing.T) {
	for _, tc := range []struct {
		name      string
		shard, to uint64
		change    func(*fakeCluster)
		kind      txn.ErrorKind
		reason    string
		message   string
	}{
		{"shard", 7, 1, nil, txn.Invalid, "shard_unknown", "no shard 7, but [1 2]"},
		{"member", 1, 9, nil, txn.Invalid, "member_unknown", "no member 9, but [1 2 3]"},
		{"down", 1, 3, func(c *fakeCluster) { c.fail(3, "refused") }, txn.Unavailable, "member_down", "refused"},
		{"all down", 1, 3, func(c *fakeCluster) {
			for id := range uint64(3) {
				c.fail(id+1, "refused")
			}
		}, txn.Unavailable, "no_member", "none of the 3"},
		{"learner", 1, 3, func(c *fakeCluster) {
			for i := range c.members {
				c.members[i].Shards[0].Voters, c.members[i].Shards[0].Learners = []uint64{1, 2}, []uint64{3}
			}
		}, txn.Invalid, "member_not_voter", "no voting copy of shard 1"},
		{"alone", 1, 0, func(c *fakeCluster) {
			c.members[0].Shards[0].Voters = []uint64{1}
		}, txn.Invalid, "single_member", "on member 1"},
		{"by the shard", 1, 2, func(c *fakeCluster) {
			c.transfer = func(*fakeCluster, uint64, uint64) error {
				return txn.Errorf(txn.Unavailable, "no_leader", "no leader")
			}
		}, txn.Unavailable, "no_leader", "no leader"},
	} {
		c := newFakeCluster()
		if tc.change != nil {
			tc.change(c)
		}
		f := start(t, c.options)
		_, err := f.g.transferLeader(t.Context(), &cairnv1.TransferLeaderRequest{Shard: tc.shard, ToMember: tc.to})
		e, ok := errors.AsType[*txn.Error](err)
		if !ok || e.Kind != tc.kind || e.Reason != tc.reason || !strings.Contains(e.Error(), tc.message) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if called := len(c.asked) > 0; called != (c.transfer != nil) {
			t.Errorf("%s: transfers %v", tc.name, c.asked)
		}
	}
	f := start(t, func(o *Options) {
		newFakeCluster().options(o)
		o.Transfer = nil
	})
	reply := f.g.answer(t.Context(), &cairnv1.Call{Method: cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER})
	if d := reply.GetError().GetDetail(); d.GetReason() != "single_member" || d.GetNext() == "" {
		t.Errorf("embedded: %v", reply)
	}
}

func TestTransferLeaderTakesTooLong(t *testing.T) {
	c := newFakeCluster()
	f := start(t, c.options)
	c.mu.Lock()
	c.polled = func(c *fakeCluster) {
		if c.polls == 3 { // the fourth look would be too late
			f.env.skew.Add(int64(transferMax))
		}
	}
	c.mu.Unlock()
	_, err := f.g.transferLeader(t.Context(), &cairnv1.TransferLeaderRequest{Shard: 2, ToMember: 3})
	e, ok := errors.AsType[*txn.Error](err)
	if !ok || e.Kind != txn.Unavailable || e.Reason != "leader_not_moved" || e.Next == "" || c.polls != 3 {
		t.Errorf("%v after %d looks", err, c.polls)
	}
}

func TestTransferLeaderAbandoned(t *testing.T) {
	c := newFakeCluster()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c.polled = func(c *fakeCluster) {
		if c.polls == 2 {
			cancel()
		}
	}
	f := start(t, c.options)
	_, err := f.g.transferLeader(ctx, &cairnv1.TransferLeaderRequest{Shard: 2, ToMember: 3})
	if txn.KindOf(err) != txn.Unknown {
		t.Errorf("it may still happen, but: %v", err)
	}
}
