package member

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairnkv/cairn/txn"
)

// same checks that all members that are up belong to one cluster.
func (c *cluster) same() {
	c.t.Helper()
	for _, p := range c.all {
		if m := p.up(); m.ClusterID() == "" || m.ClusterID() != c.all[0].member.ClusterID() ||
			len(m.meta.Members()) != len(c.all) {
			c.t.Errorf("member %d belongs to %q with %v", m.ID(), m.ClusterID(), m.meta.Members())
		}
	}
}

// Founders find each other in any order, and the last may come late.
func TestFounding(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		c := newCluster(t, 3)
		for _, i := range order[:2] {
			c.all[i].start()
		}
		late := c.all[order[2]]
		first := c.all[order[0]]
		eventually(t, "the first has asked the second, or was asked", func() bool {
			return first.founding.Load() != nil
		})
		select {
		case err := <-first.begun:
			t.Fatalf("a founder began without the others: %v", err)
		default:
		}
		late.start()
		c.ready()
		c.same()
		c.set("a", "1")
		c.set("z", "2")
		if a, z := c.get("a"), c.get("z"); a != "1" || z != "2" {
			t.Errorf("a is %q, z is %q", a, z)
		}
	}
}

// A founder that crashes at any write of its first start comes to the same cluster.
func TestFoundersCrash(t *testing.T) {
	for id := range 2 {
		t.Run(fmt.Sprint("founder ", id+1), func(t *testing.T) {
			t.Parallel()
			step := int64(1)
			for founderCrashes(t, id, step) {
				if step += 1 + step/3; testing.Short() {
					step += step
				}
			}
			if step < 20 {
				t.Errorf("it wrote only %d times", step)
			}
		})
	}
}

// founderCrashes starts a cluster of which one founder crashes at a write; false if it never came
// to that.
func founderCrashes(t *testing.T, id int, step int64) (crashed bool) {
	c := newCluster(t, 3)
	p := c.all[id]
	var kept *vfs.MemFS
	reached, deaf := make(chan struct{}), make(chan struct{})
	var writes atomic.Int64
	p.wrap = func(disk *vfs.MemFS) vfs.FS {
		return errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && writes.Add(1) == step {
				kept = disk.CrashClone(vfs.CrashCloneCfg{})
				close(reached)
				<-deaf
			}
			return nil
		}))
	}
	for _, p := range c.all {
		p.start()
	}
	begun := make(chan error, 1)
	go func() { begun <- p.wait() }()
	select {
	case <-reached:
		// What it still does before stop nobody hears of: it has nobody to answer, and is too
		// young to ask for votes.
		_ = p.server.Close()
		close(deaf)
		p.wrap = nil
		p.stop()
		<-begun
		p.disk = kept
		p.start()
		crashed = true
	case err := <-begun:
		close(deaf)
		if err != nil {
			t.Fatal(err)
		}
	}
	c.ready()
	c.same()
	c.set("a", "1")
	c.client.Close()
	c.client = nil
	for _, p := range c.all {
		p.stop()
	}
	return crashed
}

// An empty directory in the place of a founder's is refused by whichever other one is there.
func TestFounderLosesItsDisk(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	for _, p := range c.all {
		p.stop()
	}
	lost := c.all[0]
	lost.disk = vfs.NewCrashableMem()
	for _, other := range c.all[1:] {
		other.start()
		lost.start()
		err := lost.wait()
		wantError(t, err, "member_lost_its_disk", "--replace 1", "--id")
		lost.stop()
		other.stop()
	}
}

func TestFoundersDiffer(t *testing.T) {
	t.Run("in the list", func(t *testing.T) {
		c := newCluster(t, 3)
		c.all[1].o.Founders = slices.Clone(c.all[1].o.Founders)
		c.all[1].o.Founders[2] = "127.0.0.1:1"
		c.differ("--join")
	})
	t.Run("in the shards", func(t *testing.T) {
		c := newCluster(t, 3)
		c.all[1].o.Splits = [][]byte{[]byte("q")}
		c.differ("--split")
	})
}

func (c *cluster) differ(next string) {
	c.t.Helper()
	c.all[0].start()
	c.all[1].start()
	// Whoever asks first is refused; the other one waits for it.
	var err error
	select {
	case err = <-c.all[0].begun:
		c.all[0].begun <- err
	case err = <-c.all[1].begun:
		c.all[1].begun <- err
	case <-time.After(patience):
	}
	wantError(c.t, err, "founders_differ", next)
}

// Of two processes with the same id the second is refused.
func TestFounderIDTaken(t *testing.T) {
	c := newCluster(t, 3)
	c.all[0].start()
	c.all[1].start()
	eventually(t, "member 2 has asked", func() bool { return c.all[0].asked(2) })
	twin := c.add()
	twin.o.ID, twin.o.Founders = 2, c.all[0].o.Founders
	twin.start()
	wantError(t, twin.wait(), "member_id_taken", "--id")
	twin.stop()
	c.all = c.all[:3]
	c.all[2].start()
	c.ready()
	c.same()
	twin.env.Close()
}

// Directories of something else are refused, not changed.
func TestFoundersDirectories(t *testing.T) {
	c := newCluster(t, 3)
	p := c.all[0]
	founders := p.o.Founders
	p.o.ID, p.o.Founders = 0, nil
	p.start() // alone
	alone := p.up().ClusterID()
	p.stop()
	p.o.ID, p.o.Founders = 2, founders
	p.start()
	wantError(t, p.wait(), "member_differs", "--id")
	p.stop()
	p.o.ID = 1
	p.start()
	wantError(t, p.wait(), "member_alone", "--join", "--data", alone)
	p.stop()
	p.o.ID, p.o.Founders, p.o.Replace, p.o.Address = 1, nil, 3, p.address
	p.start()
	wantError(t, p.wait(), "member_alone", "--join")
	p.stop()
	p.o.ID, p.o.Replace = 0, 0
	p.start()
	if id := p.up().ClusterID(); id != alone {
		t.Errorf("the member alone belongs to %s, before to %s", id, alone)
	}
	p.stop()
	p.o.ID, p.o.Founders = 1, founders

	c.all[0].disk = vfs.NewCrashableMem()
	c.start()
	p.stop()
	p.o.Founders, p.o.ID = nil, 0 // a founder needs no flags any more
	p.start()
	c.same()
	p.stop()
	p.o.ID, p.o.Replace = 1, 3
	p.start()
	wantError(t, p.wait(), "member_founded", "founder")
}

// Whoever waits for the others ends when it is told to, and says for whom it waited.
func TestFoundingGivenUp(t *testing.T) {
	c := newCluster(t, 3)
	p := c.all[1]
	p.start()
	eventually(t, "it asks", func() bool { return p.founding.Load() != nil })
	p.cancel()
	err := p.wait()
	wantError(t, err, "founding", c.all[0].address, c.all[2].address)
	if txn.KindOf(err) != txn.Unavailable {
		t.Errorf("kind %v", txn.KindOf(err))
	}
}
