package locks

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/cairnkv/cairn/txn"
)

// RangeReadsMax is how many range reads a ShardCache tells apart.
const RangeReadsMax = 256

// ShardCache is the timestamp cache of one shard in one leadership: reads of
// keys (in the process-wide TSCache), recent reads of ranges, and a low-water
// that stands for all others. Values mean what they mean in TSCache.
//
// The leader raises the low-water to leaderStartTS before it serves anything
// (rule L1): a new ShardCache knows nothing of the reads that an earlier
// leader served.
//
// There is no floor of a span: reads of keys are kept by hash and cannot be
// listed. What writes a whole span (a split, a collection threshold) commits
// no version and needs none.
//
// Any goroutine may use it.
type ShardCache struct {
	points *TSCache
	low    atomic.Int64
	size   atomic.Int32 // len(mu.reads); at 0 Floor takes no mutex

	mu struct {
		sync.Mutex
		reads []rangeRead // at most RangeReadsMax, in no order
	}
}

type rangeRead struct {
	span  txn.Span
	value txn.Timestamp
}

// NewShardCache makes a cache over the process's points.
func NewShardCache(points *TSCache) *ShardCache { return &ShardCache{points: points} }

// Bump says that k was read: nothing may commit on it below v.
func (c *ShardCache) Bump(k txn.Key, v txn.Timestamp) { c.points.Bump(k, v) }

// BumpSpan says that s was read: nothing may commit in it below v. It copies
// the keys of s if it keeps them.
//
// Where there is no room it forgets the read of the lowest value, not the
// oldest: that raises the low-water, and so pushes other writes, the least.
func (c *ShardCache) BumpSpan(s txn.Span, v txn.Timestamp) {
	if s.Empty() || v <= c.Low() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	lowest := 0
	for i := range c.mu.reads {
		e := &c.mu.reads[i]
		if equalSpans(e.span, s) {
			e.value = max(e.value, v)
			return
		}
		if e.value >= v && covers(e.span, s) {
			return
		}
		if e.value < c.mu.reads[lowest].value {
			lowest = i
		}
	}
	read := rangeRead{txn.Span{Start: s.Start.Clone(), End: s.End.Clone()}, v}
	if len(c.mu.reads) < RangeReadsMax {
		c.mu.reads = append(c.mu.reads, read)
		c.size.Store(int32(len(c.mu.reads)))
		return
	}
	if v <= c.mu.reads[lowest].value {
		atomicMax(&c.low, int64(v))
		return
	}
	atomicMax(&c.low, int64(c.mu.reads[lowest].value))
	c.mu.reads[lowest] = read
}

// Floor is the lowest timestamp at which k may still be written: a write at c
// must go higher iff Floor(k) > c.
func (c *ShardCache) Floor(k txn.Key) txn.Timestamp {
	floor := max(c.points.Get(k), c.Low())
	if c.size.Load() > 0 {
		floor = c.rangeFloor(k, floor)
	}
	// The low-water is read again, after the ranges: a read that was
	// forgotten since the first look is in it now, and nowhere else.
	return max(floor, c.Low())
}

// rangeFloor raises floor to the values of the range reads that hold k.
func (c *ShardCache) rangeFloor(k txn.Key, floor txn.Timestamp) txn.Timestamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.mu.reads {
		if e := &c.mu.reads[i]; e.value > floor && e.span.Contains(k) {
			floor = e.value
		}
	}
	return floor
}

// RaiseLow says that nothing may commit below v on any key of the shard, and
// forgets the range reads that this covers.
func (c *ShardCache) RaiseLow(v txn.Timestamp) {
	if v <= c.Low() {
		return
	}
	atomicMax(&c.low, int64(v)) // before the range reads go: see Floor
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.mu.reads[:0]
	for _, e := range c.mu.reads {
		if e.value > v {
			kept = append(kept, e)
		}
	}
	clear(c.mu.reads[len(kept):])
	c.mu.reads = kept
	c.size.Store(int32(len(kept)))
}

// Low is the low-water: nothing commits below it, whatever the key.
func (c *ShardCache) Low() txn.Timestamp { return txn.Timestamp(c.low.Load()) }

func equalSpans(a, b txn.Span) bool {
	return bytes.Equal(a.Start, b.Start) && bytes.Equal(a.End, b.End)
}

// covers reports whether all keys of b, which is not empty, lie in a.
func covers(a, b txn.Span) bool {
	return a.Start.Compare(b.Start) <= 0 &&
		(len(a.End) == 0 || len(b.End) > 0 && b.End.Compare(a.End) <= 0)
}
