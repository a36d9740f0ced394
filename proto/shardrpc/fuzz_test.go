package shardrpc

import (
	"reflect"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// Each target decodes anything without a panic, and what decodes survives another round.

func FuzzRead(f *testing.F) {
	f.Add(Encode(&ReadRequest{Scan: &Scan{Limit: 1}}))
	f.Add(Encode(&ReadResponse{Moved: true}))
	f.Add(Encode(&ReadRequest{Keys: []txn.Key{txn.Key("k")}, History: &History{From: 9, Limit: 1}}))
	f.Add(Encode(&ReadResponse{Next: 7, Versions: []txn.Version{{TS: 9, Principal: "p", Message: "m"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[ReadRequest](t, b)
		again[ReadResponse](t, b)
	})
}

func FuzzCommit(f *testing.F) {
	f.Add(Encode(putRequest()))
	f.Add(Encode(putResponse()))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[CommitRequest](t, b)
		again[CommitResponse](t, b)
		again[ValidateRequest](t, b)
		again[Reply](t, b)
	})
}

func FuzzEphemeral(f *testing.F) {
	f.Add(Encode(&EphemeralRequest{Ops: []txn.Op{{Kind: txn.OpSet, Key: txn.Key("k")}}}))
	f.Add(Encode(&EphemeralResponse{Answer: OK, Results: []txn.Result{{OK: true}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[EphemeralRequest](t, b)
		again[EphemeralResponse](t, b)
	})
}

func FuzzDecide(f *testing.F) {
	f.Add(Encode(&PrewriteRequest{Record: txn.Staging}))
	f.Add(Encode(&PrewriteRequest{Annotation: txn.Annotation{Principal: "p", Message: "m"}}))
	f.Add(Encode(&DecideRequest{From: masksAll}))
	f.Add(Encode(&ResolveRequest{Commit: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[PrewriteRequest](t, b)
		again[PrewriteResponse](t, b)
		again[DecideRequest](t, b)
		again[DecideResponse](t, b)
		again[ResolveRequest](t, b)
		again[ResolveResponse](t, b)
		again[QueryRequest](t, b)
		again[QueryResponse](t, b)
		again[QueryIntentsRequest](t, b)
		again[QueryIntentsResponse](t, b)
		again[StaleRequest](t, b)
		again[StaleResponse](t, b)
		again[InquireRequest](t, b)
		again[InquireResponse](t, b)
	})
}

func FuzzKeyspaces(f *testing.F) {
	f.Add(Encode(&KeyspacesResponse{Keyspaces: []txn.Keyspace{{ID: 1, Name: "a"}}}))
	f.Add(Encode(&ChangeKeyspaceRequest{Change: txn.KeyspaceChange{Verb: txn.CreateKeyspace, Name: "a"}}))
	f.Add(Encode(&DropRequest{Keyspace: 7, Step: DropErase, At: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[KeyspacesRequest](t, b)
		again[KeyspacesResponse](t, b)
		again[ChangeKeyspaceRequest](t, b)
		again[ChangeKeyspaceResponse](t, b)
		again[DropRequest](t, b)
		again[DropResponse](t, b)
		again[UsageRequest](t, b)
		again[UsageResponse](t, b)
	})
}

func FuzzCluster(f *testing.F) {
	f.Add(Encode(&StatusResponse{Members: []MemberStatus{{Shards: []ShardStatus{{Leader: true}}}}}))
	f.Add(Encode(&RoutesResponse{Routes: []Route{{Shard: 1}}}))
	f.Add(Encode(&SessionRequest{Sole: true, Address: "a"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[TimestampRequest](t, b)
		again[TimestampResponse](t, b)
		again[RoutesResponse](t, b)
		again[StatusResponse](t, b)
		again[SessionRequest](t, b)
		again[SessionResponse](t, b)
		again[RenewRequest](t, b)
		again[RenewResponse](t, b)
		again[FindSessionRequest](t, b)
		again[FindSessionResponse](t, b)
		again[TransferRequest](t, b)
		again[FoundRequest](t, b)
		again[FoundResponse](t, b)
		again[ReplaceRequest](t, b)
		again[ReplaceResponse](t, b)
		again[SnapshotRequest](t, b)
		again[Failure](t, b)
	})
}

func FuzzLock(f *testing.F) {
	f.Add(Encode(&LockRequest{Mode: txn.LockExclusive, Keys: []txn.Key{txn.Key("k")}}))
	f.Add(Encode(&LockResponse{Reply: Reply{Answer: Refused, Reason: ReasonWounded, Holder: &LockOwner{Txn: 1}}}))
	f.Add(Encode(&LocksResponse{Locks: []LockInfo{{Waits: true, Behind: []LockOwner{{Txn: 1}}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again[LockRequest](t, b)
		again[LockResponse](t, b)
		again[UnlockRequest](t, b)
		again[UnlockResponse](t, b)
		again[LocksRequest](t, b)
		again[LocksResponse](t, b)
	})
}

func again[T any, P pointer[T]](t *testing.T, b []byte) {
	t.Helper()
	m, err := Decode[T, P](b)
	if err != nil {
		return
	}
	twice, err := Decode[T, P](Encode(m))
	if err != nil || !reflect.DeepEqual(*m, *twice) {
		t.Fatalf("%+v came back as %+v, %v", *m, twice, err)
	}
}
