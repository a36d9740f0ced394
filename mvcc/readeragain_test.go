package mvcc

import (
	"math/rand/v2"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// A reader that was asked before answers as one that was not, whatever it was asked.
func TestReaderAgain(t *testing.T) {
	eng := OpenMem(Compare)
	b := eng.NewBatch()
	for k := range 5 {
		for ts := txn.Timestamp(1 + k); ts <= 40; ts += txn.Timestamp(3 + k) {
			PutVersion(b, benchKey(k), &txn.Version{TS: ts, Txn: 1, Revision: int64(ts), CreateTS: 1})
		}
	}
	if err := b.Commit(false); err != nil {
		t.Fatal(err)
	}
	lower, upper := DataBounds(txn.Span{})
	iter := func() Iterator {
		it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = it.Close() })
		return it
	}
	it, rng := iter(), rand.New(rand.NewPCG(1, 2))
	again := NewReader(it, nil)
	for range 5000 {
		k, at := benchKey(rng.IntN(6)), txn.Timestamp(rng.IntN(45))
		switch rng.IntN(12) {
		case 0:
			_ = again.Scan(ScanOptions{At: at, Reverse: rng.IntN(2) == 0}, func(txn.Entry) bool {
				return rng.IntN(2) == 0
			})
		case 1:
			_ = again.History(k, at, func(txn.Version) bool { return rng.IntN(2) == 0 })
		case 2:
			again.Reset(it, []Hidden{{Key: benchKey(0), TS: 1}})
			_, _ = again.Get(k, at)
			again.Reset(it, nil)
		}
		got, err := again.Get(k, at)
		want, wantErr := NewReader(iter(), nil).Get(k, at)
		if err != nil || wantErr != nil || got.TS != want.TS || got.Revision != want.Revision {
			t.Fatalf("%v at %d: version %d, %v, want %d, %v", k, at, got.TS, err, want.TS, wantErr)
		}
	}
}
