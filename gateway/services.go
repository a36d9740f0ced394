package gateway

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"github.com/cairnkv/cairn/proto/frame"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
)

const (
	// RequestBytesMax is the largest message that is taken: the largest transaction, 8 MiB of
	// keys and values, and room for its encoding. For a frame of the stream it is the same.
	RequestBytesMax = 9 << 20
	// ResponseBytesMax is the largest message that is sent.
	ResponseBytesMax = 64 << 20
	// compressBytesMin is the smallest answer that is worth compressing.
	compressBytesMin = 4096
)

// unary is the handler of one method.
func unary[Req, Resp any](
	ctx context.Context, g *Gateway, m method, req *connect.Request[Req],
	f func(*Gateway, context.Context, *Req) (*Resp, error),
) (*connect.Response[Resp], error) {
	resp, err := call(arrived(ctx, req.Header()), g, m, req.Msg, f)
	if err != nil {
		return nil, connectError(err)
	}
	return connect.NewResponse(resp), nil
}

// kvService implements cairnv1connect.KVServiceHandler.
type kvService struct{ g *Gateway }

func (s kvService) Get(
	ctx context.Context, req *connect.Request[cairnv1.GetRequest],
) (*connect.Response[cairnv1.GetResponse], error) {
	return unary(ctx, s.g, methodGet, req, (*Gateway).get)
}

func (s kvService) BatchGet(
	ctx context.Context, req *connect.Request[cairnv1.BatchGetRequest],
) (*connect.Response[cairnv1.BatchGetResponse], error) {
	return unary(ctx, s.g, methodBatchGet, req, (*Gateway).batchGet)
}

func (s kvService) Set(
	ctx context.Context, req *connect.Request[cairnv1.SetRequest],
) (*connect.Response[cairnv1.SetResponse], error) {
	return unary(ctx, s.g, methodSet, req, (*Gateway).set)
}

func (s kvService) Delete(
	ctx context.Context, req *connect.Request[cairnv1.DeleteRequest],
) (*connect.Response[cairnv1.DeleteResponse], error) {
	return unary(ctx, s.g, methodDelete, req, (*Gateway).del)
}

func (s kvService) Exists(
	ctx context.Context, req *connect.Request[cairnv1.ExistsRequest],
) (*connect.Response[cairnv1.ExistsResponse], error) {
	return unary(ctx, s.g, methodExists, req, (*Gateway).exists)
}

func (s kvService) Extend(
	ctx context.Context, req *connect.Request[cairnv1.ExtendRequest],
) (*connect.Response[cairnv1.ExtendResponse], error) {
	return unary(ctx, s.g, methodExtend, req, (*Gateway).extend)
}

func (s kvService) Range(
	ctx context.Context, req *connect.Request[cairnv1.RangeRequest],
) (*connect.Response[cairnv1.RangeResponse], error) {
	return unary(ctx, s.g, methodRange, req, (*Gateway).rangePage)
}

func (s kvService) RangeStream(
	ctx context.Context, req *connect.Request[cairnv1.RangeStreamRequest],
	stream *connect.ServerStream[cairnv1.RangeStreamResponse],
) error {
	ctx = arrived(ctx, req.Header())
	_, err := call(ctx, s.g, methodRangeStream, req.Msg, func(
		g *Gateway, ctx context.Context, req *cairnv1.RangeStreamRequest,
	) (*struct{}, error) {
		if h, away := g.away(ctx, req); away {
			return nil, g.forwardStream(ctx, h, req, stream.Send)
		}
		return nil, g.rangeStream(ctx, req, stream.Send)
	})
	if err != nil {
		return connectError(err)
	}
	return nil
}

func (s kvService) Update(
	ctx context.Context, req *connect.Request[cairnv1.UpdateRequest],
) (*connect.Response[cairnv1.UpdateResponse], error) {
	return unary(ctx, s.g, methodUpdate, req, (*Gateway).update)
}

func (s kvService) TimeToLive(
	ctx context.Context, req *connect.Request[cairnv1.TimeToLiveRequest],
) (*connect.Response[cairnv1.TimeToLiveResponse], error) {
	return unary(ctx, s.g, methodTimeToLive, req, (*Gateway).timeToLive)
}

func (s kvService) BatchSet(
	ctx context.Context, req *connect.Request[cairnv1.BatchSetRequest],
) (*connect.Response[cairnv1.BatchSetResponse], error) {
	return unary(ctx, s.g, methodBatchSet, req, (*Gateway).batchSet)
}

func (s kvService) BatchDelete(
	ctx context.Context, req *connect.Request[cairnv1.BatchDeleteRequest],
) (*connect.Response[cairnv1.BatchDeleteResponse], error) {
	return unary(ctx, s.g, methodBatchDelete, req, (*Gateway).batchDelete)
}

func (s kvService) DeleteRange(
	ctx context.Context, req *connect.Request[cairnv1.DeleteRangeRequest],
) (*connect.Response[cairnv1.DeleteRangeResponse], error) {
	return unary(ctx, s.g, methodDeleteRange, req, (*Gateway).deleteRange)
}

func (s kvService) History(
	ctx context.Context, req *connect.Request[cairnv1.HistoryRequest],
) (*connect.Response[cairnv1.HistoryResponse], error) {
	return unary(ctx, s.g, methodHistory, req, (*Gateway).history)
}

func (s kvService) Revert(
	ctx context.Context, req *connect.Request[cairnv1.RevertRequest],
) (*connect.Response[cairnv1.RevertResponse], error) {
	return unary(ctx, s.g, methodRevert, req, (*Gateway).revert)
}

// txnService implements cairnv1connect.TxnServiceHandler.
type txnService struct{ g *Gateway }

func (s txnService) Execute(
	ctx context.Context, req *connect.Request[cairnv1.ExecuteRequest],
) (*connect.Response[cairnv1.ExecuteResponse], error) {
	return unary(ctx, s.g, methodExecute, req, (*Gateway).executeProgram)
}

func (s txnService) Begin(
	ctx context.Context, req *connect.Request[cairnv1.BeginRequest],
) (*connect.Response[cairnv1.BeginResponse], error) {
	return unary(ctx, s.g, methodBegin, req, (*Gateway).begin)
}

func (s txnService) Commit(
	ctx context.Context, req *connect.Request[cairnv1.CommitRequest],
) (*connect.Response[cairnv1.CommitResponse], error) {
	return unary(ctx, s.g, methodCommit, req, (*Gateway).commit)
}

func (s txnService) Rollback(
	ctx context.Context, req *connect.Request[cairnv1.RollbackRequest],
) (*connect.Response[cairnv1.RollbackResponse], error) {
	return unary(ctx, s.g, methodRollback, req, (*Gateway).rollback)
}

func (s txnService) Outcome(
	ctx context.Context, req *connect.Request[cairnv1.OutcomeRequest],
) (*connect.Response[cairnv1.OutcomeResponse], error) {
	return unary(ctx, s.g, methodOutcome, req, (*Gateway).outcome)
}

// statusService implements cairnv1connect.StatusServiceHandler.
type statusService struct{ g *Gateway }

func (s statusService) Status(
	ctx context.Context, req *connect.Request[cairnv1.StatusRequest],
) (*connect.Response[cairnv1.StatusResponse], error) {
	return unary(ctx, s.g, methodStatus, req, (*Gateway).statusOf)
}

func (s statusService) Txns(
	ctx context.Context, req *connect.Request[cairnv1.TxnsRequest],
) (*connect.Response[cairnv1.TxnsResponse], error) {
	return unary(ctx, s.g, methodTxns, req, (*Gateway).openTxns)
}

func (s statusService) Locks(
	ctx context.Context, req *connect.Request[cairnv1.LocksRequest],
) (*connect.Response[cairnv1.LocksResponse], error) {
	return unary(ctx, s.g, methodLocks, req, (*Gateway).lockTable)
}

// clusterService implements cairnv1connect.ClusterServiceHandler.
type clusterService struct{ g *Gateway }

func (s clusterService) TransferLeader(
	ctx context.Context, req *connect.Request[cairnv1.TransferLeaderRequest],
) (*connect.Response[cairnv1.TransferLeaderResponse], error) {
	return unary(ctx, s.g, methodTransferLeader, req, (*Gateway).transferLeader)
}

// keyspaceService implements cairnv1connect.KeyspaceServiceHandler.
type keyspaceService struct{ g *Gateway }

func (s keyspaceService) CreateKeyspace(
	ctx context.Context, req *connect.Request[cairnv1.CreateKeyspaceRequest],
) (*connect.Response[cairnv1.CreateKeyspaceResponse], error) {
	return unary(ctx, s.g, methodCreateKeyspace, req, (*Gateway).createKeyspace)
}

func (s keyspaceService) UpdateKeyspace(
	ctx context.Context, req *connect.Request[cairnv1.UpdateKeyspaceRequest],
) (*connect.Response[cairnv1.UpdateKeyspaceResponse], error) {
	return unary(ctx, s.g, methodUpdateKeyspace, req, (*Gateway).updateKeyspace)
}

func (s keyspaceService) DeleteKeyspace(
	ctx context.Context, req *connect.Request[cairnv1.DeleteKeyspaceRequest],
) (*connect.Response[cairnv1.DeleteKeyspaceResponse], error) {
	return unary(ctx, s.g, methodDeleteKeyspace, req, (*Gateway).deleteKeyspace)
}

func (s keyspaceService) ListKeyspaces(
	ctx context.Context, req *connect.Request[cairnv1.ListKeyspacesRequest],
) (*connect.Response[cairnv1.ListKeyspacesResponse], error) {
	return unary(ctx, s.g, methodListKeyspaces, req, (*Gateway).listKeyspaces)
}

func (s keyspaceService) GetKeyspace(
	ctx context.Context, req *connect.Request[cairnv1.GetKeyspaceRequest],
) (*connect.Response[cairnv1.GetKeyspaceResponse], error) {
	return unary(ctx, s.g, methodGetKeyspace, req, (*Gateway).getKeyspace)
}

// streamService implements cairnv1connect.StreamServiceHandler.
type streamService struct{ g *Gateway }

func (s streamService) Exchange(
	ctx context.Context, stream *connect.BidiStream[cairnv1.Frame, cairnv1.Frame],
) error {
	return newExchange(ctx, s.g, stream).run()
}

// health implements grpchealth.Checker: all services are ready or none is.
type health struct{ g *Gateway }

func (h health) Check(
	_ context.Context, req *grpchealth.CheckRequest,
) (*grpchealth.CheckResponse, error) {
	switch req.Service {
	case "", cairnv1connect.KVServiceName, cairnv1connect.TxnServiceName,
		cairnv1connect.StreamServiceName, cairnv1connect.StatusServiceName,
		cairnv1connect.ClusterServiceName, cairnv1connect.KeyspaceServiceName:
	default:
		return nil, connect.NewError(connect.CodeNotFound, errNoSuchService)
	}
	if h.g.Ready() != nil {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// mount makes the handlers of all services.
func (g *Gateway) mount() {
	opts := []connect.HandlerOption{
		connect.WithCodec(strictJSON{"json"}),
		connect.WithCodec(strictJSON{"json; charset=utf-8"}),
		connect.WithCompression("gzip", newCappedGzip, newGzipWriter),
		connect.WithCompressMinBytes(compressBytesMin),
		connect.WithReadMaxBytes(RequestBytesMax),
		connect.WithSendMaxBytes(ResponseBytesMax),
	}
	g.mounts = make(map[string]http.Handler)
	add := func(path string, h http.Handler) { g.mounts[path] = h }
	add(cairnv1connect.NewKVServiceHandler(kvService{g}, opts...))
	add(cairnv1connect.NewTxnServiceHandler(txnService{g}, opts...))
	add(cairnv1connect.NewStatusServiceHandler(statusService{g}, opts...))
	add(cairnv1connect.NewClusterServiceHandler(clusterService{g}, opts...))
	add(cairnv1connect.NewKeyspaceServiceHandler(keyspaceService{g}, opts...))
	add(cairnv1connect.NewStreamServiceHandler(streamService{g},
		append(opts, connect.WithCodec(frame.Codec{}))...))
	add(grpchealth.NewHandler(health{g}, opts...))
	reflector := grpcreflect.NewStaticReflector(
		cairnv1connect.KVServiceName, cairnv1connect.TxnServiceName,
		cairnv1connect.StatusServiceName, cairnv1connect.ClusterServiceName,
		cairnv1connect.KeyspaceServiceName, cairnv1connect.StreamServiceName,
		grpchealth.HealthV1ServiceName,
	)
	add(grpcreflect.NewHandlerV1(reflector, opts...))
	add(grpcreflect.NewHandlerV1Alpha(reflector, opts...))
	g.errorWriter = connect.NewErrorWriter(opts...)
	g.callees = make(map[string]*callee)
	for i := range callees {
		if c := &callees[i]; c.serve != nil {
			g.callees["/cairn.v1."+c.method.String()] = c
		}
	}
}
