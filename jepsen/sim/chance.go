package sim

import (
	crand "crypto/rand"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"
)

// chance makes every choice of a run, from its seed.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 0xca1275))} }

// hit is true with probability p.
func (c chance) hit(p float64) bool { return p > 0 && c.Float64() < p }

// oneIn is true once in n.
func (c chance) oneIn(n int) bool { return c.IntN(n) == 0 }

// between is a duration from lo to hi.
func (c chance) between(lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(c.Int64N(int64(hi-lo)))
}

// number is from lo to hi, both included.
func (c chance) number(lo, hi int) int { return lo + c.IntN(hi-lo+1) }

func pick[T any](c chance, of []T) T { return of[c.IntN(len(of))] }

// seedCryptoRand makes crypto/rand repeatable (raft draws its election jitter
// from it) and returns what undoes that.
func seedCryptoRand(seed uint64) (restore func()) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	var old io.Reader
	old, crand.Reader = crand.Reader, rand.NewChaCha8(key)
	return func() { crand.Reader = old }
}
