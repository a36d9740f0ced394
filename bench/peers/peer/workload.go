package peer

import (
	"cmp"
	"context"
	"fmt"

	"github.com/cairnkv/cairn/bench/load"
)

// Keys that an operation touches, unless the run has a Width.
const (
	rangeWidth   = 100
	oneShotWidth = 2
)

// Workload makes the operation of a run, on keys of one kind.
type Workload struct {
	kind kind
	keys int // at least
	op   func(r load.Run) load.Op
}

// Put writes a key.
func Put(put func(ctx context.Context, key string, value []byte) error) Workload {
	return Workload{kind: values, keys: 1, op: func(load.Run) load.Op {
		return func(ctx context.Context, c *load.Caller) error {
			return put(ctx, values.key(c.Key()), c.Value)
		}
	}}
}

// Get reads a key, which must be there.
func Get(get func(ctx context.Context, key string) ([]byte, error)) Workload {
	return Workload{kind: values, keys: 1, op: func(r load.Run) load.Op {
		return func(ctx context.Context, c *load.Caller) error {
			key := values.key(c.Key())
			value, err := get(ctx, key)
			if err == nil && len(value) != r.ValueBytes {
				err = fmt.Errorf("%s has %d bytes", key, len(value))
			}
			return err
		}
	}}
}

// Range reads as many neighbours as a run is wide, beginning with a key or, where there are not so
// many, before it. What reads them answers with their number.
func Range(read func(ctx context.Context, from, end string) (int, error)) Workload {
	return Workload{kind: values, keys: 1, op: func(r load.Run) load.Op {
		width := min(r.Keys, cmp.Or(r.Width, rangeWidth))
		return func(ctx context.Context, c *load.Caller) error {
			n := min(c.Key(), r.Keys-width)
			count, err := read(ctx, values.key(n), values.key(n+width))
			if err == nil && count != width {
				err = fmt.Errorf("a range had %d keys instead of %d", count, width)
			}
			return err
		}
	}}
}

// OneShot writes as many keys as a run is wide, all or none, knowing none of them.
func OneShot(put func(ctx context.Context, pairs []Pair) error) Workload {
	return Workload{kind: values, keys: 1, op: func(r load.Run) load.Op {
		return func(ctx context.Context, c *load.Caller) error {
			pairs := make([]Pair, min(r.Keys, cmp.Or(r.Width, oneShotWidth)))
			first := c.Key()
			for i := range pairs { // spread, and none twice
				n := (first + i*(r.Keys/len(pairs))) % r.Keys
				pairs[i] = Pair{Key: values.key(n), Value: c.Value}
			}
			return put(ctx, pairs)
		}
	}}
}

// Mixed does the first in so many of a hundred, the second otherwise.
func Mixed(percent int, first, second Workload) Workload {
	return Workload{kind: values, keys: 1, op: func(r load.Run) load.Op {
		a, b := first.op(r), second.op(r)
		return func(ctx context.Context, c *load.Caller) error {
			if c.Rand.IntN(100) < percent {
				return a(ctx, c)
			}
			return b(ctx, c)
		}
	}}
}

// Transfer moves one from an account to another one, having read both.
func Transfer(move func(ctx context.Context, from, to string) error) Workload {
	return Workload{kind: accounts, keys: 2, op: func(r load.Run) load.Op {
		return func(ctx context.Context, c *load.Caller) error {
			from, to := c.Key(), c.Key()
			if from == to {
				to = (to + 1) % r.Keys
			}
			return move(ctx, accounts.key(from), accounts.key(to))
		}
	}}
}

// Increment adds one to an account, having read it.
func Increment(add func(ctx context.Context, key string) error) Workload {
	return Workload{kind: accounts, keys: 1, op: func(load.Run) load.Op {
		return func(ctx context.Context, c *load.Caller) error {
			return add(ctx, accounts.key(c.Key()))
		}
	}}
}

// IncrementHot adds one to the same account always.
func IncrementHot(add func(ctx context.Context, key string) error) Workload {
	return Workload{kind: accounts, keys: 1, op: func(load.Run) load.Op {
		return func(ctx context.Context, _ *load.Caller) error {
			return add(ctx, accounts.key(0))
		}
	}}
}

// AddMixes adds to workloads with put and get those that are made of them.
func AddMixes(w map[string]Workload) map[string]Workload {
	get, put := w["get"], w["put"]
	w["mixed"] = Mixed(80, get, put)
	w["ycsb-a"] = Mixed(50, get, put)
	w["ycsb-b"] = Mixed(95, get, put)
	w["ycsb-c"] = get
	return w
}
