package fault

import (
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	stallEvery = 20 * time.Millisecond
	// stallTold is from where on a stall is in the log.
	stallTold = 200 * time.Millisecond
)

// stalls measures for how long its process did not run: SIGSTOP, or no processor.
type stalls struct {
	log     *slog.Logger
	longest atomic.Int64 // ns
}

// run measures until stop is closed.
func (s *stalls) run(stop <-chan struct{}) {
	ticks := time.NewTicker(stallEvery)
	defer ticks.Stop()
	last := time.Now()
	for {
		select {
		case <-ticks.C:
		case <-stop:
			return
		}
		now := time.Now()
		s.note(now.Sub(last) - stallEvery)
		last = now
	}
}

func (s *stalls) note(stall time.Duration) {
	if int64(stall) > s.longest.Load() {
		s.longest.Store(int64(stall))
	}
	if stall >= stallTold {
		s.log.Warn("the process did not run", "for", stall)
	}
}
