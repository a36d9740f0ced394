//go:build faults

package run

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/internal/fault"
	"github.com/cairnkv/cairn/internal/loopback"
)

// faultyCluster is three members in processes of their own.
type faultyCluster struct {
	t       *testing.T
	dir     string
	free    []string
	members [3]*victim
}

func newFaultyCluster(t *testing.T) *faultyCluster {
	t.Helper()
	free, err := loopback.Free(3)
	if err != nil {
		t.Fatal(err)
	}
	c := &faultyCluster{t: t, dir: t.TempDir(), free: free}
	c.start()
	return c
}

func (c *faultyCluster) start() {
	c.t.Helper()
	for i, address := range c.free {
		args := []string{"--id", fmt.Sprint(i + 1), "--data", filepath.Join(c.dir, fmt.Sprint(i))}
		for _, member := range c.free {
			args = append(args, "--join", member)
		}
		c.members[i] = startVictim(c.t, "shard", address, nil, args...)
	}
	for _, m := range c.members {
		m.await()
	}
}

// A leader whose clock is slow ticks slowly too: it is taken for dead.
func TestFaultClockOfTicks(t *testing.T) {
	c := newFaultyCluster(t)
	leads := int(metric(t, c.free[0], `cairn_shard_leader{shard="2"}`))
	other := c.free[leads%3]
	term := metric(t, other, `cairn_shard_term{shard="2"}`)
	c.members[leads-1].tell(fault.Command{Clock: &fault.Clock{Rate: 0.1}})
	eventually(t, "another one is elected", func() bool {
		return metric(t, other, `cairn_shard_term{shard="2"}`) > term &&
			int(metric(t, other, `cairn_shard_leader{shard="2"}`)) != leads
	})
}

// All members lose power while clients write: what was acknowledged is there.
func TestFaultPowerLossOfAll(t *testing.T) {
	c := newFaultyCluster(t)
	db := dial(t, serve(t, &Gateway{Shards: c.free}), false)
	var acknowledged [4]atomic.Int64
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{}, len(acknowledged))
		for w := range acknowledged {
			go func() {
				defer func() { ended <- struct{}{} }()
				for n := acknowledged[w].Load() + 1; ctx.Err() == nil; n++ {
					_, err := db.Set(ctx, fmt.Sprintf("%c/%d", "amz"[n%3], w), client.IntValue(n), client.SetOptions{})
					if err == nil {
						acknowledged[w].Store(n)
					}
				}
			}()
		}
		for w := range acknowledged {
			before := acknowledged[w].Load()
			eventually(t, "writes", func() bool { return acknowledged[w].Load() > before+20 })
		}
		for i, m := range c.members {
			m.tell(fault.Command{PowerLoss: &fault.PowerLoss{KeepPercent: 50 * round, Seed: uint64(i)}})
		}
		for _, m := range c.members {
			if how := m.end(); how != "killed" {
				t.Errorf("a member ended: %s", how)
			}
		}
		cancel()
		for range acknowledged {
			<-ended
		}
		c.start()
		for w := range acknowledged {
			newest := int64(0)
			for _, k := range "amz" {
				e, err := db.Get(t.Context(), fmt.Sprintf("%c/%d", k, w))
				if err != nil {
					t.Fatal(err)
				}
				if e.Found() { // a writer has yet to come to it, or it is lost
					newest = max(newest, e.Value.Int())
				}
			}
			if want := acknowledged[w].Load(); newest < want {
				t.Errorf("round %d, writer %d: %d was acknowledged, the newest there is %d", round, w, want, newest)
			}
		}
	}
}
