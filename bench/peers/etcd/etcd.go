package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
)

// store is what workloads do with a client.
type store struct{ c *clientv3.Client }

func newSystem(c *clientv3.Client, set *child.Set) *peer.System {
	s := store{c}
	return peer.NewSystem(peer.Store{
		Fill: s.putAll,
		Get:  s.get,
		Workloads: peer.AddMixes(map[string]peer.Workload{
			"put":              peer.Put(s.put),
			"get":              peer.Get(s.get),
			"get-serializable": peer.Get(s.getSerializable),
			"range":            peer.Range(s.readRange),
			"oneshot":          peer.OneShot(s.putAll),
			"transfer-stm":     peer.Transfer(s.transferSTM),
			"transfer-stm-prefetch": peer.Transfer(
				func(ctx context.Context, from, to string) error {
					return s.stm(ctx, from, to, concurrency.WithPrefetch(from, to))
				}),
			"transfer-cas":  peer.Transfer(s.transferCAS),
			"increment":     peer.Increment(s.increment),
			"increment-hot": peer.IncrementHot(s.increment),
		}),
		Processes: set.Processes,
		Close:     c.Close,
	})
}

func (s store) put(ctx context.Context, key string, value []byte) error {
	_, err := s.c.Put(ctx, key, string(value))
	return err
}

func (s store) get(ctx context.Context, key string) ([]byte, error) {
	return value(key)(s.c.Get(ctx, key))
}

// getSerializable reads at any one member, which may be behind.
func (s store) getSerializable(ctx context.Context, key string) ([]byte, error) {
	return value(key)(s.c.Get(ctx, key, clientv3.WithSerializable()))
}

// value takes a key's value from an answer.
func value(key string) func(*clientv3.GetResponse, error) ([]byte, error) {
	return func(answer *clientv3.GetResponse, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		pair, err := single(key, answer.Kvs)
		if err != nil {
			return nil, err
		}
		return pair.Value, nil
	}
}

func (s store) readRange(ctx context.Context, from, end string) (int, error) {
	answer, err := s.c.Get(ctx, from, clientv3.WithRange(end))
	if err != nil {
		return 0, err
	}
	return len(answer.Kvs), nil
}

// putAll writes pairs in one transaction.
func (s store) putAll(ctx context.Context, pairs []peer.Pair) error {
	ops := make([]clientv3.Op, len(pairs))
	for i, p := range pairs {
		ops[i] = clientv3.OpPut(p.Key, string(p.Value))
	}
	_, err := s.c.Txn(ctx).Then(ops...).Commit()
	return err
}

// transferSTM is a transfer as etcd's own library for transactions does it, with its defaults: both
// keys are read one after the other, and neither may have changed at the commit.
func (s store) transferSTM(ctx context.Context, from, to string) error {
	return s.stm(ctx, from, to)
}

// stm moves one. The library reads the second key at the revision of the first one, at whichever
// member is next, and fails where that is behind; it repeats only what lost against others. A
// program has to begin again then, and so does this one.
func (s store) stm(
	ctx context.Context, from, to string, opts ...concurrency.STMOption,
) error {
	opts = append(opts, concurrency.WithAbortContext(ctx))
	return peer.Retry(ctx, func(context.Context) error {
		_, err := concurrency.NewSTM(s.c, func(stm concurrency.STM) error {
			a, errA := peer.Add([]byte(stm.Get(from)), -1)
			b, errB := peer.Add([]byte(stm.Get(to)), 1)
			if err := errors.Join(errA, errB); err != nil {
				return err
			}
			stm.Put(from, string(a))
			stm.Put(to, string(b))
			return nil
		}, opts...)
		if errors.Is(err, rpctypes.ErrFutureRev) {
			return peer.ErrConflict
		}
		return err
	})
}

// transferCAS is the transfer with the fewest calls: one reads both keys, one writes them.
func (s store) transferCAS(ctx context.Context, from, to string) error {
	return s.swap(ctx, []string{from, to}, []int64{-1, 1})
}

func (s store) increment(ctx context.Context, key string) error {
	return s.swap(ctx, []string{key}, []int64{1})
}

// swap adds amounts to accounts if none has changed since it was read, until that is so.
func (s store) swap(ctx context.Context, keys []string, amounts []int64) error {
	return peer.Retry(ctx, func(ctx context.Context) error {
		reads := make([]clientv3.Op, len(keys))
		for i, key := range keys {
			reads[i] = clientv3.OpGet(key)
		}
		read, err := s.c.Txn(ctx).Then(reads...).Commit()
		if err != nil {
			return err
		}
		unchanged, writes := make([]clientv3.Cmp, len(keys)), make([]clientv3.Op, len(keys))
		for i, key := range keys {
			pair, err := single(key, read.Responses[i].GetResponseRange().Kvs)
			if err != nil {
				return err
			}
			value, err := peer.Add(pair.Value, amounts[i])
			if err != nil {
				return err
			}
			unchanged[i] = clientv3.Compare(clientv3.ModRevision(key), "=", pair.ModRevision)
			writes[i] = clientv3.OpPut(key, string(value))
		}
		written, err := s.c.Txn(ctx).If(unchanged...).Then(writes...).Commit()
		if err == nil && !written.Succeeded {
			return peer.ErrConflict
		}
		return err
	})
}

// single is the one pair that is expected of a key.
func single[P any](key string, pairs []*P) (*P, error) {
	if len(pairs) != 1 {
		return nil, fmt.Errorf("%s: not found", key)
	}
	return pairs[0], nil
}
