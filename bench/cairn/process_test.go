//go:build unix

package cairn_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/client"
)

// The programs are built once for all that is tested of real processes.
func TestProcesses(t *testing.T) {
	bin := t.TempDir()
	if err := cairn.Build(within(t), "", bin); err != nil {
		t.Fatal(err)
	}
	t.Run("serve", func(t *testing.T) { serve(t, bin) })
	t.Run("shards", func(t *testing.T) { lieOnShards(t, bin) })
	t.Run("die", func(t *testing.T) { die(t, bin) })
}

// Real processes serve, and nothing is left of them.
func serve(t *testing.T, bin string) {
	for _, c := range []struct {
		name  string
		o     cairn.Options
		roles string
		flag  string
	}{
		{"embedded", cairn.Options{Kind: cairn.Embedded, GatewayFlags: []string{"--log-json"}},
			"embedded e1", "--log-json"},
		{"cluster", cairn.Options{Kind: cairn.Cluster, Shards: 2, MemberFlags: []string{"--pprof"}},
			"gateway g1,member m1,member m2,member m3", "--pprof"},
		{"alone", cairn.Options{Kind: cairn.Cluster, Shards: 1, Members: 1}, "gateway g1,member m1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Programs, c.o.Dir = bin, t.TempDir()
			s, err := cairn.Start(within(t), c.o)
			if err != nil {
				t.Fatal(err)
			}
			var roles []string
			for _, u := range s.Processes() {
				roles = append(roles, u.Role+" "+u.Name)
			}
			slices.Sort(roles)
			if got := strings.Join(roles, ","); got != c.roles {
				t.Errorf("processes %s", got)
			}
			commands := strings.Join(s.Commands(), "\n")
			if len(s.Commands()) != len(roles) || !strings.Contains(commands, c.flag) {
				t.Errorf("commands\n%s", commands)
			}
			hold(t, s, c.o.Shards != 1)
			for range 2 {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			for pid := range s.Processes() {
				if err := syscall.Kill(pid, 0); err == nil {
					t.Errorf("process %d is left", pid)
				}
			}
			if left, err := os.ReadDir(c.o.Dir); err != nil || len(left) > 0 {
				t.Errorf("left: %v %v", left, err)
			}
		})
	}
}

// hold has many callers want the same few accounts and districts at once: what they do is as if it
// was done one after the other.
func hold(t *testing.T, s *cairn.System, several bool) {
	t.Helper()
	db, err := client.Dial(s.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names := []string{"transfer-same-optimistic", "transfer-same-pessimistic", "rotate-same"}
	if several {
		names = append(names, "transfer-two-optimistic", "transfer-two-pessimistic", "rotate-two")
	}
	r := run("")
	r.Keys, r.Width = 8, 2
	for _, r.Workload = range names {
		if err := do(t, s, r, 5); err != nil {
			t.Errorf("%s: %v", r.Workload, err)
		}
	}
	moved := int64(len(names)) * callers * 5 * 2
	if all := table(t, db, 'a'); sum(all) != 8*1000+28 || rewritten(all) != moved {
		t.Errorf("the total is %d, and %d were written of %d", sum(all), rewritten(all), moved)
	}
	for _, r.Workload = range []string{"neworder", "import", "ycsb-d"} {
		if err := do(t, s, r, 5); err != nil {
			t.Errorf("%s: %v", r.Workload, err)
		}
	}
	if made, lines := table(t, db, 'o'), table(t, db, 'l'); sum(made) != int64(len(lines)) {
		t.Errorf("%d orders have %d lines, of %d", len(made), len(lines), sum(made))
	}
	if n := len(table(t, db, 'm')); n != callers*5*r.Width {
		t.Errorf("%d were imported", n)
	}
}

// The shards are as many as were asked for, and the keys lie on all of them.
func lieOnShards(t *testing.T, bin string) {
	for _, shards := range []int{1, 2, 4, 16} {
		s, db := start(t, cairn.Options{Kind: cairn.Embedded, Programs: bin, Shards: shards})
		r := run("put")
		r.Keys = 64
		if err := do(t, s, r, 5); err != nil {
			t.Fatal(err)
		}
		status, err := db.Status(within(t))
		if err != nil {
			t.Fatal(err)
		}
		used := 0
		for _, shard := range status.Shards {
			if shard.Keys > 0 {
				used++
			}
		}
		if used != shards {
			t.Errorf("%d shards have keys, of %d: %+v", used, shards, status.Shards)
		}
	}
}

// A process that dies is an error of Close, with its last words.
func die(t *testing.T, bin string) {
	s, err := cairn.Start(within(t), cairn.Options{Kind: cairn.Embedded, Programs: bin})
	if err != nil {
		t.Fatal(err)
	}
	for pid := range s.Processes() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(within(t), time.Second)
	defer cancel()
	if op, _, err := s.Prepare(ctx, run("increment-hot")); err != nil {
		t.Error(err)
	} else if err := op(ctx, caller(0)); err == nil {
		t.Error("an operation of nobody ended well")
	}
	err = s.Close()
	if err == nil || !strings.Contains(err.Error(), "killed") || !strings.Contains(err.Error(), "Cairn") {
		t.Errorf("closed: %v", err)
	}
	if _, err := cairn.Start(within(t), cairn.Options{Kind: cairn.Embedded, Programs: bin,
		GatewayFlags: []string{"--cash"}}); err == nil || !strings.Contains(err.Error(), "--cash") {
		t.Errorf("a process that cannot start: %v", err)
	}
}
