package mvcc

import "github.com/cairnkv/cairn/txn"

// History calls emit with the versions of key from a timestamp downwards, newest
// first, tombstones and extends among them, until emit returns false. What was
// written over without history is left out. The answer can go on from any version
// that was emitted: what is below it depends on nothing above.
func (r *Reader) History(key txn.Key, from txn.Timestamp, emit func(v txn.Version) bool) error {
	gone := txn.NoRevision
	ts, err := r.find(key, from)
	for err == nil && ts != 0 {
		v, err := r.whole(ts)
		if err != nil || v.Revision != gone && !emit(v) {
			return err
		}
		if hides := v.Hides(); hides != txn.NoRevision {
			gone = hides
		}
		if ts, err = r.below(key, ts); err != nil {
			return err
		}
	}
	return err
}

// whole is decode with principal and message.
func (r *Reader) whole(ts txn.Timestamp) (txn.Version, error) {
	b, err := r.value()
	if err != nil {
		return txn.Version{}, err
	}
	return decodeVersion(ts, b, withAnnotation)
}

// below goes on from the version at ts, which was found, to the next older one.
func (r *Reader) below(key txn.Key, ts txn.Timestamp) (txn.Timestamp, error) {
	// Of a hidden version the order of the timestamps is not that of the keys.
	if r.inMemory || r.hiddenAt(key) != nil {
		return r.find(key, ts-1)
	}
	r.stands = false
	r.it.Next()
	return r.here()
}

// GetRevision is the newest version of key at or below at that carries
// revision rev, whatever its kind; the zero Version if there is none, or if it
// was written over without history. Revisions never fall with time, so it is
// found by halving.
func (r *Reader) GetRevision(key txn.Key, rev int64, at txn.Timestamp) (txn.Version, error) {
	v, err := r.Get(key, at)
	if err != nil || v.TS == 0 || v.Revision <= rev {
		if v.Revision != rev {
			v = txn.Version{}
		}
		return v, err
	}
	// What is sought is the newest version of a revision at most rev. It lies
	// at best, or from lo to hi.
	lo, hi, best := txn.Timestamp(1), v.TS-1, txn.Timestamp(0)
	if rev >= v.First {
		lo = max(lo, v.CreateTS)
	}
	for lo <= hi {
		mid := lo + (hi-lo)/2
		if v, err = r.Get(key, mid); err != nil {
			return txn.Version{}, err
		}
		switch {
		case v.TS != 0 && v.Revision > rev:
			hi = v.TS - 1
		default:
			best, lo = max(best, v.TS), mid+1
		}
	}
	over, err := r.Get(key, hi+1) // what wrote over it
	if err != nil || over.Hides() == rev {
		return txn.Version{}, err
	}
	if v, err = r.Get(key, best); err != nil || v.Revision != rev {
		return txn.Version{}, err
	}
	return v, nil
}
