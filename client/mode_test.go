package client_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// recorder keeps the requests that a server gets, and refuses the first commits.
type recorder struct {
	mu       sync.Mutex
	requests []proto.Message
	refuse   int
}

func (r *recorder) hook(_ context.Context, m cairnv1.Method, req proto.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, proto.Clone(req))
	if m == cairnv1.Method_METHOD_TXN_COMMIT && r.refuse > 0 {
		r.refuse--
		return txn.Errorf(txn.Conflict, "conflict", "something has changed")
	}
	return nil
}

func recorded[T proto.Message](r *recorder) (all []T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.requests {
		if req, ok := m.(T); ok {
			all = append(all, req)
		}
	}
	return all
}

func TestTxnOptionsOnTheWire(t *testing.T) {
	r := &recorder{}
	_, db := serve(t, clienttest.Options{Hook: r.hook}, client.Options{})
	ctx := within(t)
	first := must(db.Begin(ctx, client.TxnOptions{Pessimistic: true, Priority: client.PriorityHigh}))(t)
	must(db.Begin(ctx, client.TxnOptions{Isolation: client.Snapshot, Priority: client.PriorityLow}))(t)
	must(db.Begin(ctx, client.TxnOptions{Pessimistic: true, Priority: client.PriorityHigh, Retry: first}))(t)
	must(db.Begin(ctx, client.TxnOptions{}))(t)
	got := recorded[*cairnv1.BeginRequest](r)
	want := []*cairnv1.BeginRequest{
		{Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, Priority: cairnv1.Priority_PRIORITY_HIGH},
		{Isolation: cairnv1.Isolation_ISOLATION_SNAPSHOT, Priority: cairnv1.Priority_PRIORITY_LOW},
		{Mode: cairnv1.TxnMode_TXN_MODE_PESSIMISTIC, Age: []byte("t1")},
		{},
	}
	for i := range want {
		if !proto.Equal(got[i], want[i]) {
			t.Errorf("begin %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestForUpdateOnTheWire(t *testing.T) {
	r := &recorder{}
	_, db := serve(t, clienttest.Options{Hook: r.hook}, client.Options{})
	ctx := within(t)
	tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
	for _, forUpdate := range []bool{false, true} {
		var opts []client.ReadOption
		if forUpdate {
			opts = append(opts, client.ForUpdate())
		}
		must(tx.Get(ctx, "k", opts...))(t)
		must(tx.Exists(ctx, "k", opts...))(t)
		must(tx.BatchGet(ctx, []string{"k"}, client.BatchGetOptions{ForUpdate: forUpdate}))(t)
		all := client.All()
		all.ForUpdate = forUpdate
		for _, err := range tx.Scan(ctx, all) {
			t.Fatal(err)
		}
		must(tx.Count(ctx, all))(t)
	}
	gets, exists := recorded[*cairnv1.GetRequest](r), recorded[*cairnv1.ExistsRequest](r)
	batches, ranges := recorded[*cairnv1.BatchGetRequest](r), recorded[*cairnv1.RangeRequest](r)
	if len(gets) != 2 || len(exists) != 2 || len(batches) != 2 || len(ranges) != 4 {
		t.Fatalf("%d, %d, %d and %d requests", len(gets), len(exists), len(batches), len(ranges))
	}
	for i, want := range []bool{false, true} {
		if gets[i].ForUpdate != want || exists[i].ForUpdate != want || batches[i].ForUpdate != want ||
			ranges[2*i].ForUpdate != want || ranges[2*i+1].ForUpdate != want {
			t.Errorf("for_update is not %v: %v %v %v %v", want, gets[i], exists[i], batches[i], ranges)
		}
	}
}

// A closure that runs again is as old as at first, and locks after two conflicts.
func TestUpdateLocksAfterConflicts(t *testing.T) {
	for name, tc := range map[string]struct {
		lockAfter, first int // attempts before the first that locks; -1: none does
	}{"default": {0, 2}, "one": {1, 1}, "never": {-1, -1}} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{refuse: 3}
			_, db := serve(t, clienttest.Options{Hook: r.hook}, client.Options{LockAfter: tc.lockAfter})
			o := client.TxnOptions{Isolation: client.Snapshot}
			err := db.UpdateWith(within(t), o, func(tx *client.Txn) error {
				_, err := tx.SetString(within(t), "k", "v")
				return err
			})
			got := recorded[*cairnv1.BeginRequest](r)
			if err != nil || len(got) != 4 {
				t.Fatalf("%v after %d attempts", err, len(got))
			}
			for i, req := range got {
				locks := req.Mode == cairnv1.TxnMode_TXN_MODE_PESSIMISTIC
				snapshot := req.Isolation == cairnv1.Isolation_ISOLATION_SNAPSHOT
				if want := tc.first >= 0 && i >= tc.first; locks != want || snapshot == want {
					t.Errorf("attempt %d: %v", i+1, req)
				}
				if age := string(req.Age); i == 0 && age != "" || i > 0 && age != "t1" {
					t.Errorf("attempt %d has age %q", i+1, age)
				}
			}
		})
	}
}

// What only reads has nothing to lock.
func TestViewNeverLocks(t *testing.T) {
	r := &recorder{refuse: 3}
	_, db := serve(t, clienttest.Options{Hook: r.hook}, client.Options{})
	if err := db.View(within(t), func(*client.Txn) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for i, req := range recorded[*cairnv1.BeginRequest](r) {
		if req.Mode != cairnv1.TxnMode_TXN_MODE_UNSPECIFIED || !req.ReadOnly {
			t.Errorf("attempt %d: %v", i+1, req)
		}
	}
}
