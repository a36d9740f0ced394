package report

import (
	"math"
	"testing"
)

func TestStat(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   Stat
		spread float64
	}{
		{nil, Stat{}, 0},
		{[]float64{7}, Stat{7, 7, 7}, 0},
		{[]float64{9, 1, 10}, Stat{9, 1, 10}, 8.0 / 9},
		{[]float64{4, 1, 3, 2}, Stat{2.5, 1, 4}, 0.6},
		{[]float64{0, 0}, Stat{}, 0},
	} {
		got := statOf(tc.values)
		if got != tc.want || math.Abs(got.Spread()-tc.spread) > 1e-9 {
			t.Errorf("%v: %+v, spread %v; want %+v, %v", tc.values, got, got.Spread(), tc.want, tc.spread)
		}
	}
}

// A machine that slows down by half in the second round does so for both sides: the ratio of each
// round stays, and only what is measured apart must be taken for a wide range.
func TestQuotientOfRoundsAndApart(t *testing.T) {
	left, right := []float64{300, 150, 330}, []float64{100, 50, 100}
	if q := quotient(left, right, true); q != (Quotient{3, 3, 3.3}) {
		t.Errorf("by rounds %+v", q)
	}
	if q := quotient(left, right, false); q != (Quotient{3, 1.5, 6.6}) {
		t.Errorf("apart %+v", q)
	}
	if q := quotient(left, []float64{0}, true); !math.IsNaN(q.Of) || q.String() != "–" || q.Range() != "–" {
		t.Errorf("by nothing %+v", q)
	}
}

func TestEstimate(t *testing.T) {
	rounds := func(n int) (left, right []float64) {
		for i := range n {
			speed := float64(1 + i%3) // of the machine, which is the same for both in a round
			left, right = append(left, speed*float64(100+i)), append(right, speed*100)
		}
		return left, right
	}
	inf := math.Inf(1)
	for n, want := range map[int]Estimate{ // bounds as in any table of the sign test
		5: {1.02, -inf, inf}, 6: {1.025, 1, 1.05}, 9: {1.04, 1.01, 1.07}, 20: {1.095, 1.05, 1.14},
	} {
		got := estimate(rounds(n))
		for _, d := range []float64{got.Of - want.Of, got.Low - want.Low, got.High - want.High} {
			if math.Abs(d) > 1e-9 {
				t.Errorf("%d rounds: %+v, want %+v", n, got, want)
			}
		}
	}
	left, right := rounds(9)
	right[4] = 0
	if e := estimate(left, right); e.Of >= 0 || e.String() != "–" {
		t.Errorf("by nothing %v", e)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.066: "0.07", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100",
		1234.5: "1,235", 1234567: "1,234,567", -1234: "-1,234", 999_999.6: "1,000,000",
	} {
		if got := short(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	if short(math.NaN()) != "–" || short(math.Inf(1)) != "–" || whole(-0.4) != "0" {
		t.Errorf("%q %q %q", short(math.NaN()), short(math.Inf(1)), whole(-0.4))
	}
}
