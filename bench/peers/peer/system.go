package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/bench/load"
)

const (
	fillCallers = 16 // that write keys before a run
	fillPairs   = 64 // in one call
)

// Store is what a peer can do.
type Store struct {
	// Fill writes pairs, whether or not they are there.
	Fill func(ctx context.Context, pairs []Pair) error
	// Get is the value of a key.
	Get       func(ctx context.Context, key string) ([]byte, error)
	Workloads map[string]Workload
	// Warm opens what as many callers need; nil if that is nothing.
	Warm func(ctx context.Context, callers int) error
	// Processes are those that serve.
	Processes func() map[int]load.Usage
	Close     func() error
}

// System is a driver.System of a store.
type System struct {
	store  Store
	filled map[filling]int // keys that are there
}

// filling tells keys apart that cannot stand in for one another.
type filling struct {
	kind   kind
	length int
}

// NewSystem makes a system of a store that has been started.
func NewSystem(s Store) *System { return &System{store: s, filled: make(map[filling]int)} }

// Prepare implements driver.System.
func (s *System) Prepare(ctx context.Context, r load.Run) (load.Op, func(), error) {
	w, ok := s.store.Workloads[r.Workload]
	if !ok {
		known := slices.Sorted(maps.Keys(s.store.Workloads))
		return nil, nil, fmt.Errorf("workload %q: this system has %s",
			r.Workload, strings.Join(known, ", "))
	}
	if r.Keys < w.keys || r.ValueBytes < valueMin {
		return nil, nil, fmt.Errorf("%s of %d keys, values of %d bytes: at least %d keys and %d bytes",
			r.Workload, r.Keys, r.ValueBytes, w.keys, valueMin)
	}
	if err := s.fill(ctx, filling{w.kind, r.ValueBytes}, r.Keys); err != nil {
		return nil, nil, fmt.Errorf("write the keys before a run: %w", err)
	}
	if s.store.Warm != nil {
		if err := s.store.Warm(ctx, r.Callers); err != nil {
			return nil, nil, fmt.Errorf("open what the callers need: %w", err)
		}
	}
	return w.op(r), func() {}, nil
}

// fill writes the keys that are not there yet. Other lengths of the same kind are overwritten.
func (s *System) fill(ctx context.Context, f filling, keys int) error {
	for other := range s.filled {
		if other.kind == f.kind && other.length != f.length {
			delete(s.filled, other)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fillCallers)
	for from := s.filled[f]; from < keys; from += fillPairs {
		g.Go(func() error {
			return s.store.Fill(ctx, f.kind.pairs(from, min(keys, from+fillPairs), f.length))
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.filled[f] = max(keys, s.filled[f])
	return nil
}

// Processes implements driver.System.
func (s *System) Processes() map[int]load.Usage { return s.store.Processes() }

// Close implements driver.System.
func (s *System) Close() error { return s.store.Close() }

// Sum is what so many accounts hold together: before a run nothing, and no transfer changes it.
func (s *System) Sum(ctx context.Context, keys int) (sum int64, err error) {
	for n := range keys {
		value, err := s.store.Get(ctx, accounts.key(n))
		if err != nil {
			return 0, err
		}
		sum += Balance(value)
	}
	return sum, nil
}

// ErrConflict is why an attempt of a transaction is begun again.
var ErrConflict = errors.New("others have changed what was read")

// Retry repeats an attempt while it ends in ErrConflict. The context bounds it.
func Retry(ctx context.Context, attempt func(ctx context.Context) error) error {
	for {
		err := attempt(ctx)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}
