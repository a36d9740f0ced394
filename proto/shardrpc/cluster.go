package shardrpc

import "github.com/cairnkv/cairn/txn"

// TimestampRequest asks the oracle for N consecutive timestamps.
type TimestampRequest struct {
	N int
}

// TimestampResponse carries the first of them.
type TimestampResponse struct {
	First txn.Timestamp
}

// RoutesRequest asks for the shard map.
type RoutesRequest struct{}

// RoutesResponse is the shard map, by span, without gaps.
type RoutesResponse struct {
	Routes []Route
}

// StatusRequest asks what operators want to know.
type StatusRequest struct{}

// StatusResponse has an entry for every member that the answering one speaks for.
type StatusResponse struct {
	Members []MemberStatus
}
