package locks

import (
	"fmt"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

func benchKey(i int) txn.Key { return txn.NewKey(1, fmt.Appendf(nil, "lock/%08d", i)) }

func benchRange(from, to int) txn.Span { return txn.Span{Start: benchKey(from), End: benchKey(to)} }

func benchRequest(age int, mode txn.LockMode) *Request {
	id := txn.NewID(1, uint64(age))
	return &Request{Owner: Owner{txn.Age{At: txn.Timestamp(age), ID: id}, id}, Mode: mode}
}

// withKeys makes r name n keys from the one of that number on.
func (r *Request) withKeys(from, n int) *Request {
	for i := range n {
		r.Keys = append(r.Keys, benchKey(from+i))
	}
	return r
}

func (r *Request) withSpans(spans ...txn.Span) *Request {
	r.Spans = append(r.Spans, spans...)
	return r
}

func mustLock(b *testing.B, t *Table, r *Request, want Answer) {
	b.Helper()
	if a, _ := t.Lock(r); a != want {
		b.Fatalf("%v, want %v", a, want)
	}
}

// locked is a table of five owners, of ages 1 to 5, that hold 10,000 keys each.
func locked(b *testing.B, mode txn.LockMode) *Table {
	t := NewTable()
	for i := range 5 {
		mustLock(b, t, benchRequest(1+i, mode).withKeys(10_000*i, 10_000), Granted)
	}
	return t
}

// benchTable is a request and its end, beside what t has.
func benchTable(b *testing.B, t *Table, r *Request, want Answer) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		mustLock(b, t, r, want)
		if want == Queued {
			t.Cancel(r)
		} else {
			t.Release(r.Owner, 0)
		}
	}
}

func BenchmarkTableKey(b *testing.B) {
	benchTable(b, locked(b, txn.LockShared), benchRequest(10, txn.LockExclusive).withKeys(80_000, 1), Granted)
}

func BenchmarkTable10000Keys(b *testing.B) {
	benchTable(b, NewTable(), benchRequest(10, txn.LockExclusive).withKeys(0, 10_000), Granted)
}

// BenchmarkTableKeyBesideScan is a key elsewhere, while a span over all keys waits for one.
func BenchmarkTableKeyBesideScan(b *testing.B) {
	t := locked(b, txn.LockShared)
	mustLock(b, t, benchRequest(6, txn.LockExclusive).withKeys(60_000, 1), Granted)
	mustLock(b, t, benchRequest(7, txn.LockShared).withSpans(benchRange(0, 70_000)), Queued)
	benchTable(b, t, benchRequest(10, txn.LockExclusive).withKeys(80_000, 1), Granted)
}

// BenchmarkTableKeyBeforeScan is a key that the span waits for as well.
func BenchmarkTableKeyBeforeScan(b *testing.B) {
	t := locked(b, txn.LockShared)
	mustLock(b, t, benchRequest(6, txn.LockExclusive).withKeys(60_000, 1), Granted)
	mustLock(b, t, benchRequest(8, txn.LockShared).withSpans(benchRange(0, 70_000)), Queued)
	benchTable(b, t, benchRequest(7, txn.LockExclusive).withKeys(65_000, 1), Granted)
}

// BenchmarkTableKeyBesideSpans is a key beside as many shared spans as there may be.
func BenchmarkTableKeyBesideSpans(b *testing.B) {
	benchTable(b, withSharedSpans(b), benchRequest(10, txn.LockExclusive).withKeys(80_000, 1), Granted)
}

func BenchmarkTable10000KeysBesideSpans(b *testing.B) {
	benchTable(b, withSharedSpans(b), benchRequest(10, txn.LockShared).withKeys(0, 10_000), Granted)
}

func withSharedSpans(b *testing.B) *Table {
	t := NewTable()
	for i := range SpansMax {
		mustLock(b, t, benchRequest(1000+i, txn.LockShared).withSpans(benchRange(i, 70_000)), Granted)
	}
	return t
}

// BenchmarkTableSpan is a span over 50,000 locked keys: of which modes, and what becomes of it.
func BenchmarkTableSpan(b *testing.B) {
	for _, c := range []struct {
		name       string
		held, want txn.LockMode
		is         Answer
	}{
		{"shared/shared", txn.LockShared, txn.LockShared, Granted},
		{"shared/update", txn.LockShared, txn.LockUpdate, Granted},
		{"shared/exclusive", txn.LockShared, txn.LockExclusive, Queued},
		{"exclusive/shared", txn.LockExclusive, txn.LockShared, Queued},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchTable(b, locked(b, c.held), benchRequest(10, c.want).withSpans(benchRange(0, 70_000)), c.is)
		})
	}
}

// BenchmarkTable1000Spans is a request with that many spans over 50,000 locked keys.
func BenchmarkTable1000Spans(b *testing.B) {
	for _, c := range []struct {
		name string
		span func(i int) txn.Span
	}{
		{"overlapping", func(i int) txn.Span { return benchRange(i, 70_000) }},
		{"equal", func(i int) txn.Span { return benchRange(0, 70_000) }},
		{"apart", func(i int) txn.Span { return benchRange(50*i, 50*i+49) }},
	} {
		for _, mode := range []txn.LockMode{txn.LockShared, txn.LockUpdate} {
			b.Run(fmt.Sprintf("%s/%v", c.name, mode), func(b *testing.B) {
				r := benchRequest(10, mode)
				for i := range 1000 {
					r.withSpans(c.span(i))
				}
				benchTable(b, locked(b, txn.LockShared), r, Granted)
			})
		}
	}
}

// BenchmarkTableWaitingSpans is two keys that are given up and taken again in turns, while 1,000
// spans, beside 50,000 locked keys, wait for both.
func BenchmarkTableWaitingSpans(b *testing.B) {
	t := locked(b, txn.LockShared)
	first := benchRequest(6, txn.LockExclusive).withKeys(60_000, 1)
	second := benchRequest(7, txn.LockExclusive).withKeys(65_000, 1)
	mustLock(b, t, first, Granted)
	mustLock(b, t, second, Granted)
	for i := range 1000 {
		mustLock(b, t, benchRequest(1000+i, txn.LockShared).withSpans(benchRange(i, 70_000)), Queued)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range []*Request{first, second} {
			t.Release(r.Owner, 0)
			mustLock(b, t, r, Granted)
		}
	}
}

// BenchmarkTableQueue is a key that passes from one to the next, while 4,000 wait for it.
func BenchmarkTableQueue(b *testing.B) {
	t := NewTable()
	age := 1
	for ; age <= 4000; age++ {
		want := Queued
		if age == 1 {
			want = Granted
		}
		mustLock(b, t, benchRequest(age, txn.LockExclusive).withKeys(0, 1), want)
	}
	b.ReportAllocs()
	for b.Loop() {
		mustLock(b, t, benchRequest(age, txn.LockExclusive).withKeys(0, 1), Queued)
		if woken := t.Release(benchRequest(age-4000+1, 0).Owner, 0); len(woken) != 1 {
			b.Fatalf("%d are woken", len(woken))
		}
		age++
	}
}

// BenchmarkTableReopen is a refused commit, while 1,000 spans wait for 50,000 keys of others.
func BenchmarkTableReopen(b *testing.B) {
	t := locked(b, txn.LockExclusive)
	for i := range 1000 {
		mustLock(b, t, benchRequest(1000+i, txn.LockShared).withSpans(benchRange(0, 70_000)), Queued)
	}
	r := benchRequest(5000, txn.LockExclusive).withKeys(80_000, 1)
	mustLock(b, t, r, Granted)
	for b.Loop() {
		t.Committing(r.Owner, 0)
		t.Reopen(r.Owner)
	}
}

// BenchmarkTableSnapshot is what an operator sees of the same.
func BenchmarkTableSnapshot(b *testing.B) {
	t := locked(b, txn.LockExclusive)
	for i := range 1000 {
		mustLock(b, t, benchRequest(1000+i, txn.LockShared).withSpans(benchRange(0, 70_000)), Queued)
	}
	for b.Loop() {
		t.Snapshot(1000)
	}
}

// BenchmarkTableInTheWay is whom 1,000 spans wait for: 50,000 keys that nobody holds yet.
func BenchmarkTableInTheWay(b *testing.B) {
	t := NewTable()
	mustLock(b, t, benchRequest(1, txn.LockExclusive).withKeys(60_000, 1), Granted)
	for i := range 5 {
		r := benchRequest(2+i, txn.LockExclusive).withKeys(60_000, 1).withKeys(10_000*i, 10_000)
		mustLock(b, t, r, Queued)
	}
	for i := range 1000 {
		mustLock(b, t, benchRequest(1000+i, txn.LockShared).withSpans(benchRange(0, 50_000)), Queued)
	}
	for b.Loop() {
		for r := range t.Waiting() {
			t.InTheWay(r)
		}
	}
}
