package cairn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
)

// bench is what a workload is made of.
type bench struct {
	system *System
	db     *client.DB // stream or unary
	layout layout
	run    load.Run
}

// prepare makes the keys of a workload and its operation.
type prepare func(*bench, context.Context) (load.Op, error)

var workloads = map[string]prepare{
	"put":                       (*bench).puts,
	"get":                       (*bench).gets,
	"get-snapshot":              (*bench).snapshotGets,
	"range":                     (*bench).ranges,
	"oneshot":                   placed(false, (*bench).oneShots),
	"oneshot-same":              placed(true, (*bench).oneShots),
	"transfer-same-optimistic":  transfers(true, false),
	"transfer-same-pessimistic": transfers(true, true),
	"transfer-two-optimistic":   transfers(false, false),
	"transfer-two-pessimistic":  transfers(false, true),
	"rotate-same":               placed(true, (*bench).rotations),
	"rotate-two":                placed(false, (*bench).rotations),
	"increment-hot":             (*bench).increments,
	"mixed":                     mixed(80),
	"ycsb-a":                    mixed(50),
	"ycsb-b":                    mixed(95),
	"ycsb-c":                    mixed(100),
	"ycsb-d":                    (*bench).latest,
	"ycsb-e":                    (*bench).shortRanges,
	"ycsb-f":                    (*bench).readModifyWrites,
	"neworder":                  (*bench).newOrders,
	"import":                    (*bench).imports,
}

// Workloads are the names that load.Run.Workload can have.
func Workloads() []string { return slices.Sorted(maps.Keys(workloads)) }

const (
	rangeWidth  = 100 // keys, unless the run has a Width
	pairWidth   = 2
	importWidth = 1000
)

// width of what an operation touches.
func (b *bench) width(otherwise int) int {
	if b.run.Width > 0 {
		return b.run.Width
	}
	return otherwise
}

func (b *bench) key(n int) string { return b.layout.spread(plainKeys, n) }

var errMissing = errors.New("the key is missing")

// put sets a key of the run.
func (b *bench) put(ctx context.Context, key string, value []byte) error {
	res, err := b.db.SetBytes(ctx, key, value)
	if err == nil && !res.Set {
		err = fmt.Errorf("%s was not set", key)
	}
	return err
}

// get reads one that must be there.
func (b *bench) get(ctx context.Context, key string, opts ...client.ReadOption) error {
	e, err := b.db.Get(ctx, key, opts...)
	if err == nil && !e.Found() {
		err = fmt.Errorf("%s: %w", key, errMissing)
	}
	return err
}

func (b *bench) puts(ctx context.Context) (load.Op, error) {
	return func(ctx context.Context, c *load.Caller) error {
		return b.put(ctx, b.key(c.Key()), c.Value)
	}, b.fillPlain(ctx)
}

func (b *bench) gets(ctx context.Context) (load.Op, error) {
	return func(ctx context.Context, c *load.Caller) error {
		return b.get(ctx, b.key(c.Key()))
	}, b.fillPlain(ctx)
}

// snapshotGets all read the snapshot of when they were prepared.
func (b *bench) snapshotGets(ctx context.Context) (load.Op, error) {
	if err := b.fillPlain(ctx); err != nil {
		return nil, err
	}
	var at client.Timestamp
	err := b.db.View(ctx, func(tx *client.Txn) error {
		at = tx.ReadTS()
		return nil
	})
	return func(ctx context.Context, c *load.Caller) error {
		return b.get(ctx, b.key(c.Key()), client.AsOf(at))
	}, err
}

// ranges read Width neighbours on one shard.
func (b *bench) ranges(ctx context.Context) (load.Op, error) {
	width := b.width(rangeWidth)
	if least := b.run.Keys / len(b.layout); least < width {
		return nil, fmt.Errorf("a shard has %d of the keys, and a range is to have %d", least, width)
	}
	return func(ctx context.Context, c *load.Caller) error {
		return b.scan(ctx, c.Key(), width)
	}, b.fillPlain(ctx)
}

// scan reads a key and those that follow it on its shard, so many in all. Where it has not so
// many it begins before the key.
func (b *bench) scan(ctx context.Context, n, width int) error {
	shards := len(b.layout)
	shard := n % shards
	last := b.run.Keys/shards*shards - width*shards + shard
	r := client.Span(b.key(min(n, last)), b.layout.end(shard, plainKeys))
	r.Limit = int64(width)
	count := 0
	for e, err := range b.db.Scan(ctx, r) {
		if err != nil {
			return err
		}
		if len(e.Value.Data) != b.run.ValueBytes {
			return fmt.Errorf("%s has %d bytes", e.Key, len(e.Value.Data))
		}
		count++
	}
	if count != width {
		return fmt.Errorf("a range had %d keys instead of %d", count, width)
	}
	return nil
}

// oneShots set some keys in one call.
func (b *bench) oneShots(ctx context.Context, p place) (load.Op, error) {
	return func(ctx context.Context, c *load.Caller) error {
		var program client.Program
		for _, n := range p.neighbours(c.Key()) {
			program.Then = append(program.Then,
				client.SetOp(b.key(n), client.BytesValue(c.Value), client.SetOptions{}))
		}
		out, err := b.db.Execute(ctx, program)
		if err == nil && len(out.Results) != p.width {
			err = fmt.Errorf("%d results", len(out.Results))
		}
		return err
	}, b.fillPlain(ctx)
}

// increments all add to one key.
func (b *bench) increments(ctx context.Context) (load.Op, error) {
	key := b.layout.spread(counters, 0)
	return func(ctx context.Context, _ *load.Caller) error {
		res, err := b.db.Increment(ctx, key, client.IntValue(1), client.UpdateOptions{})
		if err == nil && !res.Updated {
			err = errors.New("the increment was not done")
		}
		return err
	}, nil
}

// mixed gets so many in a hundred, and puts otherwise.
func mixed(percent int) prepare {
	return func(b *bench, ctx context.Context) (load.Op, error) {
		return func(ctx context.Context, c *load.Caller) error {
			key := b.key(c.Key())
			if c.Rand.IntN(100) < percent {
				return b.get(ctx, key)
			}
			return b.put(ctx, key, c.Value)
		}, b.fillPlain(ctx)
	}
}

// imports set Width keys an operation, neighbours that were not there before.
func (b *bench) imports(context.Context) (load.Op, error) {
	width := b.width(importWidth)
	pages := &b.system.imported
	return func(ctx context.Context, c *load.Caller) error {
		page := int(pages.Add(1)) - 1
		all := make([]client.SetItem, width)
		for i := range all {
			all[i].Key = b.layout.on(page, imported, page/len(b.layout)*width+i)
			all[i].Value = client.BytesValue(c.Value)
		}
		res, err := b.db.BatchSetBatched(ctx, all, "")
		if err == nil && len(res) != width {
			err = fmt.Errorf("%d of %d were imported", len(res), width)
		}
		return err
	}, nil
}
