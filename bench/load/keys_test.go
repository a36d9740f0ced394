package load

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// Draws are compared with the probabilities themselves: no count is further from what it should
// be than six standard deviations, and three draws.
func TestZipf(t *testing.T) {
	const draws = 300_000
	for _, s := range []float64{0.5, 0.99, 1, 1.2, 3} {
		for _, n := range []int{1, 2, 10, 1000} {
			random := rand.New(rand.NewPCG(1, 2))
			z := newZipf(s, n)
			counts := make([]int, n)
			for range draws {
				counts[z.rank(random)]++
			}
			var sum float64
			for k := range n {
				sum += math.Pow(float64(k+1), -s)
			}
			for k, count := range counts {
				p := math.Pow(float64(k+1), -s) / sum
				want, deviation := draws*p, math.Sqrt(draws*p*(1-p))
				if math.Abs(float64(count)-want) > 6*deviation+3 {
					t.Errorf("s %v, n %d: rank %d came %d times, want %.0f ± %.0f", s, n, k, count, want, deviation)
				}
			}
		}
	}
}

func TestScramblePermutes(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 100, 127, 128, 129, 100_000} {
		seen := make([]bool, n)
		for rank := range n {
			key := scramble(rank, n)
			if key < 0 || key >= n || seen[key] {
				t.Fatalf("rank %d of %d is key %d: outside, or another one's", rank, n, key)
			}
			seen[key] = true
		}
	}
}

// The hottest hundred of a million keys lie everywhere: about as many in each tenth.
func TestScrambleSpreads(t *testing.T) {
	var tenths [10]int
	for rank := range 100 {
		tenths[scramble(rank, 1_000_000)/100_000]++
	}
	if slices.Min(tenths[:]) < 2 || slices.Max(tenths[:]) > 25 {
		t.Errorf("of the 100 hottest keys, by tenth: %v", tenths)
	}
}

func TestKeys(t *testing.T) {
	for _, tc := range []struct {
		zipf     float64
		min, max int // how often the most frequent key comes in 100,000 draws of 1,000 keys
	}{{0, 100, 160}, {0.99, 12_000, 14_000}} {
		r := Run{Callers: 1, Keys: 1000, Zipf: tc.zipf}
		c := callers(r)[0]
		counts := make([]int, r.Keys)
		for range 100_000 {
			counts[c.Key()]++
		}
		if most := slices.Max(counts); most < tc.min || most > tc.max {
			t.Errorf("exponent %v: the hottest key came %d times, want %d to %d", tc.zipf, most, tc.min, tc.max)
		}
	}
}

// Two systems that are measured with one seed are asked the same, and no two callers are.
func TestCallersRepeat(t *testing.T) {
	draw := func(seed uint64) (keys [2][]int, values [2][][]byte) {
		r := Run{Callers: 2, Keys: 1 << 30, ValueBytes: 64, Zipf: 0.5, Seed: seed}
		v := newValues(r)
		for i, c := range callers(r) {
			for range 50 {
				keys[i] = append(keys[i], c.Key())
				values[i] = append(values[i], v.next(c.Rand))
			}
		}
		return keys, values
	}
	keys, values := draw(1)
	again, valuesAgain := draw(1)
	other, valuesOther := draw(2)
	if !slices.Equal(keys[0], again[0]) || !slices.EqualFunc(values[0], valuesAgain[0], bytes.Equal) {
		t.Error("one seed, other keys or values")
	}
	if slices.Equal(keys[0], other[0]) || slices.EqualFunc(values[0], valuesOther[0], bytes.Equal) {
		t.Error("another seed, the same keys or values")
	}
	if slices.Equal(keys[0], keys[1]) {
		t.Error("two callers have the same keys")
	}
	distinct := make(map[string]bool)
	for _, v := range append(values[0], values[1]...) {
		if len(v) != 64 || cap(v) != 64 {
			t.Fatalf("a value has %d bytes, and room for %d", len(v), cap(v))
		}
		distinct[string(v)] = true
	}
	if len(distinct) < 99 {
		t.Errorf("of 100 values %d are distinct", len(distinct))
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*Run)
		want  string
	}{
		{"good", func(*Run) {}, ""},
		{"no callers", func(r *Run) { r.Callers = 0 }, "callers"},
		{"too many callers", func(r *Run) { r.Callers = CallersMax + 1 }, "callers"},
		{"negative rate", func(r *Run) { r.Rate = -1 }, "rate"},
		{"no number", func(r *Run) { r.Rate = math.NaN() }, "rate"},
		{"warm-up", func(r *Run) { r.Warm = -time.Second }, "warm"},
		{"no time", func(r *Run) { r.Last = 0 }, "lasts"},
		{"no keys", func(r *Run) { r.Keys = 0 }, "keys"},
		{"value", func(r *Run) { r.ValueBytes = -1 }, "bytes"},
		{"exponent", func(r *Run) { r.Zipf = 9 }, "exponent"},
		{"width", func(r *Run) { r.Width = -1 }, "width"},
		{"two things", func(r *Run) { r.Keys, r.Callers = 0, 0 }, "1024\nkeys"},
	} {
		r := run(1, 0)
		tc.spoil(&r)
		err := r.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// Whoever is woken early would begin before the operation is due.
func TestAlarmIsNeverEarly(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	var late []time.Duration
	for i := range 100 {
		at := time.Now().Add(time.Duration(i*10) * time.Microsecond)
		if err := a.until(at); err != nil {
			t.Fatal(err)
		}
		late = append(late, time.Since(at))
	}
	slices.Sort(late)
	if late[0] < 0 {
		t.Errorf("woken %v early", -late[0])
	}
	t.Logf("late by %v in the median, at most %v", late[50], late[99])
}
