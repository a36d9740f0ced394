package sim

import (
	"context"
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
	running     []*client                // whose operation is under way here
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
	})
	if err != nil {
		w.violate("%s: %w", g.p.name, err)
		return
	}
	g.coordinator = c
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

// answered is a Future with the answer that resolves it.
type answered struct {
	env.Future
	value any
}

// send makes one call to the home of a shard and waits for the answer. No
// answer is an error, as it is for a real transport.
func (s *shards) send(ctx context.Context, c call) (any, error) {
	if !s.p.alive {
		return nil, env.ErrStopped
	}
	a := new(answered)
	c.from, c.timeout = s.p, s.p.w.plan.callTimeout
	c.done = func(answer any) {
		a.value = answer
		a.Resolve()
	}
	s.p.w.call(c)
	if err := s.p.Wait(ctx, &a.Future, 0); err != nil {
		return nil, err
	}
	if a.value == nil {
		return nil, env.ErrTimeout
	}
	return a.value, nil
}

// ask sends a request to the replica of a shard.
func ask[T any](ctx context.Context, s *shards, id shardrpc.ShardID, msg any) (T, error) {
	home := s.p.w.homes[id]
	v, err := s.send(ctx, call{name: "request", to: home,
		serve: func(at *process, answer func(any)) {
			at.member.request(id, copyFor(at, s.p, msg), answer)
		}})
	got, _ := v.(T)
	return got, err
}

// copyFor is msg as it arrives at another process.
func copyFor[T any](at, from *process, msg T) T {
	if at == from {
		return msg
	}
	return clone(msg)
}

func (s *shards) Timestamp(ctx context.Context, n int) (txn.Timestamp, error) {
	v, err := s.send(ctx, call{name: "timestamp", to: s.p.w.metaNode(),
		serve: func(at *process, answer func(any)) {
			at.member.alloc(n, oracleTriesMax, func(ts txn.Timestamp) { answer(ts) })
		}})
	first, _ := v.(txn.Timestamp)
	return first, err
}

func (s *shards) Routes(ctx context.Context) ([]shardrpc.Route, error) {
	v, err := s.send(ctx, call{name: "routes", to: s.p.w.metaNode(),
		serve: func(at *process, answer func(any)) { answer(at.w.routes) }})
	routes, _ := v.([]shardrpc.Route)
	return routes, err
}

func (s *shards) Read(ctx context.Context, m *shardrpc.ReadRequest) (
	*shardrpc.ReadResponse, error,
) {
	home := s.p.w.homes[m.Shard]
	if home.proc == s.p {
		return s.p.member.read(ctx, m)
	}
	v, err := s.send(ctx, call{name: "read", to: home,
		serve: func(at *process, answer func(any)) {
			m := clone(m)
			at.start("read", nil, func() {
				if resp, err := at.member.read(context.Background(), m); err == nil {
					answer(resp)
				}
			})
		}})
	resp, _ := v.(*shardrpc.ReadResponse)
	return resp, err
}

func (s *shards) Validate(ctx context.Context, m *shardrpc.ValidateRequest) (
	*shardrpc.Reply, error,
) {
	s.p.w.saw("validate")
	home := s.p.w.homes[m.Shard]
	if home.proc == s.p {
		return s.p.member.validate(ctx, m)
	}
	v, err := s.send(ctx, call{name: "validate", to: home,
		serve: func(at *process, answer func(any)) {
			m := clone(m)
			at.start("validate", nil, func() {
				if resp, err := at.member.validate(context.Background(), m); err == nil {
					answer(resp)
				}
			})
		}})
	resp, _ := v.(*shardrpc.Reply)
	return resp, err
}

func (s *shards) Commit(ctx context.Context, m *shardrpc.CommitRequest) (
	*shardrpc.CommitResponse, error,
) {
	s.p.attempt(m.Txn, false)
	return ask[*shardrpc.CommitResponse](ctx, s, m.Shard, m)
}

func (s *shards) Prewrite(ctx context.Context, m *shardrpc.PrewriteRequest) (
	*shardrpc.PrewriteResponse, error,
) {
	s.p.attempt(m.Txn, true)
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

var _ coordinator.Shards = (*shards)(nil)
