package client

import (
	"context"
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
)

// answerBytesMax bounds what one answer may make this side hold.
const answerBytesMax = 64 << 20

// unary is a caller that makes each call an HTTP request of its own.
type unary struct {
	methods map[cairnv1.Method]invoker
	posts   *posts // nil: connect-go makes the requests
}

type invoker func(ctx context.Context, req proto.Message) (proto.Message, error)

func newUnary(client *http.Client, posts *posts, endpoint string, who identity) *unary {
	opts := connectOptions(who)
	kv := cairnv1connect.NewKVServiceClient(client, endpoint, opts)
	tx := cairnv1connect.NewTxnServiceClient(client, endpoint, opts)
	status := cairnv1connect.NewStatusServiceClient(client, endpoint, opts)
	cluster := cairnv1connect.NewClusterServiceClient(client, endpoint, opts)
	spaces := cairnv1connect.NewKeyspaceServiceClient(client, endpoint, opts)
	return &unary{posts: posts, methods: map[cairnv1.Method]invoker{
		cairnv1.Method_METHOD_KV_GET:       invoke(kv.Get),
		cairnv1.Method_METHOD_KV_BATCH_GET: invoke(kv.BatchGet),
		cairnv1.Method_METHOD_KV_SET:       invoke(kv.Set),
		cairnv1.Method_METHOD_KV_DELETE:    invoke(kv.Delete),
		cairnv1.Method_METHOD_KV_EXISTS:    invoke(kv.Exists),
		cairnv1.Method_METHOD_KV_EXTEND:    invoke(kv.Extend),
		cairnv1.Method_METHOD_KV_RANGE:     invoke(kv.Range),

		cairnv1.Method_METHOD_KV_UPDATE:       invoke(kv.Update),
		cairnv1.Method_METHOD_KV_TIME_TO_LIVE: invoke(kv.TimeToLive),
		cairnv1.Method_METHOD_KV_BATCH_SET:    invoke(kv.BatchSet),
		cairnv1.Method_METHOD_KV_BATCH_DELETE: invoke(kv.BatchDelete),
		cairnv1.Method_METHOD_KV_DELETE_RANGE: invoke(kv.DeleteRange),
		cairnv1.Method_METHOD_KV_HISTORY:      invoke(kv.History),
		cairnv1.Method_METHOD_KV_REVERT:       invoke(kv.Revert),

		cairnv1.Method_METHOD_TXN_EXECUTE:   invoke(tx.Execute),
		cairnv1.Method_METHOD_TXN_BEGIN:     invoke(tx.Begin),
		cairnv1.Method_METHOD_TXN_COMMIT:    invoke(tx.Commit),
		cairnv1.Method_METHOD_TXN_ROLLBACK:  invoke(tx.Rollback),
		cairnv1.Method_METHOD_TXN_OUTCOME:   invoke(tx.Outcome),
		cairnv1.Method_METHOD_STATUS_STATUS: invoke(status.Status),
		cairnv1.Method_METHOD_STATUS_TXNS:   invoke(status.Txns),
		cairnv1.Method_METHOD_STATUS_LOCKS:  invoke(status.Locks),

		cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER: invoke(cluster.TransferLeader),

		cairnv1.Method_METHOD_KEYSPACE_CREATE: invoke(spaces.CreateKeyspace),
		cairnv1.Method_METHOD_KEYSPACE_UPDATE: invoke(spaces.UpdateKeyspace),
		cairnv1.Method_METHOD_KEYSPACE_DELETE: invoke(spaces.DeleteKeyspace),
		cairnv1.Method_METHOD_KEYSPACE_LIST:   invoke(spaces.ListKeyspaces),
		cairnv1.Method_METHOD_KEYSPACE_GET:    invoke(spaces.GetKeyspace),
	}}
}

// connectOptions switch compression off: it costs more than a local network saves.
func connectOptions(who identity) connect.ClientOption {
	return connect.WithClientOptions(
		connect.WithInterceptors(who),
		connect.WithAcceptCompression("gzip", nil, nil),
		connect.WithReadMaxBytes(answerBytesMax),
	)
}

func invoke[Req, Res any](
	method func(context.Context, *connect.Request[Req]) (*connect.Response[Res], error),
) invoker {
	return func(ctx context.Context, req proto.Message) (proto.Message, error) {
		res, err := method(ctx, connect.NewRequest(any(req).(*Req)))
		if err != nil {
			return nil, err
		}
		return any(res.Msg).(proto.Message), nil
	}
}

func (u *unary) call(ctx context.Context, c *call) error {
	err := u.send(ctx, c)
	if lost, ok := err.(*lostError); ok && ctx.Err() != nil {
		if c.effect != commits || !lost.sent {
			return timeUp(ctx, c.op())
		}
		lost.err = context.Cause(ctx)
	}
	return err
}

func (u *unary) send(ctx context.Context, c *call) error {
	method, ok := u.methods[c.method]
	if !ok {
		return fmt.Errorf("no unary method for %v", c.method)
	}
	if u.posts != nil {
		return u.posts.call(ctx, c)
	}
	res, err := method(ctx, c.req)
	if err != nil {
		return fromConnect(err)
	}
	c.res = res
	return nil
}

// close gives back connections.
func (u *unary) close() {
	if u.posts != nil {
		u.posts.poster.Close()
	}
}
