package report

import (
	"math"
	"slices"
)

// Stat is a figure of several rounds.
type Stat struct{ Median, Least, Most float64 }

func statOf(values []float64) Stat {
	if len(values) == 0 {
		return Stat{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Stat{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// Spread is how far the round farthest from the median is away from it, as a part of it.
func (s Stat) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return math.Max(s.Most-s.Median, s.Median-s.Least) / s.Median
}

// Quotient is a ratio of two medians, and its range over rounds.
type Quotient struct{ Of, Least, Most float64 }

// quotient divides round by round if both sides ran in the same rounds, and else takes the
// widest range that single rounds allow. It is not a number where a side has no figure.
func quotient(left, right []float64, together bool) Quotient {
	l, r := statOf(left), statOf(right)
	q := Quotient{divide(l.Median, r.Median), divide(l.Least, r.Most), divide(l.Most, r.Least)}
	if together && len(left) == len(right) && len(left) > 0 {
		each := make([]float64, len(left))
		for i := range left {
			each[i] = divide(left[i], right[i])
		}
		s := statOf(each)
		q.Least, q.Most = s.Least, s.Most
	}
	return q
}

func divide(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
