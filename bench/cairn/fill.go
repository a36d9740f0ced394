package cairn

import (
	"context"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/client"
)

const (
	fillers = 8 // pages that are on their way at once
	// pageKeys and pageBytes are the most that one of them has, unless a key alone is more.
	pageKeys  = 500
	pageBytes = 1 << 20
)

// filled is what a table has.
type filled struct{ keys, valueBytes int }

// row is one to fill a table with.
type row struct {
	key   string
	value []byte
}

// fill makes the rows of a table, unless an earlier run has left as many. Neighbours of one shard,
// which are so many numbers apart, go together.
func (b *bench) fill(ctx context.Context, t table, rows int, at func(n int) row) error {
	has, wants := b.system.filled[t], filled{rows, b.run.ValueBytes}
	if has.keys >= wants.keys && has.valueBytes == wants.valueBytes {
		return nil
	}
	delete(b.system.filled, t) // until all are there
	page := max(1, min(pageKeys, pageBytes/b.run.ValueBytes))
	shards := len(b.layout)
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(fillers)
	for first := 0; first < rows; first += page * shards {
		for n := first; n < min(first+shards, rows); n++ {
			tasks.Go(func() error {
				return b.fillPage(ctx, n, min(rows, n+page*shards), at)
			})
		}
	}
	if err := tasks.Wait(); err != nil {
		return fmt.Errorf("table %c: %w", t, err)
	}
	b.system.filled[t] = wants
	return nil
}

func (b *bench) fillPage(ctx context.Context, first, end int, at func(n int) row) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var all []client.SetItem
	for n := first; n < end; n += len(b.layout) {
		r := at(n)
		all = append(all, client.SetItem{
			Key: r.key, Value: client.BytesValue(r.value), NoHistory: true,
		})
	}
	res, err := b.system.stream.BatchSetBatched(ctx, all, "")
	if err == nil && len(res) != len(all) {
		err = fmt.Errorf("%d of %d were set", len(res), len(all))
	}
	return err
}

// filler is a value that cannot be compressed, the same for a number and seed each time.
func (b *bench) filler(n int) []byte {
	random := rand.New(rand.NewPCG(b.run.Seed, uint64(n)))
	value := make([]byte, b.run.ValueBytes)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return value
}

func (b *bench) fillPlain(ctx context.Context) error {
	return b.fill(ctx, plainKeys, b.run.Keys, func(n int) row {
		return row{b.key(n), b.filler(n)}
	})
}
