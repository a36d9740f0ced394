package member

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
)

const (
	// handOverMax bounds how long HandOver takes.
	handOverMax = 3 * time.Second
	// handOverAgain is when a transfer that came to nothing is tried again.
	handOverAgain = 500 * time.Millisecond
	handOverLook  = 5 * time.Millisecond
)

// HandOver gives every leadership to another member, the oracle's last, so that
// nobody has to miss this one first. It returns when none is left, or when
// nobody takes them: at once if no other member is there.
func (m *Member) HandOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handOverMax)
	defer cancel()
	data := m.ids()[1:]
	m.handOver(ctx, data)
	m.handOver(ctx, []shardrpc.ShardID{shardrpc.MetaShard})
}

func (m *Member) handOver(ctx context.Context, ids []shardrpc.ShardID) {
	asked := m.o.Env.Now() - handOverAgain
	for {
		again := m.o.Env.Now()-asked >= handOverAgain
		left := false
		for _, id := range ids {
			h := m.shards[id]
			if h.Leader() != m.ID() {
				continue
			}
			left = true
			if again {
				h.worker.post(h, shard.Transfer{})
			}
		}
		if again {
			asked = m.o.Env.Now()
		}
		if !left || m.ended() || !m.peers.any() || m.o.Env.Sleep(ctx, handOverLook) != nil {
			return
		}
	}
}
