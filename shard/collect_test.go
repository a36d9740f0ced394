package shard

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// putRows puts n rows of requests into an engine, at anchors of some length.
func putRows(tb testing.TB, eng mvcc.Engine, n, anchorBytes int, at txn.Timestamp) {
	tb.Helper()
	for i := 0; i < n; i += 1000 {
		b := eng.NewBatch()
		for j := i; j < min(i+1000, n); j++ {
			anchor := binary.BigEndian.AppendUint64([]byte("k"), uint64(j)*7919)
			anchor = append(anchor, make([]byte, max(0, anchorBytes-len(anchor)))...)
			mvcc.PutRequest(b, txn.NewKey(txn.DefaultKeyspace, anchor), txn.HashRequestID(anchor),
				&txn.RequestRow{Status: txn.Committed, Fingerprint: 1, Txn: 1, BaseTS: at, CommitTS: at})
		}
		if err := b.Commit(false); err != nil {
			tb.Fatal(err)
		}
		b.Close()
	}
}

// leave lays an intent and the record of a transaction that goes no further.
func (w *world) leave(n int, k string) {
	w.request("", &shardrpc.PrewriteRequest{Target: shardrpc.Target{Shard: 2, Epoch: 1},
		Txn: id(fmt.Sprint(n)), BaseTS: w.timestamp(), Age: txn.Age{At: 1, ID: id(fmt.Sprint(n))},
		MaxTS: txn.Forever, Reads: txn.ReadSet{MaxTS: txn.Forever}, Primary: key(k),
		Record: txn.Pending, Writes: []txn.Write{{Key: key(k), Value: txn.NullValue()}}})
}

func (w *world) let(by time.Duration) {
	w.env.now += by
	w.env.wall += by.Microseconds()
	w.timestamp()
}

// How many rows go in a tick: 10,000 writes a second with a request each have to
// lose as many.
func TestCollectorKeepsUp(t *testing.T) {
	for _, tc := range []struct {
		name              string
		rows, anchorBytes int
		ticks             int
	}{
		{"short names", 4 * collectNamesMax, 16, 4},
		{"long names", collectNamesMax, 1000, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			putRows(t, w.state, tc.rows, tc.anchorBytes, w.timestamp())
			w.let(16 * time.Minute)
			for n := 1; w.r.Status().Collected < int64(tc.rows); n++ {
				before := w.r.Status().Collected
				w.tick()
				got := w.r.Status().Collected - before
				size := got * int64(tc.anchorBytes)
				if got > collectNamesMax || size > collectBytesMax+int64(tc.anchorBytes) {
					t.Fatalf("%d rows and %d bytes of names go in one tick", got, size)
				}
				if n > tc.ticks+1 {
					t.Fatalf("after %d ticks %d of %d rows are gone", n, w.r.Status().Collected, tc.rows)
				}
			}
			w.crash(0)
		})
	}
}

// slowEnv is one in which time passes whenever somebody asks for it.
type slowEnv struct{ *manualEnv }

func (e slowEnv) Now() time.Duration {
	e.now += collectTimeMax / 2
	return e.now
}

// The worker is held up for a short time only, however slow the engine is.
func TestCollectorIsBrief(t *testing.T) {
	w := newWorld(t)
	putRows(t, w.state, 1000, 16, w.timestamp())
	w.let(16 * time.Minute)
	w.r.o.Env = slowEnv{w.env}
	w.r.collect()
	w.settle()
	if got, want := w.r.Status().Collected, int64(2*collectClock); got != want {
		t.Errorf("%d rows were looked at in %v, not %d", got, collectTimeMax, want)
	}
	w.crash(0)
}

func TestCollectorPasses(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ retention, records, rows time.Duration }{
		{time.Microsecond, time.Second, 112500 * time.Millisecond},
		{15 * time.Minute, 11250 * time.Millisecond, 112500 * time.Millisecond},
		{2 * time.Hour, 11250 * time.Millisecond, 15 * time.Minute},
	} {
		w.r.o.Retention = tc.retention
		records, rows := w.r.collectors()
		if records.every != tc.records || rows.every != tc.rows {
			t.Errorf("%v: passes every %v and %v", tc.retention, records.every, rows.every)
		}
	}
	w.crash(0)
}

// A pass over the rows, however long, holds up nobody who looks at records.
func TestRowsHoldUpNoRecords(t *testing.T) {
	w := newWorld(t)
	putRows(t, w.state, 4*collectLooksMax, 16, w.timestamp())
	w.tick()
	w.leave(1, "m")
	w.let(2 * txn.ForsakenAfter.Duration())
	w.tick()
	if got := w.r.lead.stale.tell(); len(got) != 1 {
		t.Errorf("stale: %v", got)
	}
	w.crash(0)
}

// More transactions were left behind than one answer tells of, and those that come
// first cannot be seen to: each is told in its turn.
func TestStaleTakeTurns(t *testing.T) {
	const left = 2*staleMax + staleMax/2
	w := newWorld(t)
	for i := range left {
		w.leave(i+1, fmt.Sprintf("m%04d", i))
	}
	w.let(2 * txn.ForsakenAfter.Duration())
	times := make(map[txn.ID]int)
	var last []shardrpc.Blocker
	for range 5 {
		// Until it is asked for, the list stays as it is.
		for pass := range 2 {
			w.let(w.r.lead.records.every)
			w.tick()
			if list := w.r.lead.stale.list; pass > 0 && list[0].Txn != last[0].Txn {
				t.Errorf("%v took the place of %v, which nobody had been told", list[0].Txn, last[0].Txn)
			}
			last = w.r.lead.stale.list
		}
		got := w.r.lead.stale.tell()
		if len(got) != staleMax {
			t.Fatalf("%d are told", len(got))
		}
		for i := range got {
			times[got[i].Txn]++
		}
	}
	for i := range left { // five answers are two rounds
		if n := times[id(fmt.Sprint(i+1))]; n != 2 {
			t.Errorf("transaction %d was told %d times", i+1, n)
		}
	}
	w.crash(0)
}

// A list that holds all of them holds all of them every time.
func TestStaleFew(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.leave(i+1, fmt.Sprint("m", i))
	}
	w.let(2 * txn.ForsakenAfter.Duration())
	for range 3 {
		w.let(w.r.lead.records.every)
		w.tick()
		var got []string
		for _, b := range w.r.lead.stale.tell() {
			got = append(got, string(b.Primary.User()))
		}
		if want := []string{"m0", "m1", "m2"}; !slices.Equal(got, want) {
			t.Errorf("told %v, not %v", got, want)
		}
	}
	w.crash(0)
}

// BenchmarkCollect is a pass over rows that all stay, which is most of what there is
// to do: ns/row bounds at what rate requests may come (docs/transactions.md).
func BenchmarkCollect(b *testing.B) {
	const rows = 100_000
	pass := func(b *testing.B, eng mvcc.Engine) {
		w := newWorld(b)
		putRows(b, eng, rows, 24, w.timestamp())
		if err := eng.Flush(); err != nil {
			b.Fatal(err)
		}
		w.r.o.State = eng
		c := &w.r.lead.rows
		b.ReportAllocs()
		for b.Loop() {
			c.next = 0
			for !w.r.collectNext(c) {
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		w.r.o.State = w.state
		w.crash(0)
	}
	b.Run("pebble", func(b *testing.B) {
		cache := mvcc.NewCache(64 << 20)
		eng, err := mvcc.OpenPebble(mvcc.PebbleOptions{Dir: b.TempDir(), Cache: cache})
		cache.Unref()
		if err != nil {
			b.Fatal(err)
		}
		pass(b, eng)
		if err := eng.Close(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("mem", func(b *testing.B) { pass(b, mvcc.OpenMem(mvcc.Compare)) })
}
