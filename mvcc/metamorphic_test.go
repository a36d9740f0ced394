package mvcc

import (
	"bytes"
	"flag"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/cairnkv/cairn/txn"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "first seed of the metamorphic test; 0: from the clock")
	seedsFlag   = flag.Int("seeds", 0, "how many seeds; 0: as many as fit a few seconds")
	quickBudget = 4 * time.Second
)

// TestMetamorphic runs one random history on Pebble, on the map and on a naive
// model, and compares every answer, across crashes too.
func TestMetamorphic(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	start := time.Now()
	n := 0
	for ; n < *seedsFlag || *seedsFlag == 0 && time.Since(start) < quickBudget; n++ {
		runSeed(t, seed+uint64(n))
		if t.Failed() {
			t.Fatalf("go test ./mvcc -run TestMetamorphic -seeds 1 -seed %d", seed+uint64(n))
		}
	}
	t.Logf("%d seeds from %d", n, seed)
}

func runSeed(t *testing.T, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	w := newWorld(t, seed)
	for range 200 {
		w.step()
		w.compareReaders()
		if w.rng.IntN(4) == 0 {
			w.compareIterators()
		}
		if w.rng.IntN(20) == 0 {
			w.compareMirror()
		}
	}
	w.release()
	if err := w.pebble.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) expect(what string, got, want any) {
	w.t.Helper()
	if !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// plain makes versions comparable: no bytes and nil are the same.
func plain(v txn.Version) txn.Version {
	v = CloneVersion(v)
	if len(v.Value.Data) == 0 {
		v.Value.Data = nil
	}
	return v
}

func (w *world) compareReaders() {
	k, at, span := w.key(), w.at(), w.span()
	rev := w.rng.Int64N(8) - 1
	after, upTo := w.at(), w.at()
	o := ScanOptions{Span: span, At: at, Limit: w.rng.IntN(4), Reverse: w.rng.IntN(2) == 0}
	stop := w.rng.IntN(10)
	for name, eng := range w.engines() {
		lower, upper := DataBounds(txn.Span{})
		it, err := eng.NewIter(IterOptions{Lower: lower, Upper: upper})
		if err != nil {
			w.t.Fatal(err)
		}
		r := NewReader(it, w.model.hidden())
		v, err := r.Get(k, at)
		w.expect(fmt.Sprintf("%s: get %v at %d: %v", name, k, at, err),
			plain(v), plain(w.model.get(string(k), at)))
		v, err = r.GetRevision(k, rev, at)
		w.expect(fmt.Sprintf("%s: get %v revision %d at %d: %v", name, k, rev, at, err),
			plain(v), plain(w.model.revision(string(k), rev, at)))
		w.compareHistory(name, r, k, at)
		changed, err := r.ChangedKey(k, after, upTo)
		w.expect(fmt.Sprintf("%s: changed %v (%d,%d]: %v", name, k, after, upTo, err),
			changed, len(w.model.changed(txn.KeySpan(k), after, upTo)) > 0)
		w.compareScan(name, r, o, stop)
		w.compareChanged(name, r, span, [2]txn.Timestamp{after, upTo})
		w.compareSince(name, r, span, [2]txn.Timestamp{after, upTo})
		if err := it.Close(); err != nil {
			w.t.Fatal(err)
		}
		w.compareFiltered(name, eng, span, [2]txn.Timestamp{after, upTo})
	}
}

// compareHistory reads it in pages of up to three, each from where the one before
// ended.
func (w *world) compareHistory(name string, r *Reader, k txn.Key, at txn.Timestamp) {
	want := w.model.history(string(k), at)
	for i := range want {
		want[i] = plain(want[i])
	}
	var got []txn.Version
	for from := at; from != 0; {
		page := 0
		next := txn.Timestamp(0)
		err := r.History(k, from, func(v txn.Version) bool {
			if page == 3 {
				next = v.TS
				return false
			}
			page++
			got = append(got, plain(v))
			return true
		})
		if err != nil {
			w.t.Fatalf("%s: history of %v from %d: %v", name, k, from, err)
		}
		from = next
	}
	w.expect(fmt.Sprintf("%s: history of %v from %d", name, k, at), got, want)
}

func (w *world) compareScan(name string, r *Reader, o ScanOptions, stop int) {
	var got []txn.Entry
	err := r.Scan(o, func(e txn.Entry) bool {
		e = CloneEntry(e)
		e.Version = plain(e.Version)
		got = append(got, e)
		return len(got) != stop
	})
	want := w.model.scan(o)
	if stop > 0 && len(want) > stop {
		want = want[:stop]
	}
	for i := range want {
		want[i].Version = plain(want[i].Version)
	}
	w.expect(fmt.Sprintf("%s: scan %+v: %v", name, o, err), got, want)
}

func (w *world) compareChanged(name string, r *Reader, span txn.Span, in [2]txn.Timestamp) {
	k, ok, err := r.Changed(span, in[0], in[1])
	want := w.model.changed(span, in[0], in[1])
	if err != nil || ok != (len(want) > 0) || ok && !want[string(k)] {
		w.t.Fatalf("%s: changed %v %v: %v %v %v, want %v", name, span, in, k, ok, err, want)
	}
}

// compareSince asks what has changed for a reader who is one tick past what it sees.
func (w *world) compareSince(name string, r *Reader, span txn.Span, in [2]txn.Timestamp) {
	since, upTo := in[0], min(in[1], txn.Forever-1)
	now := upTo + 1
	changed, expiry, err := r.ChangedSince(span, since, upTo, now)
	want, first := len(w.model.changed(span, since, upTo)) > 0, txn.Timestamp(0)
	for _, k := range w.model.keys(span) {
		v := w.model.get(k, min(since, upTo))
		want = want || v.Live(since) && !v.Live(now)
		if v.Live(now) && v.Live(since) && v.Expiry != 0 && (first == 0 || v.Expiry < first) {
			first = v.Expiry
		}
	}
	if want {
		first = 0
	}
	if err != nil || changed != want || expiry != first {
		w.t.Fatalf("%s: changed %v since %d, seen up to %d: %v %d %v, want %v %d", name, span, since, upTo,
			changed, expiry, err, want, first)
	}
}

// compareFiltered asks Changed of an iterator that leaves out old versions.
func (w *world) compareFiltered(name string, eng Engine, span txn.Span, in [2]txn.Timestamp) {
	lower, upper := DataBounds(txn.Span{})
	o := IterOptions{Lower: lower, Upper: upper}
	if in[0] != txn.Forever {
		o.MinTS = in[0] + 1
	}
	it, err := eng.NewIter(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.compareChanged(name+" filtered", NewReader(it, w.model.hidden()), span, in)
	if err := it.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// compareIterators takes the same steps with an iterator of each engine.
func (w *world) compareIterators() {
	lower, upper := DataBounds(w.span())
	if Compare(lower, upper) >= 0 {
		return
	}
	o := IterOptions{Lower: lower, Upper: upper}
	a, err := w.pebble.NewIter(o)
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Close()
	b, err := w.mem.NewIter(o)
	if err != nil {
		w.t.Fatal(err)
	}
	defer b.Close()
	w.put(txn.NewKey(1, []byte("later")), false) // neither may show it
	trace := ""
	prefixed := false
	for range 20 {
		name, f := w.iteratorStep(a.Valid(), prefixed, lower, upper)
		prefixed = name == "seek-prefix-ge" || prefixed && name == "next"
		trace += name + " "
		w.expect(trace, f(b), f(a))
		if a.Valid() != b.Valid() {
			w.t.Fatalf("%s: valid %v and %v", trace, a.Valid(), b.Valid())
		}
		if a.Valid() {
			va, _ := a.Value()
			vb, _ := b.Value()
			if !bytes.Equal(a.Key(), b.Key()) || !bytes.Equal(va, vb) {
				w.t.Fatalf("%s: at %x and %x", trace, a.Key(), b.Key())
			}
		}
	}
	if a.Error() != nil || b.Error() != nil {
		w.t.Fatalf("%s: %v %v", trace, a.Error(), b.Error())
	}
}

func (w *world) iteratorStep(
	valid, prefixed bool, lower, upper []byte,
) (string, func(Iterator) bool) {
	key := DataKey(w.key(), max(1, w.at()))
	if w.rng.IntN(3) == 0 {
		key, _ = DataBounds(txn.KeySpan(w.key()))
	}
	switch n := w.rng.IntN(14); {
	case valid && (n < 5 || prefixed && n < 8):
		return "next", Iterator.Next
	case valid && !prefixed && n < 7:
		return "prev", Iterator.Prev
	case valid && !prefixed && n < 9:
		return "next-prefix", Iterator.NextPrefix
	case n == 9:
		return "first", Iterator.First
	case n == 10:
		return "last", Iterator.Last
	case n == 11:
		return "seek-lt", func(i Iterator) bool { return i.SeekLT(key) }
	case n == 12 && Compare(key, lower) >= 0 && Compare(key, upper) < 0:
		return "seek-prefix-ge", func(i Iterator) bool { return i.SeekPrefixGE(key) }
	}
	return "seek-ge", func(i Iterator) bool { return i.SeekGE(key) }
}

// compareMirror checks the intents in memory against both engines and the model.
func (w *world) compareMirror() {
	for name, eng := range w.engines() {
		loaded := NewIntents()
		if err := loaded.Load(eng, txn.Span{}); err != nil {
			w.t.Fatal(err)
		}
		all := w.mirror.Overlapping(txn.Span{}, txn.Forever)
		w.expect(name+": intents", loaded.Overlapping(txn.Span{}, txn.Forever), all)
		w.expect(name+": count", len(all), len(w.model.intents))
		for _, i := range all {
			w.expect(name+": intent", *i, w.model.intents[string(i.Key)].Intent)
		}
	}
}
