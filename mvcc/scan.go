package mvcc

import (
	"sort"

	"github.com/cairnkv/cairn/txn"
)

// versionStepsMax is how many newer versions a scan steps over before it seeks.
const versionStepsMax = 3

// ScanOptions say what to scan.
type ScanOptions struct {
	Span    txn.Span
	At      txn.Timestamp
	Limit   int // entries; 0: none
	Reverse bool
}

// Scan calls emit with the entries of a span that are live at a timestamp,
// each key once, in order (or the reverse), until emit returns false or the
// limit is reached. The entry is good until emit returns.
func (r *Reader) Scan(o ScanOptions, emit func(e txn.Entry) bool) error {
	count := 0
	visit := func(key txn.Key, ts txn.Timestamp) (bool, error) {
		v, err := r.decode(ts)
		if err != nil {
			return false, err
		}
		if !v.Live(o.At) {
			return true, nil
		}
		count++
		return emit(txn.Entry{Key: key, Version: v}) && count != o.Limit, nil
	}
	if o.At <= 0 || o.Span.Empty() {
		return nil
	}
	if o.Reverse {
		return r.walkBack(o.Span, o.At, visit)
	}
	return r.walk(o.Span, o.At, r.hiddenAt, visit)
}

// Changed looks for a key of span with a version, of any kind, with
// after < timestamp <= upTo. It may be read through an iterator with MinTS
// after+1. The key is any of those that changed.
func (r *Reader) Changed(span txn.Span, after, upTo txn.Timestamp) (txn.Key, bool, error) {
	if upTo <= after || span.Empty() {
		return nil, false, nil
	}
	from := sort.Search(len(r.hidden), func(i int) bool {
		return r.hidden[i].Key.Compare(span.Start) >= 0
	})
	for i := from; i < len(r.hidden) && span.Contains(r.hidden[i].Key); i++ {
		if h := &r.hidden[i]; after < h.CommitTS && h.CommitTS <= upTo {
			return h.Key, true, nil
		}
	}
	// Hidden versions are done with. MinTS may have left them out, so the walk
	// must not go and look for them.
	unseen := func(key txn.Key) *Hidden {
		if h := r.hiddenAt(key); h != nil {
			return &Hidden{Key: h.Key, TS: h.TS}
		}
		return nil
	}
	var found txn.Key
	err := r.walk(span, upTo, unseen, func(key txn.Key, ts txn.Timestamp) (bool, error) {
		if ts > after {
			found = key
		}
		return found == nil, nil
	})
	return found, found != nil, err
}

// ChangedSince reports whether a reader at now, who sees versions up to upTo,
// finds span otherwise than at since: with a version of any kind that came
// after, or without a value that was there and has expired. If it has not
// changed, expiry is when the first of its values expires; 0: none does.
//
// It looks at every key of span: no index knows what has expired.
func (r *Reader) ChangedSince(span txn.Span, since, upTo, now txn.Timestamp) (
	changed bool, expiry txn.Timestamp, err error,
) {
	if upTo <= 0 || span.Empty() {
		return false, 0, nil
	}
	err = r.walk(span, upTo, r.hiddenAt, func(_ txn.Key, ts txn.Timestamp) (bool, error) {
		if ts > since {
			changed = true
			return false, nil
		}
		v, err := r.decode(ts)
		if err != nil || !v.Live(since) || v.Expiry == 0 {
			return true, err
		}
		if changed = v.Expiry <= now; expiry == 0 || v.Expiry < expiry {
			expiry = v.Expiry
		}
		return !changed, nil
	})
	if changed {
		expiry = 0
	}
	return changed, expiry, err
}

// visitor is called with a key and the timestamp of its newest version in
// question, which the iterator is on. It says whether to go on.
type visitor func(key txn.Key, ts txn.Timestamp) (bool, error)

// walk visits the newest version at or below at of every key of span, in
// order, with the hidden versions that hidden tells.
func (r *Reader) walk(
	span txn.Span, at txn.Timestamp, hidden func(txn.Key) *Hidden, visit visitor,
) error {
	lower, upper := DataBounds(span)
	r.stands, r.inMemory = false, false
	ok := r.it.SeekGE(lower)
	for ok && Compare(r.it.Key(), upper) < 0 {
		key, err := r.enter()
		if err != nil {
			return err
		}
		if err := r.skipNewer(at); err != nil {
			return err
		}
		ts, err := r.settle(hidden(key), at)
		if err != nil {
			return err
		}
		if ts != 0 {
			if more, err := visit(key, ts); !more || err != nil {
				return err
			}
		}
		// Looking for a version may have led to the next key already.
		if lies, err := r.here(); err != nil {
			return err
		} else if lies != 0 {
			ok = r.it.NextPrefix()
		} else {
			ok = r.it.Valid()
		}
	}
	return r.it.Error()
}

// enter notes the key that the iterator is on as the one in question.
func (r *Reader) enter() (txn.Key, error) {
	b := r.it.Key()
	r.prefix = append(r.prefix[:0], b[:Split(b)]...)
	key, ts, err := DecodeDataKey(b)
	if err == nil && ts == 0 {
		err = corrupt("the key %x of the data space has no timestamp", b)
	}
	return txn.Key(r.prefix[1 : 1+len(key)]), err
}

// skipNewer moves from the newest version of the key in question to its
// newest at or below at, or past its last.
func (r *Reader) skipNewer(at txn.Timestamp) error {
	for steps := 0; ; steps++ {
		ts, err := r.here()
		if err != nil || ts <= at {
			return err
		}
		if steps == versionStepsMax {
			break
		}
		r.it.Next()
	}
	r.seek = appendTS(append(r.seek[:0], r.prefix...), at)
	r.it.SeekGE(r.seek)
	return nil
}

// walkBack is walk from the last key to the first.
func (r *Reader) walkBack(span txn.Span, at txn.Timestamp, visit visitor) error {
	lower, upper := DataBounds(span)
	r.stands, r.inMemory = false, false
	ok := r.it.SeekLT(upper)
	for ok && Compare(r.it.Key(), lower) >= 0 {
		key, err := r.enter()
		if err != nil {
			return err
		}
		// This is the oldest version. A newer one than at, and the key has
		// nothing to show, hidden versions included.
		oldest, err := r.here()
		if err != nil {
			return err
		}
		if oldest <= at {
			r.seek = appendTS(append(r.seek[:0], r.prefix...), at)
			r.it.SeekGE(r.seek)
			ts, err := r.settle(r.hiddenAt(key), at)
			if err != nil {
				return err
			}
			if ts != 0 {
				if more, err := visit(key, ts); !more || err != nil {
					return err
				}
			}
		}
		ok = r.it.SeekLT(r.prefix)
	}
	return r.it.Error()
}
