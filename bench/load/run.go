package load

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Run says what is to be measured: the same for every system.
type Run struct {
	Workload string `json:"workload"` // "put"
	Way      string `json:"way"`      // "stream" or "unary"; systems with one way ignore it
	Callers  int    `json:"callers"`  // 1 to CallersMax
	// Rate is what all callers together begin in a second, whether earlier operations have ended
	// or not (open loop). 0: each caller begins when its last one has ended (closed loop).
	Rate float64       `json:"rate,omitempty"`
	Warm time.Duration `json:"warm"` // before anything counts
	Last time.Duration `json:"last"` // of what counts

	Keys       int     `json:"keys"`            // that there are: 1 or more
	ValueBytes int     `json:"value_bytes"`     // of each value
	Zipf       float64 `json:"zipf,omitempty"`  // exponent, 0.99 as in YCSB; 0: uniform
	Width      int     `json:"width,omitempty"` // keys of a transaction or a range
	Seed       uint64  `json:"seed"`
}

const (
	// CallersMax bounds Run.Callers.
	CallersMax = 1024
	// RateMax bounds Run.Rate. One goroutine says when operations are due.
	RateMax = 1e6
	// LastMax bounds Run.Warm and Run.Last.
	LastMax = time.Hour
	// ValueBytesMax bounds Run.ValueBytes.
	ValueBytesMax = 16 << 20
	// ZipfMax bounds Run.Zipf: from there on nearly all operations are on one key.
	ZipfMax = 8
)

// longMin is how long a run must be for a word on what happened in the course of it.
const longMin = time.Minute

// Long reports whether there is something to say of the course of r.
func (r Run) Long() bool { return r.Last >= longMin }

// Validate says all that is wrong with a run, but for its workload, way and width, which only a
// system knows.
func (r Run) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	within := func(v, least, most float64) bool { return !math.IsNaN(v) && least <= v && v <= most }
	check(1 <= r.Callers && r.Callers <= CallersMax, "callers are %d: 1 to %d", r.Callers, CallersMax)
	check(within(r.Rate, 0, RateMax), "the rate is %v: 0 to %.0f a second", r.Rate, RateMax)
	check(0 <= r.Warm && r.Warm <= LastMax, "the warm-up is %v: 0 to %v", r.Warm, LastMax)
	check(0 < r.Last && r.Last <= LastMax, "the run lasts %v: more than 0, up to %v", r.Last, LastMax)
	check(1 <= r.Keys, "keys are %d: 1 or more", r.Keys)
	check(0 <= r.ValueBytes && r.ValueBytes <= ValueBytesMax,
		"values have %d bytes: 0 to %d", r.ValueBytes, ValueBytesMax)
	check(within(r.Zipf, 0, ZipfMax), "the exponent is %v: 0 to %d", r.Zipf, ZipfMax)
	check(0 <= r.Width, "the width is %d: 0 or more", r.Width)
	return errors.Join(errs...)
}
