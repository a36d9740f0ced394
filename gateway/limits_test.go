package gateway

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// A deadline beyond the end of the clock is no deadline that has passed.
func TestFarDeadline(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().AddDate(400, 0, 0))
	defer cancel()
	if until := f.g.deadline(ctx); until <= f.env.Now() {
		t.Errorf("it is at %v, now is %v", until, f.env.Now())
	}
	if _, err := f.g.set(ctx, &cairnv1.SetRequest{Key: []byte("k"), Value: str("v")}); err != nil {
		t.Error(err)
	}
	x := f.exchange(t)
	call := getCall(t, 1, "k")
	call.DeadlineMs = math.MaxInt64
	x.send(call)
	if r := x.replies(1)[0]; r.Error != nil {
		t.Errorf("over the stream: %v", r)
	}
}

// No gateway has answered an age of the future, but for what a low priority adds;
// shards would refuse its locks for ever.
func TestAgeOfTheFuture(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		ahead time.Duration
		ok    bool
	}{{-time.Hour, true}, {9 * time.Second, true}, {time.Minute, false}, {1 << 40 * time.Microsecond, false}} {
		at := txn.Timestamp(time.Now().UnixMicro()).Add(c.ahead)
		b, err := f.g.begin(t.Context(), &cairnv1.BeginRequest{
			Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, Age: encodeAge(txn.Age{At: at, ID: txn.NewID(7, 1)}),
		})
		if (err == nil) != c.ok || err != nil && txn.KindOf(err) != txn.Invalid {
			t.Errorf("%v ahead: %v, %v", c.ahead, b, err)
		}
	}
	if n := f.g.held.count(); n != 2 {
		t.Errorf("%d transactions are open", n)
	}
}

// A one-shot transaction whose results are too large does nothing and says so;
// one that fits is answered, and answered again.
func TestExecuteAnswerLimit(t *testing.T) {
	f := start(t)
	f.set("a1", strings.Repeat("x", txn.ValueBytesMax))
	f.set("a2", strings.Repeat("x", txn.ValueBytesMax))
	f.set("a3", strings.Repeat("x", txn.ValueBytesMax))
	execute := func(id string, keys ...string) (*cairnv1.ExecuteResponse, error) {
		req := &cairnv1.ExecuteRequest{RequestId: []byte(id), Then: []*cairnv1.Op{{
			Request: &cairnv1.Op_Set{Set: &cairnv1.SetRequest{Key: []byte("a0"), Value: str(id)}}}}}
		for _, k := range keys {
			req.Then = append(req.Then, &cairnv1.Op{
				Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Key: []byte(k)}}})
		}
		return f.g.executeProgram(t.Context(), req)
	}
	if _, err := execute("r1", "a1", "a2", "a3"); txn.KindOf(err) != txn.Exhausted {
		t.Errorf("three: %v", err)
	}
	if got := f.getIn("", "a0"); got != "-" {
		t.Errorf("it was refused, and has written %q", got)
	}
	first, err := execute("r2", "a1", "a2")
	if err != nil {
		t.Fatal(err)
	}
	again, err := execute("r2", "a1", "a2")
	if err != nil || again.CommitTs != first.CommitTs || len(again.Results) != 3 {
		t.Errorf("again: %v", err)
	}
}
