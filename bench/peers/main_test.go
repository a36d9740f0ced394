package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
)

// A member is this program, so a test's is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "member" {
		member(os.Args[2], os.Args[3:])
		return
	}
	os.Exit(m.Run())
}

const (
	testKeys    = 150 // more than one call of a filling
	testCallers = 4
	testOps     = 5 // of each caller
)

func TestSystems(t *testing.T) {
	mixes := []string{"put", "get", "mixed", "ycsb-a", "ycsb-b", "ycsb-c", "increment", "increment-hot"}
	for _, c := range []struct {
		o         options
		program   string // that must be installed
		processes int    // at least
		workloads []string
	}{
		{options{system: "etcd", members: 3, sync: "always"}, "", 3, []string{"get-serializable", "range", "oneshot",
			"transfer-stm", "transfer-stm-prefetch", "transfer-cas"}},
		{options{system: "etcd", members: 1, sync: "always"}, "", 1, nil},
		{options{system: "nats", members: 3, sync: "always"}, "", 3, nil},
		{options{system: "nats", members: 1, sync: "default"}, "", 1, nil},
		{options{system: "redis", members: 1, sync: "always"}, "redis-server", 1, []string{"oneshot", "transfer-cas"}},
		{options{system: "postgres", members: 1, sync: "always"}, "initdb", 1 + testCallers, []string{"range", "oneshot",
			"transfer-serializable", "transfer-locks"}},
	} {
		t.Run(fmt.Sprint(c.o.system, c.o.members), func(t *testing.T) {
			if c.program != "" {
				if _, err := exec.LookPath(c.program); err != nil {
					t.Skip(err)
				}
			}
			if err := c.o.validate(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			dir, err := os.MkdirTemp("", "peers-") // another user cannot come to one of t.TempDir
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.RemoveAll(dir) }()
			set := child.NewSet(dir, t.Output())
			defer func() {
				if err := set.Stop(); err != nil {
					t.Error(err)
				}
			}()
			s, err := c.o.start(ctx, set)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range slices.Concat(mixes, c.workloads) {
				try(ctx, t, s, name)
			}
			if n := len(s.Processes()); n < c.processes {
				t.Errorf("%d processes, at least %d: %v", n, c.processes, s.Processes())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// try lets callers do a workload, and sees that accounts hold what they must.
func try(ctx context.Context, t *testing.T, s *peer.System, name string) {
	t.Helper()
	r := load.Run{Workload: name, Callers: testCallers, Keys: testKeys, ValueBytes: 64, Width: 3}
	op, release, err := s.Prepare(ctx, r)
	if err != nil {
		t.Fatal(name, err)
	}
	defer release()
	accounts := !slices.Contains([]string{"put", "get", "get-serializable", "range", "oneshot", "mixed", "ycsb-a",
		"ycsb-b", "ycsb-c"}, name)
	var before int64
	if accounts {
		if before, err = s.Sum(ctx, testKeys); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := race(ctx, op); err != nil {
		t.Fatal(name, err)
	}
	if !accounts {
		return
	}
	want := before
	if name == "increment" || name == "increment-hot" {
		want += testCallers * testOps
	}
	if sum, err := s.Sum(ctx, testKeys); err != nil || sum != want {
		t.Errorf("%s: accounts hold %d, not %d: %v", name, sum, want, err)
	}
}

// race lets callers work on three keys, so that they meet.
func race(ctx context.Context, op load.Op) error {
	g, ctx := errgroup.WithContext(ctx)
	for id := range testCallers {
		random := rand.New(rand.NewPCG(1, uint64(id)))
		c := &load.Caller{ID: id, Rand: random, Key: func() int { return random.IntN(3) }, Value: make([]byte, 64)}
		g.Go(func() error {
			for range testOps {
				if err := op(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func TestPrepareRefuses(t *testing.T) {
	s := peer.NewSystem(peer.Store{Workloads: map[string]peer.Workload{"transfer": peer.Transfer(nil)}})
	for _, r := range []load.Run{
		{Workload: "transfers", Keys: 2, ValueBytes: 8},
		{Workload: "transfer", Keys: 1, ValueBytes: 8},
		{Workload: "transfer", Keys: 2, ValueBytes: 7},
	} {
		if _, _, err := s.Prepare(t.Context(), r); err == nil {
			t.Errorf("%+v is prepared", r)
		}
	}
}

func TestOptionsRefuse(t *testing.T) {
	for _, o := range []options{
		{"mysql", 3, "always", ""}, {"etcd", 2, "always", ""}, {"nats", 3, "never", ""}, {"etcd", 3, "default", ""},
	} {
		if o.validate() == nil {
			t.Errorf("%+v is valid", o)
		}
	}
}
