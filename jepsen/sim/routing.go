package sim

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// followMax is how often a call goes on to the member that the one before
// names.
const followMax = 2

// errLeaderless is that nobody was found who leads. Nothing was done.
var errLeaderless = errors.New("no member says that it leads the shard")

// leader is who leads a shard as far as p knows; anyone at first.
func (p *process) leader(id shardrpc.ShardID) *node {
	if n := p.leads[id]; n != nil && n.member != 0 {
		return n
	}
	return p.elsewhere(id, nil)
}

// elsewhere makes p try another member than n for a shard.
func (p *process) elsewhere(id shardrpc.ShardID, n *node) *node {
	nodes := p.w.group(id).nodes
	at := 0
	if len(nodes) > 1 {
		at = p.w.IntN(len(nodes))
		if nodes[at] == n {
			at = (at + 1) % len(nodes)
		}
	}
	if p.leads == nil {
		p.leads = map[shardrpc.ShardID]*node{}
	}
	p.leads[id] = nodes[at]
	return nodes[at]
}

// answered is a Future with the answer that resolves it.
type answered struct {
	env.Future
	value any
}

// send makes one call and waits for the answer. No answer is an error, as it
// is for a real transport.
func (p *process) send(ctx context.Context, c call) (any, error) {
	if !p.alive {
		return nil, env.ErrStopped
	}
	a := new(answered)
	c.from = p
	c.done = func(answer any) {
		a.value = answer
		a.Resolve()
	}
	number := p.w.call(c)
	if err := p.Wait(ctx, &a.Future, 0); err != nil {
		return nil, err
	}
	if a.value == nil {
		return nil, env.ErrTimeout
	}
	if p.w.fail != nil {
		p.w.current.wasAnswered(number)
	}
	return a.value, nil
}

// serve is what a member does with a request; answer is called at most once.
type serve func(m *member, answer func(any))

// reach makes a call to the leader of a shard: to the member that is thought
// to be it, and on to the one that this one names.
func (p *process) reach(
	ctx context.Context, id shardrpc.ShardID, name string, timeout time.Duration, do serve,
) (any, error) {
	to := p.leader(id)
	for range followMax + 1 {
		v, err := p.send(ctx, call{name: name, to: to, timeout: timeout,
			serve: func(at *process, answer func(any)) { at.lead(id, do, answer) }})
		if err != nil {
			if errors.Is(err, env.ErrTimeout) {
				p.elsewhere(id, to)
			}
			return nil, err
		}
		not, ok := v.(*shardrpc.NotLeader)
		if !ok {
			return v, nil
		}
		next := p.w.group(id).node(not.Leader)
		if next == nil || next == to {
			p.elsewhere(id, to)
			break
		}
		p.w.saw("followed to a leader")
		p.leads[id], to = next, next
	}
	return nil, errLeaderless
}

// lead lets p's member do something if its replica leads, else tells who does.
func (p *process) lead(id shardrpc.ShardID, do serve, answer func(any)) {
	not := &shardrpc.NotLeader{Shard: id}
	if m := p.member; m != nil {
		if rep := m.replica(id); rep != nil {
			if not.Leader = rep.r.Leader(); not.Leader == p.node.member {
				do(m, answer)
				return
			}
		}
	}
	answer(not)
}

// timestamps asks the oracle by a request of its own (T4).
func (p *process) timestamps(
	ctx context.Context, n int, timeout time.Duration,
) (txn.Timestamp, error) {
	v, err := p.reach(ctx, shardrpc.MetaShard, "timestamps", timeout,
		func(m *member, answer func(any)) {
			floor := m.p.w.issued.newest
			m.p.start("oracle", nil, func() {
				if first, err := m.alloc(n, floor); err == nil {
					answer(&shardrpc.TimestampResponse{First: first})
				}
			})
		})
	if err != nil {
		return 0, err
	}
	return v.(*shardrpc.TimestampResponse).First, nil
}
