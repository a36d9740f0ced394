package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/redis/go-redis/v9"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
	"github.com/cairnkv/cairn/internal/loopback"
)

// Start starts a server and a client with a connection for each caller.
func Start(ctx context.Context, set *child.Set, sync bool) (*peer.System, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("install Redis to measure it: %w", err)
	}
	addresses, err := loopback.Free(1)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(set.Dir(), "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	fsync := "everysec"
	if sync {
		fsync = "always"
	}
	cmd := exec.Command(program, "--bind", host, "--port", port, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", fsync)
	if err := set.Start(load.Usage{Role: "server", Name: "redis", Data: dir}, cmd); err != nil {
		return nil, err
	}
	c := redis.NewClient(&redis.Options{Addr: addresses[0], PoolSize: load.CallersMax})
	err = set.Await(ctx, func(ctx context.Context) error { return c.Ping(ctx).Err() })
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return newSystem(c, set), nil
}

// store is what workloads do with a client.
type store struct{ c *redis.Client }

func newSystem(c *redis.Client, set *child.Set) *peer.System {
	s := store{c}
	return peer.NewSystem(peer.Store{
		Fill: s.putAll,
		Get:  s.get,
		Workloads: peer.AddMixes(map[string]peer.Workload{
			"put":           peer.Put(s.put),
			"get":           peer.Get(s.get),
			"oneshot":       peer.OneShot(s.putAll),
			"transfer-cas":  peer.Transfer(s.transfer),
			"increment":     peer.Increment(s.increment),
			"increment-hot": peer.IncrementHot(s.increment),
		}),
		Processes: set.Processes,
		Close:     c.Close,
	})
}

func (s store) put(ctx context.Context, key string, value []byte) error {
	return s.c.Set(ctx, key, value, 0).Err()
}

func (s store) get(ctx context.Context, key string) ([]byte, error) {
	return s.c.Get(ctx, key).Bytes() // a missing key is an error
}

func (s store) putAll(ctx context.Context, pairs []peer.Pair) error {
	all := make([]any, 0, 2*len(pairs))
	for _, p := range pairs {
		all = append(all, p.Key, p.Value)
	}
	return s.c.MSet(ctx, all...).Err()
}

func (s store) transfer(ctx context.Context, from, to string) error {
	return s.swap(ctx, []string{from, to}, []int64{-1, 1})
}

func (s store) increment(ctx context.Context, key string) error {
	return s.swap(ctx, []string{key}, []int64{1})
}

// swap adds amounts to accounts if none has changed since it was read, until that is so.
func (s store) swap(ctx context.Context, keys []string, amounts []int64) error {
	return peer.Retry(ctx, func(ctx context.Context) error {
		err := s.c.Watch(ctx, func(tx *redis.Tx) error {
			old, err := tx.MGet(ctx, keys...).Result()
			if err != nil {
				return err
			}
			pairs := make([]any, 0, 2*len(keys))
			for i, key := range keys {
				text, ok := old[i].(string)
				if !ok {
					return fmt.Errorf("%s: not found", key)
				}
				value, err := peer.Add([]byte(text), amounts[i])
				if err != nil {
					return err
				}
				pairs = append(pairs, key, value)
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				return p.MSet(ctx, pairs...).Err()
			})
			return err
		}, keys...)
		if errors.Is(err, redis.TxFailedErr) {
			return peer.ErrConflict
		}
		return err
	})
}
