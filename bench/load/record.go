package load

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// recordersMax bounds how many histograms the callers share: one each would be 200 MiB.
const recordersMax = 16

// recorder counts what some of the callers have done. Times are since the run began.
type recorder struct {
	run Run

	mu         sync.Mutex
	histogram  *hdrhistogram.Histogram
	seconds    []int64
	ops        int64
	errors     int64
	unfinished int64
	first      error // of the errors
	firstAt    time.Duration
}

func newRecorder(r Run) *recorder {
	return &recorder{run: r, histogram: newHistogram(), firstAt: math.MaxInt64,
		seconds: make([]int64, (r.Last+time.Second-1)/time.Second)}
}

// end is when nothing counts any more.
func end(r Run) time.Duration { return r.Warm + r.Last }

// ended records an operation. In an open loop it began when it was due, and not when a caller was
// free for it: who waits for a system does not ask why.
func (r *recorder) ended(began, ended time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ended < r.run.Warm:
	case ended >= end(r.run):
		if r.run.Rate > 0 {
			r.late(began)
		}
	case err != nil:
		r.errors++
		if ended < r.firstAt {
			r.first, r.firstAt = err, ended
		}
	default:
		r.ops++
		r.seconds[(ended-r.run.Warm)/time.Second]++
		r.latency(ended - began)
	}
}

// late records an operation that was due before the end, and ends after it or never.
func (r *recorder) late(due time.Duration) {
	r.unfinished++
	r.latency(end(r.run) - due)
}

func (r *recorder) latency(d time.Duration) {
	us := min(d.Round(time.Microsecond), latencyMax).Microseconds()
	_ = r.histogram.RecordValue(us) // which fails only above latencyMax
}

// merge makes the result of all recorders. Their callers have ended.
func merge(r Run, all []*recorder) (*Result, error) {
	res := &Result{Run: r, Elapsed: r.Last}
	sum := newRecorder(r)
	for _, rec := range all {
		if dropped := sum.histogram.Merge(rec.histogram); dropped > 0 {
			return nil, fmt.Errorf("%d latencies are longer than %v", dropped, latencyMax)
		}
		for i, n := range rec.seconds {
			sum.seconds[i] += n
		}
		res.Ops += rec.ops
		res.Errors += rec.errors
		res.Unfinished += rec.unfinished
		if rec.firstAt < sum.firstAt {
			sum.first, sum.firstAt = rec.first, rec.firstAt
		}
	}
	if sum.first != nil {
		res.Error = sum.first.Error()
	}
	res.Seconds = sum.seconds
	var err error
	res.Latencies, err = encode(sum.histogram)
	return res, err
}
