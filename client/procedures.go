package client

import (
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
)

// procedures are the paths of unary methods.
var procedures = map[cairnv1.Method]string{
	cairnv1.Method_METHOD_KV_GET:          cairnv1connect.KVServiceGetProcedure,
	cairnv1.Method_METHOD_KV_BATCH_GET:    cairnv1connect.KVServiceBatchGetProcedure,
	cairnv1.Method_METHOD_KV_SET:          cairnv1connect.KVServiceSetProcedure,
	cairnv1.Method_METHOD_KV_DELETE:       cairnv1connect.KVServiceDeleteProcedure,
	cairnv1.Method_METHOD_KV_EXISTS:       cairnv1connect.KVServiceExistsProcedure,
	cairnv1.Method_METHOD_KV_EXTEND:       cairnv1connect.KVServiceExtendProcedure,
	cairnv1.Method_METHOD_KV_RANGE:        cairnv1connect.KVServiceRangeProcedure,
	cairnv1.Method_METHOD_KV_UPDATE:       cairnv1connect.KVServiceUpdateProcedure,
	cairnv1.Method_METHOD_KV_TIME_TO_LIVE: cairnv1connect.KVServiceTimeToLiveProcedure,
	cairnv1.Method_METHOD_KV_BATCH_SET:    cairnv1connect.KVServiceBatchSetProcedure,
	cairnv1.Method_METHOD_KV_BATCH_DELETE: cairnv1connect.KVServiceBatchDeleteProcedure,
	cairnv1.Method_METHOD_KV_DELETE_RANGE: cairnv1connect.KVServiceDeleteRangeProcedure,
	cairnv1.Method_METHOD_KV_HISTORY:      cairnv1connect.KVServiceHistoryProcedure,
	cairnv1.Method_METHOD_KV_REVERT:       cairnv1connect.KVServiceRevertProcedure,

	cairnv1.Method_METHOD_TXN_EXECUTE:  cairnv1connect.TxnServiceExecuteProcedure,
	cairnv1.Method_METHOD_TXN_BEGIN:    cairnv1connect.TxnServiceBeginProcedure,
	cairnv1.Method_METHOD_TXN_COMMIT:   cairnv1connect.TxnServiceCommitProcedure,
	cairnv1.Method_METHOD_TXN_ROLLBACK: cairnv1connect.TxnServiceRollbackProcedure,
	cairnv1.Method_METHOD_TXN_OUTCOME:  cairnv1connect.TxnServiceOutcomeProcedure,

	cairnv1.Method_METHOD_STATUS_STATUS: cairnv1connect.StatusServiceStatusProcedure,
	cairnv1.Method_METHOD_STATUS_TXNS:   cairnv1connect.StatusServiceTxnsProcedure,
	cairnv1.Method_METHOD_STATUS_LOCKS:  cairnv1connect.StatusServiceLocksProcedure,

	cairnv1.Method_METHOD_CLUSTER_TRANSFER_LEADER: cairnv1connect.
		ClusterServiceTransferLeaderProcedure,

	cairnv1.Method_METHOD_KEYSPACE_CREATE: cairnv1connect.KeyspaceServiceCreateKeyspaceProcedure,
	cairnv1.Method_METHOD_KEYSPACE_UPDATE: cairnv1connect.KeyspaceServiceUpdateKeyspaceProcedure,
	cairnv1.Method_METHOD_KEYSPACE_DELETE: cairnv1connect.KeyspaceServiceDeleteKeyspaceProcedure,
	cairnv1.Method_METHOD_KEYSPACE_LIST:   cairnv1connect.KeyspaceServiceListKeyspacesProcedure,
	cairnv1.Method_METHOD_KEYSPACE_GET:    cairnv1connect.KeyspaceServiceGetKeyspaceProcedure,
}
