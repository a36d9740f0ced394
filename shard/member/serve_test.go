package member

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// samples are requests that make sense, by method.
func samples(m *Member, base txn.Timestamp) map[shardrpc.Method]shardrpc.Message {
	a, id := key("a"), txn.NewID(9, 9)
	to := target(m, a)
	age := txn.Age{At: base, ID: id}
	reads := txn.ReadSet{MaxTS: txn.Forever, Keys: []txn.Seen{{Key: key("b")}}}
	program := set("a", "x")
	ac := txn.Span{Start: a, End: key("c")}
	program.If = txn.Test{Kind: txn.TestAny, Of: []txn.Test{
		{Kind: txn.TestNot, Of: []txn.Test{{Key: a, Cond: txn.Cond{Present: true}}}},
		{Kind: txn.TestCompare, Key: a, Is: txn.Less, Value: txn.IntValue(4)},
		{Kind: txn.TestCount, Span: ac, N: 3},
		{Kind: txn.TestUnchanged, Span: ac, Since: base},
	}}
	program.Then = append(program.Then, txn.Op{Kind: txn.OpRange, Span: txn.Span{Start: a, End: key("c")}})
	meta := shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1}
	return map[shardrpc.Method]shardrpc.Message{
		shardrpc.MethodTimestamp: &shardrpc.TimestampRequest{N: 3},
		shardrpc.MethodRoutes:    &shardrpc.RoutesRequest{},
		shardrpc.MethodStatus:    &shardrpc.StatusRequest{},
		shardrpc.MethodRead: &shardrpc.ReadRequest{Target: to, At: base, Keys: []txn.Key{a},
			Scan: &shardrpc.Scan{Span: txn.Span{Start: a, End: key("c")}, Limit: 2}},
		shardrpc.MethodCommit: &shardrpc.CommitRequest{Target: to, Txn: id, Age: age, BaseTS: base,
			MaxTS: txn.Forever, Reads: reads, Program: program},
		shardrpc.MethodValidate: &shardrpc.ValidateRequest{Target: to, Txn: id, At: base, Reads: reads},
		shardrpc.MethodPrewrite: &shardrpc.PrewriteRequest{Target: to, Txn: id, Age: age, BaseTS: base,
			MaxTS: txn.Forever, Primary: key("d"), Record: txn.Pending, Reads: reads, Writes: []txn.Write{
				{Key: key("d"), Value: txn.IntValue(4)}, {Key: key("e"), Kind: txn.KindDelete}}},
		shardrpc.MethodDecide: &shardrpc.DecideRequest{Target: to, Txn: id, Primary: key("d"),
			BaseTS: base, From: txn.In(txn.Absent, txn.Pending), To: txn.Aborted},
		shardrpc.MethodResolve: &shardrpc.ResolveRequest{Target: to, Txn: id, BaseTS: base,
			Keys: []txn.Key{key("d")}},
		shardrpc.MethodQuery: &shardrpc.QueryRequest{Target: to, Txn: id, Primary: key("d"), BaseTS: base},
		shardrpc.MethodQueryIntents: &shardrpc.QueryIntentsRequest{Target: to, Txn: id, BaseTS: base,
			Keys: []txn.Key{key("d")}},
		shardrpc.MethodStale: &shardrpc.StaleRequest{Target: to},
		shardrpc.MethodLock: &shardrpc.LockRequest{Target: to, Txn: txn.NewID(9, 10),
			// Of low priority, and of an oracle whose clock is ahead.
			Age:    txn.Age{At: base.Add(15 * time.Second), ID: txn.NewID(9, 10)},
			BaseTS: base, Mode: txn.LockUpdate,
			Keys: []txn.Key{key("f")}, Spans: []txn.Span{{Start: key("g"), End: key("h")}}, Wait: 10},
		shardrpc.MethodUnlock:      &shardrpc.UnlockRequest{Target: to, Txn: id, Age: age, BaseTS: base},
		shardrpc.MethodLocks:       &shardrpc.LocksRequest{Target: to},
		shardrpc.MethodInquire:     &shardrpc.InquireRequest{Target: to, Anchor: key("d"), BaseTS: base, Prevent: true},
		shardrpc.MethodEphemeral:   &shardrpc.EphemeralRequest{Target: to, Ops: set("a", "x").Then},
		shardrpc.MethodSession:     &shardrpc.SessionRequest{Target: meta, Address: "gw", Leased: true},
		shardrpc.MethodRenew:       &shardrpc.RenewRequest{Target: meta, Session: 2},
		shardrpc.MethodFindSession: &shardrpc.FindSessionRequest{Target: meta, Session: 2},
		shardrpc.MethodKeyspaces:   &shardrpc.KeyspacesRequest{Target: meta},
		shardrpc.MethodChangeKeyspace: &shardrpc.ChangeKeyspaceRequest{Target: meta, Change: txn.KeyspaceChange{
			Verb: txn.CreateKeyspace, Name: "k", Options: txn.KeyspaceOptions{}.WithDefaults()}},
		shardrpc.MethodDrop:     &shardrpc.DropRequest{Target: to, Keyspace: 7},
		shardrpc.MethodUsage:    &shardrpc.UsageRequest{Target: to},
		shardrpc.MethodTransfer: &shardrpc.TransferRequest{Target: to, To: 9},
		shardrpc.MethodReplace: &shardrpc.ReplaceRequest{Target: meta, Old: 8, New: 9, Nonce: 3,
			Address: "127.0.0.1:1"},
	}
}

// peersOnly are the methods of members that have peers.
var peersOnly = []shardrpc.Method{
	shardrpc.MethodRaft, shardrpc.MethodSnapshot, shardrpc.MethodFound,
}

// serving is a member at work, and requests for it.
func serving(t *testing.T) (*Member, map[shardrpc.Method]shardrpc.Message) {
	t.Helper()
	m := open(t, t.TempDir())
	get(t, m, "a") // waits until its shard serves: what is older than that it refuses (L3)
	base, err := m.Timestamp(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return m, samples(m, base)
}

func TestServe(t *testing.T) {
	m, all := serving(t)
	for method := shardrpc.Method(1); method.Valid(); method++ {
		req := all[method]
		if slices.Contains(peersOnly, method) {
			continue
		}
		if req == nil {
			t.Fatalf("%v has no sample", method)
		}
		if b, err := m.Serve(t.Context(), uint8(method), shardrpc.Encode(req)); err != nil || len(b) == 0 {
			t.Errorf("%v: %x, %v", method, b, err)
		}
	}
	b, err := m.Serve(t.Context(), uint8(shardrpc.MethodCommit), shardrpc.Encode(all[shardrpc.MethodCommit]))
	resp, err2 := shardrpc.Decode[shardrpc.CommitResponse](b)
	if err != nil || err2 != nil || resp.Answer != shardrpc.OK {
		t.Errorf("the same commit again: %+v, %v, %v", resp, err, err2)
	}
}

// A read whose answer no link can carry is answered all the same.
func TestServeLargeAnswer(t *testing.T) {
	m, _ := serving(t)
	k := key("big")
	value := txn.BytesValue(make([]byte, txn.ValueBytesMax))
	commit(t, m, txn.Program{Then: []txn.Op{{Kind: txn.OpSet, Key: k, Value: value}}})
	at, err := m.Timestamp(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	req := &shardrpc.ReadRequest{Target: target(m, k), At: at, Keys: slices.Repeat([]txn.Key{k}, 11)}
	b, err := m.Serve(t.Context(), uint8(shardrpc.MethodRead), shardrpc.Encode(req))
	resp, err2 := shardrpc.Decode[shardrpc.ReadResponse](b)
	if err != nil || err2 != nil || resp.Err == nil || resp.Err.Kind != txn.Exhausted {
		t.Errorf("%v, %v, %v", resp.Err, err, err2)
	}
}

// TestServeRefuses is a list of requests that must not reach a replica.
func TestServeRefuses(t *testing.T) {
	m, _ := serving(t)
	base, err := m.Timestamp(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	short := txn.Key("abc")
	bad := txn.Value{Type: txn.Int, Data: []byte{1}}
	for _, c := range []struct {
		name, want string
		method     shardrpc.Method
		spoil      func(shardrpc.Message)
	}{
		{"no timestamps", "timestamps at a time", shardrpc.MethodTimestamp, func(r shardrpc.Message) {
			r.(*shardrpc.TimestampRequest).N = 0
		}},
		{"all timestamps", "timestamps at a time", shardrpc.MethodTimestamp, func(r shardrpc.Message) {
			r.(*shardrpc.TimestampRequest).N = 1 << 40
		}},
		{"short key", "a key of 3 bytes", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).Keys[0] = short
		}},
		{"long key", "a key of", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).Keys[0] = key(strings.Repeat("a", txn.KeyBytesMax+1))
		}},
		{"no time", "no timestamp", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).At = -1
		}},
		{"history of two keys", "a history of 2 keys", shardrpc.MethodRead, func(r shardrpc.Message) {
			m := r.(*shardrpc.ReadRequest)
			m.Keys, m.History = append(m.Keys, key("b")), &shardrpc.History{From: 1}
		}},
		{"history of the future", "a history from", shardrpc.MethodRead, func(r shardrpc.Message) {
			m := r.(*shardrpc.ReadRequest)
			m.History = &shardrpc.History{From: m.At + 1}
		}},
		{"history from nowhere", "a history from 0", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).History = new(shardrpc.History)
		}},
		{"history without end", "a history of", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).History = &shardrpc.History{From: 1, Bytes: txn.AnswerBytesMax + 1}
		}},
		{"long message", "the message has 1025 bytes", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.Annotation.Message = strings.Repeat("m", txn.MessageBytesMax+1)
		}},
		{"long principal", "the principal has 257 bytes", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Annotation.Principal = strings.Repeat("p", txn.PrincipalBytesMax+1)
		}},
		{"a message for each of many", "writes of", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			m := r.(*shardrpc.PrewriteRequest)
			m.Annotation.Message = strings.Repeat("m", txn.MessageBytesMax)
			m.Writes = nil
			for i := range txn.WriteKeysMax {
				m.Writes = append(m.Writes, txn.Write{Key: key(fmt.Sprintf("d%05d", i))})
			}
		}},
		{"meta has no keys", "meta group", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Shard = shardrpc.MetaShard
		}},
		{"base_ts", "no timestamp", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).BaseTS = 0
		}},
		{"the future", "no timestamp", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).BaseTS += 3600_000_000
		}},
		{"no session", "no session", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Txn = 5
		}},
		{"value", "8", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.Then[0].Value = bad
		}},
		{"compared value", "8", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[0].Of[0].Cond.Value = &bad
		}},
		{"key of a test", "a key of 0 bytes", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[0].Of[0].Key = nil
		}},
		{"negation", "negation", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[0].Of = nil
		}},
		{"key of a comparison", "a key of 3 bytes", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[1].Key = short
		}},
		{"value of a comparison", "8", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[1].Value = bad
		}},
		{"negative count", "a count of -1", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[2].N = -1
		}},
		{"large count", "a count of", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[2].N = txn.CountMax + 1
		}},
		{"unchanged since never", "no timestamp", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[3].Since = 0
		}},
		{"unchanged since the future", "no timestamp", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.If.Of[3].Since += 3600_000_000
		}},
		{"read of a change since the future", "no timestamp", shardrpc.MethodRead, func(r shardrpc.Message) {
			r.(*shardrpc.ReadRequest).Scan.Since = base + 3600_000_000
		}},
		{"TTL", "time to live", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Program.Then[0].TTL = -1
		}},
		{"seen key", "a key of 3 bytes", shardrpc.MethodValidate, func(r shardrpc.Message) {
			r.(*shardrpc.ValidateRequest).Reads.Keys[0].Key = short
		}},
		{"order", "order", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			w := r.(*shardrpc.PrewriteRequest).Writes
			w[0], w[1] = w[1], w[0]
		}},
		{"twice a key", "order", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			w := r.(*shardrpc.PrewriteRequest).Writes
			w[1] = w[0]
		}},
		{"nothing", "nothing", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Writes = nil
			r.(*shardrpc.PrewriteRequest).Record = txn.Absent
		}},
		{"decided record", "committed", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Record = txn.Committed
		}},
		{"keys of a pending record", "a list of keys", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Keys = []txn.Key{key("q")}
		}},
		{"keys of a staging record", "257 keys, the limit is 256", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Record = txn.Staging
			r.(*shardrpc.PrewriteRequest).Keys = slices.Repeat([]txn.Key{key("q")}, txn.ParallelKeysMax+1)
		}},
		{"long keys of a staging record", "bytes, the limit is 16384", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Record = txn.Staging
			r.(*shardrpc.PrewriteRequest).Keys = slices.Repeat([]txn.Key{make(txn.Key, txn.KeyBytesMax)}, 5)
		}},
		{"writes", "10001 keys, the limit is 10000", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Writes = slices.Repeat([]txn.Write{{Key: key("q")}}, txn.WriteKeysMax+1)
		}},
		{"commit of nothing", "without a record", shardrpc.MethodDecide, func(r shardrpc.Message) {
			r.(*shardrpc.DecideRequest).To = txn.Committed
		}},
		{"undecision", "does not move", shardrpc.MethodDecide, func(r shardrpc.Message) {
			r.(*shardrpc.DecideRequest).To = txn.Pending
		}},
		{"reversal", "does not move", shardrpc.MethodDecide, func(r shardrpc.Message) {
			r.(*shardrpc.DecideRequest).From = txn.In(txn.Committed)
		}},
		{"commit timestamp", "before base_ts", shardrpc.MethodDecide, func(r shardrpc.Message) {
			m := r.(*shardrpc.DecideRequest)
			m.From, m.To = txn.In(txn.Pending), txn.Committed
		}},
		{"commit at 0", "no timestamp", shardrpc.MethodResolve, func(r shardrpc.Message) {
			r.(*shardrpc.ResolveRequest).Commit = true
		}},
		{"request without an anchor", "a key of 0 bytes", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Request = new(txn.Request)
		}},
		{"anchor without a request", "an anchor", shardrpc.MethodCommit, func(r shardrpc.Message) {
			r.(*shardrpc.CommitRequest).Anchor = key("q")
		}},
		{"request without a record", "without a record", shardrpc.MethodPrewrite, func(r shardrpc.Message) {
			r.(*shardrpc.PrewriteRequest).Request = new(txn.Request)
			r.(*shardrpc.PrewriteRequest).Record = txn.Absent
		}},
		{"anchor of an inquiry", "a key of 3 bytes", shardrpc.MethodInquire, func(r shardrpc.Message) {
			r.(*shardrpc.InquireRequest).Anchor = short
		}},
		{"primary of a query", "a key of 3 bytes", shardrpc.MethodQuery, func(r shardrpc.Message) {
			r.(*shardrpc.QueryRequest).Primary = short
		}},
		{"keyspace of a drop", "never deleted", shardrpc.MethodDrop, func(r shardrpc.Message) {
			r.(*shardrpc.DropRequest).Keyspace = txn.DefaultKeyspace
		}},
		{"place of a drop", "place of", shardrpc.MethodDrop, func(r shardrpc.Message) {
			r.(*shardrpc.DropRequest).From = make([]byte, 5000)
		}},
		{"time of a mark", "a time", shardrpc.MethodDrop, func(r shardrpc.Message) {
			r.(*shardrpc.DropRequest).At = base
		}},
		{"time of an erasure", "no timestamp", shardrpc.MethodDrop, func(r shardrpc.Message) {
			r.(*shardrpc.DropRequest).Step = shardrpc.DropErase
		}},
		{"usage of the meta group", "meta group", shardrpc.MethodUsage, func(r shardrpc.Message) {
			r.(*shardrpc.UsageRequest).Shard = shardrpc.MetaShard
		}},
		{"keyspaces of a shard", "not the meta group", shardrpc.MethodKeyspaces, func(r shardrpc.Message) {
			r.(*shardrpc.KeyspacesRequest).Shard = 2
		}},
		{"verb about a keyspace", "no verb", shardrpc.MethodChangeKeyspace, func(r shardrpc.Message) {
			r.(*shardrpc.ChangeKeyspaceRequest).Change.Verb = 0
		}},
		{"name of a keyspace", "has a", shardrpc.MethodChangeKeyspace, func(r shardrpc.Message) {
			r.(*shardrpc.ChangeKeyspaceRequest).Change.Name = "a/b"
		}},
		{"options of a keyspace", "history_count", shardrpc.MethodChangeKeyspace, func(r shardrpc.Message) {
			r.(*shardrpc.ChangeKeyspaceRequest).Change.Options.HistoryCount = -1
		}},
		{"size of a keyspace", "bytes", shardrpc.MethodChangeKeyspace, func(r shardrpc.Message) {
			r.(*shardrpc.ChangeKeyspaceRequest).Change.Bytes = -1
		}},
		{"a lock of nothing", "a lock of nothing", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Keys, r.(*shardrpc.LockRequest).Spans = nil, nil
		}},
		{"too many locks", "the limit is 10000", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Spans = make([]txn.Span, txn.WriteKeysMax)
		}},
		{"key of a lock", "a key of 3 bytes", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Keys = []txn.Key{short}
		}},
		{"empty span of a lock", "the empty span", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Spans = []txn.Span{{Start: key("b"), End: key("a")}}
		}},
		{"wait of a lock", "a wait of -1 ms", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Wait = -1
		}},
		{"age of a lock", "no timestamp", shardrpc.MethodLock, func(r shardrpc.Message) {
			r.(*shardrpc.LockRequest).Age.At = txn.MaxTimestamp
		}},
		{"locks of the meta group", "meta group", shardrpc.MethodUnlock, func(r shardrpc.Message) {
			r.(*shardrpc.UnlockRequest).Shard = shardrpc.MetaShard
		}},
		{"owner of a lock", "of no session", shardrpc.MethodUnlock, func(r shardrpc.Message) {
			r.(*shardrpc.UnlockRequest).Txn = 1
		}},
		{"nothing ephemeral", "0 operations", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Ops = nil
		}},
		{"too much ephemeral", "10001 operations", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Ops = make([]txn.Op, txn.WriteKeysMax+1)
		}},
		{"ephemeral key", "a key of 3 bytes", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Ops[0].Key = short
		}},
		{"ephemeral range", "a key of 0 bytes", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Ops[0] = txn.Op{Kind: txn.OpRange, Span: txn.KeySpan(key("a"))}
		}},
		{"ephemeral time to live", "a time to live", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Ops[0].TTL = -1
		}},
		{"what an ephemeral batch replaces", "replaces", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			m := r.(*shardrpc.EphemeralRequest)
			m.Ops = append(m.Ops, m.Ops[0])
			m.Ops[1].ReturnPrev = true
		}},
		{"ephemeral keys of the meta group", "meta group", shardrpc.MethodEphemeral, func(r shardrpc.Message) {
			r.(*shardrpc.EphemeralRequest).Shard = shardrpc.MetaShard
		}},
		{"sole", "leased", shardrpc.MethodSession, func(r shardrpc.Message) {
			r.(*shardrpc.SessionRequest).Sole = true
		}},
		{"address", "an address of", shardrpc.MethodSession, func(r shardrpc.Message) {
			r.(*shardrpc.SessionRequest).Address = strings.Repeat("a", 257)
		}},
		{"renewal elsewhere", "not the meta group", shardrpc.MethodRenew, func(r shardrpc.Message) {
			r.(*shardrpc.RenewRequest).Shard = 2
		}},
	} {
		base, err := m.Timestamp(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		req := samples(m, base)[c.method]
		c.spoil(req)
		_, err = m.Serve(t.Context(), uint8(c.method), shardrpc.Encode(req))
		if txn.KindOf(err) != txn.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, method := range []uint8{0, 200} {
		if _, err := m.Serve(t.Context(), method, nil); txn.KindOf(err) != txn.Invalid {
			t.Errorf("method %d: %v", method, err)
		}
	}
}

// TestServeSurvives throws damaged requests at a member; it must still work after them.
func TestServeSurvives(t *testing.T) {
	m, all := serving(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	const copies = 60
	type damaged struct {
		method uint8
		b      []byte
	}
	var requests []damaged
	for method := range all { // order: any will do
		for range copies {
			b := shardrpc.Encode(all[method])
			for range 1 + rnd.IntN(3) {
				if len(b) > 0 {
					b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
				}
			}
			requests = append(requests, damaged{uint8(method), b})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	done := make(chan struct{}, len(requests))
	for _, r := range requests {
		go func() {
			_, _ = m.Serve(ctx, r.method, r.b) // whatever it says
			done <- struct{}{}
		}()
	}
	for range requests {
		<-done
	}
	if err := m.Failure(); err != nil {
		t.Fatal(err)
	}
	if resp := commit(t, m, set("zz", "fine")); resp.Answer != shardrpc.OK {
		t.Errorf("%+v", resp)
	}
}
