package member

import (
	"context"
	"testing"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// The locks of a gateway inside the process end with its session, and not before: its
// coordinator need not know of the transactions that have locks.
func TestLocksEndWithTheirSession(t *testing.T) {
	m := open(t, t.TempDir())
	m.SetOwner(func(txn.ID) bool { return false })
	get(t, m, "a") // waits until its shard serves
	if o := m.ownerOf(txn.SessionID(1)); o != txn.OwnerWorking {
		t.Fatalf("the owner of an open session is %v", o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lock := func(id txn.ID) *shardrpc.LockResponse {
		base, err := m.Timestamp(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := m.Lock(ctx, &shardrpc.LockRequest{Target: target(m, key("a")), Txn: id,
			Age: txn.Age{At: base, ID: id}, BaseTS: base, Mode: txn.LockExclusive, Keys: []txn.Key{key("a")}, Wait: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	first := txn.NewID(1, 1)
	if resp := lock(first); resp.Answer != shardrpc.OK {
		t.Fatalf("the first lock: %+v", resp)
	}
	next, err := m.OpenSession(ctx, "next life", true)
	if err != nil {
		t.Fatal(err)
	}
	for resp := lock(txn.NewID(next, 1)); resp.Answer != shardrpc.OK; resp = lock(txn.NewID(next, 1)) {
		if resp.Reason != shardrpc.ReasonLockTimeout || resp.Holder.Txn != first {
			t.Fatalf("the next one: %+v", resp)
		}
	}
	shown, err := m.Locks(ctx, &shardrpc.LocksRequest{Target: target(m, key("a"))})
	if err != nil || len(shown.Locks) != 1 || shown.Locks[0].Owner.Txn.Session() != next {
		t.Fatalf("the table: %+v, %v", shown, err)
	}
}
