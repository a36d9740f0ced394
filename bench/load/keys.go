package load

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// keys draws the numbers of keys by the distribution of a run.
func keys(r Run, random *rand.Rand) func() int {
	if r.Zipf == 0 {
		return func() int { return random.IntN(r.Keys) }
	}
	z := newZipf(r.Zipf, r.Keys)
	return func() int { return scramble(z.rank(random), r.Keys) }
}

// zipf draws ranks: the one of rank k, from 0, with a probability in proportion to 1/(k+1)^s. The
// s of YCSB is below 1, where math/rand's Zipf refuses.
//
// It is rejection-inversion: Hörmann and Derflinger, "Rejection-inversion to generate variates
// from monotone discrete distributions", 1996. It is exact, and needs no sum over all keys.
type zipf struct {
	s, n       float64
	top, floor float64 // of the area under 1/x^s that is drawn from
	sure       float64 // so near to a whole number nothing is rejected
}

func newZipf(s float64, n int) *zipf {
	z := &zipf{s: s, n: float64(n)}
	z.top, z.floor = z.area(1.5)-1, z.area(z.n+0.5)
	z.sure = 2 - z.areaInverse(z.area(2.5)-z.height(2))
	return z
}

func (z *zipf) rank(random *rand.Rand) int {
	for {
		u := z.floor + random.Float64()*(z.top-z.floor)
		x := z.areaInverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.sure || u >= z.area(k+0.5)-z.height(k) {
			return int(k) - 1
		}
	}
}

func (z *zipf) height(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// area is the integral of height from 1 to x.
func (z *zipf) area(x float64) float64 {
	log := math.Log(x)
	return log * ratio(math.Expm1, (1-z.s)*log)
}

func (z *zipf) areaInverse(u float64) float64 {
	return math.Exp(u * ratio(math.Log1p, max(u*(1-z.s), -1)))
}

// ratio is f(x)/x where f is near x for small x, and 1 is its limit.
func ratio(f func(float64) float64, x float64) float64 {
	if math.Abs(x) < 1e-12 {
		return 1
	}
	return f(x) / x
}

// scramble gives each rank below n a key below n of its own, so that the keys that are asked for
// most are spread over all shards. It is the same in every run.
func scramble(rank, n int) int {
	width := bits.Len(uint(n - 1))
	mask := uint64(1)<<width - 1
	for x := uint64(rank); ; {
		// Each of these steps permutes the numbers of that width; who comes out above n goes on.
		for range 3 {
			x = (x*0x9E3779B97F4A7C15 + 0x7F4A7C15) & mask
			x ^= x >> (width/2 + 1)
		}
		if x < uint64(n) {
			return int(x)
		}
	}
}
