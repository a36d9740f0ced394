package shard

import (
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// rows says which rows of requests there are, and checks that the replica knows them all.
func (w *world) rows() {
	lower, upper := mvcc.RequestBounds(w.route().Span)
	it, err := w.state.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		w.tb.Fatal(err)
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		anchor, id, err := mvcc.DecodeRequestKey(it.Key())
		b, err2 := it.Value()
		row, err3 := mvcc.DecodeRequest(b)
		if err != nil || err2 != nil || err3 != nil {
			w.tb.Fatal(err, err2, err3)
		}
		w.say("%s: %v of %v at %d", anchor.User(), row.Status, row.Txn, row.CommitTS)
		if n++; !w.r.rows.mayHave(anchor, id) {
			w.tb.Errorf("the replica does not know of the row at %s", anchor.User())
		}
	}
	if err := it.Close(); err != nil {
		w.tb.Fatal(err)
	}
	if w.r.rows.keys != nil && len(w.r.rows.keys) != n {
		w.tb.Errorf("the replica knows of %d rows, there are %d", len(w.r.rows.keys), n)
	}
}

// More rows than a replica may know of: it asks for them, until they have become few.
func TestRowsUnknown(t *testing.T) {
	w := newWorld(t)
	putRows(t, w.state, rowsKnownMax+1000, 16, w.timestamp())
	if err := w.state.Flush(); err != nil {
		t.Fatal(err)
	}
	w.crash(0)
	w.start()
	if w.r.rows.keys != nil {
		t.Fatal("the replica knows too many rows")
	}
	for range 60 {
		w.tick()
	}
	a := func(counter uint64) *shardrpc.CommitRequest {
		m := w.commitRequest(counter, setTo("b", []byte("v")))
		m.Request, m.Anchor = &txn.Request{ID: txn.RequestID{1}, Fingerprint: 1}, key("a")
		return m
	}
	w.timestamp()
	w.request("commit", a(1))
	first := w.flush()
	w.request("commit", a(2))
	if got := w.flush(); !strings.HasPrefix(first, "commit: ok at ") ||
		!strings.HasPrefix(got, "commit: refused repeated by 1.1") {
		t.Errorf("%s, then %s", first, got)
	}
	w.let(10 * time.Minute)
	w.request("commit", func() *shardrpc.CommitRequest {
		m := a(3)
		m.Request.ID[0] = 2
		return m
	}())
	w.let(6 * time.Minute)
	for range 60 {
		w.tick()
	}
	w.let(3 * time.Minute)
	for range 60 {
		w.tick()
	}
	w.flush()
	w.rows()
	if got := w.flush(); w.r.rows.keys == nil || len(w.r.rows.keys) != 1 {
		t.Errorf("of %s the replica knows %d", got, len(w.r.rows.keys))
	}
	w.crash(0)
}
