//go:build !faults

package env

import "time"

// clock is the machine's. A debug build has another (clock_faults.go).
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() time.Duration                  { return time.Since(c.start) }
func (clock) wall() int64                           { return time.Now().UnixMicro() }
func (clock) timer(after time.Duration) *time.Timer { return time.NewTimer(after) }
