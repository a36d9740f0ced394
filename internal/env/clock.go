//go:build !faults

package env

import (
	"sync"
	"time"
)

// clock is the machine's. A debug build has another (clock_faults.go).
type clock struct {
	start time.Time
	idle  *sync.Pool // of timers that were stopped: each wait needs one, and hardly any ever fires
}

func newClock() clock { return clock{time.Now(), new(sync.Pool)} }

func (c clock) now() time.Duration { return time.Since(c.start) }
func (clock) wall() int64          { return time.Now().UnixMicro() }

func (c clock) timer(after time.Duration) *time.Timer {
	if t, ok := c.idle.Get().(*time.Timer); ok {
		t.Reset(after)
		return t
	}
	return time.NewTimer(after)
}

// release takes back a timer that nobody waits for any more.
func (c clock) release(t *time.Timer) {
	t.Stop()
	c.idle.Put(t)
}
