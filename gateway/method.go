package gateway

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/cairnkv/cairn/txn"
)

// method numbers the methods of the API for tables of this package.
type method uint8

const (
	methodGet method = iota
	methodBatchGet
	methodSet
	methodDelete
	methodExists
	methodExtend
	methodRange
	methodRangeStream
	methodExecute
	methodBegin
	methodCommit
	methodRollback
	methodStatus
	methodTxns
	methodLocks
	methodTransferLeader
	methodOutcome
	methodUpdate
	methodTimeToLive
	methodBatchSet
	methodBatchDelete
	methodDeleteRange
	methodHistory
	methodRevert
	methodCreateKeyspace
	methodUpdateKeyspace
	methodDeleteKeyspace
	methodListKeyspaces
	methodGetKeyspace
	methodEnd
)

var methodNames = [...]string{
	"KVService/Get", "KVService/BatchGet", "KVService/Set", "KVService/Delete",
	"KVService/Exists", "KVService/Extend", "KVService/Range", "KVService/RangeStream",
	"TxnService/Execute", "TxnService/Begin", "TxnService/Commit", "TxnService/Rollback",
	"StatusService/Status", "StatusService/Txns", "StatusService/Locks",
	"ClusterService/TransferLeader", "TxnService/Outcome",
	"KVService/Update", "KVService/TimeToLive", "KVService/BatchSet", "KVService/BatchDelete",
	"KVService/DeleteRange", "KVService/History", "KVService/Revert",
	"KeyspaceService/CreateKeyspace", "KeyspaceService/UpdateKeyspace",
	"KeyspaceService/DeleteKeyspace", "KeyspaceService/ListKeyspaces",
	"KeyspaceService/GetKeyspace",
}

func (m method) String() string { return methodNames[m] }

// mutates reports whether a call of m that ends without an answer may have changed something.
func (m method) mutates() bool {
	switch m {
	case methodSet, methodDelete, methodExtend, methodUpdate, methodBatchSet, methodBatchDelete,
		methodDeleteRange, methodRevert, methodExecute, methodCommit, methodTransferLeader,
		methodCreateKeyspace, methodUpdateKeyspace, methodDeleteKeyspace:
		return true
	default:
		return false
	}
}

// reads reports whether a call of m changes nothing, not even an open transaction's writes.
func (m method) reads() bool {
	switch m {
	case methodGet, methodBatchGet, methodExists, methodTimeToLive, methodRange, methodRangeStream,
		methodHistory, methodRollback:
		return true
	default:
		return false
	}
}

// call runs f as m: it counts, tells the log of bugs, and lets no error out that is not classified.
// A panic ends the call and nothing else.
func call[Req, Resp any](
	ctx context.Context, g *Gateway, m method, req *Req,
	f func(*Gateway, context.Context, *Req) (*Resp, error),
) (resp *Resp, failed *txn.Error) {
	start := g.Env.Now()
	if c, ok := ctx.(*openCall); ok && c.began != 0 {
		start = c.began
	}
	defer func() {
		if p := recover(); p != nil {
			g.Log.Error("panic in a call", "method", m.String(), "panic", p,
				"stack", string(debug.Stack()))
			resp, failed = nil, classify(fmt.Errorf("panic: %v", p), m.mutates())
		}
		g.metrics.observe(m, g.Env.Now()-start, failed)
	}()
	resp, err := serve(ctx, g, m, req, f)
	if err != nil && g.replaced(ctx, m, err) {
		resp, err = serve(ctx, g, m, req, f)
	}
	if err == nil {
		return resp, nil
	}
	failed = g.inKeyspace(classify(err, m.mutates()))
	if failed.Kind == txn.Internal || failed.Kind == txn.Unknown {
		g.Log.Error("call failed", "method", m.String(), "err", err)
	}
	return nil, failed
}
