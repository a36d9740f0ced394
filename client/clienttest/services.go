package clienttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
)

type (
	kvService struct {
		cairnv1connect.UnimplementedKVServiceHandler
		s *Server
	}
	txnService struct {
		cairnv1connect.UnimplementedTxnServiceHandler
		s *Server
	}
	statusService struct {
		cairnv1connect.UnimplementedStatusServiceHandler
		s *Server
	}
	clusterService struct {
		cairnv1connect.UnimplementedClusterServiceHandler
		s *Server
	}
	streamService struct{ s *Server }
)

// unary makes a handler's body of the one way in.
func unary[Res any](
	ctx context.Context, s *Server, m cairnv1.Method, req proto.Message,
) (*connect.Response[Res], error) {
	res, err := s.do(ctx, m, req)
	if errors.Is(err, errCut) {
		panic(http.ErrAbortHandler) // how a handler of net/http drops its connection
	}
	if err != nil {
		return nil, connectError(err)
	}
	return connect.NewResponse(any(res).(*Res)), nil
}

func (k kvService) Get(
	ctx context.Context, r *connect.Request[cairnv1.GetRequest],
) (*connect.Response[cairnv1.GetResponse], error) {
	return unary[cairnv1.GetResponse](ctx, k.s, cairnv1.Method_METHOD_KV_GET, r.Msg)
}

func (k kvService) BatchGet(
	ctx context.Context, r *connect.Request[cairnv1.BatchGetRequest],
) (*connect.Response[cairnv1.BatchGetResponse], error) {
	return unary[cairnv1.BatchGetResponse](ctx, k.s, cairnv1.Method_METHOD_KV_BATCH_GET, r.Msg)
}

func (k kvService) Set(
	ctx context.Context, r *connect.Request[cairnv1.SetRequest],
) (*connect.Response[cairnv1.SetResponse], error) {
	return unary[cairnv1.SetResponse](ctx, k.s, cairnv1.Method_METHOD_KV_SET, r.Msg)
}

func (k kvService) Delete(
	ctx context.Context, r *connect.Request[cairnv1.DeleteRequest],
) (*connect.Response[cairnv1.DeleteResponse], error) {
	return unary[cairnv1.DeleteResponse](ctx, k.s, cairnv1.Method_METHOD_KV_DELETE, r.Msg)
}

func (k kvService) Exists(
	ctx context.Context, r *connect.Request[cairnv1.ExistsRequest],
) (*connect.Response[cairnv1.ExistsResponse], error) {
	return unary[cairnv1.ExistsResponse](ctx, k.s, cairnv1.Method_METHOD_KV_EXISTS, r.Msg)
}

func (k kvService) Extend(
	ctx context.Context, r *connect.Request[cairnv1.ExtendRequest],
) (*connect.Response[cairnv1.ExtendResponse], error) {
	return unary[cairnv1.ExtendResponse](ctx, k.s, cairnv1.Method_METHOD_KV_EXTEND, r.Msg)
}

func (k kvService) Range(
	ctx context.Context, r *connect.Request[cairnv1.RangeRequest],
) (*connect.Response[cairnv1.RangeResponse], error) {
	return unary[cairnv1.RangeResponse](ctx, k.s, cairnv1.Method_METHOD_KV_RANGE, r.Msg)
}

func (k kvService) Update(
	ctx context.Context, r *connect.Request[cairnv1.UpdateRequest],
) (*connect.Response[cairnv1.UpdateResponse], error) {
	return unary[cairnv1.UpdateResponse](ctx, k.s, cairnv1.Method_METHOD_KV_UPDATE, r.Msg)
}

func (k kvService) TimeToLive(
	ctx context.Context, r *connect.Request[cairnv1.TimeToLiveRequest],
) (*connect.Response[cairnv1.TimeToLiveResponse], error) {
	return unary[cairnv1.TimeToLiveResponse](ctx, k.s, cairnv1.Method_METHOD_KV_TIME_TO_LIVE, r.Msg)
}

func (k kvService) BatchSet(
	ctx context.Context, r *connect.Request[cairnv1.BatchSetRequest],
) (*connect.Response[cairnv1.BatchSetResponse], error) {
	return unary[cairnv1.BatchSetResponse](ctx, k.s, cairnv1.Method_METHOD_KV_BATCH_SET, r.Msg)
}

func (k kvService) BatchDelete(
	ctx context.Context, r *connect.Request[cairnv1.BatchDeleteRequest],
) (*connect.Response[cairnv1.BatchDeleteResponse], error) {
	return unary[cairnv1.BatchDeleteResponse](ctx, k.s, cairnv1.Method_METHOD_KV_BATCH_DELETE, r.Msg)
}

func (k kvService) DeleteRange(
	ctx context.Context, r *connect.Request[cairnv1.DeleteRangeRequest],
) (*connect.Response[cairnv1.DeleteRangeResponse], error) {
	return unary[cairnv1.DeleteRangeResponse](ctx, k.s, cairnv1.Method_METHOD_KV_DELETE_RANGE, r.Msg)
}

func (k kvService) History(
	ctx context.Context, r *connect.Request[cairnv1.HistoryRequest],
) (*connect.Response[cairnv1.HistoryResponse], error) {
	return unary[cairnv1.HistoryResponse](ctx, k.s, cairnv1.Method_METHOD_KV_HISTORY, r.Msg)
}

func (k kvService) Revert(
	ctx context.Context, r *connect.Request[cairnv1.RevertRequest],
) (*connect.Response[cairnv1.RevertResponse], error) {
	return unary[cairnv1.RevertResponse](ctx, k.s, cairnv1.Method_METHOD_KV_REVERT, r.Msg)
}

func (t txnService) Execute(
	ctx context.Context, r *connect.Request[cairnv1.ExecuteRequest],
) (*connect.Response[cairnv1.ExecuteResponse], error) {
	return unary[cairnv1.ExecuteResponse](ctx, t.s, cairnv1.Method_METHOD_TXN_EXECUTE, r.Msg)
}

func (t txnService) Begin(
	ctx context.Context, r *connect.Request[cairnv1.BeginRequest],
) (*connect.Response[cairnv1.BeginResponse], error) {
	return unary[cairnv1.BeginResponse](ctx, t.s, cairnv1.Method_METHOD_TXN_BEGIN, r.Msg)
}

func (t txnService) Commit(
	ctx context.Context, r *connect.Request[cairnv1.CommitRequest],
) (*connect.Response[cairnv1.CommitResponse], error) {
	return unary[cairnv1.CommitResponse](ctx, t.s, cairnv1.Method_METHOD_TXN_COMMIT, r.Msg)
}

func (t txnService) Rollback(
	ctx context.Context, r *connect.Request[cairnv1.RollbackRequest],
) (*connect.Response[cairnv1.RollbackResponse], error) {
	return unary[cairnv1.RollbackResponse](ctx, t.s, cairnv1.Method_METHOD_TXN_ROLLBACK, r.Msg)
}

func (t txnService) Outcome(
	ctx context.Context, r *connect.Request[cairnv1.OutcomeRequest],
) (*connect.Response[cairnv1.OutcomeResponse], error) {
	return unary[cairnv1.OutcomeResponse](ctx, t.s, cairnv1.Method_METHOD_TXN_OUTCOME, r.Msg)
}

func (t statusService) Status(
	ctx context.Context, r *connect.Request[cairnv1.StatusRequest],
) (*connect.Response[cairnv1.StatusResponse], error) {
	return unary[cairnv1.StatusResponse](ctx, t.s, cairnv1.Method_METHOD_STATUS_STATUS, r.Msg)
}

func (t statusService) Txns(
	ctx context.Context, r *connect.Request[cairnv1.TxnsRequest],
) (*connect.Response[cairnv1.TxnsResponse], error) {
	return unary[cairnv1.TxnsResponse](ctx, t.s, cairnv1.Method_METHOD_STATUS_TXNS, r.Msg)
}

func (t statusService) Locks(
	ctx context.Context, r *connect.Request[cairnv1.LocksRequest],
) (*connect.Response[cairnv1.LocksResponse], error) {
	return unary[cairnv1.LocksResponse](ctx, t.s, cairnv1.Method_METHOD_STATUS_LOCKS, r.Msg)
}

func (t clusterService) TransferLeader(
	ctx context.Context, r *connect.Request[cairnv1.TransferLeaderRequest],
) (*connect.Response[cairnv1.TransferLeaderResponse], error) {
	return unary[cairnv1.TransferLeaderResponse](
		ctx, t.s, cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER, r.Msg)
}

// newRequest is an empty request message of a method.
func newRequest(m cairnv1.Method) proto.Message {
	switch m {
	case cairnv1.Method_METHOD_KV_GET:
		return &cairnv1.GetRequest{}
	case cairnv1.Method_METHOD_KV_BATCH_GET:
		return &cairnv1.BatchGetRequest{}
	case cairnv1.Method_METHOD_KV_SET:
		return &cairnv1.SetRequest{}
	case cairnv1.Method_METHOD_KV_DELETE:
		return &cairnv1.DeleteRequest{}
	case cairnv1.Method_METHOD_KV_EXISTS:
		return &cairnv1.ExistsRequest{}
	case cairnv1.Method_METHOD_KV_EXTEND:
		return &cairnv1.ExtendRequest{}
	case cairnv1.Method_METHOD_KV_RANGE:
		return &cairnv1.RangeRequest{}
	case cairnv1.Method_METHOD_KV_UPDATE:
		return &cairnv1.UpdateRequest{}
	case cairnv1.Method_METHOD_KV_TIME_TO_LIVE:
		return &cairnv1.TimeToLiveRequest{}
	case cairnv1.Method_METHOD_KV_BATCH_SET:
		return &cairnv1.BatchSetRequest{}
	case cairnv1.Method_METHOD_KV_BATCH_DELETE:
		return &cairnv1.BatchDeleteRequest{}
	case cairnv1.Method_METHOD_KV_DELETE_RANGE:
		return &cairnv1.DeleteRangeRequest{}
	case cairnv1.Method_METHOD_KV_HISTORY:
		return &cairnv1.HistoryRequest{}
	case cairnv1.Method_METHOD_KV_REVERT:
		return &cairnv1.RevertRequest{}
	case cairnv1.Method_METHOD_TXN_EXECUTE:
		return &cairnv1.ExecuteRequest{}
	case cairnv1.Method_METHOD_TXN_BEGIN:
		return &cairnv1.BeginRequest{}
	case cairnv1.Method_METHOD_TXN_COMMIT:
		return &cairnv1.CommitRequest{}
	case cairnv1.Method_METHOD_TXN_ROLLBACK:
		return &cairnv1.RollbackRequest{}
	case cairnv1.Method_METHOD_TXN_OUTCOME:
		return &cairnv1.OutcomeRequest{}
	case cairnv1.Method_METHOD_STATUS_STATUS:
		return &cairnv1.StatusRequest{}
	case cairnv1.Method_METHOD_STATUS_TXNS:
		return &cairnv1.TxnsRequest{}
	case cairnv1.Method_METHOD_STATUS_LOCKS:
		return &cairnv1.LocksRequest{}
	case cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER:
		return &cairnv1.TransferLeaderRequest{}
	}
	return newKeyspaceRequest(m)
}

// Exchange serves one stream: a goroutine for each call, and one that sends
// whatever answers have come up.
func (t streamService) Exchange(
	ctx context.Context, stream *connect.BidiStream[cairnv1.Frame, cairnv1.Frame],
) error {
	ctx, cancel := context.WithCancel(ctx)
	x := &exchange{s: t.s, cut: cancel, replies: make(chan *cairnv1.Reply, 4096)}
	x.cancels = make(map[uint64]func())
	var sender sync.WaitGroup
	sender.Go(func() { x.send(stream) })
	err := x.receive(ctx, stream)
	if err != nil {
		cancel()
	}
	x.calls.Wait()
	cancel()
	close(x.replies)
	sender.Wait()
	if x.lost {
		panic(http.ErrAbortHandler)
	}
	return err
}

type exchange struct {
	s       *Server
	cut     func()
	calls   sync.WaitGroup
	replies chan *cairnv1.Reply

	mu      sync.Mutex
	cancels map[uint64]func()
	lost    bool
}

func (x *exchange) receive(
	ctx context.Context, stream *connect.BidiStream[cairnv1.Frame, cairnv1.Frame],
) error {
	frames := make(chan *cairnv1.Frame)
	failed := make(chan error, 1)
	go func() {
		for {
			frame, err := stream.Receive()
			if err != nil {
				failed <- err
				return
			}
			select {
			case frames <- frame:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case frame := <-frames:
			x.take(ctx, frame)
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *exchange) take(ctx context.Context, frame *cairnv1.Frame) {
	if len(frame.Calls) > 0 {
		x.s.mu.Lock()
		x.s.frames = append(x.s.frames, len(frame.Calls))
		x.s.mu.Unlock()
	}
	for _, c := range frame.Calls {
		ctx, cancel := context.WithCancel(ctx)
		if c.DeadlineMs > 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(c.DeadlineMs)*time.Millisecond)
		}
		x.mu.Lock()
		x.cancels[c.Id] = cancel
		x.mu.Unlock()
		x.calls.Go(func() { x.call(ctx, c) })
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range frame.Cancels {
		if cancel := x.cancels[c.Id]; cancel != nil {
			cancel()
		}
	}
}

func (x *exchange) call(ctx context.Context, c *cairnv1.Call) {
	r := &cairnv1.Reply{Id: c.Id}
	res, err := x.answer(ctx, c)
	x.mu.Lock()
	x.cancels[c.Id]()
	delete(x.cancels, c.Id)
	x.lost = x.lost || errors.Is(err, errCut)
	lost := x.lost
	x.mu.Unlock()
	if lost {
		x.cut()
		return
	}
	if err == nil {
		r.Payload, err = proto.Marshal(res)
	}
	if err != nil {
		r.Error = wireError(err)
	}
	x.replies <- r
}

func (x *exchange) answer(ctx context.Context, c *cairnv1.Call) (proto.Message, error) {
	req := newRequest(c.Method)
	if req == nil {
		return nil, fmt.Errorf("no method %v", c.Method)
	}
	if err := proto.Unmarshal(c.Payload, req); err != nil {
		return nil, err
	}
	return x.s.do(ctx, c.Method, req)
}

func (x *exchange) send(stream *connect.BidiStream[cairnv1.Frame, cairnv1.Frame]) {
	for r := range x.replies {
		frame := &cairnv1.Frame{Replies: []*cairnv1.Reply{r}}
		for size := len(r.Payload); len(x.replies) > 0 && size < 1<<20; {
			r := <-x.replies
			size += len(r.GetPayload())
			frame.Replies = append(frame.Replies, r)
		}
		if stream.Send(frame) != nil {
			x.cut()
			for range x.replies { // nobody listens any more
			}
		}
	}
}
