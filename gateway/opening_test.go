package gateway

import (
	"context"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// The first call of a transaction opens it.
func TestOpening(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	f.set("a", "old")
	got, err := f.kv.Get(ctx, connect.NewRequest(&cairnv1.GetRequest{
		Key: []byte("a"), Begin: snapshotted,
	}))
	if err != nil {
		t.Fatal(err)
	}
	begun := got.Msg.GetBegun()
	if got.Msg.GetValue().GetStringValue() != "old" || begun.GetTxn() == "" || begun.Txn != got.Msg.Txn ||
		begun.ReadTs == 0 || len(begun.Age) == 0 {
		t.Fatalf("the answer is %v", got.Msg)
	}
	f.set("b", "later")
	batch, err := f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Txn: begun.Txn, Keys: [][]byte{[]byte("b")}})
	if err != nil || batch.Results[0].Found || batch.ReadTs != begun.ReadTs || batch.Begun != nil {
		t.Errorf("it sees another snapshot than that of %d: %v, %v", begun.ReadTs, batch, err)
	}
	if err := f.setIn(begun.Txn, "a", "new"); err != nil {
		t.Fatal(err)
	}
	if err := f.commit(begun.Txn); err != nil || f.getIn("", "a") != "new" {
		t.Errorf("commit: %v, and the key is %q", err, f.getIn("", "a"))
	}
	batch, err = f.g.batchGet(ctx, &cairnv1.BatchGetRequest{
		Keys: [][]byte{[]byte("a"), []byte("c")}, ForUpdate: true, Begin: &cairnv1.BeginRequest{Age: begun.Age},
	})
	if err != nil || !batch.Results[0].Found || batch.Results[1].Found || batch.Begun.GetTxn() != batch.Txn ||
		batch.Begun.ReadTs != batch.ReadTs || string(batch.Begun.Age) != string(begun.Age) {
		t.Errorf("batch: %v, %v", batch, err)
	}
	if n := f.g.held.count(); n != 1 {
		t.Errorf("%d transactions are open", n)
	}
}

// A first call that fails, or that nobody waits for any more, leaves nothing of its transaction.
func TestOpeningFails(t *testing.T) {
	f := start(t)
	ctx := t.Context()
	begin, k := &cairnv1.BeginRequest{}, []byte("k")
	for want, call := range map[string]func() (any, error){
		"begin_in_transaction": func() (any, error) {
			h := f.begin(begin)
			defer func() { _, _ = f.g.rollback(ctx, &cairnv1.RollbackRequest{Txn: h}) }()
			return f.g.get(ctx, &cairnv1.GetRequest{Txn: h, Begin: begin, Key: k})
		},
		"age_invalid": func() (any, error) {
			return f.g.get(ctx, &cairnv1.GetRequest{Begin: &cairnv1.BeginRequest{Age: k}, Key: k})
		},
		"key_empty": func() (any, error) { return f.g.get(ctx, &cairnv1.GetRequest{Begin: begin}) },
		"as_of_in_transaction": func() (any, error) {
			return f.g.get(ctx, &cairnv1.GetRequest{Begin: begin, Key: k, AsOf: ptr[int64](1)})
		},
		reasonEphemeral: func() (any, error) {
			return f.g.get(ctx, &cairnv1.GetRequest{
				Begin: begin, Key: k, Durability: cairnv1.Durability_DURABILITY_EPHEMERAL,
			})
		},
		"keys_missing": func() (any, error) {
			return f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Begin: begin, Keys: [][]byte{k}, RequireAll: true})
		},
		"transaction_in_operation": func() (any, error) {
			op := &cairnv1.Op{Request: &cairnv1.Op_Get{Get: &cairnv1.GetRequest{Begin: begin, Key: k}}}
			return f.g.executeProgram(ctx, &cairnv1.ExecuteRequest{Then: []*cairnv1.Op{op}})
		},
		shardrpc.ReasonWounded: func() (any, error) {
			f.shards.lock = func(req *shardrpc.LockRequest) *shardrpc.LockResponse {
				return &shardrpc.LockResponse{Reply: shardrpc.Reply{
					Answer: shardrpc.Refused, Reason: shardrpc.ReasonWounded, Key: req.Keys[0],
				}}
			}
			return f.g.get(ctx, &cairnv1.GetRequest{Begin: pessimistic, Key: k})
		},
		"canceled": func() (any, error) {
			ctx, cancel := context.WithCancel(ctx)
			return f.g.opening(ctx, &cairnv1.GetRequest{Begin: pessimistic}, func(string) error {
				cancel()
				return nil
			})
		},
	} {
		if _, err := call(); reasonOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if n := f.g.held.count(); n != 0 {
			t.Errorf("%s: %d transactions are open", want, n)
		}
		f.shards.lock = nil
		f.unlocked()
	}
	_, err := f.g.batchGet(ctx, &cairnv1.BatchGetRequest{Begin: begin})
	if txn.KindOf(err) != txn.Invalid || f.g.held.count() != 0 {
		t.Errorf("no keys: %v", err)
	}
}
