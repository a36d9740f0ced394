package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// callee is a unary method whose messages are bytes, whatever carries them.
type callee struct {
	method method
	// serve appends the answer to dst. It keeps nothing of the request.
	serve func(ctx context.Context, g *Gateway, request, dst []byte) ([]byte, *txn.Error)
}

// callees has all unary methods.
var callees = [...]callee{
	cairnv1.Method_METHOD_KV_GET:          calleeOf(methodGet, (*Gateway).get),
	cairnv1.Method_METHOD_KV_BATCH_GET:    calleeOf(methodBatchGet, (*Gateway).batchGet),
	cairnv1.Method_METHOD_KV_SET:          calleeOf(methodSet, (*Gateway).set),
	cairnv1.Method_METHOD_KV_DELETE:       calleeOf(methodDelete, (*Gateway).del),
	cairnv1.Method_METHOD_KV_EXISTS:       calleeOf(methodExists, (*Gateway).exists),
	cairnv1.Method_METHOD_KV_EXTEND:       calleeOf(methodExtend, (*Gateway).extend),
	cairnv1.Method_METHOD_KV_RANGE:        calleeOf(methodRange, (*Gateway).rangePage),
	cairnv1.Method_METHOD_KV_UPDATE:       calleeOf(methodUpdate, (*Gateway).update),
	cairnv1.Method_METHOD_KV_TIME_TO_LIVE: calleeOf(methodTimeToLive, (*Gateway).timeToLive),
	cairnv1.Method_METHOD_KV_BATCH_SET:    calleeOf(methodBatchSet, (*Gateway).batchSet),
	cairnv1.Method_METHOD_KV_BATCH_DELETE: calleeOf(methodBatchDelete, (*Gateway).batchDelete),
	cairnv1.Method_METHOD_KV_DELETE_RANGE: calleeOf(methodDeleteRange, (*Gateway).deleteRange),
	cairnv1.Method_METHOD_KV_HISTORY:      calleeOf(methodHistory, (*Gateway).history),
	cairnv1.Method_METHOD_KV_REVERT:       calleeOf(methodRevert, (*Gateway).revert),

	cairnv1.Method_METHOD_TXN_EXECUTE:  calleeOf(methodExecute, (*Gateway).executeProgram),
	cairnv1.Method_METHOD_TXN_BEGIN:    calleeOf(methodBegin, (*Gateway).begin),
	cairnv1.Method_METHOD_TXN_COMMIT:   calleeOf(methodCommit, (*Gateway).commit),
	cairnv1.Method_METHOD_TXN_ROLLBACK: calleeOf(methodRollback, (*Gateway).rollback),
	cairnv1.Method_METHOD_TXN_OUTCOME:  calleeOf(methodOutcome, (*Gateway).outcome),

	cairnv1.Method_METHOD_STATUS_STATUS: calleeOf(methodStatus, (*Gateway).statusOf),
	cairnv1.Method_METHOD_STATUS_TXNS:   calleeOf(methodTxns, (*Gateway).openTxns),
	cairnv1.Method_METHOD_STATUS_LOCKS:  calleeOf(methodLocks, (*Gateway).lockTable),

	cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER: calleeOf(
		methodTransferLeader, (*Gateway).transferLeader),

	cairnv1.Method_METHOD_KEYSPACE_CREATE: calleeOf(methodCreateKeyspace, (*Gateway).createKeyspace),
	cairnv1.Method_METHOD_KEYSPACE_UPDATE: calleeOf(methodUpdateKeyspace, (*Gateway).updateKeyspace),
	cairnv1.Method_METHOD_KEYSPACE_DELETE: calleeOf(methodDeleteKeyspace, (*Gateway).deleteKeyspace),
	cairnv1.Method_METHOD_KEYSPACE_LIST:   calleeOf(methodListKeyspaces, (*Gateway).listKeyspaces),
	cairnv1.Method_METHOD_KEYSPACE_GET:    calleeOf(methodGetKeyspace, (*Gateway).getKeyspace),
}

// reasonUnreadable is what a call gets whose request is none; nothing was done.
const reasonUnreadable = "payload_unreadable"

// answer serves one call of a stream.
func (g *Gateway) answer(ctx context.Context, c *cairnv1.Call) *cairnv1.Reply {
	reply := &cairnv1.Reply{Id: c.GetId()}
	n := int(c.GetMethod())
	if n < 0 || n >= len(callees) || callees[n].serve == nil {
		reply.Error = callError(txn.Errorf(
			txn.Invalid, "method_unknown", "there is no method number %d", n))
		return reply
	}
	request := c.GetPayload()
	c.Payload = nil // it keeps the whole frame
	payload, failed := callees[n].serve(ctx, g, request, nil)
	if n := len(payload); failed == nil && n > replyPayloadMax {
		failed = answerTooLarge(callees[c.GetMethod()].method, n)
	}
	if failed != nil {
		reply.Error = callError(failed)
		return reply
	}
	reply.Payload = payload
	return reply
}

// messageOf is a pointer to a protobuf message of type M.
type messageOf[M any] interface {
	*M
	proto.Message
}

func calleeOf[Req, Resp any, PReq messageOf[Req], PResp messageOf[Resp]](
	m method, f func(*Gateway, context.Context, *Req) (*Resp, error),
) callee {
	serve := func(ctx context.Context, g *Gateway, request, dst []byte) ([]byte, *txn.Error) {
		req, err := decode[Req, PReq](ctx, request)
		if err != nil {
			return nil, txn.Errorf(txn.Invalid, reasonUnreadable,
				"the payload of %d bytes is no %v request: %w", len(request), m, err)
		}
		resp, failed := call(ctx, g, m, req, f)
		if failed != nil {
			return nil, failed
		}
		answer, err := proto.MarshalOptions{}.MarshalAppend(dst, PResp(resp))
		if err != nil {
			g.Log.Error("cannot encode an answer", "method", m.String(), "err", err)
			return nil, classify(err, m.mutates())
		}
		return answer, nil
	}
	return callee{m, serve}
}

// decode makes a request of payload, unless the reader of the call's stream has done so.
func decode[M any, PM messageOf[M]](ctx context.Context, payload []byte) (*M, error) {
	if c, ok := ctx.(*openCall); ok {
		if m, ok := c.request.(PM); ok {
			return m, nil
		}
	}
	m := new(M)
	return m, proto.Unmarshal(payload, PM(m))
}
