//go:build unix

package nemesis

import (
	"testing"
	"time"

	"github.com/cairnkv/cairn/internal/fault"
)

// at is a reading that took 4 ms, some time after a first one.
func at(gone, now time.Duration, rate float64) reading {
	began := time.Unix(1_800_000_000, 0).Add(gone)
	return reading{State: fault.State{Clock: fault.Clock{Rate: rate}, NowMicros: now.Microseconds()},
		from: began, to: began.Add(4 * time.Millisecond)}
}

func TestRan(t *testing.T) {
	for _, c := range []struct {
		name      string
		rate      float64
		now       time.Duration // after 3 s
		wrong, ok bool
	}{
		{"right", 1, 3 * time.Second, false, true},
		{"right, read early and late", 1, 3*time.Second + 4*time.Millisecond, false, true},
		{"right, and goes wrong", 1, 3 * time.Second * 101 / 100, false, false},
		{"fast", 1.01, 3030 * time.Millisecond, true, true},
		{"slow", 0.99, 2970 * time.Millisecond, true, true},
		{"fast, and goes right", 1.01, 3 * time.Second, false, false},
		{"slow, and goes fast", 0.99, 3030 * time.Millisecond, false, false},
		{"a little fast: that cannot be told", 1.001, 3003 * time.Millisecond, false, true},
	} {
		wrong, err := ran(at(0, 0, c.rate), at(3*time.Second, c.now, c.rate))
		if wrong != c.wrong || (err == nil) != c.ok {
			t.Errorf("%s: wrong is %v, %v", c.name, wrong, err)
		}
	}
}

func TestShows(t *testing.T) {
	set := fault.Clock{Rate: 1, OffsetMicros: 5_000_000}
	for _, c := range []struct {
		name   string
		clock  fault.Clock
		offset time.Duration
		ok     bool
	}{
		{"as it was set", set, 5 * time.Second, true},
		{"a little less", set, 4900 * time.Millisecond, true},
		{"not set", fault.Clock{Rate: 1}, 5 * time.Second, false},
		{"set and not wrong", set, 0, false},
		{"wrong the other way", set, -5 * time.Second, false},
	} {
		r := at(0, 0, 1)
		r.Clock, r.WallMicros = c.clock, r.to.Add(c.offset).UnixMicro()
		if err := r.shows(set); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
