package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// answer serves one call of a stream.
func (g *Gateway) answer(ctx context.Context, c *cairnv1.Call) *cairnv1.Reply {
	switch c.GetMethod() {
	case cairnv1.Method_METHOD_KV_GET:
		return dispatch(ctx, g, methodGet, c, (*Gateway).get)
	case cairnv1.Method_METHOD_KV_BATCH_GET:
		return dispatch(ctx, g, methodBatchGet, c, (*Gateway).batchGet)
	case cairnv1.Method_METHOD_KV_SET:
		return dispatch(ctx, g, methodSet, c, (*Gateway).set)
	case cairnv1.Method_METHOD_KV_DELETE:
		return dispatch(ctx, g, methodDelete, c, (*Gateway).del)
	case cairnv1.Method_METHOD_KV_EXISTS:
		return dispatch(ctx, g, methodExists, c, (*Gateway).exists)
	case cairnv1.Method_METHOD_KV_EXTEND:
		return dispatch(ctx, g, methodExtend, c, (*Gateway).extend)
	case cairnv1.Method_METHOD_KV_RANGE:
		return dispatch(ctx, g, methodRange, c, (*Gateway).rangePage)
	case cairnv1.Method_METHOD_TXN_EXECUTE:
		return dispatch(ctx, g, methodExecute, c, (*Gateway).executeProgram)
	case cairnv1.Method_METHOD_TXN_BEGIN:
		return dispatch(ctx, g, methodBegin, c, (*Gateway).begin)
	case cairnv1.Method_METHOD_TXN_COMMIT:
		return dispatch(ctx, g, methodCommit, c, (*Gateway).commit)
	case cairnv1.Method_METHOD_TXN_ROLLBACK:
		return dispatch(ctx, g, methodRollback, c, (*Gateway).rollback)
	case cairnv1.Method_METHOD_STATUS_STATUS:
		return dispatch(ctx, g, methodStatus, c, (*Gateway).statusOf)
	case cairnv1.Method_METHOD_STATUS_TXNS:
		return dispatch(ctx, g, methodTxns, c, (*Gateway).openTxns)
	case cairnv1.Method_METHOD_STATUS_LOCKS:
		return dispatch(ctx, g, methodLocks, c, (*Gateway).lockTable)
	case cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER:
		return dispatch(ctx, g, methodTransferLeader, c, (*Gateway).transferLeader)
	case cairnv1.Method_METHOD_TXN_OUTCOME:
		return dispatch(ctx, g, methodOutcome, c, (*Gateway).outcome)
	case cairnv1.Method_METHOD_KV_UPDATE:
		return dispatch(ctx, g, methodUpdate, c, (*Gateway).update)
	case cairnv1.Method_METHOD_KV_TIME_TO_LIVE:
		return dispatch(ctx, g, methodTimeToLive, c, (*Gateway).timeToLive)
	case cairnv1.Method_METHOD_KV_BATCH_SET:
		return dispatch(ctx, g, methodBatchSet, c, (*Gateway).batchSet)
	case cairnv1.Method_METHOD_KV_BATCH_DELETE:
		return dispatch(ctx, g, methodBatchDelete, c, (*Gateway).batchDelete)
	case cairnv1.Method_METHOD_KV_DELETE_RANGE:
		return dispatch(ctx, g, methodDeleteRange, c, (*Gateway).deleteRange)
	case cairnv1.Method_METHOD_KV_HISTORY:
		return dispatch(ctx, g, methodHistory, c, (*Gateway).history)
	case cairnv1.Method_METHOD_KV_REVERT:
		return dispatch(ctx, g, methodRevert, c, (*Gateway).revert)
	case cairnv1.Method_METHOD_KEYSPACE_CREATE:
		return dispatch(ctx, g, methodCreateKeyspace, c, (*Gateway).createKeyspace)
	case cairnv1.Method_METHOD_KEYSPACE_UPDATE:
		return dispatch(ctx, g, methodUpdateKeyspace, c, (*Gateway).updateKeyspace)
	case cairnv1.Method_METHOD_KEYSPACE_DELETE:
		return dispatch(ctx, g, methodDeleteKeyspace, c, (*Gateway).deleteKeyspace)
	case cairnv1.Method_METHOD_KEYSPACE_LIST:
		return dispatch(ctx, g, methodListKeyspaces, c, (*Gateway).listKeyspaces)
	case cairnv1.Method_METHOD_KEYSPACE_GET:
		return dispatch(ctx, g, methodGetKeyspace, c, (*Gateway).getKeyspace)
	default:
		return &cairnv1.Reply{Id: c.GetId(), Error: callError(txn.Errorf(
			txn.Invalid, "method_unknown", "there is no method number %d", c.GetMethod()))}
	}
}

// messageOf is a pointer to a protobuf message of type M.
type messageOf[M any] interface {
	*M
	proto.Message
}

func dispatch[Req, Resp any, PReq messageOf[Req], PResp messageOf[Resp]](
	ctx context.Context, g *Gateway, m method, c *cairnv1.Call,
	f func(*Gateway, context.Context, *Req) (*Resp, error),
) *cairnv1.Reply {
	reply := &cairnv1.Reply{Id: c.GetId()}
	req := new(Req)
	if err := proto.Unmarshal(c.GetPayload(), PReq(req)); err != nil {
		reply.Error = callError(txn.Errorf(txn.Invalid, "payload_unreadable",
			"the payload of %d bytes is no %v request: %w", len(c.GetPayload()), m, err))
		return reply
	}
	c.Payload = nil // it keeps the whole frame
	resp, failed := call(ctx, g, m, req, f)
	if failed != nil {
		reply.Error = callError(failed)
		return reply
	}
	payload, err := proto.Marshal(PResp(resp))
	if err != nil {
		g.Log.Error("cannot encode an answer", "method", m.String(), "err", err)
		reply.Error = callError(classify(err, m.mutates()))
		return reply
	}
	if n := len(payload); n > replyPayloadMax {
		reply.Error = callError(answerTooLarge(m, n))
		return reply
	}
	reply.Payload = payload
	return reply
}
