package mvcc

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cairnkv/cairn/txn"
)

// cachedWorld is an engine whose changes a cache is told of.
type cachedWorld struct {
	*testing.T
	rng   *rand.Rand
	eng   *Mem
	cache *VersionCache
	known *NewestVersions
	now   txn.Timestamp
	at    map[int][]txn.Timestamp // the versions of a key, oldest first
}

const cachedKeys = 6

// A reader with a cache answers as one without, whatever was written, moved and removed
// meanwhile, and whatever does not fit.
func TestCachedReader(t *testing.T) {
	w := &cachedWorld{T: t, rng: rand.New(rand.NewPCG(3, 4)), eng: OpenMem(Compare),
		cache: NewVersionCache(0), at: map[int][]txn.Timestamp{}}
	w.known = w.cache.Begin()
	hits := 0
	for range 3000 {
		w.change()
		hits += w.compare()
	}
	if hits < 1000 {
		t.Errorf("only %d answers came from the cache", hits)
	}
}

// value is of a size around every limit.
func (w *cachedWorld) value() []byte {
	sizes := []int{0, 10, 300, 400, 480, 600, cachedBytesMax - 50, cachedBytesMax + 50}
	return bytes.Repeat([]byte{'v'}, sizes[w.rng.IntN(len(sizes))]+w.rng.IntN(20))
}

func (w *cachedWorld) change() {
	b := w.eng.NewBatch()
	defer b.Close()
	k := w.rng.IntN(cachedKeys)
	key, at := benchKey(k), w.at[k]
	w.now += txn.Timestamp(1 + w.rng.IntN(3))
	var tell func()
	switch n := w.rng.IntN(20); {
	case n < 14 || len(at) == 0:
		v := txn.Version{TS: w.now, Txn: txn.ID(w.now), Revision: int64(w.now), CreateTS: w.now,
			Value: txn.Value{Data: w.value()}}
		if w.rng.IntN(2) == 0 {
			v.Request = &txn.Request{ID: txn.RequestID{1: byte(w.now)}}
		}
		PutVersion(b, key, &v)
		w.at[k] = append(at, w.now)
		tell = func() { w.known.Put(key, v.TS, AppendVersion(nil, &v)) }
	case n < 16:
		from := at[len(at)-1]
		if err := MoveVersion(w.eng, b, key, from, w.now); err != nil {
			w.Fatal(err)
		}
		at[len(at)-1] = w.now
		to := w.now
		tell = func() { w.known.Move(key, from, to) }
	case n < 18:
		DeleteVersion(b, key, at[len(at)-1])
		w.at[k] = at[:len(at)-1]
		tell = func() { w.known.Drop(key) }
	case n < 19:
		EraseSpan(b, txn.Span{Start: key, End: append(key.Clone(), 0)})
		delete(w.at, k)
		tell = func() { w.known = w.cache.Begin() }
	default: // others use the cache, too
		other := w.cache.Begin()
		for i := range 500 {
			other.Put(benchKey(100+i), 1, w.value())
		}
		tell = func() {}
	}
	if err := b.Commit(false); err != nil {
		w.Fatal(err)
	}
	tell()
}

// compare asks a few questions and counts those that the cache has answered.
func (w *cachedWorld) compare() (hits int) {
	lower, upper := DataBounds(txn.Span{})
	it, err := w.eng.NewIter(IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		w.Fatal(err)
	}
	defer it.Close()
	hidden := w.hidden()
	cached := NewReader(it, hidden)
	cached.UseCache(w.known)
	for range 4 {
		key, at := benchKey(w.rng.IntN(cachedKeys)), w.now-txn.Timestamp(w.rng.IntN(10))
		if w.rng.IntN(2) == 0 {
			at = txn.Forever
		}
		n, after := 1+w.rng.IntN(5), max(0, w.now-txn.Timestamp(w.rng.IntN(20)))
		id := txn.RequestID{1: byte(w.now - txn.Timestamp(w.rng.IntN(10)))}
		got := answers(w.T, cached, key, id, at, n, after)
		want := answers(w.T, NewReader(it, hidden), key, id, at, n, after)
		if got != want {
			got.value, want.value = got.value[:min(9, len(got.value))], want.value[:min(9, len(want.value))]
			w.Fatalf("%v at %d, %d after %d: with the cache %+v, without %+v", key, at, n, after, got, want)
		}
		if len(hidden) > 0 { // then nobody asks the cache alone, nor tells it anything
			continue
		}
		if v, ok, err := w.known.Get(key, at); err != nil || ok && (v.TS != want.ts || string(v.Value.Data) != want.value) {
			w.Fatalf("%v at %d: known is %d, %v, want %d", key, at, v.TS, err, want.ts)
		} else if ok {
			hits++
		}
		v, value, err := NewReader(it, nil).GetNewest(key, at)
		if err != nil || v.TS != want.ts {
			w.Fatalf("%v at %d: GetNewest is %d, %v, want %d", key, at, v.TS, err, want.ts)
		}
		if value != nil && w.rng.IntN(2) == 0 {
			w.known.Fill(key, v.TS, value)
		}
	}
	return hits
}

// hidden is nothing, or the newest version of some key, aborted or committed.
func (w *cachedWorld) hidden() []Hidden {
	k := w.rng.IntN(3 * cachedKeys)
	at := w.at[k]
	if len(at) == 0 {
		return nil
	}
	h := Hidden{Key: benchKey(k), TS: at[len(at)-1]}
	if w.rng.IntN(2) == 0 {
		h.CommitTS = w.now
	}
	return []Hidden{h}
}

type readerAnswers struct {
	ts, next      txn.Timestamp
	value         string
	changed       bool
	request, last txn.RequestRow
	versions      int
}

// answers are those of r to all questions about one key.
func answers(
	t *testing.T, r *Reader, key txn.Key, id txn.RequestID, at txn.Timestamp, n int, after txn.Timestamp,
) (a readerAnswers) {
	t.Helper()
	var errs [7]error
	var v txn.Version
	v, errs[0] = r.Get(key, at)
	a.ts, a.value = v.TS, string(v.Value.Data)
	v, errs[1] = r.Get(key, v.TS-1)
	a.next = v.TS
	a.changed, errs[2] = r.ChangedKey(key, after, at)
	a.request, errs[3] = r.Request(key, id, n, after)
	_, errs[6] = r.Newest(key) // as who writes it has asked
	if _, a.last, errs[4] = r.NthRequest(key, at, n, after); a.last.Status == txn.Absent {
		a.last = txn.RequestRow{} // whatever else it says
	}
	if a.request.Status == txn.Absent {
		a.request = txn.RequestRow{}
	}
	errs[5] = r.History(key, at, func(txn.Version) bool { a.versions++; return true })
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a
}
