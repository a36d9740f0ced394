package coordinator

import (
	"context"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Shards is how a coordinator reaches the members. The in-process member and
// the network client both satisfy it.
//
// An error means that no answer came: the request may have been carried out,
// may still be, or was never sent. Only an answer proves anything. Retrying is
// the coordinator's business; an implementation sends once, and again within the
// same call only to the leader that a member named which did nothing because it
// leads no more. That ctx is done says only that nobody waits any more: it takes
// nothing back.
type Shards interface {
	// Timestamp issues n consecutive timestamps by a request that is sent
	// after the call began (rule T4).
	Timestamp(ctx context.Context, n int) (first txn.Timestamp, err error)
	// Routes is the shard map, by span, without gaps.
	Routes(ctx context.Context) ([]shardrpc.Route, error)
	Read(context.Context, *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error)
	Commit(context.Context, *shardrpc.CommitRequest) (*shardrpc.CommitResponse, error)
	Validate(context.Context, *shardrpc.ValidateRequest) (*shardrpc.Reply, error)
	Prewrite(context.Context, *shardrpc.PrewriteRequest) (*shardrpc.PrewriteResponse, error)
	Decide(context.Context, *shardrpc.DecideRequest) (*shardrpc.DecideResponse, error)
	Resolve(context.Context, *shardrpc.ResolveRequest) (*shardrpc.ResolveResponse, error)
	Query(context.Context, *shardrpc.QueryRequest) (*shardrpc.QueryResponse, error)
	Inquire(context.Context, *shardrpc.InquireRequest) (*shardrpc.InquireResponse, error)
	QueryIntents(
		context.Context, *shardrpc.QueryIntentsRequest,
	) (*shardrpc.QueryIntentsResponse, error)
	Stale(context.Context, *shardrpc.StaleRequest) (*shardrpc.StaleResponse, error)
	// Lock answers when all is locked or the request's Wait is over. Whoever
	// sent one ends it: by Unlock, or by Resolve, at every shard that it was sent
	// to, answered or not. A commit on one shard ends it itself when it is OK.
	Lock(context.Context, *shardrpc.LockRequest) (*shardrpc.LockResponse, error)
	Unlock(context.Context, *shardrpc.UnlockRequest) (*shardrpc.UnlockResponse, error)
	// Ephemeral is not to be sent again by anybody unless it is known that nothing was done.
	Ephemeral(
		context.Context, *shardrpc.EphemeralRequest,
	) (*shardrpc.EphemeralResponse, error)
	// Keyspaces and ChangeKeyspace are for the meta group.
	Keyspaces(context.Context, *shardrpc.KeyspacesRequest) (*shardrpc.KeyspacesResponse, error)
	ChangeKeyspace(
		context.Context, *shardrpc.ChangeKeyspaceRequest,
	) (*shardrpc.ChangeKeyspaceResponse, error)
	Drop(context.Context, *shardrpc.DropRequest) (*shardrpc.DropResponse, error)
	Usage(context.Context, *shardrpc.UsageRequest) (*shardrpc.UsageResponse, error)
}

// ReadSoon is Shards.Read for whoever does not wait. It does not wait either, and calls then once,
// whatever happens: after the given time at the latest, or when end is called; from any goroutine,
// which then must not hold up. A nil end says that nothing was begun, and then is not called.
type ReadSoon func(
	ctx context.Context, req *shardrpc.ReadRequest, within time.Duration,
	then func(*shardrpc.ReadResponse, error),
) (end func(cause error))
