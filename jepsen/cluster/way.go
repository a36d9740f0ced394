//go:build unix

package cluster

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// way is what one node sends to another, over all connections between the two.
type way struct {
	cut           atomic.Bool
	passing       sync.RWMutex // held for reading by whoever passes something on
	delay, jitter atomic.Int64 // nanoseconds; a piece takes delay, and up to jitter more

	passed, dropped, delayed atomic.Int64
	ends, dials              atomic.Int64
}

// quiet returns when whatever began to be passed on before has been. Whoever begins after that
// knows whether it is cut.
func (w *way) quiet() {
	w.passing.Lock()
	defer w.passing.Unlock()
}

// slows reports whether pieces take their time.
func (w *way) slows() bool { return w.delay.Load() > 0 || w.jitter.Load() > 0 }

// takes is how long a piece that is sent now is on its way.
func (w *way) takes() time.Duration {
	d := time.Duration(w.delay.Load())
	if j := w.jitter.Load(); j > 0 {
		d += time.Duration(rand.Int64N(j))
	}
	return d
}

func (w *way) slow(delay, jitter time.Duration) {
	w.delay.Store(int64(max(0, delay)))
	w.jitter.Store(int64(max(0, jitter)))
}

func (w *way) state() LinkState {
	return LinkState{Passed: w.passed.Load(), Dropped: w.dropped.Load(), Delayed: w.delayed.Load(),
		Ends: w.ends.Load(), Dials: w.dials.Load()}
}
