package shard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// commitRequest is a program with the newest timestamp as its base_ts.
func (w *world) commitRequest(counter uint64, p txn.Program) *shardrpc.CommitRequest {
	base := w.newest.Load()
	id := txn.NewID(1, counter)
	return &shardrpc.CommitRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Txn: id,
		Age: txn.Age{At: base, ID: id}, BaseTS: base, MaxTS: txn.Forever,
		Reads: txn.ReadSet{MaxTS: txn.Forever}, Program: p}
}

func setTo(k string, value []byte) txn.Program {
	return txn.Program{Then: []txn.Op{{Kind: txn.OpSet, Key: key(k), Value: txn.BytesValue(value)}}}
}

// commit commits and fails the test unless the answer is OK.
func (w *world) commit(counter uint64, p txn.Program) {
	w.tb.Helper()
	w.timestamp() // after leaderStartTS
	w.request("commit", w.commitRequest(counter, p))
	if out := w.flush(); len(out) < 10 || out[:10] != "commit: ok" {
		w.tb.Fatal(out)
	}
}

// An answer to a question that an earlier leadership asked may be older than what another
// leader has served since: it must not become leaderStartTS (V1).
func TestStaleTimestampStartsNoLeadership(t *testing.T) {
	w := newWorld(t)
	w.holding["oracle"] = true
	w.request("commit", w.commitRequest(1, setTo("a", nil)))
	if len(w.asks) != 1 {
		t.Fatalf("%d questions to the oracle", len(w.asks))
	}
	old := w.timestamp()
	w.depose(w.r)
	if out := w.flush(); out != "commit: retry" {
		t.Fatal(out)
	}
	for range 60 {
		w.tick()
	}
	if w.r.lead == nil || len(w.asks) != 1 {
		t.Fatalf("leading %v, %d questions outstanding", w.r.lead != nil, len(w.asks))
	}
	w.asks = nil
	w.r.Step(Timestamps{First: old, N: 1})
	w.settle()
	if w.r.Status().Serving || len(w.asks) != 1 {
		t.Fatalf("serving %v, %d questions", w.r.Status().Serving, len(w.asks))
	}
	clear(w.holding)
	w.settle()
	if !w.r.Status().Serving || w.r.lead.startTS <= old {
		t.Fatalf("starts at %d, not after %d", w.r.lead.startTS, old)
	}
}

// A hot key's queue is worked off without one write's end nesting in another's.
func TestLongQueueOfOneKey(t *testing.T) {
	w := newWorld(t)
	w.timestamp() // after leaderStartTS
	w.holding["append"] = true
	w.request("first", w.commitRequest(1, setTo("a", []byte("one"))))
	for i := range writesMax {
		p := setTo("a", []byte("two"))
		p.If = txn.Test{Key: key("a"), Cond: txn.Cond{Absent: true}}
		w.requestTo(w.r, "queued", w.commitRequest(uint64(i+2), p))
	}
	w.settle()
	if out := w.flush(); out != "queued: retry" { // one too many
		t.Fatalf("%.100s", out)
	}
	clear(w.holding)
	w.settle()
	if len(w.names) != 0 || len(w.out) != writesMax {
		t.Fatalf("%d answers, %d missing", len(w.out), len(w.names))
	}
	if n := len(w.r.lead.writes) + w.r.mu.latches.Held(); n != 0 {
		t.Fatalf("%d writes or latches are left", n)
	}
}

// A reader tells the timestamp cache of itself before it looks at what is there: whoever writes
// after that look goes above it (V3).
func TestReaderBumpsFirst(t *testing.T) {
	w := newWorld(t)
	base, at := w.timestamp(), w.timestamp()
	looked := false
	w.env.at = func(point string) {
		if looked || point != "shard.read.taken" && point != "shard.read.opened" {
			return
		}
		looked = true
		m := &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: w.route().Shard, Epoch: 1}, Txn: 1,
			BaseTS: base, MaxTS: txn.Forever, Primary: key("a"), Record: txn.Pending,
			Writes: []txn.Write{{Key: key("a"), Kind: txn.KindSet, Value: txn.StringValue("late")}}}
		w.request("prewrite", m)
		w.settle()
	}
	w.env.run(func() {
		_, err := w.r.Read(context.Background(), &shardrpc.ReadRequest{
			Target: shardrpc.Target{Shard: w.route().Shard, Epoch: 1}, At: at, Keys: []txn.Key{key("a")}})
		if err != nil {
			t.Error(err)
		}
	})
	if in := w.r.mu.intents.Get(key("a")); !looked || in == nil || in.TS <= at {
		t.Errorf("after a read at %d there is an intent %+v", at, in)
	}
}

// An intent that is resolved while a reader waits is not taken for what it was: the iterator is
// opened together with the intents (M14).
func TestReaderTakesAllAtOnce(t *testing.T) {
	w := newWorld(t)
	to := shardrpc.Target{Shard: w.route().Shard, Epoch: 1}
	w.request("set", w.commitRequest(1, setTo("a", nil)))
	w.settle()
	base := w.timestamp()
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: to, Txn: 2, BaseTS: base, MaxTS: txn.Forever,
		Primary: key("a"), Record: txn.Pending, Writes: []txn.Write{{Key: key("a"), Value: txn.StringValue("never")}}})
	w.settle()
	w.env.at = func(point string) {
		if point == "shard.read.bumped" {
			w.request("resolve", &shardrpc.ResolveRequest{Target: to, Txn: 2, BaseTS: base, Keys: []txn.Key{key("a")}})
			w.settle()
		}
	}
	at := w.timestamp()
	w.env.run(func() {
		resp, err := w.r.Read(context.Background(), &shardrpc.ReadRequest{Target: to, At: at, Keys: []txn.Key{key("a")}})
		if err != nil || len(resp.Versions) != 1 || resp.Versions[0].Txn == 2 {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

// The meta group holds no user's keys, whatever a request claims.
func TestMetaRefusesKeys(t *testing.T) {
	w := newWorld(t)
	m := w.commitRequest(1, setTo("a", nil))
	m.Shard = shardrpc.MetaShard
	w.requestTo(w.metaR, "commit", m)
	w.settle()
	if out := w.flush(); out != "commit: moved" {
		t.Fatal(out)
	}
}

// What follows a proposal that raft drops is dropped too: a write must not get into the log
// without the resolution of the intent that it met (C16, I3).
func TestDroppedProposalDropsWhatFollows(t *testing.T) {
	w := newWorld(t)
	w.holding["append"] = true
	for range uncommittedBytesMax / txn.ValueBytesMax {
		if err := w.r.rn.Propose(make([]byte, txn.ValueBytesMax)); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, size := range []int{txn.ValueBytesMax, 1} {
		c := &command{kind: cmdWrite, ops: []op{{key: key("a"), value: make([]byte, size)}}}
		w.r.await(c, func(a applied) {
			if told++; a.ok {
				t.Errorf("%d bytes are told they were applied", size)
			}
		})
	}
	w.r.propose()
	if told != 2 || len(w.r.pending) != 0 {
		t.Fatalf("%d of 2 were told, %d pending", told, len(w.r.pending))
	}
}

// The largest transactions fit through raft, log and engine.
func TestHugeTransactions(t *testing.T) {
	w := newWorld(t)
	w.commit(1, setTo("a", make([]byte, txn.ValueBytesMax)))
	base := w.timestamp()
	m := &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1}, Txn: txn.NewID(1, 2),
		BaseTS: base, MaxTS: txn.Forever, Primary: key("b0"), Record: txn.Pending,
		Reads: txn.ReadSet{MaxTS: txn.Forever}}
	for i := range 4 {
		m.Writes = append(m.Writes, txn.Write{Key: key(fmt.Sprint("b", i)),
			Value: txn.BytesValue(make([]byte, txn.WriteBytesMax/4-8))})
	}
	w.request("prewrite", m)
	w.request("resolve", &shardrpc.ResolveRequest{Target: m.Target, Txn: m.Txn, BaseTS: base,
		Commit: true, CommitTS: w.timestamp()})
	want := fmt.Sprintf("prewrite: ok at %d b0:r0 b1:r0 b2:r0 b3:r0\nresolve: ok", base)
	if out := w.flush(); out != want {
		t.Fatalf("%.200s", out)
	}
	w.crash(0)
	w.start()
	w.tick()
	if s := w.r.Status(); s.Keys != 5 || s.Intents != 0 {
		t.Fatalf("%+v", s)
	}
}

// The log is cut as far as the state engine is durable, no further, and what is left is
// enough to go on from (R14).
func TestTruncation(t *testing.T) {
	w := newWorld(t)
	value := make([]byte, TruncateBytesMin/4)
	for i := range 6 {
		w.commit(uint64(i+1), setTo("a", value))
		if i == 3 {
			if err := w.state.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, ok, err := mvcc.GetShardState(w.state, 2, true)
	if err != nil || !ok || s.AppliedIndex >= w.r.Status().AppliedIndex {
		t.Fatalf("durable %+v, %v, %v", s, ok, err)
	}
	w.r.Step(Durable{Index: s.AppliedIndex})
	w.commit(7, setTo("b", value)) // the cut goes with an append
	if first := w.r.Status().FirstIndex; first != s.AppliedIndex+1 || w.firstEntry() != first {
		t.Fatalf("the log begins at %d in memory and %d on disk, durable is %d",
			first, w.firstEntry(), s.AppliedIndex)
	}
	w.crash(0)
	w.start()
	w.tick()
	if got := w.r.Status(); got.Keys != 2 || got.FirstIndex != s.AppliedIndex+1 {
		t.Fatalf("%+v", got)
	}
	w.commit(8, setTo("c", value))
}

// firstEntry is the oldest entry of the data shard's log on disk.
func (w *world) firstEntry() uint64 {
	var first uint64
	for i := w.r.Status().AppliedIndex; i > 0; i-- {
		if _, ok, err := w.log.Get(logEntryKey(2, i)); err != nil || !ok {
			break
		}
		first = i
	}
	return first
}

// What the collector cannot read ends the replica, with a word on what to do.
func TestUnreadableRecord(t *testing.T) {
	w := newWorld(t)
	b := w.state.NewBatch()
	b.Set(mvcc.RecordKey(key("b"), 7), []byte{99})
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	for range 30 { // more than a second
		w.tick()
	}
	if out := w.flush(); !strings.Contains(out, "failed: ") {
		t.Errorf("the replica goes on: %s", out)
	}
}

// A log that ends before the applied index is begun anew after it (R13).
func TestShortLog(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.commit(uint64(i+1), setTo("a", nil))
	}
	if err := w.state.Flush(); err != nil {
		t.Fatal(err)
	}
	applied := w.r.Status().AppliedIndex
	w.crash(0)
	b := w.log.NewBatch()
	b.DeleteRange(logEntryKey(2, applied-1), logEntryKey(2, applied+1))
	if err := b.Commit(true); err != nil {
		t.Fatal(err)
	}
	for life := range 3 {
		w.start()
		w.tick()
		w.commit(uint64(life+10), setTo("b", nil))
		if first := w.firstEntry(); first != applied+1 {
			t.Fatalf("life %d: the log begins at %d, applied was %d", life, first, applied)
		}
		w.crash(0)
	}
	if _, ok, _ := w.log.Get(logEntryKey(2, 1)); ok {
		t.Error("entries before the new beginning are left")
	}
}

func BenchmarkReplicaCommit(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			w := newWorld(b)
			value := make([]byte, 256)
			for i := range 1000 {
				w.commit(uint64(i), setTo(fmt.Sprint("key", i), value))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; {
				for range min(batch, b.N-i) {
					m := w.commitRequest(uint64(i+1000), setTo(fmt.Sprint("key", i%1000), value))
					w.requestTo(w.r, "", m)
					i++
				}
				w.settle()
				w.env.now += time.Microsecond
				w.metaR.Step(ExtendOracle{})
			}
		})
	}
}

// A decision that would move a record where none may go moves nothing (I5).
func TestDecideToNothingFinal(t *testing.T) {
	w := newWorld(t)
	m := w.commitRequest(1, txn.Program{})
	m.BaseTS = w.timestamp()
	w.request("prewrite", &shardrpc.PrewriteRequest{Target: m.Target, Txn: m.Txn, BaseTS: m.BaseTS,
		MaxTS: txn.Forever, Primary: key("a"), Record: txn.Pending, Writes: []txn.Write{{Key: key("a")}}})
	w.flush()
	for _, to := range []txn.Status{txn.Absent, txn.Pending, txn.Staging, 9} {
		w.request("decide", &shardrpc.DecideRequest{Target: m.Target, Txn: m.Txn, BaseTS: m.BaseTS,
			Primary: key("a"), From: txn.In(txn.Absent, txn.Pending), To: to})
		if out := w.flush(); out != "decide: pending" {
			t.Errorf("to %v: %s", to, out)
		}
	}
}
