package locks

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/cairnkv/cairn/txn"
)

// TSCacheSlots is the usual size of a TSCache: 2^18 slots, 2 MiB.
const TSCacheSlots = 1 << 18

// TSCache remembers, for all shards of a process, up to where keys were read.
// A value v means "nothing may commit below v" (rule T6): a read at R stores
// R+1, a validation at C stores C, and a write at c must go higher iff the
// value is above c.
//
// Keys share slots by their hash. A shared slot only raises a value, so a
// collision can push a write but never lets one pass. The hash has no seed of
// the process: simulations repeat.
//
// Any goroutine may use it. Its atomics are sequentially consistent, which is
// what rule V3 asks for.
type TSCache struct {
	slots []atomic.Int64
}

// NewTSCache makes a cache of n slots, a power of two, 8 bytes each.
func NewTSCache(n int) *TSCache {
	if n <= 0 || n&(n-1) != 0 {
		panic(fmt.Sprintf("locks: %d slots are not a power of two", n))
	}
	return &TSCache{slots: make([]atomic.Int64, n)}
}

// Bump raises the value of k to v, if it is lower.
func (c *TSCache) Bump(k txn.Key, v txn.Timestamp) { atomicMax(c.slot(k), int64(v)) }

// Get is the value of k, or a higher one of a key that shares its slot.
func (c *TSCache) Get(k txn.Key) txn.Timestamp { return txn.Timestamp(c.slot(k).Load()) }

func (c *TSCache) slot(k txn.Key) *atomic.Int64 {
	return &c.slots[hashKey(k)&uint64(len(c.slots)-1)]
}

func atomicMax(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if old >= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}

// hashKey folds 8 bytes a step with a 128-bit product, as wyhash does. The
// constants are odd, with as many ones as zeros.
func hashKey(k txn.Key) uint64 {
	const (
		step = 0xa0761d6478bd642f
		last = 0xe7037ed1a0b428db
	)
	h := uint64(len(k)) ^ step
	for ; len(k) >= 8; k = k[8:] {
		h = fold(h^binary.LittleEndian.Uint64(k), step)
	}
	var tail uint64
	for i, b := range k {
		tail |= uint64(b) << (8 * i)
	}
	return fold(h^tail, last)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
