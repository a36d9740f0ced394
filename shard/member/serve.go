package member

import (
	"context"

	"github.com/cairnkv/cairn/proto/link"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
	"github.com/cairnkv/cairn/txn"
)

// Serve answers one call of a gateway in another process; it is a link.Serve.
// What cannot make sense is refused here (check.go): the replicas trust what
// they are given.
func (m *Member) Serve(ctx context.Context, method uint8, payload []byte) ([]byte, error) {
	b, err := m.serve(ctx, shardrpc.Method(method), payload)
	if err != nil && txn.KindOf(err) == txn.Internal {
		// Of a call that ended like this nothing is known.
		err = &txn.Error{Kind: txn.Unknown, Op: "member.Serve", Reason: "no_answer", Err: err}
	}
	return b, err
}

func (m *Member) serve(
	ctx context.Context, method shardrpc.Method, b []byte,
) ([]byte, error) {
	newest := m.issued()
	switch method {
	case shardrpc.MethodTimestamp:
		return answer(ctx, b, checkTimestamp, m.timestamp)
	case shardrpc.MethodRoutes:
		return answer(ctx, b, nil, m.routesNow)
	case shardrpc.MethodRead:
		return whole(answer(ctx, b, newest.checkRead, leads(m, m.Read)))
	case shardrpc.MethodCommit:
		return answer(ctx, b, newest.checkCommit, leads(m, m.Commit))
	case shardrpc.MethodValidate:
		return answer(ctx, b, newest.checkValidate, leads(m, m.Validate))
	case shardrpc.MethodPrewrite:
		return answer(ctx, b, newest.checkPrewrite, leads(m, m.Prewrite))
	case shardrpc.MethodDecide:
		return answer(ctx, b, newest.checkDecide, leads(m, m.Decide))
	case shardrpc.MethodResolve:
		return answer(ctx, b, newest.checkResolve, leads(m, m.Resolve))
	case shardrpc.MethodQuery:
		return answer(ctx, b, newest.checkQuery, leads(m, m.Query))
	case shardrpc.MethodQueryIntents:
		return answer(ctx, b, newest.checkQueryIntents, leads(m, m.QueryIntents))
	case shardrpc.MethodStale:
		return answer(ctx, b, checkStale, leads(m, m.Stale))
	case shardrpc.MethodLock:
		return answer(ctx, b, newest.checkLock, leads(m, m.Lock))
	case shardrpc.MethodUnlock:
		return answer(ctx, b, newest.checkUnlock, leads(m, m.Unlock))
	case shardrpc.MethodLocks:
		return answer(ctx, b, nil, leads(m, m.Locks))
	case shardrpc.MethodInquire:
		return answer(ctx, b, newest.checkInquire, leads(m, m.Inquire))
	case shardrpc.MethodEphemeral:
		return answer(ctx, b, checkEphemeral, leads(m, m.Ephemeral))
	case shardrpc.MethodSession:
		return answer(ctx, b, checkSession, leads(m, m.session))
	case shardrpc.MethodFindSession:
		return answer(ctx, b, checkFindSession, leads(m, m.findSession))
	case shardrpc.MethodRenew:
		return answer(ctx, b, checkRenew, leads(m, m.renew))
	case shardrpc.MethodStatus:
		return answer(ctx, b, nil, m.statusNow)
	case shardrpc.MethodTransfer:
		return answer(ctx, b, nil, leads(m, m.Transfer))
	case shardrpc.MethodSnapshot:
		return answer(ctx, b, nil, m.moving.receive)
	case shardrpc.MethodFound:
		return answer(ctx, b, nil, m.found)
	case shardrpc.MethodReplace:
		return answer(ctx, b, checkReplace, leads(m, m.replace))
	}
	return m.serveKeyspaces(ctx, method, b)
}

// targeted is a request to the leader of a shard.
type targeted interface{ Where() shardrpc.ShardID }

// leads passes on only what is for a shard that this member leads, as far as it
// knows: the caller should ask the leader, and nothing was done.
func leads[P targeted, A shardrpc.Message](
	m *Member, do func(context.Context, P) (A, error),
) func(context.Context, P) (A, error) {
	return func(ctx context.Context, req P) (A, error) {
		h, ok := m.shards[req.Where()]
		if ok && h.Leader() != m.ID() {
			var none A
			return none, &shardrpc.NotLeader{Shard: req.Where(), Leader: h.Leader()}
		}
		return do(ctx, req)
	}
}

// issued is the newest timestamp that may have been issued, as far as this
// member can know: it may lag behind the oracle's leader.
func (m *Member) issued() issued {
	newest := max(int64(m.meta.Limit()), int64(m.newest.Load()), m.o.Env.Wall())
	return issued(newest + shard.AheadMax.Microseconds())
}

// decodable is a pointer to Q, a request.
type decodable[Q any] interface {
	*Q
	shardrpc.Message
}

// answer decodes a request, checks it, carries it out and encodes its answer.
func answer[Q any, P decodable[Q], A shardrpc.Message](
	ctx context.Context, b []byte, check func(P) error, do func(context.Context, P) (A, error),
) ([]byte, error) {
	req, err := shardrpc.Decode[Q, P](b)
	if err == nil && check != nil {
		err = check(req)
	}
	if err != nil {
		return nil, err
	}
	resp, err := do(ctx, req)
	if err != nil {
		return nil, err
	}
	return shardrpc.Encode(resp), nil
}

// whole says so if the answer to a read does not fit into a link: asking again
// would not change that.
func whole(b []byte, err error) ([]byte, error) {
	if err != nil || len(b) <= link.PayloadBytesMax {
		return b, err
	}
	e := txn.Errorf(txn.Exhausted, "answer_too_large",
		"the answer has %d bytes, the limit is %d", len(b), link.PayloadBytesMax)
	e.Next = "read fewer keys at a time"
	return shardrpc.Encode(&shardrpc.ReadResponse{Err: e}), nil
}

func (m *Member) timestamp(
	ctx context.Context, req *shardrpc.TimestampRequest,
) (*shardrpc.TimestampResponse, error) {
	first, err := m.Timestamp(ctx, req.N)
	return &shardrpc.TimestampResponse{First: first}, err
}

func (m *Member) routesNow(
	context.Context, *shardrpc.RoutesRequest,
) (*shardrpc.RoutesResponse, error) {
	return &shardrpc.RoutesResponse{Routes: m.routes, Members: m.meta.Members()}, nil
}

func (m *Member) statusNow(
	ctx context.Context, _ *shardrpc.StatusRequest,
) (*shardrpc.StatusResponse, error) {
	members, err := m.Status(ctx)
	return &shardrpc.StatusResponse{Members: members}, err
}

func (m *Member) session(
	ctx context.Context, req *shardrpc.SessionRequest,
) (*shardrpc.SessionResponse, error) {
	return call[shardrpc.SessionResponse](ctx, m, shardrpc.MetaShard, req)
}

func (m *Member) findSession(
	ctx context.Context, req *shardrpc.FindSessionRequest,
) (*shardrpc.FindSessionResponse, error) {
	return call[shardrpc.FindSessionResponse](ctx, m, shardrpc.MetaShard, req)
}

func (m *Member) renew(
	ctx context.Context, req *shardrpc.RenewRequest,
) (*shardrpc.RenewResponse, error) {
	return call[shardrpc.RenewResponse](ctx, m, shardrpc.MetaShard, req)
}

func (m *Member) replace(
	ctx context.Context, req *shardrpc.ReplaceRequest,
) (*shardrpc.ReplaceResponse, error) {
	if !m.meta.Has(req.New, req.Nonce) { // the meta group looks after itself
		for _, id := range m.ids()[1:] {
			if !m.shards[id].Settled() {
				return nil, meta.Changing(id)
			}
		}
	}
	resp, err := call[shardrpc.ReplaceResponse](ctx, m, shardrpc.MetaShard, req)
	if err == nil && resp.Answer == shardrpc.OK {
		resp.ClusterID, resp.Routes = m.ClusterID(), m.routes
	}
	return resp, err
}
