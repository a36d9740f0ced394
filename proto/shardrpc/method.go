package shardrpc

import "fmt"

// Method names a call on a link. The numbers are on the wire: append, never reorder.
type Method uint8

// The methods, with their request and their answer.
const (
	MethodTimestamp      Method = iota + 1 // TimestampRequest, TimestampResponse
	MethodRoutes                           // RoutesRequest, RoutesResponse
	MethodRead                             // ReadRequest, ReadResponse
	MethodCommit                           // CommitRequest, CommitResponse
	MethodValidate                         // ValidateRequest, Reply
	MethodPrewrite                         // PrewriteRequest, PrewriteResponse
	MethodDecide                           // DecideRequest, DecideResponse
	MethodResolve                          // ResolveRequest, ResolveResponse
	MethodQuery                            // QueryRequest, QueryResponse
	MethodSession                          // SessionRequest, SessionResponse
	MethodStatus                           // StatusRequest, StatusResponse
	MethodRenew                            // RenewRequest, RenewResponse
	MethodRaft                             // raft messages, posted; package shard/raftwire
	MethodSnapshot                         // SnapshotRequest, SnapshotResponse
	MethodTransfer                         // TransferRequest, TransferResponse
	MethodFound                            // FoundRequest, FoundResponse
	MethodReplace                          // ReplaceRequest, ReplaceResponse
	MethodQueryIntents                     // QueryIntentsRequest, QueryIntentsResponse
	MethodStale                            // StaleRequest, StaleResponse
	MethodLock                             // LockRequest, LockResponse
	MethodUnlock                           // UnlockRequest, UnlockResponse
	MethodLocks                            // LocksRequest, LocksResponse
	MethodFindSession                      // FindSessionRequest, FindSessionResponse
	MethodInquire                          // InquireRequest, InquireResponse
	MethodEphemeral                        // EphemeralRequest, EphemeralResponse
	MethodKeyspaces                        // KeyspacesRequest, KeyspacesResponse
	MethodChangeKeyspace                   // ChangeKeyspaceRequest, ChangeKeyspaceResponse
	MethodDrop                             // DropRequest, DropResponse
	MethodUsage                            // UsageRequest, UsageResponse
	methodEnd
)

var methodNames = [...]string{
	"", "timestamp", "routes", "read", "commit", "validate", "prewrite", "decide", "resolve",
	"query", "session", "status", "renew", "raft", "snapshot", "transfer", "found", "replace",
	"query-intents", "stale", "lock", "unlock", "locks", "find-session", "inquire",
	"ephemeral",
	"keyspaces", "change-keyspace", "drop", "usage",
}

// Valid reports whether this release knows m.
func (m Method) Valid() bool { return m > 0 && m < methodEnd }

func (m Method) String() string {
	if m.Valid() {
		return methodNames[m]
	}
	return fmt.Sprintf("method(%d)", uint8(m))
}
