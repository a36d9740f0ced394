package timeline

import (
	"slices"
	"time"
)

const (
	bucketWidth = 500 * time.Millisecond
	bucketsMax  = 7200 // an hour
)

// bucket is what ended within a bucketWidth.
type bucket struct {
	ok, failed, info float64 // a second
	p50, p99         time.Duration
	took             []time.Duration
}

// buckets are those of a run, in its order. What ended after it counts as its end.
func buckets(t *Timeline) []bucket {
	all := make([]bucket, (t.Length+bucketWidth-1)/bucketWidth)
	for _, o := range t.Ops {
		b := &all[min(max(int(o.End/bucketWidth), 0), len(all)-1)]
		switch o.Outcome {
		case OK:
			b.ok++
			b.took = append(b.took, o.Took)
		case Failed:
			b.failed++
		case Info:
			b.info++
		}
	}
	for i := range all {
		b := &all[i]
		for _, n := range []*float64{&b.ok, &b.failed, &b.info} {
			// Of the last one, too: by the moment that is left of it one operation were thousands.
			*n /= bucketWidth.Seconds()
		}
		slices.Sort(b.took)
		b.p50, b.p99 = percentile(b.took, 50), percentile(b.took, 99)
	}
	return all
}

// percentile is the least that at least n of 100 do not exceed, 0 of none.
func percentile(sorted []time.Duration, n int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*n+99)/100-1]
}
