package member

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

const (
	// oracleTry is how long one request to the oracle may take, at first; while nobody
	// answers it doubles up to oracleTryMax: there are slow networks. Whenever
	// another leader is known the request goes there.
	oracleTry    = 200 * time.Millisecond
	oracleTryMax = 3200 * time.Millisecond
	// oracleLook is how often a request that takes longer looks who leads.
	oracleLook = 20 * time.Millisecond
	// oracleRetryEvery is the pause between two, at first; while nobody answers it
	// doubles up to oracleRetryMax.
	oracleRetryEvery = 2 * time.Millisecond
	oracleRetryMax   = 32 * time.Millisecond
	// oracleLost is how long after a request has failed a leader that gets no answer gives its
	// shard to another member, which may reach the oracle; and then how often.
	oracleLost = 1200 * time.Millisecond
)

// oracle is the way to the oracle of the meta group, wherever its leader is.
type oracle struct {
	m    *Member
	meta *hosted
}

func newOracle(m *Member) *oracle {
	return &oracle{m: m, meta: m.shards[shardrpc.MetaShard]}
}

// ask answers a replica of the calling worker: now, or by an event. Each ask is
// a request of its own that is sent after it (T4, L1).
func (o *oracle) ask(h *hosted, n int) {
	if first, ok := o.meta.IssueNow(n); ok {
		h.Step(shard.Timestamps{First: first, N: n})
		return
	}
	o.m.tasks.Go(func() {
		ctx, cancel := context.WithCancel(o.m.running)
		defer cancel()
		most, pause := oracleTry, oracleRetryEvery
		for {
			first, err := o.once(n, most)
			if err == nil {
				h.worker.post(h, shard.Timestamps{First: first, N: n})
				return
			}
			if pause == oracleRetryEvery { // the first time
				o.m.tasks.Go(func() { o.giveAway(ctx, h) })
			}
			if o.m.o.Env.Sleep(ctx, pause) != nil {
				return
			}
			pause = min(2*pause, oracleRetryMax)
			if errors.Is(err, context.DeadlineExceeded) {
				most = min(2*most, oracleTryMax)
			}
		}
	})
}

// giveAway hands the leadership of a shard that gets no timestamps here, until ctx ends, to a
// member that is there and whose turn it is by chance. Where links are cut such that each member
// sees another majority, somebody sees the oracle's, too.
func (o *oracle) giveAway(ctx context.Context, h *hosted) {
	for o.m.o.Env.Sleep(ctx, oracleLost) == nil {
		if up := o.m.peers.up(); len(up) > 0 && h.Leader() == o.m.ID() {
			to := up[o.m.o.Env.Rand()%uint64(len(up))]
			o.m.o.Log.Warn("no timestamps for a shard: its leadership is handed to another member",
				"shard", h.Status().Shard, "to", to)
			h.worker.post(h, shard.Transfer{To: to})
		}
	}
}

// once asks whoever leads the meta group, as far as that is known.
func (o *oracle) once(n int, most time.Duration) (txn.Timestamp, error) {
	ctx, cancel := context.WithTimeout(o.m.running, most)
	defer cancel()
	leader := o.meta.Leader()
	if leader == o.m.ID() || leader == 0 {
		return o.local(ctx, n)
	}
	at, ok := o.m.peers.to(leader)
	if !ok {
		return 0, o.notLeader()
	}
	if most > oracleTry {
		o.m.tasks.Go(func() {
			for o.meta.Leader() == leader && o.m.o.Env.Sleep(ctx, oracleLook) == nil {
			}
			cancel()
		})
	}
	resp, err := ask[shardrpc.TimestampResponse](ctx, at.small, shardrpc.MethodTimestamp,
		&shardrpc.TimestampRequest{N: n})
	if err != nil {
		return 0, err
	}
	o.m.newest.Raise(resp.First + txn.Timestamp(n-1))
	return resp.First, nil
}

func (o *oracle) notLeader() error {
	return &shardrpc.NotLeader{Shard: shardrpc.MetaShard, Leader: o.meta.Leader()}
}

// local takes timestamps from the oracle here, and waits for room while it may
// have some soon.
func (o *oracle) local(ctx context.Context, n int) (txn.Timestamp, error) {
	for {
		first, ok, err := o.meta.Issue(ctx, n)
		switch {
		case err != nil:
			return 0, err
		case ok:
			return first, nil
		case o.meta.Leader() != o.m.ID():
			return 0, o.notLeader()
		}
		if err := o.m.o.Env.Sleep(ctx, oracleRetryEvery); err != nil {
			return 0, err
		}
	}
}
