package member

import (
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// replacedTryMax is how long one question may take.
const replacedTryMax = time.Second

// lookReplaced ends a member whose place was taken while it was away: nobody
// answers its replicas any more, so nothing else would tell it. As long as some
// group counts its vote it only gives up what it leads: the meta group may have
// gone on without it before it heard of the newest list, by which leaders steer.
func (m *Member) lookReplaced() {
	if !m.missesLeader() || !m.looking.CompareAndSwap(false, true) {
		return
	}
	m.tasks.Go(func() {
		defer m.looking.Store(false)
		for _, other := range m.meta.Members() {
			replaced, votes := m.replacedFor(other.ID)
			switch {
			case replaced && votes:
				giveUp(m.led(m.ids()))
				return
			case replaced:
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

// replacedFor reports whether another member knows that this one is replaced, and
// whether some group still counts its vote.
func (m *Member) replacedFor(other uint64) (replaced, votes bool) {
	at, ok := m.peers.to(other)
	if !ok {
		return false, false
	}
	ctx, cancel := context.WithTimeout(m.running, replacedTryMax)
	defer cancel()
	list, err := ask[shardrpc.RoutesResponse](ctx, at.small, shardrpc.MethodRoutes,
		&shardrpc.RoutesRequest{})
	if err != nil || !m.replacedIn(list.Members) {
		return false, false
	}
	status, err := ask[shardrpc.StatusResponse](ctx, at.small, shardrpc.MethodStatus,
		&shardrpc.StatusRequest{})
	if err != nil || len(status.Members) == 0 {
		return false, false
	}
	return true, slices.ContainsFunc(status.Members[0].Shards, func(s shardrpc.ShardStatus) bool {
		return slices.Contains(s.Voters, m.ID())
	})
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
