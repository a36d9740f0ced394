package member

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// replacedTryMax is how long one question may take.
const replacedTryMax = time.Second

// lookReplaced ends a member whose place was taken while it was away: nobody
// answers its replicas any more, so nothing else would tell it.
func (m *Member) lookReplaced() {
	if !m.missesLeader() || !m.looking.CompareAndSwap(false, true) {
		return
	}
	m.tasks.Go(func() {
		defer m.looking.Store(false)
		for _, other := range m.meta.Members() {
			if now, ok := m.askMembers(other.ID); ok && m.replacedIn(now) {
				e := txn.Errorf(txn.Invalid, "member_replaced",
					"another member has taken the place of member %d", m.ID())
				e.Next = "remove " + m.o.Dir + "; a new member starts with --replace and an --id of its own"
				m.fail(e)
				return
			}
		}
	})
}

func (m *Member) missesLeader() bool {
	for _, id := range m.ids() {
		if m.shards[id].Leader() == 0 {
			return true
		}
	}
	return false
}

func (m *Member) askMembers(id uint64) ([]shardrpc.Member, bool) {
	at, ok := m.peers.to(id)
	if !ok {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(m.running, replacedTryMax)
	defer cancel()
	b, err := at.small.Call(ctx, uint8(shardrpc.MethodRoutes),
		shardrpc.Encode(&shardrpc.RoutesRequest{}))
	if err != nil {
		return nil, false
	}
	resp, err := shardrpc.Decode[shardrpc.RoutesResponse](b)
	if err != nil {
		return nil, false
	}
	return resp.Members, true
}

// replacedIn reports whether a list of members is without this one though it
// names one that was let in later. A list without both is only old.
func (m *Member) replacedIn(list []shardrpc.Member) (later bool) {
	for _, o := range list {
		if o.ID == m.ID() {
			return false
		}
		later = later || o.ID > m.ID()
	}
	return later
}
