//go:build unix

package cluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/jepsen/cluster"
)

const patience = 30 * time.Second

// programs are built once, for all tests.
var programs = sync.OnceValues(func() (cluster.Programs, error) {
	return cluster.Build(context.Background(), os.Getenv("CAIRN_TEST_PROGRAMS"), false)
})

func found(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Programs = t.TempDir(), p
	began := time.Now()
	c, err := cluster.Found(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("founded in %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, n := range append(c.Members(), c.Gateways()...) {
				b, _ := os.ReadFile(filepath.Join(o.Dir, string(n)+".log"))
				t.Logf("%s:\n%s", n, b)
			}
		}
	})
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, c *cluster.Cluster, g cluster.Node) *client.DB {
	t.Helper()
	db, err := client.Dial(c.Endpoint(g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// writes commits to each shard that holds keys.
func writes(t *testing.T, db *client.DB, value string) {
	t.Helper()
	for _, first := range []string{"!", "a", "k", "z"} {
		var err error
		for ctx := within(t); ; {
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			_, err = db.SetString(bounded, first+"key", value)
			cancel()
			if err == nil || ctx.Err() != nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("set %s: %v", first+"key", err)
		}
	}
}

// roundsEnv makes it the long tier: the quick one has cells, which use all of this.
const roundsEnv = "CAIRN_CLUSTER_ROUNDS"

func long(t *testing.T) {
	t.Helper()
	if os.Getenv(roundsEnv) == "" {
		t.Skip("set " + roundsEnv + ": make long-cluster does")
	}
}

// in runs a test on clusters of both kinds.
func in(t *testing.T, test func(*testing.T, cluster.Options)) {
	o := cluster.Options{Members: 3, Gateways: 2}
	t.Parallel()
	t.Run("links", func(t *testing.T) {
		t.Parallel()
		test(t, o)
	})
	t.Run("namespaces", func(t *testing.T) {
		long(t)
		t.Parallel()
		if os.Getuid() != 0 || runtime.GOOS != "linux" {
			t.Skip("namespaces need root on Linux")
		}
		o := o
		o.Namespaces = true
		test(t, o)
	})
}

func TestClusterLeaderCutAway(t *testing.T) { in(t, leaderCutAway) }

func leaderCutAway(t *testing.T, o cluster.Options) {
	c := found(t, o)
	db := dial(t, c, "g1")
	writes(t, db, "one")
	for _, shard := range []uint64{1, 3} {
		ctx := within(t)
		leader, err := c.Leader(ctx, shard)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, n := range append(c.Members(), c.Gateways()...) {
			if n != leader {
				c.Cut(leader, n)
				c.Cut(n, leader)
			}
		}
		writes(t, db, "two")
		took := time.Since(began)
		now, err := c.Leader(ctx, shard)
		if err != nil || now == leader {
			t.Fatalf("shard %d is led by %s, %v; it was cut away", shard, now, err)
		}
		dropped := int64(0)
		for _, n := range c.Members() {
			dropped += c.Link(leader, n).Dropped + c.Link(n, leader).Dropped
		}
		if dropped == 0 {
			t.Error("nothing was dropped")
		}
		began = time.Now()
		c.MendAll()
		if err := c.AwaitHealthy(ctx); err != nil {
			t.Fatal(err)
		}
		t.Logf("shard %d: commits %v after the cut, healthy %v after the end of it; %d bytes lost",
			shard, took, time.Since(began), dropped)
	}
}

func TestClusterClientLink(t *testing.T) {
	long(t)
	in(t, clientLink)
}

func clientLink(t *testing.T, o cluster.Options) {
	c := found(t, o)
	db := dial(t, c, "g1")
	writes(t, db, "one")
	set := func() (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := db.SetString(ctx, "key", "value")
		return time.Since(began), err
	}
	const delay = 200 * time.Millisecond
	c.Slow(cluster.Clients, "g1", delay, delay/4)
	if took, err := set(); err != nil || took < delay {
		t.Errorf("with a slow link a write took %v: %v", took, err)
	}
	c.Mend(cluster.Clients, "g1")
	took, err := set()
	for ctx := within(t); took >= delay && ctx.Err() == nil; { // this machine may be busy
		took, err = set()
	}
	if err != nil || took >= delay {
		t.Errorf("after that it took %v: %v", took, err)
	}
	if s := c.Link(cluster.Clients, "g1"); s.Delayed == 0 || s.Passed == 0 || s.Dropped != 0 {
		t.Errorf("a link that was slow: %+v", s)
	}
	c.Cut(cluster.Clients, "g1")
	if took, err := set(); err == nil {
		t.Errorf("with a cut link a write took %v", took)
	}
	if s, back := c.Link(cluster.Clients, "g1"), c.Link("g1", cluster.Clients); s.Dropped == 0 || back.Dropped != 0 {
		t.Errorf("a link that was cut: %+v, and %+v back", s, back)
	}
	if _, err := c.Status(within(t)); err != nil {
		t.Errorf("nobody looks around the cut link: %v", err)
	}
	c.Mend(cluster.Clients, "g1")
	writes(t, db, "two")
}

func TestClusterProcesses(t *testing.T) {
	long(t)
	t.Parallel()
	c := found(t, cluster.Options{Members: 3, Gateways: 2, Commit: "parallel", Reads: "quorum"})
	db := dial(t, c, "g2")
	writes(t, db, "one")
	ctx := within(t)
	fails := func(err error, why string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want an error with %q", err, why)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Kill("m2"))
	fails(c.Kill("m2"), "does not run")
	fails(c.Pause("m9"), "there is no node")
	if ok, ended := c.Running("m2"); ok || ended != "signal: killed" {
		t.Errorf("m2 runs: %v, %q", ok, ended)
	}
	fails(c.AwaitReady(ctx, "m2"), "does not run")
	writes(t, db, "two")
	must(c.Start("m2"))
	fails(c.Start("m2"), "runs already")
	must(c.AwaitHealthy(ctx))
	must(c.Terminate(ctx, "m1"))
	must(c.Start("m1"))
	must(c.AwaitHealthy(ctx))
	must(c.Pause("g2"))
	fails(c.Terminate(ctx, "g2"), "resume it")
	_, err := c.Status(ctx)
	must(err)
	must(c.Resume("g2"))
	must(c.Transfer(ctx, 3, "m1"))
	leader, err := c.Leader(ctx, 3)
	if must(err); leader != "m1" {
		t.Errorf("shard 3 is led by %s", leader)
	}
	n, err := c.Metric(ctx, "m1", "cairn_shard_applied_index")
	if must(err); n < 10 {
		t.Errorf("m1 has applied %v entries", n)
	}
	_, err = c.Metric(ctx, "m1", "cairn_no_such_metric")
	fails(err, "has no metric")
	log, err := os.ReadFile(c.Log("m2"))
	starts, ended := strings.Count(string(log), "m2 starts"), strings.Contains(string(log), "m2 ended, it was asked")
	if must(err); starts != 2 || !ended {
		t.Errorf("the log of m2:\n%s", log)
	}
}

func TestClusterReplace(t *testing.T) {
	long(t)
	t.Parallel()
	c := found(t, cluster.Options{Members: 3, Gateways: 1})
	db := dial(t, c, "g1")
	writes(t, db, "one")
	if _, err := c.Replace(within(t), "m3"); err == nil {
		t.Fatal("a member was replaced that is there")
	}
	if err := c.Kill("m3"); err != nil {
		t.Fatal(err)
	}
	n, err := c.Replace(within(t), "m3")
	if err != nil || n != "m4" || fmt.Sprint(c.Members()) != "[m1 m2 m4]" {
		t.Fatalf("%s, %v; the members are %v", n, err, c.Members())
	}
	for _, p := range [][2]cluster.Node{{"m1", "m4"}, {"m4", "m1"}, {"g1", "m4"}} {
		if s := c.Link(p[0], p[1]); s.Passed == 0 {
			t.Errorf("nothing has passed from %s to %s", p[0], p[1])
		}
	}
	for _, lost := range []cluster.Node{"m4", "m1"} {
		if err := c.Kill(lost); err != nil {
			t.Fatal(err)
		}
		writes(t, db, "two")
		if err := c.Start(lost); err != nil {
			t.Fatal(err)
		}
		if err := c.AwaitHealthy(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClusterFaults(t *testing.T) {
	long(t)
	t.Parallel()
	c := found(t, cluster.Options{Members: 3, Gateways: 2})
	db := dial(t, c, "g1")
	ctx := within(t)
	ask := func(n cluster.Node, do fault.Command) fault.State {
		t.Helper()
		s, err := c.Command(ctx, n, do)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ask("m2", fault.Command{Clock: &fault.Clock{OffsetMicros: 3_000_000}})
	writes(t, db, "one")
	ask("m2", fault.Command{PowerLoss: &fault.PowerLoss{KeepPercent: 0, Seed: 1}})
	if ok, ended := c.Running("m2"); ok || ended != "signal: killed" {
		t.Errorf("m2 has lost power, and runs: %v, %q", ok, ended)
	}
	must(c.Start("m2"))
	must(c.AwaitReady(ctx, "m2"))
	if s := ask("m2", fault.Command{}); s.Clock.OffsetMicros != 3_000_000 {
		t.Errorf("the clock of m2 after a restart: %+v", s.Clock)
	}
	for _, wrong := range []fault.Command{
		{Clock: &fault.Clock{Rate: 1e6}}, {PowerLoss: &fault.PowerLoss{KeepPercent: 101}},
	} {
		if _, err := c.Command(ctx, "m1", wrong); err == nil {
			t.Errorf("m1 has obeyed %+v", wrong)
		}
	}
	must(c.Kill("m1"))
	must(c.Start("m1"))
	must(c.AwaitHealthy(ctx))
	must(c.Expect("m3"))
	ask("m3", fault.Command{Disk: &fault.Disk{SyncError: true}})
	for ok := true; ok; ok, _ = c.Running("m3") {
		writes(t, db, "two")
	}
	must(c.Start("m3"))
	must(c.AwaitHealthy(ctx))
}
