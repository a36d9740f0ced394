package member

import (
	"context"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// oracle is the way to the oracle of the meta group, which is in this process.
// A caller for whom it has no room waits for the next extension or tick.
type oracle struct {
	m    *Member
	meta *hosted
	mu   struct {
		sync.Mutex
		waiting []waiting
	}
}

// waiting is one who waits for timestamps until ctx is done.
type waiting struct {
	ctx context.Context
	try func() bool // reports whether it got them
}

func newOracle(m *Member) *oracle {
	return &oracle{m: m, meta: m.shards[shardrpc.MetaShard]}
}

func (o *oracle) alloc(n int) (txn.Timestamp, bool) {
	first, ok := o.m.meta.Oracle.Alloc(n, o.m.o.Env.Now(), o.m.o.Env.Wall())
	if ok {
		o.m.newest.Raise(first + txn.Timestamp(n-1))
	}
	return first, ok
}

// ask answers a replica of the calling worker: now, or by an event.
func (o *oracle) ask(h *hosted, n int) {
	if first, ok := o.alloc(n); ok {
		h.Step(shard.Timestamps{First: first, N: n})
		return
	}
	o.await(context.Background(), func() bool {
		first, ok := o.alloc(n)
		if ok {
			h.worker.post(h, shard.Timestamps{First: first, N: n})
		}
		return ok
	})
}

// await tries again whenever there may be room, and asks for it.
func (o *oracle) await(ctx context.Context, try func() bool) {
	o.mu.Lock()
	o.mu.waiting = append(o.mu.waiting, waiting{ctx, try})
	o.mu.Unlock()
	o.meta.worker.post(o.meta, shard.ExtendOracle{})
}

// passed is called after every pass over a replica.
func (o *oracle) passed(h *hosted) {
	if h != o.meta {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.waiting = slices.DeleteFunc(o.mu.waiting, func(w waiting) bool {
		return w.ctx.Err() != nil // nobody waits any more
	})
	served := 0
	for served < len(o.mu.waiting) && o.mu.waiting[served].try() {
		served++
	}
	o.mu.waiting = slices.Delete(o.mu.waiting, 0, served)
}
