package gateway

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// soonRead is a read for which nobody waits, until the test ends it, or the gateway does.
type soonRead struct {
	req *shardrpc.ReadRequest
	end func(*shardrpc.ReadResponse, error)
}

// startSoon is a fixture whose shards leave the answers to such reads to the test.
func startSoon(t *testing.T) (*fixture, <-chan soonRead) {
	t.Helper()
	reads := make(chan soonRead, OpenCallsMax)
	shards := newFakeShards()
	shards.readSoon = func(
		_ context.Context, req *shardrpc.ReadRequest, _ time.Duration, then func(*shardrpc.ReadResponse, error),
	) func(error) {
		var once sync.Once
		end := func(resp *shardrpc.ReadResponse, err error) { once.Do(func() { then(resp, err) }) }
		reads <- soonRead{req, end}
		return func(cause error) { end(nil, cause) }
	}
	f := startOn(t, shards, 7)
	f.set("k", "v")
	return f, reads
}

// found is the answer of a shard that has a version with this value.
func found(value []byte) *shardrpc.ReadResponse {
	return &shardrpc.ReadResponse{At: 100, Versions: []txn.Version{{
		TS: 50, Kind: txn.KindSet, Revision: 3, CreateTS: 40, Expiry: 80,
		Value: txn.Value{Type: txn.Bytes, Data: value},
	}}}
}

func got(t *testing.T, r *cairnv1.Reply) *cairnv1.GetResponse {
	t.Helper()
	resp := new(cairnv1.GetResponse)
	if err := proto.Unmarshal(r.Payload, resp); err != nil || r.Error != nil {
		t.Fatalf("%v, %v", err, r.Error)
	}
	return resp
}

func TestSoonGet(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	x.send(getCall(t, 1, "k"), getCall(t, 2, "l"))
	first, second := <-reads, <-reads
	if want := txn.NewKey(txn.DefaultKeyspace, []byte("k")); first.req.At != 0 || first.req.Keys[0].Compare(want) != 0 {
		t.Errorf("%+v", first.req)
	}
	live := found([]byte("x"))
	live.Versions[0].Expiry = 101
	second.end(live, nil)
	r := x.replies(1)[0]
	if resp := got(t, r); r.Id != 2 || !resp.Found || string(resp.Value.GetBytesValue()) != "x" ||
		resp.Revision != 3 || resp.CommitTs != 50 || resp.CreateTs != 40 {
		t.Errorf("a key that is there: %v", r)
	}
	first.end(found([]byte("x")), nil)
	r = x.replies(1)[0]
	if resp := got(t, r); r.Id != 1 || resp.Found || resp.Revision != txn.NoRevision {
		t.Errorf("one that has expired: %v", r)
	}
}

// What does not succeed at once is done by a worker, from the beginning.
func TestSoonGetFallsBack(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	noText := found([]byte{0xff})
	noText.Versions[0].Expiry, noText.Versions[0].Value.Type = 0, txn.String
	for i, end := range []func(soonRead){
		func(r soonRead) { r.end(noText, nil) }, // cannot be encoded
		func(r soonRead) { r.end(nil, errors.New("lost")) },
		func(r soonRead) { r.end(&shardrpc.ReadResponse{Moved: true}, nil) },
		func(r soonRead) { r.end(&shardrpc.ReadResponse{At: 100}, nil) }, // no version
		func(r soonRead) { r.end(&shardrpc.ReadResponse{Retry: true}, nil) },
	} {
		x.send(getCall(t, uint64(i), "k"))
		end(<-reads)
		if resp := got(t, x.replies(1)[0]); resp.Value.GetStringValue() != "v" {
			t.Errorf("case %d: %v", i, resp)
		}
	}
	x.send(getCall(t, 9, "k")) // who said Retry is not asked for the present for a while
	if resp := got(t, x.replies(1)[0]); resp.Value.GetStringValue() != "v" || len(reads) > 0 {
		t.Errorf("%v, %d reads", resp, len(reads))
	}
}

// Gets of anything but the present are for workers.
func TestSoonGetIsPlain(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	k := []byte("k")
	h := f.begin(&cairnv1.BeginRequest{})
	for i, req := range []*cairnv1.GetRequest{
		{Key: k, Txn: h}, {Key: k, Begin: &cairnv1.BeginRequest{}}, {Key: k, Revision: ptr(int64(1))},
		{Key: k, AsOf: ptr(int64(1))}, {Key: k, ForUpdate: true}, {}, {Key: k, Keyspace: "none"},
		{Key: k, Durability: cairnv1.Durability_DURABILITY_EPHEMERAL}, {Key: k, Durability: 99},
	} {
		x.send(&cairnv1.Call{Id: uint64(i), Method: cairnv1.Method_METHOD_KV_GET, Payload: encode(t, req)})
		x.replies(1)
	}
	if len(reads) > 0 {
		t.Errorf("%d reads that nobody waits for", len(reads))
	}
}

// A call ends when it is canceled, when its time is up, and when its client has gone.
func TestSoonGetEnds(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	late := getCall(t, 6, "k")
	late.DeadlineMs = 1
	x.send(getCall(t, 5, "k"), late)
	if r := x.replies(1)[0]; r.Id != 6 || r.GetError().GetDetail().GetReason() != "deadline" {
		t.Errorf("the call with a deadline: %v", r)
	}
	if err := x.stream.Send(&cairnv1.Frame{Cancels: []*cairnv1.Cancel{{Id: 5}}}); err != nil {
		t.Fatal(err)
	}
	if r := x.replies(1)[0]; r.Id != 5 || r.GetError().GetDetail().GetReason() != "cancelled" {
		t.Errorf("the canceled call: %v", r)
	}
	for range 2 {
		(<-reads).end(found(nil), nil) // too late
	}
	for i := range uint64(100) {
		x.send(getCall(t, 5+i, "k"))
	}
	for range 100 {
		<-reads
	}
	x.leave()
	f.g.Close() // and the fixture's goleak says whether all is gone
}

// When the client says that it ends, or the gateway closes, what is open is answered first.
func TestSoonGetIsAnsweredBeforeTheEnd(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	x.send(getCall(t, 1, "k"))
	read := <-reads
	if err := x.stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { read.end(nil, errors.New("lost")) })
	if resp := got(t, x.replies(1)[0]); resp.Value.GetStringValue() != "v" {
		t.Errorf("%v", resp)
	}
}

// A client that does not take its replies holds up nobody who makes them.
func TestSoonGetsHoldUpNobody(t *testing.T) {
	f, reads := startSoon(t)
	x := f.exchange(t)
	const n = 64
	var calls []*cairnv1.Call
	for i := range uint64(n) {
		calls = append(calls, getCall(t, i, "k"))
	}
	x.send(calls...)
	large := found(bytes.Repeat([]byte{1}, 1<<20))
	large.Versions[0].Expiry = 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range n { // four times what may wait to be sent before no more calls are taken in
			(<-reads).end(large, nil)
		}
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("whoever makes replies waits for the client")
	}
	for _, r := range x.replies(n) {
		if len(got(t, r).Value.GetBytesValue()) != 1<<20 {
			t.Fatal(r.Id)
		}
	}
}

// Of a stream whose opening request is wrong every call says so.
func TestSoonGetOfAnImproperClient(t *testing.T) {
	f, reads := startSoon(t)
	x := &exchange{g: f.g}
	c := &openCall{call: getCall(t, 1, "k")}
	if x.answerSoon(c) || len(reads) > 0 {
		t.Error("it is answered")
	}
}
