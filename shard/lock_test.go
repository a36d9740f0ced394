package shard

import (
	"testing"

	"github.com/cairnkv/cairn/locks"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// Of a lock and of its end a leader that has lost touch says nothing (L4).
func TestGroupLockWaits(t *testing.T) {
	g := newGroup(t, 1, 2, 3)
	lead := g.leader(30)
	g.tick(20)
	base := max(lead.r.o.Newest.Load(), lead.r.lead.startTS) + 1
	id := txn.NewID(1, 1)
	age := txn.Age{At: base, ID: id}
	// The group has no keys. A lock of nothing is granted like any other.
	lock := &shardrpc.LockRequest{Target: metaTarget, Txn: id, Age: age, BaseTS: base}
	unlock := &shardrpc.UnlockRequest{Target: metaTarget, Txn: id, Age: age, BaseTS: base}
	lead.r.Step(Request{ID: 5, Msg: lock})
	g.settle()
	if got, ok := lead.replies[5].(*shardrpc.LockResponse); !ok || got.Answer != shardrpc.OK || got.Term == 0 {
		t.Fatalf("a leader answers %+v", lead.replies[5])
	}
	g.tick(20)
	g.cut = func(from, to uint64) bool { return from == lead.id || to == lead.id }
	lead.r.Step(Request{ID: 6, Msg: lock})
	lead.r.Step(Request{ID: 7, Msg: unlock})
	g.settle()
	if lead.replies[6] != nil || lead.replies[7] != nil {
		t.Fatalf("answered %+v and %+v without a word of the others", lead.replies[6], lead.replies[7])
	}
	g.tick(30)
	if got := lead.replies[6].(*shardrpc.LockResponse); got.Answer != shardrpc.Retry {
		t.Errorf("a deposed leader answers %v to a lock", got.Answer)
	}
	if got := lead.replies[7].(*shardrpc.UnlockResponse); got.Answer != shardrpc.Retry {
		t.Errorf("a deposed leader answers %v to its end", got.Answer)
	}
}

// A table that is full says so, and that is no end of the transaction.
func TestLocksMax(t *testing.T) {
	w := newWorld(t)
	base := w.timestamp()
	lock := func(n uint64, spans int) {
		m := &shardrpc.LockRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Txn: txn.NewID(1, n),
			Age: txn.Age{At: base, ID: txn.NewID(1, n)}, BaseTS: base}
		for range spans {
			m.Spans = append(m.Spans, txn.Span{Start: key("b"), End: key("c")})
		}
		w.request("lock", m)
	}
	lock(1, locks.SpansMax+1)
	if out := w.flush(); out != "lock: refused invalid resource exhausted: the shard has no room for more locks: "+
		"65536 keys and ranges, 1024 of them ranges" {
		t.Fatal(out)
	}
	lock(1, locks.SpansMax)
	if out := w.flush(); out != "lock: ok" {
		t.Fatal(out)
	}
}

// A lock costs no consensus, nor does its end.
func TestLocksAreNotLogged(t *testing.T) {
	w := newWorld(t)
	base, before := w.timestamp(), w.r.Status().LastIndex
	id := txn.NewID(1, 1)
	age := txn.Age{At: base, ID: id}
	to := shardrpc.Target{Shard: 2, Epoch: 1}
	w.request("lock", &shardrpc.LockRequest{Target: to, Txn: id, Age: age, BaseTS: base, Keys: []txn.Key{key("a")}})
	w.request("unlock", &shardrpc.UnlockRequest{Target: to, Txn: id, Age: age, BaseTS: base})
	if out := w.flush(); out != "lock: ok\nunlock: ok" {
		t.Fatal(out)
	}
	if after := w.r.Status().LastIndex; after != before {
		t.Errorf("%d entries", after-before)
	}
}
