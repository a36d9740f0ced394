package cairn

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
)

const (
	balanceBytes   = 8    // at the head of a value
	balanceFirst   = 1000 // and an account's number, so that it matters whose balance goes where
	transferMax    = 5
	partnerTries   = 16 // until a key is taken that is no matter of chance
	betweenShards  = 2  // that "two" means
	accountsAtOnce = 2
)

// place says where the keys of a transaction are: on one shard, or by turns on two.
type place struct {
	shards int
	keys   int // as many on each shard
	width  int // of a transaction
	same   bool
}

// placed is a workload whose transactions have Width keys.
func placed(same bool, next func(*bench, context.Context, place) (load.Op, error)) prepare {
	return func(b *bench, ctx context.Context) (load.Op, error) {
		p, err := b.place(same, b.width(pairWidth))
		if err != nil {
			return nil, err
		}
		return next(b, ctx, p)
	}
}

func (b *bench) place(same bool, width int) (place, error) {
	shards := len(b.layout)
	p := place{shards: shards, keys: b.run.Keys / shards * shards, width: width, same: same}
	least := shards * width
	if !same {
		least = shards * ((width + 1) / betweenShards)
		if shards < betweenShards {
			return p, fmt.Errorf("keys on two shards need two shards; there is %d", shards)
		}
	}
	if p.keys < least {
		return p, fmt.Errorf("%d keys are too few: on %d shards it takes %d", b.run.Keys, shards, least)
	}
	return p, nil
}

// neighbours are the numbers of different keys, from one on.
func (p *place) neighbours(first int) []int {
	all := make([]int, p.width)
	for i := range all {
		if p.same {
			all[i] = (first + i*p.shards) % p.keys
		} else {
			all[i] = (first + i%betweenShards + i/betweenShards*p.shards) % p.keys
		}
	}
	return all
}

// pair is two different numbers, both by the distribution of the run.
func (p *place) pair(c *load.Caller) (from, to int) {
	from = c.Key() % p.keys
	for range partnerTries {
		to = c.Key() % p.keys
		if to != from && (to%p.shards == from%p.shards) == p.same {
			return from, to
		}
	}
	return from, p.neighbours(from)[1]
}

func balance(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }

// withBalance is a copy of a value.
func withBalance(value []byte, n int64) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, len(value)), uint64(n)),
		value[balanceBytes:]...)
}

func (b *bench) account(n int) string { return b.layout.spread(accounts, n) }

func (b *bench) fillAccounts(ctx context.Context) error {
	return b.fill(ctx, accounts, b.run.Keys, func(n int) row {
		return row{b.account(n), withBalance(b.filler(n), balanceFirst+int64(n))}
	})
}

// transfers move money between two accounts, as a user writes it: a transaction of verbs, which
// the SDK runs again after conflicts. Keys say how much of a contention there is.
func transfers(same, pessimistic bool) prepare {
	return func(b *bench, ctx context.Context) (load.Op, error) {
		p, err := b.place(same, accountsAtOnce)
		if err != nil {
			return nil, err
		}
		o := client.TxnOptions{Pessimistic: pessimistic}
		return func(ctx context.Context, c *load.Caller) error {
			from, to := p.pair(c)
			amount := 1 + c.Rand.Int64N(transferMax)
			return b.db.UpdateWith(ctx, o, func(tx *client.Txn) error {
				return move(ctx, &tx.KV, b.account(from), b.account(to), withBalance(c.Value, amount))
			})
		}, b.fillAccounts(ctx)
	}
}

// move moves the balance of a value; the rest of it is what both accounts have afterwards.
func move(ctx context.Context, kv *client.KV, from, to string, value []byte) error {
	gives, err := getBalance(ctx, kv, from)
	if err != nil {
		return err
	}
	gets, err := getBalance(ctx, kv, to)
	if err != nil {
		return err
	}
	amount := balance(value)
	if _, err := kv.SetBytes(ctx, from, withBalance(value, gives-amount)); err != nil {
		return err
	}
	_, err = kv.SetBytes(ctx, to, withBalance(value, gets+amount))
	return err
}

func getBalance(ctx context.Context, kv *client.KV, key string) (int64, error) {
	e, err := kv.Get(ctx, key, client.ForUpdate())
	if err != nil {
		return 0, err
	}
	if len(e.Value.Data) < balanceBytes {
		return 0, fmt.Errorf("%s: %w", key, errMissing)
	}
	return balance(e.Value.Data), nil
}

// rotations move money from each of Width accounts to the next one: read in one call, written in
// another.
func (b *bench) rotations(ctx context.Context, p place) (load.Op, error) {
	return func(ctx context.Context, c *load.Caller) error {
		keys := make([]string, p.width)
		for i, n := range p.neighbours(c.Key()) {
			keys[i] = b.account(n)
		}
		return b.db.Update(ctx, func(tx *client.Txn) error {
			return rotate(ctx, &tx.KV, keys, c.Value)
		})
	}, b.fillAccounts(ctx)
}

func rotate(ctx context.Context, kv *client.KV, keys []string, value []byte) error {
	found, err := kv.BatchGet(ctx, keys, client.BatchGetOptions{RequireAll: true, ForUpdate: true})
	if err != nil {
		return err
	}
	all := make([]client.SetItem, len(found))
	for i := range found {
		before := found[(i+len(found)-1)%len(found)]
		n := balance(before.Value.Data)
		all[i] = client.SetItem{Key: keys[i], Value: client.BytesValue(withBalance(value, n))}
	}
	_, err = kv.BatchSet(ctx, all, client.BatchOptions{})
	return err
}
