package load

import (
	"encoding/binary"
	"math/rand/v2"
)

// valuesBytes is how much of noise values are cut from: as much as no compression of a block sees
// at once.
const valuesBytes = 1 << 20

// values are slices of one buffer of noise, which nobody writes to: a value costs no time, cannot
// be compressed, and a system may keep it.
type values struct {
	noise []byte
	size  int
}

func newValues(r Run) *values {
	v := &values{noise: make([]byte, valuesBytes+r.ValueBytes), size: r.ValueBytes}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], r.Seed)
	_, _ = rand.NewChaCha8(seed).Read(v.noise) // which never fails
	return v
}

func (v *values) next(random *rand.Rand) []byte {
	at := random.IntN(valuesBytes)
	return v.noise[at : at+v.size : at+v.size]
}
