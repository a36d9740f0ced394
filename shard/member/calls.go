package member

import (
	"context"
	"errors"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/txn"
)

// Timestamp implements coordinator.Shards.
func (m *Member) Timestamp(ctx context.Context, n int) (txn.Timestamp, error) {
	if first, ok := m.oracle.meta.IssueNow(n); ok {
		return first, nil // a lease: nothing to wait for
	}
	ctx, cancel := m.whileRunning(ctx)
	defer cancel()
	first, err := m.oracle.local(ctx, n)
	if err != nil && m.ended() {
		return 0, m.unavailable()
	}
	return first, err
}

// whileRunning is ctx that also ends with the member.
func (m *Member) whileRunning(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.running, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Routes implements coordinator.Shards.
func (m *Member) Routes(context.Context) ([]shardrpc.Route, error) { return m.routes, nil }

// Read implements coordinator.Shards on the caller's goroutine.
func (m *Member) Read(
	ctx context.Context, req *shardrpc.ReadRequest,
) (*shardrpc.ReadResponse, error) {
	h, ok := m.shards[req.Shard]
	if !ok {
		return &shardrpc.ReadResponse{Moved: true}, nil
	}
	m.engines.RLock()
	defer m.engines.RUnlock()
	if m.ended() {
		return nil, m.unavailable()
	}
	return h.Read(ctx, req)
}

// Validate implements coordinator.Shards on the caller's goroutine.
func (m *Member) Validate(
	ctx context.Context, req *shardrpc.ValidateRequest,
) (*shardrpc.Reply, error) {
	h, ok := m.shards[req.Shard]
	if !ok {
		return &shardrpc.Reply{Answer: shardrpc.Moved}, nil
	}
	m.engines.RLock()
	defer m.engines.RUnlock()
	if m.ended() {
		return nil, m.unavailable()
	}
	return h.Validate(ctx, req)
}

// Commit implements coordinator.Shards.
func (m *Member) Commit(
	ctx context.Context, req *shardrpc.CommitRequest,
) (*shardrpc.CommitResponse, error) {
	return call[shardrpc.CommitResponse](ctx, m, req.Shard, req)
}

// Prewrite implements coordinator.Shards.
func (m *Member) Prewrite(
	ctx context.Context, req *shardrpc.PrewriteRequest,
) (*shardrpc.PrewriteResponse, error) {
	return call[shardrpc.PrewriteResponse](ctx, m, req.Shard, req)
}

// Decide implements coordinator.Shards.
func (m *Member) Decide(
	ctx context.Context, req *shardrpc.DecideRequest,
) (*shardrpc.DecideResponse, error) {
	return call[shardrpc.DecideResponse](ctx, m, req.Shard, req)
}

// Resolve implements coordinator.Shards.
func (m *Member) Resolve(
	ctx context.Context, req *shardrpc.ResolveRequest,
) (*shardrpc.ResolveResponse, error) {
	return call[shardrpc.ResolveResponse](ctx, m, req.Shard, req)
}

// Query implements coordinator.Shards.
func (m *Member) Query(
	ctx context.Context, req *shardrpc.QueryRequest,
) (*shardrpc.QueryResponse, error) {
	return call[shardrpc.QueryResponse](ctx, m, req.Shard, req)
}

// QueryIntents implements coordinator.Shards.
func (m *Member) QueryIntents(
	ctx context.Context, req *shardrpc.QueryIntentsRequest,
) (*shardrpc.QueryIntentsResponse, error) {
	return call[shardrpc.QueryIntentsResponse](ctx, m, req.Shard, req)
}

// Stale implements coordinator.Shards.
func (m *Member) Stale(
	ctx context.Context, req *shardrpc.StaleRequest,
) (*shardrpc.StaleResponse, error) {
	return call[shardrpc.StaleResponse](ctx, m, req.Shard, req)
}

// Lock implements coordinator.Shards.
func (m *Member) Lock(
	ctx context.Context, req *shardrpc.LockRequest,
) (*shardrpc.LockResponse, error) {
	return call[shardrpc.LockResponse](ctx, m, req.Shard, req)
}

// Unlock implements coordinator.Shards.
func (m *Member) Unlock(
	ctx context.Context, req *shardrpc.UnlockRequest,
) (*shardrpc.UnlockResponse, error) {
	return call[shardrpc.UnlockResponse](ctx, m, req.Shard, req)
}

// Locks is the lock table of a shard that this member leads, for operators.
func (m *Member) Locks(
	ctx context.Context, req *shardrpc.LocksRequest,
) (*shardrpc.LocksResponse, error) {
	return call[shardrpc.LocksResponse](ctx, m, req.Shard, req)
}

// Inquire implements coordinator.Shards.
func (m *Member) Inquire(
	ctx context.Context, req *shardrpc.InquireRequest,
) (*shardrpc.InquireResponse, error) {
	return call[shardrpc.InquireResponse](ctx, m, req.Shard, req)
}

// Ephemeral implements coordinator.Shards.
func (m *Member) Ephemeral(
	ctx context.Context, req *shardrpc.EphemeralRequest,
) (*shardrpc.EphemeralResponse, error) {
	return call[shardrpc.EphemeralResponse](ctx, m, req.Shard, req)
}

// EphemeralUse is what the ephemeral keys of this process take.
func (m *Member) EphemeralUse() shard.EphemeralUse { return m.memory.Use() }

// Transfer begins to hand the leadership of a shard to another member.
func (m *Member) Transfer(
	ctx context.Context, req *shardrpc.TransferRequest,
) (*shardrpc.TransferResponse, error) {
	return call[shardrpc.TransferResponse](ctx, m, req.Shard, req)
}

// OpenSession opens the session of this process's gateway. sole ends those of
// its earlier lives. It waits until the meta group serves.
func (m *Member) OpenSession(ctx context.Context, address string, sole bool) (uint32, error) {
	req := &shardrpc.SessionRequest{Address: address, Sole: sole,
		Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}}
	for {
		resp, err := call[shardrpc.SessionResponse](ctx, m, shardrpc.MetaShard, req)
		switch {
		case err != nil:
			return 0, err
		case resp.Answer == shardrpc.OK:
			return resp.Session, nil
		case resp.Answer != shardrpc.Retry:
			return 0, txn.Errorf(txn.Exhausted, "sessions", "no session is left to give out")
		}
		if err := m.o.Env.Sleep(ctx, sessionRetryEvery); err != nil {
			return 0, err
		}
	}
}

// call hands a request to the replica's worker and waits for the answer.
func call[R any](ctx context.Context, m *Member, id shardrpc.ShardID, req any) (*R, error) {
	h, ok := m.shards[id]
	if !ok {
		return nil, txn.Errorf(txn.Internal, "no_such_shard", "this member has no shard %d", id)
	}
	answer, ok := h.worker.call(h, req)
	if !ok {
		return nil, txn.Errorf(txn.Exhausted, "too_many_calls",
			"%d calls are waiting, the limit is %d", callsMax, callsMax)
	}
	select {
	case msg := <-answer:
		return msg.(*R), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.failed:
		return nil, m.unavailable()
	case <-m.stop:
		return nil, m.unavailable()
	}
}

// ended reports whether the member has failed or been closed.
func (m *Member) ended() bool {
	select {
	case <-m.failed:
		return true
	case <-m.stop:
		return true
	default:
		return false
	}
}

// unavailable is what a call gets whose answer will not come any more.
func (m *Member) unavailable() error {
	if err := m.Failure(); err != nil {
		return err
	}
	return &txn.Error{Kind: txn.Unavailable, Op: "member", Reason: "stopped",
		Err: errors.New("the member has stopped")}
}
