package meta

import (
	"sync"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// Window is how much room the oracle asks for at a time, in microseconds, and
// more where extensions are slow: twice what the last one took, up to SlackMax.
// Otherwise they would be over when they come. A crash skips at most that much.
// AheadMax is how far it may run ahead of its clock under load before it makes
// callers wait.
const (
	Window   txn.Timestamp = 1_000_000
	SlackMax txn.Timestamp = 20_000_000
	AheadMax txn.Timestamp = 1_000_000
)

// Oracle issues timestamps while its replica leads the meta group. Its clock
// goes by monotonic time, slewed towards the wall clock by at most a factor of
// two either way, never back (T7). It may be called from any goroutine.
type Oracle struct {
	mu    sync.Mutex
	on    bool
	last  txn.Timestamp // newest issued
	limit txn.Timestamp // newest that the log allows
	slack txn.Timestamp // to be asked for beside Window
	clock txn.Timestamp
	at    time.Duration // monotonic time of clock
	used  bool          // since the window was last extended
}

// Start begins to issue above limit, the newest that any earlier leader can
// have issued. It must follow the first extension of the leader's own term.
func (o *Oracle) Start(above, limit txn.Timestamp, now time.Duration, wall int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.on, o.last, o.limit = true, above, limit
	o.clock, o.at = max(above+1, txn.Timestamp(wall)), now
}

// Stop ends the issuing: the leadership is over.
func (o *Oracle) Stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.on = false
}

// Extend raises the limit of a running oracle, which took as long as it says.
func (o *Oracle) Extend(limit txn.Timestamp, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit, o.used = max(o.limit, limit), false
	o.slack = min(2*txn.Timestamp(took.Microseconds()), SlackMax)
}

// Alloc issues n consecutive timestamps. It fails when the oracle does not
// lead, has no room left, or runs too far ahead of its clock: wait, or ask for
// an extension, and call again.
func (o *Oracle) Alloc(n int, now time.Duration, wall int64) (first txn.Timestamp, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on {
		return 0, false
	}
	o.advance(now, wall)
	first = max(o.last+1, o.clock)
	end := first + txn.Timestamp(n-1)
	o.used = true
	if end > o.limit || end > o.clock+AheadMax {
		return 0, false
	}
	o.last = end
	return first, true
}

// Wants reports whether the window should be extended, and to where. An
// oracle that nobody uses lets its window run out.
func (o *Oracle) Wants(now time.Duration, wall int64) (limit txn.Timestamp, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on || !o.used {
		return 0, false
	}
	o.advance(now, wall)
	at, window := max(o.last, o.clock), Window+o.slack
	return at + window, o.limit-at < window/2
}

func (o *Oracle) advance(now time.Duration, wall int64) {
	elapsed := txn.Timestamp((now - o.at).Microseconds())
	if elapsed <= 0 {
		return
	}
	o.at += time.Duration(elapsed) * time.Microsecond
	behind := txn.Timestamp(wall) - (o.clock + elapsed)
	o.clock += elapsed + min(max(behind, -elapsed/2), elapsed)
}
