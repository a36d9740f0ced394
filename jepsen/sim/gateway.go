package sim

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// gateway is a coordinator with its session, in one process.
type gateway struct {
	p           *process
	coordinator *coordinator.Coordinator // nil until there is a session
	session     uint32
	lockers     uint64    // that began here
	running     []*client // whose operation is under way here
}

func startGateway(p *process) {
	g := &gateway{p: p}
	p.gateway = g
	p.start("gateway", nil, g.open)
}

// open gets a session and then serves.
func (g *gateway) open() {
	w := g.p.w
	s := &shards{g.p}
	req := &shardrpc.SessionRequest{
		Target:  shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1},
		Address: g.p.name, Sole: g.p.node.sole,
	}
	for {
		resp, err := ask[*shardrpc.SessionResponse](context.Background(), s, req.Shard, req)
		if err == nil && resp.Answer == shardrpc.OK {
			w.serveSession(g, resp.Session)
			return
		}
		pause := w.between(5*time.Millisecond, 50*time.Millisecond)
		if g.p.Sleep(context.Background(), pause) != nil {
			return
		}
	}
}

func (w *world) serveSession(g *gateway, session uint32) {
	if w.sessions[session] != nil {
		w.violate("session %d was given out twice", session)
		return
	}
	w.sessions[session] = g.p
	w.say("%s has session %d", g.p.name, int(session))
	c, err := coordinator.New(coordinator.Options{
		Env: g.p, Shards: &shards{g.p}, Session: session, BackgroundMax: w.plan.backgroundMax,
		Commit: w.plan.commit,
	})
	if err != nil {
		w.violate("%s: %w", g.p.name, err)
		return
	}
	g.coordinator, g.session = c, session
	g.p.start("gateway.clear", nil, g.clear)
}

// clear sees to what gateways have left behind, as the product's does.
func (g *gateway) clear() {
	for {
		pause := g.p.w.between(time.Second, 3*time.Second)
		if g.p.Sleep(context.Background(), pause) != nil {
			return
		}
		n, err := g.coordinator.Sweep(context.Background(), g.p.Now()+time.Second)
		if errors.Is(err, env.ErrStopped) {
			return
		}
		for range n {
			g.p.w.saw("left behind, cleared away")
		}
	}
}

// lost tells the clients of a gateway that has died.
func (g *gateway) lost() {
	running := g.running
	g.running = nil
	for _, c := range running {
		c.lost()
	}
}

// shards is how the coordinator of a process reaches the members: by a call
// where the shard is at home in the same process, else over the network.
type shards struct{ p *process }

// ask sends a request to the leader of a shard.
func ask[T any](ctx context.Context, s *shards, id shardrpc.ShardID, msg any) (T, error) {
	answered := func() {}
	if r := s.p.w.rounds; r != nil {
		answered = r.ask(s.p.w, id, msg)
	}
	v, err := s.p.reach(ctx, id, requestCall, s.p.w.plan.callTimeout,
		func(m *member, answer func(any)) { m.request(id, s.arrived(m, msg), answer) })
	answered()
	got, _ := v.(T)
	return got, err
}

// arrived is msg as m gets it.
func (s *shards) arrived(m *member, msg any) any {
	if m.p == s.p {
		return msg
	}
	return carried(msg)
}

func (s *shards) Timestamp(ctx context.Context, n int) (txn.Timestamp, error) {
	return s.p.timestamps(ctx, n, s.p.w.plan.callTimeout)
}

func (s *shards) Routes(ctx context.Context) ([]shardrpc.Route, error) {
	v, err := s.p.send(ctx, call{name: "routes", to: pick(s.p.w.chance, s.p.w.meta().nodes),
		timeout: s.p.w.plan.callTimeout,
		serve: func(at *process, answer func(any)) {
			answer(&shardrpc.RoutesResponse{Routes: at.w.routes})
		}})
	if err != nil {
		return nil, err
	}
	return v.(*shardrpc.RoutesResponse).Routes, nil
}

func (s *shards) Read(ctx context.Context, m *shardrpc.ReadRequest) (
	*shardrpc.ReadResponse, error,
) {
	return look(ctx, s, m.Shard, m, (*member).read)
}

func (s *shards) Validate(ctx context.Context, m *shardrpc.ValidateRequest) (
	*shardrpc.Reply, error,
) {
	s.p.w.saw("validate")
	if err := s.tarry(m.Txn, m.Shard); err != nil {
		return nil, err
	}
	return look(ctx, s, m.Shard, m, (*member).validate)
}

// look is ask for what runs on a task of its own, or on the caller's if the
// only replica is in the same process.
func look[Q, A any](
	ctx context.Context, s *shards, id shardrpc.ShardID, req Q,
	do func(*member, context.Context, Q) (A, error),
) (A, error) {
	if g := s.p.w.group(id); len(g.nodes) == 1 && g.nodes[0].proc == s.p {
		return do(s.p.member, ctx, req)
	}
	v, err := s.p.reach(ctx, id, "look", s.p.w.plan.callTimeout,
		func(m *member, answer func(any)) {
			req := carried(req).(Q)
			m.p.start("look", nil, func() {
				if resp, err := do(m, context.Background(), req); err == nil {
					answer(resp)
				}
			})
		})
	got, _ := v.(A)
	return got, err
}

func (s *shards) Commit(ctx context.Context, m *shardrpc.CommitRequest) (
	*shardrpc.CommitResponse, error,
) {
	s.p.attempt(m.Txn, false)
	return ask[*shardrpc.CommitResponse](ctx, s, m.Shard, m)
}

// tarry is what a request of a transaction to a shard loses on its way. The
// caller gives up meanwhile and sends another copy, which is as late.
func (s *shards) tarry(id txn.ID, at shardrpc.ShardID) error {
	until := s.p.w.tardyUntil(id, at)
	if until <= s.p.w.now {
		return nil
	}
	return s.p.Sleep(context.Background(), until-s.p.w.now)
}

func (s *shards) Prewrite(ctx context.Context, m *shardrpc.PrewriteRequest) (
	*shardrpc.PrewriteResponse, error,
) {
	s.p.attempt(m.Txn, true)
	if err := s.tarry(m.Txn, m.Shard); err != nil {
		return nil, err
	}
	return ask[*shardrpc.PrewriteResponse](ctx, s, m.Shard, m)
}

func (s *shards) Decide(ctx context.Context, m *shardrpc.DecideRequest) (
	*shardrpc.DecideResponse, error,
) {
	return ask[*shardrpc.DecideResponse](ctx, s, m.Shard, m)
}

func (s *shards) Resolve(ctx context.Context, m *shardrpc.ResolveRequest) (
	*shardrpc.ResolveResponse, error,
) {
	return ask[*shardrpc.ResolveResponse](ctx, s, m.Shard, m)
}

func (s *shards) Query(ctx context.Context, m *shardrpc.QueryRequest) (
	*shardrpc.QueryResponse, error,
) {
	s.p.w.saw("query")
	return ask[*shardrpc.QueryResponse](ctx, s, m.Shard, m)
}

func (s *shards) Inquire(ctx context.Context, m *shardrpc.InquireRequest) (
	*shardrpc.InquireResponse, error,
) {
	s.p.w.saw("inquiry")
	return ask[*shardrpc.InquireResponse](ctx, s, m.Shard, m)
}

func (s *shards) QueryIntents(ctx context.Context, m *shardrpc.QueryIntentsRequest) (
	*shardrpc.QueryIntentsResponse, error,
) {
	s.p.w.saw("query intents")
	return ask[*shardrpc.QueryIntentsResponse](ctx, s, m.Shard, m)
}

func (s *shards) Stale(ctx context.Context, m *shardrpc.StaleRequest) (
	*shardrpc.StaleResponse, error,
) {
	return ask[*shardrpc.StaleResponse](ctx, s, m.Shard, m)
}

func (s *shards) Lock(ctx context.Context, m *shardrpc.LockRequest) (
	*shardrpc.LockResponse, error,
) {
	s.p.w.saw("lock")
	return ask[*shardrpc.LockResponse](ctx, s, m.Shard, m)
}

func (s *shards) Unlock(ctx context.Context, m *shardrpc.UnlockRequest) (
	*shardrpc.UnlockResponse, error,
) {
	return ask[*shardrpc.UnlockResponse](ctx, s, m.Shard, m)
}

func (s *shards) Ephemeral(ctx context.Context, m *shardrpc.EphemeralRequest) (
	*shardrpc.EphemeralResponse, error,
) {
	return ask[*shardrpc.EphemeralResponse](ctx, s, m.Shard, m)
}

var _ coordinator.Shards = (*shards)(nil)
