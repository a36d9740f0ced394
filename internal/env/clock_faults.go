//go:build faults

package env

import (
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// clock is one that can be made to go wrong.
type clock struct{ drift *fault.Drift }

func newClock() clock { return clock{fault.NewDrift()} }

func (c clock) now() time.Duration                     { return c.drift.Now() }
func (c clock) wall() int64                            { return c.drift.Wall() }
func (c clock) timer(after time.Duration) *fault.Timer { return c.drift.NewTimer(after) }
func (clock) release(t *fault.Timer)                   { t.Stop() }

// Drift is the clock behind Now, Wall and all waits.
func (r *Real) Drift() *fault.Drift { return r.clock.drift }
