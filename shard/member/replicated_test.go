package member

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// A member that dies is missed by nobody for long, and what it had acknowledged
// is there; back again it catches up by the log.
func TestLeaderDies(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	for round := range 3 {
		c.set("a", fmt.Sprint(round))
		c.set("z", fmt.Sprint(round))
		dead := c.leader(shardrpc.MetaShard)
		dead.crash()
		if a, z := c.get("a"), c.get("z"); a != fmt.Sprint(round) || z != a {
			t.Fatalf("round %d: a is %q, z is %q", round, a, z)
		}
		c.set("a", "x")
		dead.start()
		c.ready()
		c.caughtUp(dead)
	}
}

// short makes the logs so short that whoever misses something gets a snapshot.
func (c *cluster) short() {
	for _, p := range c.all {
		p.o.TruncateBytes, p.o.KeepBytes = 2<<10, 1
	}
}

// outgrow writes until the logs of both shards no longer reach back to where p,
// which is down, left off.
func (c *cluster) outgrow(p *process, keys string) {
	c.t.Helper()
	value := strings.Repeat("v", 1<<10)
	for _, k := range keys {
		id := c.target(key(string(k))).Shard
		eventually(c.t, "the log is cut", func() bool {
			c.set(string(k), value)
			m := c.leader(id).member
			s := m.shards[id].Status()
			if err := m.state.Flush(); err != nil {
				c.t.Fatal(err)
			}
			if err := m.truncateLogs(); err != nil {
				c.t.Fatal(err)
			}
			return s.FirstIndex > p.left[id]+1
		})
	}
}

// leave ends a life and remembers how far its replicas had come.
func (c *cluster) leave(p *process) {
	c.caughtUp(p)
	p.left = make(map[shardrpc.ShardID]uint64)
	for _, id := range p.member.ids() {
		p.left[id] = p.member.shards[id].Status().LastIndex
	}
	p.crash()
}

// staged are the files of unfinished snapshots.
func staged(t testing.TB, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("data/state/staged")
	if err != nil {
		return nil // it was never made
	}
	return names
}

// parts counts the snapshot parts that a process takes in, and may spoil one.
type parts struct {
	n     atomic.Int64
	spoil func(n int64) error
}

func (x *parts) serve(
	ctx context.Context, method uint8, b []byte, next link.Serve,
) ([]byte, error) {
	if shardrpc.Method(method) == shardrpc.MethodSnapshot {
		if err := x.spoil(x.n.Add(1)); err != nil {
			return nil, err
		}
	}
	return next(ctx, method, b)
}

// Whoever was away for too long gets snapshots, of all shards at once.
func TestSnapshotToOneThatWasAway(t *testing.T) {
	c := newCluster(t, 3)
	c.short()
	c.start()
	p := c.follower(c.target(key("a")).Shard)
	c.leave(p)
	c.outgrow(p, "az")
	var n parts
	n.spoil = func(int64) error { return nil }
	p.serve = n.serve
	p.start()
	c.ready()
	c.caughtUp(p)
	if n.n.Load() == 0 {
		t.Error("it caught up without a snapshot")
	}
	if left := staged(t, p.disk); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	c.set("a", "1")
	if v := c.get("a"); v != "1" {
		t.Errorf("a is %q", v)
	}
}

// A snapshot that breaks off comes again, whatever broke it, and leaves nothing behind.
func TestSnapshotBreaksOff(t *testing.T) {
	for _, how := range []string{"refused", "sender dies", "receiver crashes"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3)
			c.short()
			c.start()
			id := c.target(key("a")).Shard
			p := c.follower(id)
			c.leave(p)
			c.outgrow(p, "a")
			sender := c.leader(id)
			broken := make(chan struct{})
			var once sync.Once
			n := &parts{}
			n.spoil = func(n int64) error {
				if n < 2 {
					return nil
				}
				once.Do(func() { close(broken) })
				if n < 4 || how == "receiver crashes" {
					return txn.Errorf(txn.Unavailable, "test", "this part does not arrive")
				}
				return nil
			}
			p.serve = n.serve
			p.start()
			p.up()
			<-broken
			switch how {
			case "sender dies":
				sender.crash()
				sender.start()
			case "receiver crashes":
				p.crash()
				p.serve = nil
				p.start()
			}
			c.ready()
			c.caughtUp(p)
			c.set("a", "1")
			p.stop()
			if left := staged(t, p.disk); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// The half of a snapshot that a sender's earlier life has left makes room for the next, and one
// that nobody goes on with is given up when the member ends.
func TestSnapshotStreams(t *testing.T) {
	disk := vfs.NewMem()
	o := memOptions(realEnv(t), disk)
	o.Dir = "data"
	m := openMem(t, o)
	id := m.routes[0].Shard
	part := func(from, stream, part uint64, data []byte) error {
		_, err := m.moving.receive(t.Context(), &shardrpc.SnapshotRequest{Shard: id, From: from,
			Stream: stream, Part: part, Header: []byte("h"), Data: data})
		return err
	}
	export, err := m.state.Export(m.shards[id].Bounds())
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Next(1 << 20)
	if err := errors.Join(err, export.Close()); err != nil || len(data) == 0 {
		t.Fatal(len(data), err)
	}
	for range 3 { // a sender that starts anew numbers its streams as before
		if err := part(2, 1, 0, data); err != nil {
			t.Fatal(err)
		}
		if n := len(staged(t, disk)); n != 1 {
			t.Fatalf("%d tables are staged", n)
		}
	}
	wantError(t, part(2, 1, 2, nil), "request_invalid", "out of order")
	wantError(t, part(3, 1, 1, nil), "request_invalid", "out of order")
	wantError(t, part(2, 2, 1, nil), "request_invalid", "out of order")
	if err := part(3, 1, 0, data); err != nil { // leads now
		t.Fatal(err)
	}
	wantError(t, part(2, 1, 1, nil), "request_invalid", "out of order")
	m.moving.sweep(false)
	if err := part(3, 1, 1, nil); err != nil { // it is not old
		t.Fatal(err)
	}
	m.moving.mu.in[id].at -= 3 * snapshotPartMax
	m.moving.sweep(false)
	if left := staged(t, disk); len(left) > 0 {
		t.Errorf("not given up: %q", left)
	}
	m.full.Store(txn.Errorf(txn.Exhausted, "disk_full", "no room"))
	wantError(t, part(2, 6, 0, data), "disk_full")
	m.full.Store(nil)
	if err := part(2, 7, 0, data); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left := staged(t, disk); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Close while states are on their way and oracles are being asked.
func TestCloseUnderWay(t *testing.T) {
	c := newCluster(t, 3)
	c.short()
	c.start()
	id := c.target(key("a")).Shard
	p := c.follower(id)
	c.leave(p)
	c.outgrow(p, "az")
	begun, go_on := make(chan struct{}), make(chan struct{})
	n := &parts{}
	n.spoil = func(n int64) error {
		if n == 1 {
			close(begun)
		}
		<-go_on
		return nil
	}
	p.serve = n.serve
	p.start()
	p.up()
	<-begun
	for _, other := range c.all {
		if other != p {
			other.crash() // its snapshot waits for an answer
		}
	}
	close(go_on)
	p.stop() // while it asks oracles and votes
}

// All leaderships go to where the oracle is, and follow it.
func TestGather(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	gathered := func() bool {
		for _, id := range c.all[0].member.ids() {
			if c.leader(id) != c.leader(shardrpc.MetaShard) {
				return false
			}
		}
		return true
	}
	eventually(t, "one member leads all", gathered)
	was := c.leader(shardrpc.MetaShard)
	giveUp(was.member.led([]shardrpc.ShardID{shardrpc.MetaShard}))
	eventually(t, "the oracle goes elsewhere", func() bool {
		return c.leader(shardrpc.MetaShard) != was
	})
	eventually(t, "one member leads all again", gathered)
	c.set("a", "1")
}

// Every leadership goes to the others before a member ends.
func TestHandOver(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	p := c.leader(shardrpc.MetaShard)
	began := time.Now()
	p.member.HandOver(t.Context())
	if took := time.Since(began); took > handOverMax+time.Second {
		t.Errorf("it took %v", took)
	}
	for _, id := range p.member.ids() {
		if p.member.shards[id].Status().Leader {
			t.Errorf("it still leads shard %d", id)
		}
	}
	p.stop()
	c.set("a", "1")
	for _, other := range c.all {
		if other.member != nil && other != p {
			p = other
		}
	}
	for _, other := range c.all {
		if other != p {
			other.stop()
		}
	}
	began = time.Now()
	p.member.HandOver(t.Context())
	if took := time.Since(began); took > handOverMax+time.Second {
		t.Errorf("with nobody there it took %v", took)
	}
}
