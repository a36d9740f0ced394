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
		left := m.led(ids)
		if m.o.Env.Now()-asked >= handOverAgain {
			giveUp(left)
			asked = m.o.Env.Now()
		}
		if len(left) == 0 || m.ended() || len(m.peers.up()) == 0 ||
			m.o.Env.Sleep(ctx, handOverLook) != nil {
			return
		}
	}
}

// led are those of ids whose groups this member leads, as far as it knows.
func (m *Member) led(ids []shardrpc.ShardID) (led []*hosted) {
	for _, id := range ids {
		if h := m.shards[id]; h.Leader() == m.ID() {
			led = append(led, h)
		}
	}
	return led
}

// giveUp asks the replicas to hand their leaderships to whoever is furthest.
func giveUp(led []*hosted) {
	for _, h := range led {
		h.worker.post(h, shard.Transfer{})
	}
}
