package mvcc

import (
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// Hidden is the provisional version of an intent. Reading it must not trust
// the timestamp that it lies at.
type Hidden struct {
	Key txn.Key
	TS  txn.Timestamp // where the version lies; it must be there
	// CommitTS is 0 for a version that nobody may see, else the timestamp
	// that the version counts with; then it is at or after TS.
	CommitTS txn.Timestamp
}

// Reader answers questions about versions from one iterator over the data
// space. It belongs to one goroutine. Keys, values and entries that it
// returns are good until its next call (see CloneVersion and CloneEntry). Who
// made a version and why, History alone tells.
type Reader struct {
	it     Iterator
	hidden []Hidden
	seek   []byte // the key of the last seek
	prefix []byte // of the key in question, closing 00 included
	// stands says that the iterator is where the last find left it, which looked for
	// the newest version of prefix at or below at and came to ts. Whoever writes a
	// key asks for it several times in a row.
	stands bool
	at, ts txn.Timestamp
	// cache, if set, is asked before the iterator; inMemory says that known is the version that
	// was found, and that the iterator is somewhere else.
	cache    *NewestVersions
	inMemory bool
	known    cachedVersion
	buf      []byte // for known's value
}

// NewReader reads through it, whose bounds must hold every key asked for.
// hidden is sorted by key, one a key, and is kept. Both must have been taken
// together under the shard's apply lock (rule M14). The caller closes it.
func NewReader(it Iterator, hidden []Hidden) *Reader {
	return &Reader{it: it, hidden: hidden}
}

// Reset makes r read through another iterator, keeping its buffers. One that is
// closed must be replaced, by nil at least, before another is opened.
func (r *Reader) Reset(it Iterator, hidden []Hidden) {
	r.stands = r.stands && r.it == it && len(r.hidden) == 0 && len(hidden) == 0
	r.it, r.hidden = it, hidden
}

// UseCache makes r ask c first, and tell it what it finds: for whoever alone changes
// versions in the engine, and so always reads what is there now.
func (r *Reader) UseCache(c *NewestVersions) {
	if r.cache, r.stands = c, false; c != nil && r.buf == nil {
		r.buf = make([]byte, 0, cachedBufBytes)
	}
}

// Get is the newest version of key with a timestamp at or below at, whatever
// its kind; the zero Version if there is none.
func (r *Reader) Get(key txn.Key, at txn.Timestamp) (txn.Version, error) {
	ts, err := r.find(key, at)
	if err != nil || ts == 0 {
		return txn.Version{}, err
	}
	return r.decode(ts)
}

// GetNewest is Get. If no version of key is newer it tells the encoded value, too, for
// NewestVersions.Fill.
func (r *Reader) GetNewest(key txn.Key, at txn.Timestamp) (v txn.Version, b []byte, err error) {
	if r.hiddenAt(key) != nil {
		v, err = r.Get(key, at)
		return v, nil, err
	}
	ts, err := r.find(key, txn.Forever)
	switch {
	case err != nil || ts == 0:
		return v, nil, err
	case ts > at:
		v, err = r.Get(key, at)
		return v, nil, err
	}
	if b, err = r.value(); err != nil {
		return v, nil, err
	}
	if v, err = decodeVersion(ts, b, 0); err != nil {
		b = nil
	}
	return v, b, err
}

// Newest is the newest version of key, for a writer that holds its latch.
func (r *Reader) Newest(key txn.Key) (txn.Version, error) { return r.Get(key, txn.Forever) }

// Request looks for a request among the newest n versions of key, as far as they are
// newer than after, and is what its row would be; Absent: none of them carries it out.
func (r *Reader) Request(
	key txn.Key, id txn.RequestID, n int, after txn.Timestamp,
) (txn.RequestRow, error) {
	ts, err := r.find(key, txn.Forever)
	for err == nil && ts > after {
		is, row, err := r.request(ts)
		if err != nil || is == id && row.Status == txn.Committed {
			return row, err
		}
		if n--; n == 0 {
			break
		}
		if ts, err = r.below(key, ts); err != nil {
			return txn.RequestRow{}, err
		}
	}
	return txn.RequestRow{}, err
}

// NthRequest is what the nth newest version of key at or below from carries out, as its
// row would be; Absent if that is nothing, or the version not newer than after. No value
// of another version is read: those of old ones lie far from their keys.
func (r *Reader) NthRequest(
	key txn.Key, from txn.Timestamp, n int, after txn.Timestamp,
) (id txn.RequestID, row txn.RequestRow, err error) {
	ts, err := r.find(key, from)
	if r.inMemory && int(r.known.newer) < n && r.known.since <= after {
		return id, row, err
	}
	newest := r.inMemory || r.stands && r.at == txn.Forever && r.cache != nil
	newer := 0
	for ; ts > after && err == nil; newer++ {
		if newer == n-1 {
			return r.request(ts)
		}
		ts, err = r.below(key, ts)
	}
	if err == nil && newest {
		r.cache.count(key, newer, after)
	}
	return id, row, err
}

// request is what the version that was found carries out.
func (r *Reader) request(ts txn.Timestamp) (id txn.RequestID, row txn.RequestRow, err error) {
	b, err := r.value()
	if err != nil {
		return id, row, err
	}
	return requestOf(ts, b)
}

// ChangedKey reports whether key has a version, of any kind, with
// after < timestamp <= upTo.
func (r *Reader) ChangedKey(key txn.Key, after, upTo txn.Timestamp) (bool, error) {
	ts, err := r.find(key, upTo)
	return ts > after, err
}

// find positions the iterator on the version that Get returns and tells the
// timestamp that it counts with; 0 if there is none.
func (r *Reader) find(key txn.Key, at txn.Timestamp) (txn.Timestamp, error) {
	if at <= 0 {
		return 0, nil
	}
	r.seek = AppendDataKey(r.seek[:0], key, at)
	prefix := r.seek[:len(r.seek)-suffixTS]
	if r.stands && at <= r.at && r.ts <= at && string(prefix) == string(r.prefix) {
		return r.ts, nil
	}
	r.stands = false
	r.prefix = append(r.prefix[:0], prefix...)
	hidden := r.hiddenAt(key)
	if r.inMemory = hidden == nil && r.knows(key, at); r.inMemory {
		r.stands, r.at, r.ts = len(r.hidden) == 0, at, r.known.ts
		return r.ts, nil
	}
	r.it.SeekPrefixGE(r.seek)
	ts, err := r.settle(hidden, at)
	r.stands, r.at, r.ts = err == nil && len(r.hidden) == 0, at, ts
	if err == nil && hidden == nil && ts != 0 && at == txn.Forever && r.cache != nil {
		err = r.tell(key, ts)
	}
	return ts, err
}

// knows reports whether the cache knows what find is to find.
func (r *Reader) knows(key txn.Key, at txn.Timestamp) (ok bool) {
	if r.cache == nil {
		return false
	}
	r.known, ok = r.cache.get(key, r.buf)
	return ok && r.known.ts <= at
}

// tell lets the cache know the newest version of key, which the iterator is on.
func (r *Reader) tell(key txn.Key, ts txn.Timestamp) error {
	b, err := r.it.Value()
	if err == nil {
		r.cache.Fill(key, ts, b)
	}
	return err
}

// value is that of the version that was found.
func (r *Reader) value() ([]byte, error) {
	if r.inMemory {
		return r.known.value, nil
	}
	return r.it.Value()
}

// here is the timestamp of the version that the iterator is on; 0 if it is
// on none, or on one of another key than r.prefix.
func (r *Reader) here() (txn.Timestamp, error) {
	if !r.it.Valid() {
		return 0, r.it.Error()
	}
	k := r.it.Key()
	n := len(r.prefix)
	if len(k) != n+suffixTS || string(k[:n]) != string(r.prefix) {
		return 0, nil
	}
	_, ts, err := DecodeDataKey(k)
	return ts, err
}

// settle is find with the iterator already on the newest version at or below
// at by the timestamps in the keys, or past all of them.
func (r *Reader) settle(h *Hidden, at txn.Timestamp) (txn.Timestamp, error) {
	ts, err := r.here()
	if err != nil || h == nil {
		return ts, err
	}
	if ts == h.TS {
		r.it.Next()
		if ts, err = r.here(); err != nil {
			return 0, err
		}
	}
	if h.CommitTS == 0 || h.CommitTS > at || h.CommitTS <= ts {
		return ts, nil
	}
	r.seek = appendTS(append(r.seek[:0], r.prefix...), h.TS)
	r.it.SeekGE(r.seek)
	if lies, err := r.here(); err != nil || lies != h.TS {
		if err == nil {
			err = corrupt("the intent on %v has no version at %d", h.Key, h.TS)
		}
		return 0, err
	}
	return h.CommitTS, nil
}

// hiddenAt is the hidden version of key; nil if there is none.
func (r *Reader) hiddenAt(key txn.Key) *Hidden {
	if len(r.hidden) == 0 {
		return nil
	}
	i, ok := slices.BinarySearchFunc(r.hidden, key, func(h Hidden, k txn.Key) int {
		return h.Key.Compare(k)
	})
	if !ok {
		return nil
	}
	return &r.hidden[i]
}

// decode is the version that was found, as of timestamp ts.
func (r *Reader) decode(ts txn.Timestamp) (txn.Version, error) {
	b, err := r.value()
	if err != nil {
		return txn.Version{}, err
	}
	return decodeVersion(ts, b, 0)
}
