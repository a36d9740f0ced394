package cairn

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
)

const insertPercent = 5 // of the operations of D and E

// latest is YCSB's D: reads of what is new, and inserts.
func (b *bench) latest(ctx context.Context) (load.Op, error) {
	grown := &growth{acked: b.run.Keys, next: b.run.Keys}
	return func(ctx context.Context, c *load.Caller) error {
		if c.Rand.IntN(100) < insertPercent {
			return b.insert(ctx, grown, c)
		}
		return b.get(ctx, b.key(grown.recent(c.Rand)))
	}, b.fillPlain(ctx)
}

// shortRanges is YCSB's E: ranges of 1 to Width keys, as often one as the other, and inserts.
func (b *bench) shortRanges(ctx context.Context) (load.Op, error) {
	grown := &growth{acked: b.run.Keys, next: b.run.Keys}
	width := b.width(rangeWidth)
	if least := b.run.Keys / len(b.layout); least < width {
		return nil, fmt.Errorf("a shard has %d of the keys, and a range up to %d", least, width)
	}
	return func(ctx context.Context, c *load.Caller) error {
		if c.Rand.IntN(100) < insertPercent {
			return b.insert(ctx, grown, c)
		}
		return b.scan(ctx, c.Key(), 1+c.Rand.IntN(width))
	}, b.fillPlain(ctx)
}

// readModifyWrites is YCSB's F: half reads, half transactions that read a key and write it.
func (b *bench) readModifyWrites(ctx context.Context) (load.Op, error) {
	return func(ctx context.Context, c *load.Caller) error {
		key := b.key(c.Key())
		if c.Rand.IntN(2) == 0 {
			return b.get(ctx, key)
		}
		return b.db.Update(ctx, func(tx *client.Txn) error {
			e, err := tx.Get(ctx, key, client.ForUpdate())
			if err != nil {
				return err
			}
			if !e.Found() {
				return fmt.Errorf("%s: %w", key, errMissing)
			}
			_, err = tx.SetBytes(ctx, key, c.Value)
			return err
		})
	}, b.fillPlain(ctx)
}

func (b *bench) insert(ctx context.Context, g *growth, c *load.Caller) error {
	n := g.begin()
	err := b.put(ctx, b.key(n), c.Value)
	g.end(n, err == nil)
	return err
}

// growth is the keys that there are while some are being inserted. Numbers that could not be are
// given out again, so there is no hole that readers could fall into.
type growth struct {
	mu    sync.Mutex
	acked int // all below are there
	next  int
	done  map[int]struct{} // from acked on
	again []int
}

// begin is the number of a key to insert.
func (g *growth) begin() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.again) - 1; last >= 0 {
		n := g.again[last]
		g.again = g.again[:last]
		return n
	}
	g.next++
	return g.next - 1
}

func (g *growth) end(n int, there bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !there {
		g.again = append(g.again, n)
		return
	}
	if g.done == nil {
		g.done = make(map[int]struct{})
	}
	g.done[n] = struct{}{}
	for {
		if _, there := g.done[g.acked]; !there {
			return
		}
		delete(g.done, g.acked)
		g.acked++
	}
}

// recent is the number of a key that is there: the newest most often, by a zipfian distribution
// whose exponent is 1, close to YCSB's 0.99. Ranks below x have the share ln x / ln acked of it.
func (g *growth) recent(r *rand.Rand) int {
	g.mu.Lock()
	acked := g.acked
	g.mu.Unlock()
	rank := int(math.Pow(float64(acked)+1, r.Float64())) - 1
	return acked - 1 - min(rank, acked-1)
}
