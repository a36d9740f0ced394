package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// whole is "12,345".
func whole(v float64) string {
	digits := strconv.FormatInt(int64(math.Round(math.Abs(v))), 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if v <= -0.5 {
		return "-" + b.String()
	}
	return b.String()
}

// short has three digits, or all that are left of the point.
func short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 99.95:
		return whole(v)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// percent is "12 %". It is none of what shrinks.
func percent(part float64) string {
	if math.IsNaN(part) || part < 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*part)
}

func milliseconds(d time.Duration) string { return short(float64(d) / float64(time.Millisecond)) }

func spread(s Stat) string { return fmt.Sprintf("±%.0f %%", 100*s.Spread()) }

func (q Quotient) String() string {
	if math.IsNaN(q.Of) {
		return "–"
	}
	return short(q.Of) + " ×"
}

func (e Estimate) String() string {
	switch {
	case math.IsNaN(e.Of):
		return "–"
	case math.IsInf(e.Low, 0):
		return fmt.Sprintf("%.3f (too few rounds for a range)", e.Of)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", e.Of, e.Low, e.High)
}

// Range is that of single rounds.
func (q Quotient) Range() string {
	if math.IsNaN(q.Of) {
		return "–"
	}
	return short(q.Least) + " to " + short(q.Most)
}
