package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/proto/shardrpc"
)

// decodable is a message that a link can carry.
type decodable[T any] interface {
	*T
	shardrpc.Message
}

func recoded[T any, P decodable[T]](m P) P {
	got, err := shardrpc.Decode[T, P](shardrpc.Encode(m))
	if err != nil {
		panic(fmt.Sprintf("what was encoded does not decode: %v", err))
	}
	return got
}

// carried is v as it arrives at another process: it went through the codec of
// the wire, and the two ends share no memory. A value goes as it is.
func carried(v any) any {
	switch m := v.(type) {
	case *shardrpc.ReadRequest:
		return recoded(m)
	case *shardrpc.CommitRequest:
		return recoded(m)
	case *shardrpc.ValidateRequest:
		return recoded(m)
	case *shardrpc.PrewriteRequest:
		return recoded(m)
	case *shardrpc.DecideRequest:
		return recoded(m)
	case *shardrpc.ResolveRequest:
		return recoded(m)
	case *shardrpc.QueryRequest:
		return recoded(m)
	case *shardrpc.QueryIntentsRequest:
		return recoded(m)
	case *shardrpc.StaleRequest:
		return recoded(m)
	case *shardrpc.LockRequest:
		return recoded(m)
	case *shardrpc.UnlockRequest:
		return recoded(m)
	case *shardrpc.EphemeralRequest:
		return recoded(m)
	case *shardrpc.InquireRequest:
		return recoded(m)
	case *shardrpc.SessionRequest:
		return recoded(m)
	case *shardrpc.FindSessionRequest:
		return recoded(m)
	case *shardrpc.ReplaceRequest:
		return recoded(m)
	case *shardrpc.SnapshotRequest:
		return recoded(m)
	case *shardrpc.TimestampRequest:
		return recoded(m)
	case *shardrpc.KeyspacesRequest:
		return recoded(m)
	case *shardrpc.ChangeKeyspaceRequest:
		return recoded(m)
	case *shardrpc.DropRequest:
		return recoded(m)
	case *shardrpc.UsageRequest:
		return recoded(m)
	default:
		return carriedBack(v)
	}
}

// carriedBack is carried for answers.
func carriedBack(v any) any {
	switch m := v.(type) {
	case *shardrpc.ReadResponse:
		return recoded(m)
	case *shardrpc.CommitResponse:
		return recoded(m)
	case *shardrpc.Reply:
		return recoded(m)
	case *shardrpc.PrewriteResponse:
		return recoded(m)
	case *shardrpc.DecideResponse:
		return recoded(m)
	case *shardrpc.ResolveResponse:
		return recoded(m)
	case *shardrpc.QueryResponse:
		return recoded(m)
	case *shardrpc.QueryIntentsResponse:
		return recoded(m)
	case *shardrpc.StaleResponse:
		return recoded(m)
	case *shardrpc.LockResponse:
		return recoded(m)
	case *shardrpc.EphemeralResponse:
		return recoded(m)
	case *shardrpc.UnlockResponse:
		return recoded(m)
	case *shardrpc.InquireResponse:
		return recoded(m)
	case *shardrpc.SessionResponse:
		return recoded(m)
	case *shardrpc.ReplaceResponse:
		return recoded(m)
	case *shardrpc.TimestampResponse:
		return recoded(m)
	case *shardrpc.KeyspacesResponse:
		return recoded(m)
	case *shardrpc.ChangeKeyspaceResponse:
		return recoded(m)
	case *shardrpc.DropResponse:
		return recoded(m)
	case *shardrpc.UsageResponse:
		return recoded(m)
	case *shardrpc.RoutesResponse:
		return recoded(m)
	case *shardrpc.NotLeader:
		f := recoded(&shardrpc.Failure{NotLeader: true, Shard: m.Shard, Leader: m.Leader})
		return &shardrpc.NotLeader{Shard: f.Shard, Leader: f.Leader}
	case shardrpc.Message:
		panic(fmt.Sprintf("the simulator's wire does not know %T", v))
	default:
		return v
	}
}
