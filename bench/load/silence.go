package load

import (
	"sync/atomic"
	"time"
)

// silence finds the longest time that counts in which no operation ended well. It is about all
// callers together, so no recorder can see it alone.
type silence struct {
	end  time.Duration // of what counts, since the run began
	last atomic.Int64  // when one ended well, or what counts began
	most atomic.Int64
}

func newSilence(r Run) *silence {
	s := &silence{end: end(r)}
	s.last.Store(int64(r.Warm))
	return s
}

// ended is told of each operation that ended well.
func (s *silence) ended(at time.Duration) {
	now := int64(min(at, s.end))
	last := s.last.Load()
	for now > last { // else one that ended later was quicker to say so
		if s.last.CompareAndSwap(last, now) {
			s.gap(now - last)
			return
		}
		last = s.last.Load()
	}
}

func (s *silence) gap(d int64) {
	for most := s.most.Load(); d > most; most = s.most.Load() {
		if s.most.CompareAndSwap(most, d) {
			return
		}
	}
}

// longest is asked for when all callers have ended.
func (s *silence) longest() time.Duration {
	s.ended(s.end)
	return time.Duration(s.most.Load())
}
