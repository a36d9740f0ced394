package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/loopback"
)

// cluster is some members and two gateways, all real processes.
type cluster struct {
	p         programs
	dir       string
	addresses []string   // of the founders, member 1's first
	members   []*process // member 1 first; the newest process of each
	gateways  [2]*process
	dbs       []*client.DB // one a gateway
}

// newCluster returns when everything is ready.
func newCluster(t *testing.T, members int) *cluster {
	t.Helper()
	free, err := loopback.Free(members + 2)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{p: build(t), dir: t.TempDir(), members: make([]*process, members),
		addresses: free[:members]}
	for id := range members {
		c.start(t, id+1)
	}
	for _, m := range c.members {
		m.await(t)
	}
	for i := range c.gateways {
		c.gateways[i] = c.gateway(t, free[members+i])
		db, err := client.New(client.Options{Endpoint: c.gateways[i].endpoint})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		c.dbs = append(c.dbs, db)
	}
	return c
}

// start starts a founder, for the first time or again, and does not wait.
func (c *cluster) start(t *testing.T, id int) {
	t.Helper()
	args := []string{"--data", c.data(id), "--cache", "32"}
	if len(c.addresses) > 1 {
		args = append(args, "--id", strconv.Itoa(id), "--join", strings.Join(c.addresses, ","))
	}
	c.members[id-1] = spawn(t, c.p.shard, c.addresses[id-1], args...)
}

func (c *cluster) data(id int) string { return filepath.Join(c.dir, fmt.Sprint("d", id)) }

func (c *cluster) gateway(t *testing.T, address string) *process {
	t.Helper()
	return launch(t, c.p.gateway, address, "--shards", strings.Join(c.addresses, ","))
}

// status is what one of the gateways says.
func (c *cluster) status(t *testing.T) client.Status {
	t.Helper()
	var s client.Status
	eventually(t, "a gateway tells the status", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var err error
		s, err = c.dbs[0].Status(ctx)
		return err == nil
	})
	return s
}

// leader is the member that leads a shard.
func (c *cluster) leader(t *testing.T, shard uint64) (id int) {
	t.Helper()
	eventually(t, fmt.Sprintf("shard %d has a leader", shard), func() bool {
		for _, s := range c.status(t).Shards {
			for _, r := range s.Replicas {
				if s.ID == shard && s.Leader && r.Leader && r.Member == s.LeaderID {
					id = int(r.Member)
					return true
				}
			}
		}
		return false
	})
	return id
}

// awaitCaughtUp returns when a member has applied all that the leaders of all shards had applied
// at the time of the call. Under load there is always something newer.
func (c *cluster) awaitCaughtUp(t *testing.T, id int) {
	t.Helper()
	goal := make(map[uint64]uint64)
	eventually(t, "every shard has a leader", func() bool {
		shards := c.status(t).Shards
		for _, s := range shards {
			goal[s.ID] = s.Applied
		}
		return !slices.ContainsFunc(shards, func(s client.ShardStatus) bool { return !s.Leader })
	})
	eventually(t, fmt.Sprintf("member %d has caught up", id), func() bool {
		behind := len(goal)
		for _, s := range c.status(t).Shards {
			for _, r := range s.Replicas {
				if int(r.Member) == id && r.Lag != client.LagUnknown && r.Applied >= goal[s.ID] {
					behind--
				}
			}
		}
		return behind == 0
	})
}

// awaitLag0 returns when every copy of every shard has applied the whole log. There must not be a
// load any more.
func (c *cluster) awaitLag0(t *testing.T) {
	t.Helper()
	eventually(t, "no member lags", func() bool {
		s := c.status(t)
		for _, shard := range s.Shards {
			for _, r := range shard.Replicas {
				if r.Lag != 0 || r.Applied != shard.Applied {
					return false
				}
			}
		}
		return !slices.ContainsFunc(s.Members, func(m client.MemberStatus) bool { return m.Down != "" })
	})
}

// long says whether this is the long tier, and how many rounds it has: CAIRN_CLUSTER_ROUNDS.
func long(t *testing.T) (rounds int, ok bool) {
	t.Helper()
	s := os.Getenv("CAIRN_CLUSTER_ROUNDS")
	if s == "" {
		return 0, false
	}
	rounds, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return rounds, true
}

// besideOthers lets a test of the quick tier run beside those that measure nothing in it.
func besideOthers(t *testing.T) {
	if _, ok := long(t); !ok {
		t.Parallel()
	}
}

// rounds is quick in the quick tier, and in the long one so many for each of its rounds.
func rounds(t *testing.T, quick, each int) int {
	if n, ok := long(t); ok {
		return n * each
	}
	return quick
}

// within is the bound of what should take so long: itself in the long tier. The quick one runs
// beside anything else, and asserts ten times as wide.
func within(t *testing.T, target time.Duration) time.Duration {
	if _, ok := long(t); ok {
		return target
	}
	return 10 * target
}

// figures are what was measured, round by round.
type figures []time.Duration

// at is the smallest figure that so many of a hundred do not exceed.
func (f figures) at(percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(f))
	return sorted[(len(sorted)*percent+99)/100-1]
}

func (f figures) String() string {
	return fmt.Sprintf("p50 %v, p95 %v, p99 %v, max %v of %d",
		ms(f.at(50)), ms(f.at(95)), ms(f.at(99)), ms(f.at(100)), len(f))
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
