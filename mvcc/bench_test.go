package mvcc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

const (
	benchKeys     = 100_000
	benchVersions = 3 // of a key
	benchBytes    = 256
)

func benchKey(i int) txn.Key {
	return txn.NewKey(1, binary.BigEndian.AppendUint64([]byte("bench/"), uint64(i)*7919))
}

func benchVersion(ts txn.Timestamp) txn.Version {
	return txn.Version{TS: ts, Txn: 1, Revision: 1, CreateTS: 1, Value: txn.Value{Data: make([]byte, benchBytes)}}
}

// onEngines runs f on a Pebble on disk and on the map.
func onEngines(b *testing.B, f func(b *testing.B, eng Engine)) {
	b.Run("pebble", func(b *testing.B) {
		cache := NewCache(128 << 20)
		p, err := OpenPebble(PebbleOptions{Dir: b.TempDir(), Cache: cache})
		cache.Unref()
		if err != nil {
			b.Fatal(err)
		}
		f(b, p)
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	})
	b.Run("mem", func(b *testing.B) { f(b, OpenMem(Compare)) })
}

func fillEngine(b *testing.B, eng Engine) { fillVersions(b, eng, benchKeys, benchVersions) }

func fillVersions(b *testing.B, eng Engine, keys, versions int) {
	for version := range versions {
		for i := 0; i < keys; i += 1000 {
			batch := eng.NewBatch()
			for j := i; j < i+1000; j++ {
				v := benchVersion(txn.Timestamp(1000 * (version + 1)))
				PutVersion(batch, benchKey(j), &v)
			}
			if err := batch.Commit(false); err != nil {
				b.Fatal(err)
			}
			batch.Close()
		}
	}
	if err := eng.Flush(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPut commits one version a batch, without sync, as apply does.
func BenchmarkPut(b *testing.B) {
	onEngines(b, func(b *testing.B, eng Engine) {
		v := benchVersion(1)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			v.TS++
			batch := eng.NewBatch()
			PutVersion(batch, benchKey(i%benchKeys), &v)
			if err := batch.Commit(false); err != nil {
				b.Fatal(err)
			}
			batch.Close()
			if i%10_000 == 9_999 {
				if m, ok := eng.(*Mem); ok {
					_ = m.Flush()
				}
			}
		}
	})
}

// BenchmarkGet reads one key a snapshot at the middle one of three timestamps.
func BenchmarkGet(b *testing.B) {
	onEngines(b, func(b *testing.B, eng Engine) {
		fillEngine(b, eng)
		lower, upper := DataBounds(txn.Span{})
		r := NewReader(nil, nil)
		b.ReportAllocs()
		for b.Loop() {
			it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
			if err != nil {
				b.Fatal(err)
			}
			r.Reset(it, nil)
			v, err := r.Get(benchKey(rand.IntN(benchKeys)), 2500)
			if err != nil || v.TS != 2000 {
				b.Fatal(v, err)
			}
			_ = it.Close()
		}
	})
}

// BenchmarkGetMany reads keys through one iterator.
func BenchmarkGetMany(b *testing.B) {
	onEngines(b, func(b *testing.B, eng Engine) {
		fillEngine(b, eng)
		lower, upper := DataBounds(txn.Span{})
		it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		r := NewReader(it, nil)
		b.ReportAllocs()
		for b.Loop() {
			if v, err := r.Get(benchKey(rand.IntN(benchKeys)), 2500); err != nil || v.TS != 2000 {
				b.Fatal(v, err)
			}
		}
	})
}

// BenchmarkScan reads 100 entries, each with one newer and one older version.
func BenchmarkScan(b *testing.B) {
	for _, dir := range []string{"forward", "reverse"} {
		b.Run(dir, func(b *testing.B) {
			onEngines(b, func(b *testing.B, eng Engine) {
				fillEngine(b, eng)
				lower, upper := DataBounds(txn.Span{})
				r := NewReader(nil, nil)
				b.ReportAllocs()
				for b.Loop() {
					it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
					if err != nil {
						b.Fatal(err)
					}
					r.Reset(it, nil)
					o := ScanOptions{At: 2500, Limit: 100, Reverse: dir == "reverse"}
					o.Span.Start = benchKey(rand.IntN(benchKeys / 2))
					n := 0
					err = r.Scan(o, func(txn.Entry) bool { n++; return true })
					if err != nil || n != 100 {
						b.Fatal(n, err)
					}
					_ = it.Close()
				}
			})
		})
	}
}

func BenchmarkAppendVersion(b *testing.B) {
	v := benchVersion(5)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendVersion(dst[:0], &v)
	}
}

func BenchmarkDecodeVersion(b *testing.B) {
	v := benchVersion(5)
	src := AppendVersion(nil, &v)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeVersion(5, src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendIntent(b *testing.B) {
	i := testIntent()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendIntent(dst[:0], &i)
	}
}

func BenchmarkDecodeIntent(b *testing.B) {
	i := testIntent()
	src := AppendIntent(nil, &i)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeIntent(i.Key, src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIntentsPutDelete(b *testing.B) {
	x := NewIntents()
	all := make([]*Intent, 10_000)
	for i := range all {
		all[i] = &Intent{Key: benchKey(i), Txn: txn.ID(i / 4), BaseTS: txn.Timestamp(i), TS: txn.Timestamp(i)}
		x.Put(all[i])
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		i := all[n%len(all)]
		x.Delete(i.Key)
		x.Put(i)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := txn.Record{Txn: 1, Primary: benchKey(0), Status: txn.Staging, BaseTS: 1, MaxTS: 2}
	for i := range 16 {
		r.Keys = append(r.Keys, benchKey(i))
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendRecord(dst[:0], &r)
		if _, err := DecodeRecord(r.Primary, r.Txn, dst); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRequests asks what a writer asks about requests, on keys of several versions
// in tables: of one that may be any of the newest, or none that is there yet.
func BenchmarkRequests(b *testing.B) {
	onEngines(b, func(b *testing.B, eng Engine) {
		const keys, versions = 20_000, 5
		fillVersions(b, eng, keys, versions)
		it, err := eng.NewIter(IterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		defer it.Close()
		r := NewReader(it, nil)
		for _, after := range []txn.Timestamp{0, 1000 * versions} {
			b.Run(fmt.Sprint("after=", after), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				for b.Loop() {
					k := benchKey(rng.IntN(keys))
					if _, err := r.Request(k, txn.RequestID{1}, 4, after); err != nil {
						b.Fatal(err)
					}
					if _, _, err := r.NthRequest(k, txn.Forever, 4, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}
