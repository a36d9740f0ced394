package mvcc

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/coocood/freecache"

	"github.com/cairnkv/cairn/txn"
)

// cachedBytesMax is how long a value may be that is kept in a VersionCache. Longer
// ones would push too many others out, and to read them costs less than to send them.
const cachedBytesMax = 4 << 10

// VersionCache is memory for the newest versions of the keys in use: of a process, for
// all shards that it leads. To find a version in the engine costs a look into every
// level that may have the key, and the more the more versions there are; who writes a
// key, or reads what is so now, nearly always wants the newest. It holds no others (M6).
type VersionCache struct {
	c     *freecache.Cache
	parts atomic.Uint64
}

// NewVersionCache takes up to bytes of memory, 512 KiB at least. It holds the keys that came
// last; key and version together may take a thousandth of it, and a version 4 KiB.
func NewVersionCache(bytes int64) *VersionCache {
	return &VersionCache{c: freecache.NewCacheCustomTimer(int(bytes), stopped{})}
}

// stopped is the time of a cache in which nothing gets old.
type stopped struct{}

func (stopped) Now() uint32 { return 0 }

// Begin is an empty part of c: what others know it does not (C15). c may be nil.
func (c *VersionCache) Begin() *NewestVersions {
	if c == nil {
		return nil
	}
	return &NewestVersions{c: c.c, part: c.parts.Add(1)}
}

// NewestVersions knows, of some keys, the newest version that the engine has, provisional
// ones too. Whoever changes versions in the engine says so by Put, Move or Drop, before
// anybody can read what is there now. A nil one knows nothing. All methods may be called from
// any goroutine.
type NewestVersions struct {
	c    *freecache.Cache
	part uint64
}

// cachedVersion is the newest version of a key.
type cachedVersion struct {
	ts    txn.Timestamp
	value []byte // as the engine has it
	// newer is how many versions of the key are newer than since, this one among them.
	newer uint8
	since txn.Timestamp
}

const newerMax = 255

// cachedBufBytes is how long an entry of the cache may be for which no memory is needed.
const cachedBufBytes = 512

// An entry of the cache is the timestamps of version and since, newer, the length of the
// value, the value, and zeros: the next value of a key takes the place of this one, in which
// it has to fit.
const (
	cachedHeader = 8 + 8 + 1 + 2
	cachedRoom   = 48 // of zeros, at least: what a version may say of itself more than the last
	cachedUnit   = 64
)

func (n *NewestVersions) appendKey(b []byte, key txn.Key) []byte {
	return append(binary.BigEndian.AppendUint64(b, n.part), key...)
}

// get is what is known of key. The value lies in buf, if that is large enough.
func (n *NewestVersions) get(key txn.Key, buf []byte) (v cachedVersion, ok bool) {
	if n == nil {
		return v, false
	}
	var k [64]byte
	b, err := n.c.GetWithBuf(n.appendKey(k[:0], key), buf)
	if err != nil { // there is none
		return v, false
	}
	return cachedVersion{
		ts:    txn.Timestamp(binary.BigEndian.Uint64(b)),
		since: txn.Timestamp(binary.BigEndian.Uint64(b[8:])),
		newer: b[16],
		value: b[cachedHeader:][:binary.BigEndian.Uint16(b[17:])],
	}, true
}

func (n *NewestVersions) set(key txn.Key, v cachedVersion) {
	var k [64]byte
	name := n.appendKey(k[:0], key)
	if len(v.value) > cachedBytesMax {
		n.c.Del(name)
		return
	}
	var stack [cachedBufBytes]byte
	b := binary.BigEndian.AppendUint64(stack[:0], uint64(v.ts))
	b = append(binary.BigEndian.AppendUint64(b, uint64(v.since)), v.newer)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(v.value))), v.value...)
	b = append(b, make([]byte, cachedRoom+cachedUnit-1-(len(b)+cachedRoom-1)%cachedUnit)...)
	if n.c.Set(name, b, 0) != nil { // as it is too large
		n.c.Del(name)
	}
}

// Get is the newest version of key, if it is known and at or below at. It shares no memory.
func (n *NewestVersions) Get(key txn.Key, at txn.Timestamp) (txn.Version, bool, error) {
	c, ok := n.get(key, nil)
	if !ok || c.ts > at {
		return txn.Version{}, false, nil
	}
	v, err := decodeVersion(c.ts, c.value, 0)
	return v, err == nil, err
}

// Fill takes in what a reader has found to be the newest version of key; nothing may
// have been changed since it began to read.
func (n *NewestVersions) Fill(key txn.Key, ts txn.Timestamp, value []byte) {
	if n != nil {
		n.set(key, cachedVersion{ts: ts, value: value, newer: 1, since: ts - 1})
	}
}

// Put says that the engine has a version of key that is newer than all others.
func (n *NewestVersions) Put(key txn.Key, ts txn.Timestamp, value []byte) {
	if n == nil {
		return
	}
	var buf [cachedBufBytes]byte
	c, ok := n.get(key, buf[:0])
	if !ok || c.newer == newerMax {
		c.newer, c.since = 0, ts-1
	}
	n.set(key, cachedVersion{ts: ts, value: value, newer: c.newer + 1, since: c.since})
}

// Move says that the newest version of key lies at another timestamp now.
func (n *NewestVersions) Move(key txn.Key, from, to txn.Timestamp) {
	var buf [cachedBufBytes]byte
	c, ok := n.get(key, buf[:0])
	if !ok {
		return
	}
	if c.ts != from {
		n.Drop(key)
		return
	}
	if c.ts = to; c.since >= from {
		c.newer, c.since = 1, to-1
	}
	n.set(key, c)
}

// Drop says that the engine has lost a version of key.
func (n *NewestVersions) Drop(key txn.Key) {
	if n != nil {
		var k [64]byte
		n.c.Del(n.appendKey(k[:0], key))
	}
}

// count notes how many versions of key are newer than since.
func (n *NewestVersions) count(key txn.Key, newer int, since txn.Timestamp) {
	var buf [cachedBufBytes]byte
	if c, ok := n.get(key, buf[:0]); ok && newer <= newerMax {
		c.newer, c.since = uint8(newer), since
		n.set(key, c)
	}
}
