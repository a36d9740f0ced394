package fault

import (
	"sync"
	"time"
)

// Drift is the clock of a process, which can be made to go wrong. Like the machine's it never goes
// back in Now, whatever is Set; Wall jumps when that is told to.
type Drift struct {
	mu     sync.RWMutex
	set    Clock
	rate   float64
	at     time.Time     // when rate began, by the machine
	now    time.Duration // what Now was then
	timers map[*Timer]struct{}
}

// NewDrift starts at zero, and goes right.
func NewDrift() *Drift {
	return &Drift{rate: 1, at: time.Now(), timers: make(map[*Timer]struct{})}
}

// Set changes how it goes from now on, for the timers that run too. A rate that is 0 is 1.
func (d *Drift) Set(c Clock) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Now()
	d.now, d.at, d.set, d.rate = d.read(at), at, c, c.Rate
	if d.rate == 0 {
		d.rate = 1
	}
	for t := range d.timers {
		t.timer.Reset(d.until(t.at))
	}
}

// Clock is what was Set last.
func (d *Drift) Clock() Clock {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.set
}

// Now is the time since the start.
func (d *Drift) Now() time.Duration {
	d.mu.RLock()
	defer d.mu.RUnlock() // a reading that is older than a Set must not come out after it
	return d.read(time.Now())
}

// Wall is the wall clock in microseconds since the Unix epoch: the machine's, too far by the
// offset that was Set, and by what the rate has made of the time since.
func (d *Drift) Wall() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	at := time.Now()
	gone := at.Sub(d.at)
	gained := d.read(at) - d.now - gone
	return at.UnixMicro() + d.set.OffsetMicros + gained.Microseconds()
}

// read is Now at a time of the machine. The caller holds the lock.
func (d *Drift) read(at time.Time) time.Duration {
	gone := at.Sub(d.at)
	if d.rate == 1 {
		return d.now + gone
	}
	return d.now + time.Duration(float64(gone)*d.rate)
}

// until is how long the machine takes until Now is at. The caller holds the lock.
func (d *Drift) until(at time.Duration) time.Duration {
	left := at - d.read(time.Now())
	if d.rate == 1 || left <= 0 {
		return left
	}
	return time.Duration(float64(left)/d.rate) + 1 // rounded up
}

// Timer fires once when its Drift has gone on far enough, as a time.Timer does.
type Timer struct {
	C <-chan time.Time

	fired chan time.Time
	drift *Drift
	at    time.Duration // by Drift.Now
	timer *time.Timer
}

// NewTimer fires after a time by this clock.
func (d *Drift) NewTimer(after time.Duration) *Timer {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &Timer{fired: make(chan time.Time, 1), drift: d, at: d.read(time.Now()) + after}
	t.C = t.fired
	d.timers[t] = struct{}{}
	t.timer = time.AfterFunc(d.until(t.at), t.fire)
	return t
}

func (t *Timer) fire() {
	d := t.drift
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, waits := d.timers[t]; !waits {
		return
	}
	if left := d.until(t.at); left > 0 { // it was late already when the rate changed
		t.timer.Reset(left)
		return
	}
	delete(d.timers, t)
	t.fired <- time.Now() // has a place for it
}

// Stop keeps it from firing, and reports whether it would have.
func (t *Timer) Stop() bool {
	d := t.drift
	d.mu.Lock()
	defer d.mu.Unlock()
	_, waits := d.timers[t]
	delete(d.timers, t)
	t.timer.Stop()
	return waits
}
