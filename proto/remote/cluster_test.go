package remote

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// TestLeaderIsFound: a client that knows one member finds the leader in one call,
// and asks nobody else afterwards.
func TestLeaderIsFound(t *testing.T) {
	f := newFakes(t, 3)
	f.leader = 3
	c := f.dial(t, 1)
	for range 3 {
		if by, err := commit(t.Context(), c); by != 3 || err != nil {
			t.Fatalf("member %d, %v", by, err)
		}
	}
	if ts, err := c.Timestamp(t.Context(), 1); ts != 3 || err != nil {
		t.Fatalf("timestamp of %d, %v", ts, err)
	}
	if n := f.total(); n > 6 { // each shard was looked for once
		t.Errorf("%d requests for 4 calls", n)
	}
	if members, err := c.Members(t.Context()); len(members) != 3 || err != nil {
		t.Errorf("%v, %v", members, err)
	}
}

// TestLeadershipMoves: no call fails, and every one is carried out once.
func TestLeadershipMoves(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	led := 0
	for _, leader := range []uint64{1, 2, 3, 1} {
		f.change(func() { f.leader = leader })
		for range 2 {
			if by, err := commit(t.Context(), c); by != leader || err != nil {
				t.Fatalf("member %d instead of %d, %v", by, leader, err)
			}
		}
	}
	for id := range f.byID { // order: a sum
		_, n := f.count(id)
		led += n
	}
	if led != 8 {
		t.Errorf("8 commits were carried out %d times", led)
	}
}

// TestHops: one call goes on hopsMax times, then says that nothing was done; the
// next ones begin elsewhere.
func TestHops(t *testing.T) {
	f := newFakes(t, 5)
	f.leader = 5
	for id := uint64(1); id <= 4; id++ {
		f.byID[id].names = id + 1
	}
	c := f.dial(t, 1, 2, 3, 4, 5)
	f.knows(t, c)
	_, err := commit(t.Context(), c)
	n, ok := errors.AsType[*shardrpc.NotLeader](err)
	if !ok || n.Leader != 4 || f.total() != hopsMax+1 {
		t.Errorf("%v after %d requests", err, f.total())
	}
	if by, err := commit(t.Context(), c); by != 5 || err != nil {
		t.Errorf("member %d, %v", by, err)
	}
}

// TestWrongHints: two members name each other, and the third leads.
func TestWrongHints(t *testing.T) {
	f := newFakes(t, 3)
	f.leader = 3
	f.byID[1].names, f.byID[2].names = 2, 1
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	for attempts := 1; ; attempts++ {
		before := f.total()
		by, err := commit(t.Context(), c)
		if n := f.total() - before; n > hopsMax+1 {
			t.Fatalf("%d requests in one call", n)
		}
		if by == 3 {
			return
		}
		if attempts > 2 {
			t.Fatalf("after %d attempts: %v", attempts, err)
		}
	}
}

// TestNobodyKnows: during an election every call fails at once, and they go round.
func TestNobodyKnows(t *testing.T) {
	f := newFakes(t, 3)
	f.leader = 0
	for _, m := range f.byID { // order: all the same
		m.lost = true
	}
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	for range 6 {
		if _, err := commit(t.Context(), c); err == nil || txn.KindOf(err) == txn.Unknown {
			t.Fatal(err)
		}
	}
	for id := uint64(1); id <= 3; id++ {
		if asked, _ := f.count(id); asked != 2 {
			t.Errorf("member %d was asked %d times", id, asked)
		}
	}
}

// TestDeadLeader: the leader dies, and the others name it still. No call goes
// there any more; once another one leads, the next attempts find it.
func TestDeadLeader(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	f.byID[1].stop()
	if _, err := commit(t.Context(), c); !errors.Is(err, link.ErrUnsent) && !errors.Is(err, link.ErrLost) {
		t.Fatal(err)
	}
	for range 6 {
		_, err := commit(t.Context(), c)
		if n, ok := errors.AsType[*shardrpc.NotLeader](err); !ok || n.Leader != 1 {
			t.Fatal(err)
		}
	}
	for id := uint64(2); id <= 3; id++ {
		if asked, _ := f.count(id); asked != 3 {
			t.Errorf("member %d was asked %d times", id, asked)
		}
	}
	f.change(func() { f.leader, f.byID[2].names = 3, 1 }) // one of them does not know yet
	if _, err := commit(t.Context(), c); err == nil {
		t.Error("member 2 cannot have known")
	}
	if by, err := commit(t.Context(), c); by != 3 || err != nil {
		t.Errorf("member %d, %v", by, err)
	}
	f.start(t, 1, f.byID[1].address)
	f.change(func() { f.leader = 1 })
	eventually(t, "it is found again", func() bool {
		by, _ := commit(t.Context(), c)
		return by == 1
	})
}

// TestPausedLeader: it takes connections and calls, and answers none. Only what
// was on its way to it waits.
func TestPausedLeader(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	paused := make(chan struct{})
	resume := sync.OnceFunc(func() { close(paused) })
	defer resume()
	f.change(func() { f.byID[1].silent = paused })
	ctx, cancel := context.WithTimeout(t.Context(), silenceMin+50*time.Millisecond)
	defer cancel()
	if _, err := commit(ctx, c); !errors.Is(err, link.ErrLost) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), patience) // a call to the paused one would take it all
	defer cancel()
	for range 10 {
		_, err := commit(ctx, c)
		if _, ok := errors.AsType[*shardrpc.NotLeader](err); !ok {
			t.Fatal(err)
		}
	}
	f.change(func() { f.leader = 2 })
	if by, err := commit(t.Context(), c); by != 2 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	f.change(func() { f.leader, f.byID[1].silent = 1, nil })
	resume()
	eventually(t, "it is found again", func() bool {
		by, _ := commit(t.Context(), c)
		return by == 1
	})
}

// TestImpatient: callers that leave at once keep nobody from a leader that lives.
func TestImpatient(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, _ = commit(ctx, c)
		if by, err := commit(t.Context(), c); by != 1 || err != nil {
			t.Fatalf("member %d, %v", by, err)
		}
	}
	if asked, _ := f.count(2); asked > 0 {
		t.Errorf("a follower was asked %d times", asked)
	}
}

// TestAllDeadThenBack: calls fail while nobody is there, none hangs.
func TestAllDeadThenBack(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	for _, m := range f.byID { // order: all of them
		m.stop()
	}
	for range 10 {
		if _, err := commit(t.Context(), c); !errors.Is(err, link.ErrUnsent) && !errors.Is(err, link.ErrLost) {
			t.Fatal(err)
		}
	}
	for _, m := range f.listed {
		f.start(t, m.ID, m.Address)
	}
	f.change(func() { f.leader = 2 })
	eventually(t, "the leader is found", func() bool {
		by, _ := commit(t.Context(), c)
		return by == 2
	})
}

// TestNewMember: a follower names a leader that nobody told the client of. It is
// found in the same call, and the member that it replaced is let go.
func TestNewMember(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1)
	f.knows(t, c)
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	address := f.start(t, 4, "127.0.0.1:0")
	f.change(func() {
		f.leader = 4
		f.listed = []shardrpc.Member{f.listed[0], f.listed[2], {ID: 4, Address: address}}
	})
	if by, err := commit(t.Context(), c); by != 4 || err != nil {
		t.Fatalf("member %d, %v", by, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) != 3 {
		t.Errorf("%d links", len(c.links))
	}
}

// TestNewFollower: one takes the place of another, and leads nothing, so that no
// answer names it. It is found all the same.
func TestNewFollower(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1, 2, 3)
	f.knows(t, c)
	address := f.start(t, 4, "127.0.0.1:0")
	f.change(func() {
		f.listed = []shardrpc.Member{f.listed[0], f.listed[1], {ID: 4, Address: address}}
	})
	eventually(t, "the status is that of 1, 2 and 4", func() bool {
		members, err := c.Status(t.Context())
		return err == nil && len(members) == 3 && members[2].MemberID == 4 && members[2].Down == ""
	})
}

// TestSeedsRemain: every member that was listed is gone; the seed, which the
// cluster lists no more, or not by that address, says who is there now.
func TestSeedsRemain(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 1)
	f.change(func() { f.listed = f.listed[1:] })
	if _, err := c.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.knows(t, c)
	f.byID[2].stop()
	f.byID[3].stop()
	address := f.start(t, 4, "127.0.0.1:0")
	f.change(func() { f.leader, f.listed = 4, []shardrpc.Member{{ID: 4, Address: address}} })
	eventually(t, "the new member is found", func() bool {
		by, _ := commit(t.Context(), c)
		return by == 4
	})
}

// TestOtherMember: whoever listens where a member was is not taken for it.
func TestOtherMember(t *testing.T) {
	f := newFakes(t, 2)
	f.leader = 2
	c := f.dial(t, 1)
	f.knows(t, c)
	f.byID[2].stop()
	f.change(func() { f.leader = 3 })
	f.start(t, 3, f.byID[2].address)
	f.change(func() { f.byID[1].names = 2 })
	for range 20 {
		if by, err := commit(t.Context(), c); err == nil {
			t.Fatalf("member %d served what was meant for another", by)
		}
	}
	if asked, _ := f.count(3); asked > 0 {
		t.Errorf("it was asked %d times", asked)
	}
}

// TestStatus: those that do not answer are named, in time.
func TestStatus(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 3)
	f.knows(t, c)
	f.byID[1].stop()
	paused := make(chan struct{})
	defer close(paused)
	f.change(func() { f.byID[2].silent = paused })
	members, err := c.Status(t.Context())
	if err != nil || len(members) != 3 {
		t.Fatalf("%+v, %v", members, err)
	}
	for i, m := range members {
		id := uint64(i + 1)
		if m.MemberID != id || m.Address != f.byID[id].address || (m.Down == "") != (id == 3) {
			t.Errorf("%+v", m)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); txn.KindOf(err) != txn.Unavailable {
		t.Error(err)
	}
}

// TestStatusOfNobody: before any member was met there are the seeds.
func TestStatusOfNobody(t *testing.T) {
	f := newFakes(t, 2)
	f.byID[1].stop()
	f.byID[2].stop()
	c := f.dial(t, 1, 2)
	members, err := c.Status(t.Context())
	if err != nil || len(members) != 2 || members[0].Down == "" || members[1].Address != f.byID[2].address {
		t.Errorf("%+v, %v", members, err)
	}
}

func TestTransfer(t *testing.T) {
	f := newFakes(t, 3)
	c := f.dial(t, 2)
	for _, m := range []struct {
		shard shardrpc.ShardID
		to    uint64
		kind  txn.ErrorKind // Internal: no error
	}{
		{2, 3, txn.Internal}, {2, 1, txn.Internal}, {2, 9, txn.Invalid}, {8, 1, txn.NotFound},
		{1, 2, txn.Unavailable}, // the fake is of another epoch
	} {
		err := c.Transfer(t.Context(), m.shard, m.to)
		if txn.KindOf(err) != m.kind || (err == nil) != (m.kind == txn.Internal) {
			t.Errorf("shard %d to member %d: %v", m.shard, m.to, err)
		}
	}
	if by, err := commit(t.Context(), c); by != 1 || err != nil {
		t.Errorf("member %d, %v", by, err)
	}
}
