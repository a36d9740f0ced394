package nats

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
)

// store is what workloads do with a bucket.
type store struct{ bucket jetstream.KeyValue }

func newSystem(c *nats.Conn, bucket jetstream.KeyValue, set *child.Set) *peer.System {
	s := store{bucket}
	return peer.NewSystem(peer.Store{
		Fill: s.fill,
		Get:  s.get,
		Workloads: peer.AddMixes(map[string]peer.Workload{
			"put":           peer.Put(s.put),
			"get":           peer.Get(s.get),
			"increment":     peer.Increment(s.increment),
			"increment-hot": peer.IncrementHot(s.increment),
		}),
		Processes: set.Processes,
		Close: func() error {
			c.Close()
			return nil
		},
	})
}

func (s store) put(ctx context.Context, key string, value []byte) error {
	_, err := s.bucket.Put(ctx, key, value)
	return err
}

// get is answered by whichever replica is asked, even by one that is behind.
func (s store) get(ctx context.Context, key string) ([]byte, error) {
	entry, err := s.bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

func (s store) fill(ctx context.Context, pairs []peer.Pair) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, p := range pairs {
		g.Go(func() error { return s.put(ctx, p.Key, p.Value) })
	}
	return g.Wait()
}

// increment reads a key and writes it if it has not changed since then.
func (s store) increment(ctx context.Context, key string) error {
	return peer.Retry(ctx, func(ctx context.Context) error {
		entry, err := s.bucket.Get(ctx, key)
		if err != nil {
			return err
		}
		value, err := peer.Add(entry.Value(), 1)
		if err != nil {
			return err
		}
		_, err = s.bucket.Update(ctx, key, value, entry.Revision())
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return peer.ErrConflict
		}
		return err
	})
}
