package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/gen/cairn/v1/cairnv1connect"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// exchangeClient is the raw client's end of a stream.
type exchangeClient struct {
	testing.TB
	stream *connect.BidiStreamForClient[cairnv1.Frame, cairnv1.Frame]
	cancel context.CancelFunc
}

func (f *fixture) exchange(t testing.TB) *exchangeClient {
	ctx, cancel := context.WithCancel(context.Background())
	client := cairnv1connect.NewStreamServiceClient(f.h2, f.url, connect.WithAcceptCompression("gzip", nil, nil))
	x := &exchangeClient{t, client.Exchange(ctx), cancel}
	t.Cleanup(x.leave)
	return x
}

func (x *exchangeClient) leave() {
	x.cancel()
	_ = x.stream.CloseRequest()
	_ = x.stream.CloseResponse()
}

func (x *exchangeClient) send(calls ...*cairnv1.Call) {
	x.Helper()
	if err := x.stream.Send(&cairnv1.Frame{Calls: calls}); err != nil {
		x.Fatal(err)
	}
}

// replies receives until n replies are there.
func (x *exchangeClient) replies(n int) []*cairnv1.Reply {
	x.Helper()
	var all []*cairnv1.Reply
	for len(all) < n {
		frame, err := x.stream.Receive()
		if err != nil {
			x.Fatalf("after %d of %d replies: %v", len(all), n, err)
		}
		if size := proto.Size(frame); size > FrameBytesMax && len(frame.Replies) > 1 {
			x.Errorf("a frame of %d bytes with %d replies", size, len(frame.Replies))
		}
		all = append(all, frame.Replies...)
	}
	return all
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func setCall(t testing.TB, id uint64, key, value string) *cairnv1.Call {
	return &cairnv1.Call{Id: id, Method: cairnv1.Method_METHOD_KV_SET, Payload: encode(t,
		&cairnv1.SetRequest{Key: []byte(key), Value: str(value)})}
}

func getCall(t testing.TB, id uint64, key string) *cairnv1.Call {
	return &cairnv1.Call{Id: id, Method: cairnv1.Method_METHOD_KV_GET, Payload: encode(t,
		&cairnv1.GetRequest{Key: []byte(key)})}
}

func TestExchangeAnswersEachCallOnce(t *testing.T) {
	f := start(t)
	x := f.exchange(t)
	const n = 1000
	var calls []*cairnv1.Call
	for i := range uint64(n) {
		calls = append(calls, setCall(t, i, fmt.Sprint(i), "v"))
	}
	go func() {
		for c := range slices.Chunk(calls, 37) {
			if x.stream.Send(&cairnv1.Frame{Calls: c}) != nil {
				return
			}
		}
	}()
	seen := make(map[uint64]bool)
	for _, r := range x.replies(n) {
		if r.Error != nil || seen[r.Id] {
			t.Fatalf("reply %v", r)
		}
		seen[r.Id] = true
		var resp cairnv1.SetResponse
		if err := proto.Unmarshal(r.Payload, &resp); err != nil || !resp.Set {
			t.Fatalf("%v %v", &resp, err)
		}
	}
	if err := x.stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	if frame, err := x.stream.Receive(); err == nil {
		t.Errorf("a frame after the last reply: %v", frame)
	}
}

func TestExchangeAllMethods(t *testing.T) {
	f := start(t)
	x := f.exchange(t)
	k := []byte("k")
	h := f.begin(&cairnv1.BeginRequest{})
	h2 := f.begin(&cairnv1.BeginRequest{})
	for i, tc := range []struct {
		m   cairnv1.Method
		req proto.Message
	}{
		{cairnv1.Method_METHOD_KV_SET, &cairnv1.SetRequest{Key: k, Value: str("v")}},
		{cairnv1.Method_METHOD_KV_GET, &cairnv1.GetRequest{Key: k}},
		{cairnv1.Method_METHOD_KV_BATCH_GET, &cairnv1.BatchGetRequest{Keys: [][]byte{k}}},
		{cairnv1.Method_METHOD_KV_EXISTS, &cairnv1.ExistsRequest{Key: k}},
		{cairnv1.Method_METHOD_KV_EXTEND, &cairnv1.ExtendRequest{Key: k}},
		{cairnv1.Method_METHOD_KV_RANGE, &cairnv1.RangeRequest{}},
		{cairnv1.Method_METHOD_KV_DELETE, &cairnv1.DeleteRequest{Key: k}},
		{cairnv1.Method_METHOD_TXN_BEGIN, &cairnv1.BeginRequest{}},
		{cairnv1.Method_METHOD_TXN_COMMIT, &cairnv1.CommitRequest{Txn: h}},
		{cairnv1.Method_METHOD_TXN_ROLLBACK, &cairnv1.RollbackRequest{Txn: h2}},
		{cairnv1.Method_METHOD_TXN_EXECUTE, &cairnv1.ExecuteRequest{
			Then: []*cairnv1.Op{{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: k}}}}}},
		{cairnv1.Method_METHOD_STATUS_STATUS, &cairnv1.StatusRequest{}},
	} {
		x.send(&cairnv1.Call{Id: uint64(i), Method: tc.m, Payload: encode(t, tc.req)})
		if r := x.replies(1)[0]; r.Error != nil || r.Id != uint64(i) {
			t.Errorf("%v: %v", tc.m, r)
		}
	}
	for reason, call := range map[string]*cairnv1.Call{
		"method_unknown":     {Id: 1, Method: 99},
		"payload_unreadable": {Id: 1, Method: cairnv1.Method_METHOD_KV_GET, Payload: []byte{0xff}},
		"key_empty":          {Id: 1, Method: cairnv1.Method_METHOD_KV_GET},
		"deadline_negative":  {Id: 1, Method: cairnv1.Method_METHOD_KV_GET, DeadlineMs: -1},
	} {
		x.send(call)
		r := x.replies(1)[0]
		if r.GetError().GetDetail().GetReason() != reason ||
			r.GetError().GetCode() != uint32(connect.CodeInvalidArgument) {
			t.Errorf("want %s: %v", reason, r)
		}
	}
}

func TestExchangeWaitingCallHoldsUpNobody(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("slow")
	x := f.exchange(t)
	x.send(setCall(t, 1, "slow", "v"), setCall(t, 2, "quick", "v"))
	if r := x.replies(1)[0]; r.Id != 2 {
		t.Errorf("first reply: %v", r)
	}
	<-gate.entered
	close(gate.open)
	if r := x.replies(1)[0]; r.Id != 1 || r.Error != nil {
		t.Errorf("second reply: %v", r)
	}
}

func TestExchangeCancelEndsWaiting(t *testing.T) {
	f := start(t)
	h := f.begin(&cairnv1.BeginRequest{})
	held, err := f.g.held.enter(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	x := f.exchange(t)
	call := &cairnv1.Call{Id: 5, Method: cairnv1.Method_METHOD_KV_GET, Payload: encode(t,
		&cairnv1.GetRequest{Txn: h, Key: []byte("k")})}
	late := proto.CloneOf(call)
	late.Id, late.DeadlineMs = 6, 1
	x.send(call, late)
	if r := x.replies(1)[0]; r.Id != 6 || r.GetError().GetDetail().GetReason() != "deadline" {
		t.Errorf("the call with a deadline: %v", r)
	}
	if err := x.stream.Send(&cairnv1.Frame{Cancels: []*cairnv1.Cancel{{Id: 99}, {Id: 5}}}); err != nil {
		t.Fatal(err)
	}
	if r := x.replies(1)[0]; r.Id != 5 || r.GetError().GetDetail().GetReason() != "canceled" {
		t.Errorf("the canceled call: %v", r)
	}
	f.g.held.leave(held)
	x.send(&cairnv1.Call{Id: 5, Method: call.Method, Payload: call.Payload})
	if r := x.replies(1)[0]; r.Error != nil {
		t.Errorf("the same again: %v", r)
	}
}

func TestExchangeCancelIsNoRollback(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	x := f.exchange(t)
	x.send(setCall(t, 1, "k", "v"))
	<-gate.entered
	if err := x.stream.Send(&cairnv1.Frame{Cancels: []*cairnv1.Cancel{{Id: 1}}}); err != nil {
		t.Fatal(err)
	}
	x.send(getCall(t, 2, "other"))
	x.replies(1) // the cancel came before
	close(gate.open)
	r := x.replies(1)[0]
	if r.GetError() != nil && r.GetError().GetDetail().GetKind() != cairnv1.ErrorKind_ERROR_KIND_UNKNOWN {
		t.Errorf("a canceled commit answers %v", r)
	}
	if r.GetError() == nil && f.getIn("", "k") != "v" {
		t.Error("a commit that was answered is not there")
	}
}

func TestExchangeClientLeaves(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	x := f.exchange(t)
	x.send(setCall(t, 1, "k", "v"))
	<-gate.entered
	x.leave()
	close(gate.open)
	f.g.Close() // and the fixture's goleak says whether all is gone
}

func TestExchangeOpenCallsAreLimited(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	x := f.exchange(t)
	var calls []*cairnv1.Call
	for i := range uint64(OpenCallsMax) {
		calls = append(calls, setCall(t, i, "k", "v"))
	}
	calls = append(calls, setCall(t, OpenCallsMax, "quick", "v"))
	x.send(calls...)
	r := x.replies(1)[0]
	if r.Id != OpenCallsMax || r.GetError().GetCode() != uint32(connect.CodeResourceExhausted) ||
		r.GetError().GetDetail().GetReason() != "too_many_calls" {
		t.Errorf("one too many: %v", r)
	}
	close(gate.open)
	for _, r := range x.replies(OpenCallsMax) {
		if r.Error != nil {
			t.Fatal(r)
		}
	}
	x.send(setCall(t, 1, "quick", "v"))
	if r := x.replies(1)[0]; r.Error != nil {
		t.Errorf("afterwards: %v", r)
	}
}

func TestExchangeOpenBytesAreLimited(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	defer close(gate.open)
	x := f.exchange(t)
	value := strings.Repeat("x", txn.ValueBytesMax)
	n := OpenBytesMax / txn.ValueBytesMax
	for i := range n {
		x.send(setCall(t, uint64(i), "k", value))
	}
	x.send(setCall(t, 1000, "k", value))
	r := x.replies(1)[0]
	if r.Id != 1000 || r.GetError().GetDetail().GetReason() != "too_many_call_bytes" {
		t.Errorf("got %v", r)
	}
}

func TestExchangeLargeReplies(t *testing.T) {
	f := start(t)
	for i := range 3 {
		f.set(fmt.Sprint(i), strings.Repeat("x", 700_000))
	}
	f.set("huge", strings.Repeat("x", txn.ValueBytesMax))
	x := f.exchange(t)
	x.send(getCall(t, 0, "0"), getCall(t, 1, "1"), getCall(t, 2, "2"), getCall(t, 3, "huge"))
	for _, r := range x.replies(4) {
		if r.Error != nil || len(r.Payload) < 700_000 {
			t.Errorf("reply %d: %d bytes, %v", r.Id, len(r.Payload), r.Error)
		}
	}
}

// A reply that cannot be sent is an error of that call, and of no other.
func TestExchangeReplyOverTheLimit(t *testing.T) {
	f := start(t)
	big := txn.BytesValue(make([]byte, txn.ValueBytesMax))
	f.shards.swell = func(resp *shardrpc.CommitResponse) {
		for i := range resp.Results {
			resp.Results[i].Entry.Value = big
		}
	}
	const n = ResponseBytesMax/txn.ValueBytesMax + 1
	execute := &cairnv1.ExecuteRequest{Then: slices.Repeat([]*cairnv1.Op{
		{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: []byte("k")}}}}, n)}
	execute.Then = append(execute.Then,
		&cairnv1.Op{Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{Key: []byte("k"), Value: str("v")}}})
	f.set("k", "v") // what is got is found
	f.shards.mu.Lock()
	calls := f.shards.commits
	f.shards.mu.Unlock()
	x := f.exchange(t)
	x.send(&cairnv1.Call{Id: 1, Method: cairnv1.Method_METHOD_TXN_EXECUTE, Payload: encode(t, execute)})
	if d := x.replies(1)[0].GetError().GetDetail(); d.GetReason() != "answer_too_large" ||
		d.GetKind() != cairnv1.ErrorKind_ERROR_KIND_UNKNOWN || f.shards.commits != calls+1 {
		t.Errorf("the large one: %v after %d commits", d, f.shards.commits-calls)
	}
	x.send(getCall(t, 2, "k"))
	if r := x.replies(1)[0]; r.Id != 2 || r.Error != nil {
		t.Errorf("the next one: %v", r)
	}
}

// A stream on which nothing can be sent any more ends: calls that wait, too.
func TestExchangeEndsWhenItCannotSend(t *testing.T) {
	f := start(t)
	path, h := cairnv1connect.NewStreamServiceHandler(streamService{f.g}, connect.WithSendMaxBytes(1000))
	f.g.mounts[path] = h
	f.set("large", strings.Repeat("x", 1000))
	txn := f.begin(&cairnv1.BeginRequest{})
	held, err := f.g.held.enter(t.Context(), txn)
	if err != nil {
		t.Fatal(err)
	}
	defer f.g.held.leave(held)
	x := f.exchange(t)
	x.send(&cairnv1.Call{Id: 1, Method: cairnv1.Method_METHOD_KV_GET, Payload: encode(t,
		&cairnv1.GetRequest{Txn: txn, Key: []byte("k")})}, getCall(t, 2, "k"))
	if r := x.replies(1)[0]; r.Id != 2 || r.Error != nil {
		t.Fatalf("before: %v", r)
	}
	x.send(getCall(t, 3, "large"))
	ended := make(chan error, 1)
	go func() {
		frame, err := x.stream.Receive()
		if err == nil {
			err = fmt.Errorf("%v", frame)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		if d := detail(t, err); d.Reason != "stream_broken" {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(patience):
		x.leave()
		t.Errorf("the stream goes on, and says nothing: %v", <-ended)
	}
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestExchangeSlowReaderIsHeldBack(t *testing.T) {
	f := start(t)
	f.set("big", strings.Repeat("x", txn.ValueBytesMax))
	x := f.exchange(t)
	const n = 16 // 64 MB of replies
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(n) {
			if x.stream.Send(&cairnv1.Frame{Calls: []*cairnv1.Call{getCall(t, i, "big")}}) != nil {
				return
			}
		}
	}()
	for _, r := range x.replies(n) {
		if r.Error != nil {
			t.Error(r.Error)
		}
	}
	<-done
}

func TestExchangeRefusesAnIDInUse(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	x := f.exchange(t)
	x.send(setCall(t, 1, "k", "v"), setCall(t, 1, "k", "v"))
	close(gate.open)
	for {
		_, err := x.stream.Receive()
		if err == nil {
			continue
		}
		if d := detail(t, err); d.Reason != "call_id_in_use" {
			t.Errorf("got %v", err)
		}
		return
	}
}

func TestExchangeEndsWhenTheGatewayCloses(t *testing.T) {
	f := start(t)
	gate := f.shards.hold("k")
	x := f.exchange(t)
	x.send(setCall(t, 1, "k", "v"))
	<-gate.entered
	f.g.Close()
	close(gate.open)
	if r := x.replies(1)[0]; r.Error != nil {
		t.Errorf("the open call: %v", r)
	}
	if frame, err := x.stream.Receive(); err == nil {
		t.Errorf("the stream goes on: %v", frame)
	}
}

func BenchmarkExchange(b *testing.B) {
	f := start(b)
	if _, err := f.g.set(b.Context(), &cairnv1.SetRequest{Key: []byte("k"), Value: str("v")}); err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			x := f.exchange(b)
			call := getCall(b, 0, "k")
			free := make(chan uint64, callers)
			for i := range callers {
				free <- uint64(i)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for left := b.N; left > 0; {
					frame, err := x.stream.Receive()
					if err != nil {
						b.Error(err)
						return
					}
					for _, r := range frame.Replies {
						free <- r.Id
					}
					left -= len(frame.Replies)
				}
			})
			for left := b.N; left > 0; {
				frame := &cairnv1.Frame{}
				for id := range batchOf(free, min(left, 256)) {
					frame.Calls = append(frame.Calls, &cairnv1.Call{Id: id, Method: call.Method, Payload: call.Payload})
				}
				left -= len(frame.Calls)
				if err := x.stream.Send(frame); err != nil {
					b.Fatal(err)
				}
			}
			wg.Wait()
		})
	}
}

// batchOf yields one item, and then those that are there already, up to n.
func batchOf(c chan uint64, n int) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		if !yield(<-c) {
			return
		}
		for range n - 1 {
			select {
			case v := <-c:
				if !yield(v) {
					return
				}
			default:
				return
			}
		}
	}
}
