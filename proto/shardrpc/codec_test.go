package shardrpc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRoundTrip(t *testing.T) {
	roundTrip[TimestampRequest](t)
	roundTrip[TimestampResponse](t)
	roundTrip[RoutesRequest](t)
	roundTrip[RoutesResponse](t)
	roundTrip[ReadRequest](t)
	roundTrip[ReadResponse](t)
	roundTrip[CommitRequest](t)
	roundTrip[CommitResponse](t)
	roundTrip[ValidateRequest](t)
	roundTrip[Reply](t)
	roundTrip[PrewriteRequest](t)
	roundTrip[PrewriteResponse](t)
	roundTrip[DecideRequest](t)
	roundTrip[DecideResponse](t)
	roundTrip[ResolveRequest](t)
	roundTrip[ResolveResponse](t)
	roundTrip[QueryRequest](t)
	roundTrip[QueryResponse](t)
	roundTrip[QueryIntentsRequest](t)
	roundTrip[QueryIntentsResponse](t)
	roundTrip[InquireRequest](t)
	roundTrip[InquireResponse](t)
	roundTrip[EphemeralRequest](t)
	roundTrip[EphemeralResponse](t)
	roundTrip[SessionRequest](t)
	roundTrip[SessionResponse](t)
	roundTrip[RenewRequest](t)
	roundTrip[RenewResponse](t)
	roundTrip[FindSessionRequest](t)
	roundTrip[FindSessionResponse](t)
	roundTrip[StatusRequest](t)
	roundTrip[StatusResponse](t)
	roundTrip[TransferRequest](t)
	roundTrip[TransferResponse](t)
	roundTrip[FoundRequest](t)
	roundTrip[FoundResponse](t)
	roundTrip[ReplaceRequest](t)
	roundTrip[ReplaceResponse](t)
	roundTrip[LockRequest](t)
	roundTrip[LockResponse](t)
	roundTrip[UnlockRequest](t)
	roundTrip[UnlockResponse](t)
	roundTrip[LocksRequest](t)
	roundTrip[LocksResponse](t)
	roundTrip[SnapshotRequest](t)
	roundTrip[SnapshotResponse](t)
	roundTrip[KeyspacesRequest](t)
	roundTrip[KeyspacesResponse](t)
	roundTrip[ChangeKeyspaceRequest](t)
	roundTrip[ChangeKeyspaceResponse](t)
	roundTrip[DropRequest](t)
	roundTrip[DropResponse](t)
	roundTrip[UsageRequest](t)
	roundTrip[UsageResponse](t)
	roundTrip[Failure](t)
}

// Empty and nil are the same on the wire.
func TestEmptyReadsAsNil(t *testing.T) {
	empty := ReadResponse{
		Blocked: []Blocker{}, Entries: []txn.Entry{},
		Versions: []txn.Version{{Revision: -1, Value: txn.Value{Data: []byte{}}}},
	}
	got, err := Decode[ReadResponse](Encode(&empty))
	want := &ReadResponse{Versions: []txn.Version{{Revision: -1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// putRequest is the commonest message: one set of 256 bytes.
func putRequest() *CommitRequest {
	return &CommitRequest{
		Target: Target{Shard: 2, Epoch: 1}, Txn: txn.NewID(3, 17),
		Age:    txn.Age{At: 1_700_000_000_000_000, ID: txn.NewID(3, 17)},
		BaseTS: 1_700_000_000_000_000, MaxTS: txn.Forever,
		Reads: txn.ReadSet{MaxTS: txn.Forever},
		Program: txn.Program{Then: []txn.Op{{
			Kind: txn.OpSet, Key: txn.NewKey(txn.DefaultKeyspace, []byte("user/0000000042")),
			Value: txn.BytesValue(bytes.Repeat([]byte{'v'}, 256)),
		}}},
	}
}

func putResponse() *CommitResponse {
	key := txn.NewKey(txn.DefaultKeyspace, []byte("user/0000000042"))
	version := txn.Version{TS: 1_700_000_000_000_001, Txn: txn.NewID(3, 17), CreateTS: 1_700_000_000_000_001}
	return &CommitResponse{
		Reply: Reply{Answer: OK}, CommitTS: version.TS, Succeeded: true,
		Results: []txn.Result{{OK: true, Entry: txn.Entry{Key: key}}},
		Written: []txn.Written{{Key: key, Wrote: true, Version: version, PrevRevision: -1}},
	}
}

func TestGolden(t *testing.T) {
	rev := int64(5)
	for _, c := range []struct {
		name string
		m    Message
		want string
	}{
		{"timestamp", &TimestampRequest{N: 3}, "06"},
		{"routes", &RoutesResponse{Routes: []Route{{Shard: 2, Epoch: 1, Span: txn.Span{Start: txn.Key("a")}}}},
			"01 02 01 01 61 00 00"},
		{"read", &ReadRequest{
			Target: Target{Shard: 2, Epoch: 1}, At: 9, Keys: []txn.Key{txn.Key("k")}, Revision: &rev,
			Scan: &Scan{Span: txn.Span{Start: txn.Key("a"), End: txn.Key("b")}, Reverse: true, Limit: 1},
		}, "02 01 03 0000000000000009 01 01 6b 0a 01 01 61 01 62 02 00"},
		{"history", &ReadRequest{
			Target: Target{Shard: 2, Epoch: 1}, At: 9, Keys: []txn.Key{txn.Key("k")},
			History: &History{From: 8, KeysOnly: true, Limit: 1, Bytes: 2},
		}, "02 01 04 0000000000000009 01 01 6b 01 0000000000000008 02 04"},
		{"page of a history", &ReadResponse{At: 9, Next: 7}, "80 0000000000000009 00 00 00 0000000000000007"},
		{"annotated prewrite", &PrewriteRequest{Annotation: txn.Annotation{Principal: "p", Message: "m"}},
			"00 00 00" + strings.Repeat("00", 24) + strings.Repeat("00", 16) + "00" + strings.Repeat("00", 8) +
				"00" + strings.Repeat("00", 8) + "00 00 00 00 01 70 01 6d"},
		{"reply", &Reply{Answer: Refused, Reason: ReasonConflict, Key: txn.Key("k")},
			"03 01 08 636f6e666c696374 01 6b"},
		{"decide", &DecideRequest{
			Target: Target{Shard: 2, Epoch: 1}, Txn: 7, Primary: txn.Key("p"), BaseTS: 8,
			From: txn.In(txn.Absent, txn.Pending), To: txn.Committed, CommitTS: 9,
		}, "02 01 0000000000000007 01 70 03 03 0000000000000008 0000000000000009"},
		{"session", &SessionRequest{Target: Target{Shard: 1, Epoch: 1}, Address: "a", Leased: true}, "01 01 02 01 61"},
		{"ephemeral", &EphemeralResponse{Answer: Gone, At: 9}, "04 00 0000000000000009 00"},
		{"renew", &RenewRequest{Target: Target{Shard: 1, Epoch: 1}, Session: 7}, "01 01 00000007"},
		{"find session", &FindSessionResponse{Answer: OK, Address: "a"}, "02 01 61"},
		{"lock", &LockRequest{
			Target: Target{Shard: 2, Epoch: 1}, Txn: 7, Age: txn.Age{At: 8, ID: 6}, BaseTS: 9, Mode: txn.LockUpdate,
			Keys: []txn.Key{txn.Key("k")}, Spans: []txn.Span{{Start: txn.Key("a")}}, Wait: 5,
		}, "02 01 0000000000000007 0000000000000008 0000000000000006 0000000000000009 01 0a 01 01 6b 01 01 61 00"},
		{"wounded", &Reply{Answer: Refused, Reason: ReasonWounded, Holder: &LockOwner{Txn: 1, Age: txn.Age{At: 2, ID: 3}}},
			"03 09 07 776f756e646564 00 0000000000000001 0000000000000002 0000000000000003"},
		{"failure", &Failure{Err: txn.Error{Kind: txn.Moved, Reason: "r", Err: errors.New("x")}},
			"00 00 00 05 01 00 01 72 0000000000000000 00 00 0000000000000000" +
				"0000000000000000 0000000000000000 00 01 78"},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := Encode(c.m); !bytes.Equal(got, want) {
			t.Errorf("%s is\n%x, want\n%x", c.name, got, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	deep := txn.Test{}
	for range TestDepthMax {
		deep = txn.Test{Kind: txn.TestAll, Of: []txn.Test{deep}}
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // a count of 4 G
	commit := func(change func(*CommitRequest)) []byte {
		m := putRequest()
		change(m)
		return Encode(m)
	}
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"answer", "shardrpc.Answer 5 is unknown", second(Decode[ResolveResponse]([]byte{5}))},
		{"flags", "flags 0xc0 are unknown", second(Decode[Reply]([]byte{2, 0xff}))},
		{"left over", "left over", second(Decode[ResolveResponse]([]byte{2, 0}))},
		{"short", "too early", second(Decode[ResolveResponse](nil))},
		{"count", "too early", second(Decode[RoutesResponse](huge))},
		{"deep", "too deep", second(Decode[CommitRequest](
			commit(func(m *CommitRequest) { m.Program.If = deep })))},
		{"negation", "negation", second(Decode[CommitRequest](
			commit(func(m *CommitRequest) { m.Program.If.Kind = txn.TestNot })))},
		{"operation", "txn.OpKind 9", second(Decode[CommitRequest](
			commit(func(m *CommitRequest) { m.Program.Then[0].Kind = 9 })))},
		{"value", "txn.Type 7", second(Decode[CommitRequest](
			commit(func(m *CommitRequest) { m.Program.Then[0].Value.Type = 7 })))},
		{"mask", "txn.Mask 32", second(Decode[DecideRequest](Encode(&DecideRequest{From: 32})))},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || txn.KindOf(c.err) != txn.Invalid {
			t.Errorf("%s: got %v, want %q", c.name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestHostileCountAllocatesNothing(t *testing.T) {
	wire := append([]byte{0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0x0f)
	n := testing.AllocsPerRun(100, func() { _, _ = Decode[ReadResponse](wire) })
	if n > 12 { // the message and its error
		t.Errorf("%v allocations", n)
	}
}

func TestMethodNames(t *testing.T) {
	seen := map[string]bool{}
	for m := range methodEnd + 1 {
		if seen[m.String()] || m.String() == "" {
			t.Errorf("method %d is called %q", uint8(m), m)
		}
		seen[m.String()] = true
	}
	if Method(0).Valid() || methodEnd.Valid() || MethodStatus.String() != "status" {
		t.Error("the table of methods has moved")
	}
}

func BenchmarkCodec(b *testing.B) {
	b.Run("commit/append", func(b *testing.B) { benchAppend(b, putRequest()) })
	b.Run("commit/decode", func(b *testing.B) { benchDecode[CommitRequest](b, putRequest()) })
	b.Run("answer/append", func(b *testing.B) { benchAppend(b, putResponse()) })
	b.Run("answer/decode", func(b *testing.B) { benchDecode[CommitResponse](b, putResponse()) })
}

func benchAppend(b *testing.B, m Message) {
	b.ReportAllocs()
	for b.Loop() {
		if len(Encode(m)) == 0 {
			b.Fatal("nothing")
		}
	}
}

func benchDecode[T any, P pointer[T]](b *testing.B, m P) {
	wire := Encode(m)
	b.ReportMetric(float64(len(wire)), "bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode[T, P](wire); err != nil {
			b.Fatal(err)
		}
	}
}
