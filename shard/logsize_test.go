package shard

import (
	"math/rand/v2"
	"testing"
)

// Against a log that remembers every entry. What a new leader has replaced goes on counting until
// it is truncated.
func TestLogSize(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var s logSize
	sizes, replaced := map[uint64]int64{}, map[uint64]int64{}
	first, last := uint64(1), uint64(0)
	for range 20_000 {
		switch n := rnd.IntN(100); {
		case n < 2 && last > first:
			from := last - uint64(rnd.IntN(min(5, int(last-first)+1)))
			for i := from; i <= last; i++ {
				replaced[i] += sizes[i]
				delete(sizes, i)
			}
			last = from - 1
		case n < 4 && last > first:
			upTo := first + uint64(rnd.IntN(int(last-first)))
			s.truncate(upTo)
			for ; first <= upTo; first++ {
				delete(sizes, first)
				delete(replaced, first)
			}
		}
		size := 1 << rnd.IntN(20)
		last++
		sizes[last] = int64(size)
		s.append(last, size)
		least, more := int64(0), int64(sizeStep+1<<20)
		for _, n := range sizes { // order: a sum
			least += n
		}
		for _, n := range replaced { // order: a sum
			more += n
		}
		if got := s.bytes(); got < least || got > least+more {
			t.Fatalf("%d bytes, there are %d to %d", got, least, least+more)
		}
	}
}
