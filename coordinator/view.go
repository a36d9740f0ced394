package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/txn"
)

const (
	// readKeysMax bounds what one transaction may read and still write.
	readKeysMax = 100_000
	// scanFirst is how many entries a scan of unknown length asks for first.
	scanFirst = 256
)

// view is the committed state that one transaction sees. It remembers what
// was observed while watch is set, and that is the transaction's read set.
type view struct {
	snapshot
	ctx     context.Context // of the call under way
	watch   bool
	scanned int // entries that ranges have shown

	cache map[string]txn.Version // by key
	seen  map[string]struct{}    // keys in reads
	reads txn.ReadSet
}

func newView(ctx context.Context, s snapshot) *view {
	return &view{
		snapshot: s,
		ctx:      ctx,
		watch:    true,
		cache:    make(map[string]txn.Version),
		seen:     make(map[string]struct{}),
		reads:    txn.ReadSet{MaxTS: txn.Forever},
	}
}

// during binds the view to the call under way.
func (v *view) during(ctx context.Context, until time.Duration) {
	v.ctx, v.until = ctx, until
}

// prefetch reads keys that will be looked at, in one round, and reorders them.
// Looking is what puts them into the read set.
func (v *view) prefetch(keys []txn.Key) error {
	slices.SortFunc(keys, txn.Key.Compare)
	keys = slices.CompactFunc(keys, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
	keys = slices.DeleteFunc(keys, v.cached)
	if len(keys) == 0 {
		return nil
	}
	versions, err := v.get(v.ctx, keys, nil)
	if err != nil {
		return err
	}
	for i, key := range keys {
		v.cache[string(key)] = versions[i]
	}
	return nil
}

func (v *view) cached(key txn.Key) bool {
	_, ok := v.cache[string(key)]
	return ok
}

// Get implements txn.View.
func (v *view) Get(key txn.Key) (txn.Version, error) {
	ver, ok := v.cache[string(key)]
	if !ok {
		if len(v.cache)+len(v.reads.Spans) >= readKeysMax {
			return txn.Version{}, tooManyReads()
		}
		versions, err := v.get(v.ctx, []txn.Key{key}, nil)
		if err != nil {
			return txn.Version{}, err
		}
		ver = versions[0]
		v.cache[string(key)] = ver
	}
	if v.watch && v.see(key, ver.TS) {
		v.expires(&ver)
	}
	return ver, nil
}

// see puts a key into the read set, unless it is there.
func (v *view) see(key txn.Key, ts txn.Timestamp) bool {
	if _, ok := v.seen[string(key)]; ok {
		return false
	}
	v.seen[string(key)] = struct{}{}
	v.reads.Keys = append(v.reads.Keys, txn.Seen{Key: key.Clone(), TS: ts})
	return true
}

// unchanged puts into the read set that a key is as it was at the snapshot,
// whether or not anybody looked. Its expiry is no change.
func (v *view) unchanged(key txn.Key) {
	if _, ok := v.seen[string(key)]; ok {
		return
	}
	if ver, ok := v.cache[string(key)]; ok {
		v.see(key, ver.TS)
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
	if len(v.cache)+len(v.reads.Spans) >= readKeysMax {
		return tooManyReads()
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
				v.see(e.Key, e.TS)
			}
			if !emit(e) {
				if !mutant.On(mutant.V5) {
					v.observed(upTo(s.Span, e.Key, s.Reverse))
				}
				return nil
			}
		}
		if !page.More {
			v.observed(s.Span)
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
	if len(v.cache)+len(v.reads.Spans) >= readKeysMax {
		return false, tooManyReads()
	}
	changed, expiry, err := v.changed(v.ctx, span, since)
	if err != nil || changed {
		return changed, err
	}
	v.observed(span)
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

func (v *view) observed(span txn.Span) {
	if !v.watch {
		return
	}
	v.reads.Spans = append(v.reads.Spans, txn.SeenSpan{
		Span: txn.Span{Start: span.Start.Clone(), End: span.End.Clone()}, At: v.at,
	})
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

func tooManyReads() error {
	return txn.Errorf(txn.Exhausted, "transaction_too_large",
		"the transaction reads more than %d keys and ranges", readKeysMax)
}
