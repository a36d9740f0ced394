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

// Estimate is the median of the ratios of single rounds, and where the median of all rounds that
// there could be is, with a probability of 95 %.
type Estimate struct{ Of, Low, High float64 }

// estimateRounds are those below which nothing is sure by 95 %.
const estimateRounds = 6

// estimate takes nothing for granted about how rounds are distributed: it counts those on either
// side (the sign test). It is not a number where a round has none.
func estimate(left, right []float64) Estimate {
	each := make([]float64, len(left))
	for i := range left {
		each[i] = divide(left[i], right[i])
	}
	if len(each) == 0 || slices.ContainsFunc(each, math.IsNaN) {
		return Estimate{math.NaN(), math.NaN(), math.NaN()}
	}
	e := Estimate{statOf(each).Median, math.Inf(-1), math.Inf(1)}
	if len(each) < estimateRounds {
		return e
	}
	slices.Sort(each)
	// So many rounds are below the median, or fewer, with a probability of 2.5 %.
	below, n := 0, len(each)
	for p := math.Pow(0.5, float64(n)); p <= 0.025; below++ {
		p += math.Exp(choose(n, below+1) - float64(n)*math.Ln2)
	}
	e.Low, e.High = each[below-1], each[n-below]
	return e
}

// choose is the logarithm of a binomial coefficient.
func choose(n, k int) float64 {
	gamma := func(m int) float64 {
		v, _ := math.Lgamma(float64(m + 1))
		return v
	}
	return gamma(n) - gamma(k) - gamma(n-k)
}
