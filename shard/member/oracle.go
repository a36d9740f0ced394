package member

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

const (
	// oracleTryMax is how long one request to the oracle may take.
	oracleTryMax = 200 * time.Millisecond
	// oracleRetryEvery is the pause between two, at first; while nobody answers it
	// doubles up to oracleRetryMax.
	oracleRetryEvery = 2 * time.Millisecond
	oracleRetryMax   = 32 * time.Millisecond
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
		for pause := oracleRetryEvery; ; pause = min(2*pause, oracleRetryMax) {
			first, err := o.once(n)
			if err == nil {
				h.worker.post(h, shard.Timestamps{First: first, N: n})
				return
			}
			if o.m.o.Env.Sleep(o.m.running, pause) != nil {
				return
			}
		}
	})
}

// once asks whoever leads the meta group, as far as that is known.
func (o *oracle) once(n int) (txn.Timestamp, error) {
	ctx, cancel := context.WithTimeout(o.m.running, oracleTryMax)
	defer cancel()
	leader := o.meta.Leader()
	if leader == o.m.ID() || leader == 0 {
		return o.local(ctx, n)
	}
	at, ok := o.m.peers.to(leader)
	if !ok {
		return 0, o.notLeader()
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
