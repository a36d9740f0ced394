package locks

import (
	"fmt"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// busy is a table with n granted latches of one key each.
func busy(n int) *Latches {
	t := NewLatches()
	for i := range n {
		l := &Latch{Writes: []txn.Key{txn.NewKey(1, fmt.Appendf(nil, "busy/%08d", i))}}
		t.Acquire(l)
		l.SetTS(txn.Timestamp(i + 1))
	}
	return t
}

func benchLatches(b *testing.B, keys int) {
	t := busy(4096)
	var ks []txn.Key
	for i := range keys {
		ks = append(ks, txn.NewKey(1, fmt.Appendf(nil, "bench/%08d", (i*5)%keys)))
	}
	b.ReportAllocs()
	for b.Loop() {
		l := &Latch{Writes: ks}
		if !t.Acquire(l) {
			b.Fatal("queued")
		}
		t.Release(l)
	}
}

func BenchmarkLatchesPoint(b *testing.B) { benchLatches(b, 1) }
func BenchmarkLatches8Keys(b *testing.B) { benchLatches(b, 8) }

// BenchmarkLatchesReadSpan is a request that latches a span beside 4096 others.
func BenchmarkLatchesReadSpan(b *testing.B) {
	t := busy(4096)
	b.ReportAllocs()
	for b.Loop() {
		l := &Latch{ReadSpans: []txn.Span{txn.PrefixSpan(txn.NewKey(1, []byte("bench/")))}}
		if !t.Acquire(l) {
			b.Fatal("queued")
		}
		t.Release(l)
	}
}

func BenchmarkBlockingKey(b *testing.B) {
	t, k := busy(4096), txn.NewKey(1, []byte("busy/00000077"))
	for b.Loop() {
		t.BlockingKey(k, 1)
	}
}

func BenchmarkBlockingSpan(b *testing.B) {
	t, s := busy(4096), txn.PrefixSpan(txn.NewKey(1, []byte("bench/")))
	for b.Loop() {
		t.BlockingSpan(s, txn.MaxTimestamp)
	}
}

func benchKeys() (keys [1024]txn.Key) {
	for i := range keys {
		keys[i] = txn.NewKey(1, fmt.Appendf(nil, "user/%020d", i*7919))
	}
	return keys
}

func BenchmarkTSCacheBump(b *testing.B) {
	c, keys := NewTSCache(TSCacheSlots), benchKeys()
	i := 0
	for b.Loop() {
		c.Bump(keys[i%len(keys)], txn.Timestamp(i))
		i++
	}
}

func BenchmarkTSCacheFloor(b *testing.B) {
	for _, ranges := range []int{0, 16, RangeReadsMax} {
		b.Run(fmt.Sprintf("ranges=%d", ranges), func(b *testing.B) {
			c, keys := NewShardCache(NewTSCache(TSCacheSlots)), benchKeys()
			for i := range ranges {
				c.BumpSpan(txn.PrefixSpan(txn.NewKey(1, fmt.Appendf(nil, "scan/%04d", i))), txn.Timestamp(i+1))
			}
			i := 0
			for b.Loop() {
				c.Floor(keys[i%len(keys)])
				i++
			}
		})
	}
}

func BenchmarkShardCacheBumpSpan(b *testing.B) {
	c, keys := NewShardCache(NewTSCache(1)), benchKeys()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.BumpSpan(txn.Span{Start: keys[i%len(keys)]}, txn.Timestamp(i+1))
		i++
	}
}

// BenchmarkDead is one refusal and one look-up, with the clock moving on.
func BenchmarkDead(b *testing.B) {
	d := NewDead()
	b.ReportAllocs()
	i := txn.Timestamp(0)
	for b.Loop() {
		i += 100 // 10,000 refusals a second
		d.Advance(i)
		d.Add(txn.ID(i), i)
		d.Has(txn.ID(i - 1))
	}
}

func BenchmarkStatusCache(b *testing.B) {
	c := NewStatusCache()
	b.ReportAllocs()
	i := txn.ID(0)
	for b.Loop() {
		i++
		c.Put(i, txn.Committed, txn.Timestamp(i))
		c.Get(i)
	}
}
