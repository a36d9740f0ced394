package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/txn"
)

const (
	// cacheBytesMax bounds the keys and values that a transaction keeps beside its
	// read set. What it had to let go it reads again, at the same timestamp.
	cacheBytesMax = 8 << 20
	// prefetchFirst is how many keys are read at once until the size of their
	// values is known.
	prefetchFirst = 128
	// scanFirst is how many entries a scan of unknown length asks for first.
	scanFirst = 256
)

// view is the committed state that one transaction sees. It remembers what
// was observed while watch is set, and that is the transaction's read set.
type view struct {
	snapshot
	ctx     context.Context // of the call under way
	watch   bool
	shown   int // keys that were read
	scanned int // entries that ranges have shown

	cache      map[string]cached // by key
	order      []string          // of the keys in cache: the first goes first
	cacheBytes int
	seen       map[string]txn.Timestamp // keys in reads: when each was read
	reads      txn.ReadSet
	readBytes  int
}

// cached is the newest version of a key at a time. In a pessimistic transaction
// each read has a time of its own.
type cached struct {
	txn.Version
	at txn.Timestamp
}

// size is what one counts against cacheBytesMax.
func (c *cached) size(key string) int {
	e := txn.Entry{Version: c.Version}
	return len(key) + e.Size()
}

func newView(ctx context.Context, s snapshot) *view {
	return &view{
		snapshot: s,
		ctx:      ctx,
		watch:    true,
		cache:    make(map[string]cached),
		seen:     make(map[string]txn.Timestamp),
		reads:    txn.ReadSet{MaxTS: txn.Forever},
	}
}

// during binds the view to the call under way.
func (v *view) during(ctx context.Context, until time.Duration) {
	v.ctx, v.until = ctx, until
}

// prefetch reads keys that will be looked at, in one round if they are few or
// small, and reorders them. Looking is what puts them into the read set. Those
// whose values are too large to be kept are left to Get.
func (v *view) prefetch(keys []txn.Key) error {
	slices.SortFunc(keys, txn.Key.Compare)
	keys = slices.CompactFunc(keys, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
	keys = slices.DeleteFunc(keys, func(k txn.Key) bool {
		_, kept := v.cache[string(k)]
		at, seen := v.seen[string(k)]
		return kept || seen && at != v.at
	})
	if len(keys) == 0 {
		return nil
	}
	if err := v.room(0); err != nil {
		return err
	}
	bytes, step := 0, prefetchFirst
	for done := 0; done < len(keys) && bytes < cacheBytesMax; {
		some := keys[done:min(done+step, len(keys))]
		versions, err := v.get(v.ctx, some, nil)
		if err != nil && len(some) > 1 && txn.KindOf(err) == txn.Exhausted {
			return nil // they do not fit one answer
		}
		if err != nil {
			return err
		}
		for i, key := range some {
			bytes += v.keep(string(key), cached{versions[i], v.at})
		}
		done += len(some)
		step = max(1, (cacheBytesMax-bytes)/(bytes/done+1))
	}
	return nil
}

// known reports whether key was read before, so that it is not read anew.
func (v *view) known(key txn.Key) bool {
	_, kept := v.cache[string(key)]
	_, seen := v.seen[string(key)]
	return kept || seen
}

// keep puts a version into the cache, lets others go for it, and says what it
// takes there.
func (v *view) keep(key string, c cached) int {
	if _, seen := v.seen[key]; !seen {
		v.shown++
	}
	size := c.size(key)
	for len(v.order) > 0 && v.cacheBytes+size > cacheBytesMax {
		first := v.cache[v.order[0]]
		v.cacheBytes -= first.size(v.order[0])
		delete(v.cache, v.order[0])
		v.order = v.order[1:]
	}
	v.cache[key] = c
	v.order = append(v.order, key)
	v.cacheBytes += size
	return size
}

// Get implements txn.View.
func (v *view) Get(key txn.Key) (txn.Version, error) {
	at, seen := v.seen[string(key)]
	look := v.watch && !seen
	if look { // before it is read in vain
		if err := v.room((&txn.Seen{Key: key}).Size()); err != nil {
			return txn.Version{}, err
		}
	}
	c, ok := v.cache[string(key)]
	if !ok {
		s := v.snapshot
		if seen { // what was seen stays as it was
			s.at = at
		}
		versions, err := s.get(v.ctx, []txn.Key{key}, nil)
		if err != nil {
			return txn.Version{}, err
		}
		c = cached{versions[0], s.at}
		v.keep(string(key), c)
	}
	if look {
		if err := v.see(key, &c); err != nil {
			return txn.Version{}, err
		}
		v.expires(&c.Version)
	}
	return c.Version, nil
}

// see puts a key into the read set, unless it is there.
func (v *view) see(key txn.Key, c *cached) error {
	if _, ok := v.seen[string(key)]; ok {
		return nil
	}
	seen := txn.Seen{Key: key, TS: c.TS}
	if err := v.room(seen.Size()); err != nil {
		return err
	}
	v.readBytes += seen.Size()
	seen.Key = key.Clone()
	v.seen[string(key)] = c.at
	v.reads.Keys = append(v.reads.Keys, seen)
	return nil
}

// room fails if the read set has no room for one more of so many bytes.
func (v *view) room(bytes int) error {
	switch {
	case !v.watch:
	case len(v.reads.Keys)+len(v.reads.Spans) >= txn.ReadKeysMax:
		return tooManyReads("keys and ranges", txn.ReadKeysMax)
	case v.readBytes+bytes > txn.ReadBytesMax:
		return tooManyReads("bytes of keys and ranges", txn.ReadBytesMax)
	}
	return nil
}

// unchanged puts into the read set that a key is as it was at the snapshot,
// whether or not anybody looked. Its expiry is no change. The limits of what is
// read are not for it: writes have their own.
func (v *view) unchanged(key txn.Key) {
	if _, ok := v.seen[string(key)]; ok {
		return
	}
	if c, ok := v.cache[string(key)]; ok {
		v.seen[string(key)] = c.at
		v.reads.Keys = append(v.reads.Keys, txn.Seen{Key: key, TS: c.TS})
		return
	}
	v.reads.Spans = append(v.reads.Spans, txn.SeenSpan{Span: txn.KeySpan(key), At: v.at})
}

// Scan implements txn.View. What emit was shown counts as observed, and the
// whole span if that was all there is (V5).
func (v *view) Scan(s txn.Scan, emit func(txn.Entry) bool) error {
	if s.Span.Empty() {
		return nil
	}
	if s.Past != 0 {
		return v.scanPast(s, emit)
	}
	if err := v.room(0); err != nil {
		return err
	}
	want := Scan{Span: s.Span, Reverse: s.Reverse, KeysOnly: s.KeysOnly, Limit: s.Limit}
	if want.Limit == 0 {
		want.Limit = scanFirst
	}
	for {
		page, err := v.scan(v.ctx, want)
		if err != nil {
			return err // nothing was concluded from what came before
		}
		for i := range page.Entries {
			e := page.Entries[i]
			v.scanned++
			v.expires(&e.Version)
			if mutant.On(mutant.V5) && s.Limit > 0 {
				if err := v.see(e.Key, &cached{e.Version, v.at}); err != nil {
					return err
				}
			}
			if !emit(e) {
				if mutant.On(mutant.V5) {
					return nil
				}
				return v.observed(upTo(s.Span, e.Key, s.Reverse))
			}
		}
		if !page.More {
			return v.observed(s.Span)
		}
		if want.Limit = 0; s.Reverse {
			want.Span.End = page.Next
		} else {
			want.Span.Start = page.Next
		}
	}
}

// scanPast is Scan of the past. Nothing of it is observed: it stays as it is.
func (v *view) scanPast(s txn.Scan, emit func(txn.Entry) bool) error {
	past := snapshot{c: v.c, at: s.Past, until: v.until}
	want := Scan{Span: s.Span, Reverse: s.Reverse, KeysOnly: s.KeysOnly, Limit: s.Limit}
	for {
		page, err := past.scan(v.ctx, want)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			if !emit(page.Entries[i]) {
				return nil
			}
		}
		if !page.More {
			return nil
		}
		if want.Limit = 0; s.Reverse {
			want.Span.End = page.Next
		} else {
			want.Span.Start = page.Next
		}
	}
}

// Changed implements txn.View. What has not changed counts as observed, all of
// it; what has changed stays so, whatever else happens.
func (v *view) Changed(span txn.Span, since txn.Timestamp) (bool, error) {
	if span.Empty() {
		return false, nil
	}
	if err := v.room(0); err != nil {
		return false, err
	}
	changed, expiry, err := v.changed(v.ctx, span, since)
	if err != nil || changed {
		return changed, err
	}
	if err := v.observed(span); err != nil {
		return false, err
	}
	if v.watch && expiry != 0 && !mutant.On(mutant.V6) { // then it will have changed (V6)
		v.reads.MaxTS = min(v.reads.MaxTS, expiry-1)
	}
	return false, nil
}

// upTo is the part of span that a scan has seen when it showed last.
func upTo(span txn.Span, last txn.Key, reverse bool) txn.Span {
	if reverse {
		return txn.Span{Start: last.Clone(), End: span.End}
	}
	return txn.Span{Start: span.Start, End: last.Next()}
}

// observed puts a span into the read set.
func (v *view) observed(span txn.Span) error {
	if !v.watch {
		return nil
	}
	seen := txn.SeenSpan{Span: span, At: v.at}
	if err := v.room(seen.Size()); err != nil {
		return err
	}
	v.readBytes += seen.Size()
	seen.Start, seen.End = span.Start.Clone(), span.End.Clone()
	v.reads.Spans = append(v.reads.Spans, seen)
	return nil
}

// expires bounds the transaction by the end of a value that it saw (V6).
func (v *view) expires(ver *txn.Version) {
	if v.watch && ver.Expiry != 0 && ver.Live(v.at) && !mutant.On(mutant.V6) {
		v.reads.MaxTS = min(v.reads.MaxTS, ver.Expiry-1)
	}
}

// readSet is what was observed so far, in key order.
func (v *view) readSet() txn.ReadSet {
	r := v.reads
	r.Keys, r.Spans = slices.Clone(r.Keys), slices.Clone(r.Spans)
	slices.SortFunc(r.Keys, func(a, b txn.Seen) int { return a.Key.Compare(b.Key) })
	slices.SortStableFunc(r.Spans, func(a, b txn.SeenSpan) int {
		return a.Start.Compare(b.Start)
	})
	return r
}

func tooManyReads(what string, limit int) error {
	e := txn.Errorf(txn.Exhausted, "transaction_too_large",
		"the transaction reads more than %d %s", limit, what)
	e.Next = "begin again, and read less in one transaction"
	return e
}
