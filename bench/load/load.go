package load

import (
	"context"
	"math/rand/v2"
)

// Op is one operation of a caller. An error is counted, and the caller goes on.
type Op func(ctx context.Context, c *Caller) error

// Caller is one of those who do operations: a goroutine of its own.
type Caller struct {
	ID    int // from 0
	Rand  *rand.Rand
	Key   func() int // the number of a key, by the distribution of the run
	Value []byte     // of the run's length, another one for each operation; not to be written to
}

// callers are those of a run. Each of them has the same keys and values in every run of a seed,
// whatever the system.
func callers(r Run) []*Caller {
	all := make([]*Caller, r.Callers)
	for i := range all {
		c := &Caller{ID: i, Rand: rand.New(rand.NewPCG(r.Seed, uint64(i)))}
		c.Key = keys(r, c.Rand)
		all[i] = c
	}
	return all
}
