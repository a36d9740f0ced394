package member

import (
	"time"

	"github.com/cairnkv/cairn/shard"
)

// gatherLeases is for how many leases a member has to lead the meta group, as others see it,
// before they hand it their leaderships.
const gatherLeases = 8

// gathering brings all leaderships to where the oracle is. Every write needs a timestamp of its
// shard's leader, which costs a call where the oracle is elsewhere; and what one member does for
// many shards at a time shares syncs, messages and wake-ups.
type gathering struct {
	m     *Member
	to    uint64
	since time.Duration // by Env.Now
}

// look is called once a second.
func (g *gathering) look() {
	to, now := g.m.oracle.meta.Leader(), g.m.o.Env.Now()
	if to != g.to {
		g.to, g.since = to, now
	}
	settled := now-g.since >= gatherLeases*shard.ElectionTicks*g.m.o.TickInterval
	if to == 0 || to == g.m.ID() || !settled {
		return
	}
	for _, h := range g.m.led(g.m.ids()[1:]) {
		h.worker.post(h, shard.Gather{To: to})
	}
}
