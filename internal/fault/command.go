package fault

import (
	"errors"
	"fmt"
)

// Environment of a debug build.
const (
	// SocketEnv is the path of the unix socket where a process takes commands.
	SocketEnv = "CAIRN_FAULTS"
	// FirstEnv is a Command, in JSON, that a process carries out before it opens anything: a
	// clock that is wrong stays so over a restart.
	FirstEnv = "CAIRN_FAULT_FIRST"
	// DialEnv is "real=via,real=via": where to connect instead of to an address.
	DialEnv = "CAIRN_FAULT_DIAL"
)

// Limits of a Command.
const (
	rateMin            = 0.1
	rateMax            = 10
	syncDelayMillisMax = 600_000
	waitMillisMax      = 5_000
)

// Command is what a debug build does to itself. Whatever is nil stays as it is.
type Command struct {
	Clock *Clock `json:"clock,omitempty"`
	Disk  *Disk  `json:"disk,omitempty"`
	// PowerLoss undoes what was not synced and ends the process at once: there is no answer. A
	// process without a disk only ends.
	PowerLoss *PowerLoss `json:"power_loss,omitempty"`
}

// Clock is how the clocks of a process go from now on.
type Clock struct {
	// OffsetMicros is what its wall clock shows too much.
	OffsetMicros int64 `json:"offset_us"`
	// Rate is how fast its clocks and timers run; 0 and 1: as they should.
	Rate float64 `json:"rate"`
}

// Disk is how its disk behaves from now on; the zero Disk is well.
type Disk struct {
	// SyncDelayMillis is by how much each sync takes longer.
	SyncDelayMillis int64 `json:"sync_delay_ms"`
	// SyncError makes syncs fail with EIO, Full writes and new files with ENOSPC.
	SyncError bool `json:"sync_error"`
	Full      bool `json:"full"`
	// Low leaves so little room that a member should refuse what grows; nothing fails.
	Low bool `json:"low"`
}

// PowerLoss says what is left of what was not synced: each piece of it is kept by chance, and not
// all of them unless KeepPercent is 100.
type PowerLoss struct {
	KeepPercent int    `json:"keep_percent"`
	Seed        uint64 `json:"seed"`
	// WaitMillis is for how long it waits at most for a moment at which something is not synced.
	WaitMillis int64 `json:"wait_ms"`
}

// State is what a process has done to itself since it started.
type State struct {
	// Pid is the process's: one that was started again counts from nothing.
	Pid           int   `json:"pid"`
	Clock         Clock `json:"clock"`
	Disk          Disk  `json:"disk"`
	SyncsDelayed  int64 `json:"syncs_delayed"`
	SyncsFailed   int64 `json:"syncs_failed"`
	WritesRefused int64 `json:"writes_refused"`
	// StallMaxMillis is the longest time for which the process did not run.
	StallMaxMillis int64 `json:"stall_max_ms"`
	// NowMicros and WallMicros are what its clocks show, since its start and since the Unix epoch.
	NowMicros  int64 `json:"now_us"`
	WallMicros int64 `json:"wall_us"`
}

// Validate says what is wrong with it.
func (c *Command) Validate() error {
	var errs []error
	if c.Clock != nil && c.Clock.Rate != 0 && (c.Clock.Rate < rateMin || c.Clock.Rate > rateMax) {
		errs = append(errs, fmt.Errorf("a rate of %v is not between %v and %v",
			c.Clock.Rate, rateMin, float64(rateMax)))
	}
	if d := c.Disk; d != nil && (d.SyncDelayMillis < 0 || d.SyncDelayMillis > syncDelayMillisMax) {
		errs = append(errs, fmt.Errorf("a sync delay of %d ms is not between 0 and %d",
			d.SyncDelayMillis, syncDelayMillisMax))
	}
	if p := c.PowerLoss; p != nil && (p.KeepPercent < 0 || p.KeepPercent > 100) {
		errs = append(errs, fmt.Errorf("keep_percent %d is not between 0 and 100", p.KeepPercent))
	}
	if p := c.PowerLoss; p != nil && (p.WaitMillis < 0 || p.WaitMillis > waitMillisMax) {
		errs = append(errs, fmt.Errorf("wait_ms %d is not between 0 and %d",
			p.WaitMillis, waitMillisMax))
	}
	return errors.Join(errs...)
}
