package shard

import (
	"strings"
	"testing"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// dropStep takes a step of the deletion of the keyspace that the shard has a part of.
func (w *world) dropStep(step shardrpc.DropStep, at txn.Timestamp) {
	w.request("drop", &shardrpc.DropRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1},
		Keyspace: txn.DefaultKeyspace, Step: step, At: at})
}

// said checks what was answered since the last time: it begins with want.
func (w *world) said(what, want string) {
	w.tb.Helper()
	if out := w.flush(); !strings.HasPrefix(out, want) {
		w.tb.Errorf("%s: %q, want %q", what, out, want)
	}
}

// fresh is a commit of a new transaction.
func (w *world) fresh(counter uint64, k string) *shardrpc.CommitRequest {
	base := w.timestamp()
	m := w.commitRequest(counter, setTo(k, []byte("v")))
	m.BaseTS, m.Age.At = base, base
	return m
}

func TestDrop(t *testing.T) {
	w := newWorld(t)
	to := shardrpc.Target{Shard: 2, Epoch: 1}
	w.commit(1, setTo("b", []byte("value")))
	early := w.fresh(3, "d")
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: to, Txn: id("2"), BaseTS: w.timestamp(),
		MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key("c"), Record: txn.Pending,
		Writes: []txn.Write{{Key: key("c"), Kind: txn.KindSet, Value: txn.IntValue(1)}}})
	w.said("a prewrite before", "prewrite: ok")
	w.dropStep(shardrpc.DropErase, w.timestamp())
	w.said("erased before it was marked", "drop: refused")
	for range 2 {
		w.dropStep(shardrpc.DropMark, 0)
		w.said("marked", "drop: ok")
	}
	w.request("commit", w.fresh(4, "e"))
	w.said("a commit", "commit: refused")
	w.dropStep(shardrpc.DropErase, w.timestamp())
	w.said("erased with an intent", "drop: refused")
	w.dropStep(shardrpc.DropLook, 0)
	w.said("a look at an intent", "drop: ok, 1 blocked")
	w.request("decide", &shardrpc.DecideRequest{Target: to, Txn: id("2"), Primary: key("c"), BaseTS: w.newest.Load(),
		From: txn.In(txn.Absent, txn.Pending), To: txn.Aborted})
	w.request("resolve", &shardrpc.ResolveRequest{Target: to, Txn: id("2"), BaseTS: w.newest.Load()})
	w.flush()
	w.dropStep(shardrpc.DropLook, 0)
	w.said("a look at a record that somebody may ask for", "drop: ok, 1 blocked")
	w.request("resolve", &shardrpc.ResolveRequest{Target: to, Txn: id("2"), BaseTS: w.newest.Load(), Done: key("c")})
	w.flush()
	w.dropStep(shardrpc.DropLook, 0)
	w.said("a look at nothing", "drop: ok, 0 blocked")
	at := w.timestamp()
	for range 2 {
		w.dropStep(shardrpc.DropErase, at)
		w.said("erased", "drop: ok")
	}
	for range 2 { // and after a restart
		w.testDropped(early)
		w.crash(1 << 20)
		w.start()
		early.BaseTS = at
	}
	w.crash(0)
}

// testDropped: nothing is left, and nobody is told more than is known.
func (w *world) testDropped(early *shardrpc.CommitRequest) {
	w.tb.Helper()
	to := shardrpc.Target{Shard: 2, Epoch: 1}
	if s := w.r.Status(); s.Keys != 0 || s.Bytes != 0 || s.Intents != 0 {
		w.tb.Errorf("it counts %d keys, %d bytes, %d intents", s.Keys, s.Bytes, s.Intents)
	}
	for ks, u := range w.r.mu.usage {
		if u != (txn.Usage{}) {
			w.tb.Errorf("keyspace %d holds %+v", ks, u)
		}
	}
	for _, b := range mvcc.ReplicaBounds(2, w.route().Span, false)[1:] {
		it, err := w.state.NewIter(mvcc.IterOptions{Lower: b.Lower, Upper: b.Upper})
		if err != nil {
			w.tb.Fatal(err)
		}
		if it.First() {
			w.tb.Errorf("%x is left", it.Key())
		}
		_ = it.Close()
	}
	late := w.fresh(5, "b")
	w.request("commit", early)
	w.said("a commit from before", "commit: gone")
	w.request("commit", late)
	w.said("a commit from afterwards", "commit: refused")
	w.request("query", &shardrpc.QueryRequest{Target: to, Txn: id("2"), Primary: key("c"), BaseTS: late.BaseTS})
	w.said("a query", "query: gone")
	w.request("decide", &shardrpc.DecideRequest{Target: to, Txn: id("9"), Primary: key("c"), BaseTS: late.BaseTS,
		From: txn.In(txn.Absent, txn.Pending), To: txn.Aborted})
	w.said("an abort", "decide: gone")
	w.request("inquire", &shardrpc.InquireRequest{Target: to, Anchor: key("b"), ID: txn.RequestID{1}, BaseTS: late.BaseTS,
		Prevent: true})
	w.said("an inquiry", "inquire: gone")
	w.request("lock", &shardrpc.LockRequest{Target: to, Txn: id("9"), Age: late.Age, BaseTS: late.BaseTS,
		Keys: []txn.Key{key("b")}})
	w.said("a lock", "lock: refused")
	w.env.run(func() {
		resp, err := w.r.Read(w.tb.Context(), &shardrpc.ReadRequest{Target: to, At: late.BaseTS, Keys: []txn.Key{key("b")}})
		if err != nil || resp.Err == nil || resp.Err.Reason != txn.ReasonKeyspaceNotFound {
			w.tb.Errorf("a read: %+v, %v", resp, err)
		}
	})
	w.settle()
}

// A write that was proposed while the mark was on its way comes to nothing where it is applied.
func TestDropRefusesAtApply(t *testing.T) {
	w := newWorld(t)
	w.commit(1, setTo("b", []byte("value")))
	m := w.fresh(2, "c")
	w.holding["append"] = true
	w.dropStep(shardrpc.DropMark, 0)
	w.request("commit", m)
	w.said("not applied yet", "ok") // nobody was answered
	w.holding["append"] = false
	w.settle()
	w.said("applied", "drop: ok, 0 blocked\ncommit: retry")
	w.request("commit", m)
	w.said("again", "commit: refused")
	if s := w.r.Status(); s.Keys != 1 {
		t.Errorf("there are %d keys", s.Keys)
	}
	w.crash(0)
}
