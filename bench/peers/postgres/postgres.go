package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/bench/peers/child"
	"github.com/cairnkv/cairn/bench/peers/peer"
)

const (
	upsert = `insert into kv values ($1, $2) on conflict (key) do update set value = excluded.value`
	read   = `select value from kv where key = $1`
	lock   = `select value from kv where key = $1 for update`
	update = `update kv set value = $2 where key = $1`
	scan   = `select key, value from kv where key >= $1 and key < $2 order by key`
)

// store is what workloads do with a pool.
type store struct {
	pool *pgxpool.Pool
	set  *child.Set
	all  map[int]load.Usage // processes since the last run was prepared
}

func newSystem(pool *pgxpool.Pool, set *child.Set) *peer.System {
	s := &store{pool: pool, set: set, all: set.Processes()}
	return peer.NewSystem(peer.Store{
		Fill: s.putAll,
		Get:  s.get,
		Workloads: peer.AddMixes(map[string]peer.Workload{
			"put":                   peer.Put(s.put),
			"get":                   peer.Get(s.get),
			"range":                 peer.Range(s.readRange),
			"oneshot":               peer.OneShot(s.putAll),
			"transfer-serializable": peer.Transfer(s.transferSerializable),
			"transfer-locks":        peer.Transfer(s.transferLocks),
			"increment":             peer.Increment(s.increment),
			"increment-hot":         peer.IncrementHot(s.increment),
		}),
		Warm:      s.warm,
		Processes: func() map[int]load.Usage { return s.all },
		Close: func() error {
			pool.Close()
			return nil
		},
	})
}

// warm opens a connection for each caller, as far as the server has so many, and sees whose
// processes they are.
func (s *store) warm(ctx context.Context, callers int) error {
	for range min(callers, connectionsMax) {
		c, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release() // all of them at the end
	}
	s.all = processes(s.set)
	return nil
}

func (s *store) put(ctx context.Context, key string, value []byte) error {
	_, err := s.pool.Exec(ctx, upsert, key, value)
	return err
}

func (s *store) get(ctx context.Context, key string) (value []byte, err error) {
	err = s.pool.QueryRow(ctx, read, key).Scan(&value)
	return value, err
}

func (s *store) readRange(ctx context.Context, from, end string) (int, error) {
	rows, err := s.pool.Query(ctx, scan, from, end)
	if err != nil {
		return 0, err
	}
	pairs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[peer.Pair])
	return len(pairs), err
}

func (s *store) putAll(ctx context.Context, pairs []peer.Pair) error {
	batch := &pgx.Batch{} // without begin it is one transaction
	for _, p := range pairs {
		batch.Queue(upsert, p.Key, p.Value)
	}
	return s.pool.SendBatch(ctx, batch).Close()
}

// transferSerializable is a transfer in a serializable transaction, begun again when refused.
func (s *store) transferSerializable(ctx context.Context, from, to string) error {
	o := pgx.TxOptions{IsoLevel: pgx.Serializable}
	return s.change(ctx, o, read, []move{{from, -1}, {to, 1}})
}

// transferLocks is a transfer with locks on both rows, in the order of keys.
func (s *store) transferLocks(ctx context.Context, from, to string) error {
	moves := []move{{from, -1}, {to, 1}}
	if from > to {
		moves[0], moves[1] = moves[1], moves[0]
	}
	return s.change(ctx, pgx.TxOptions{}, lock, moves)
}

func (s *store) increment(ctx context.Context, key string) error {
	return s.change(ctx, pgx.TxOptions{}, lock, []move{{key, 1}})
}

// move is what is added to an account.
type move struct {
	key    string
	amount int64
}

// change reads accounts by a query and writes them with what is added.
func (s *store) change(ctx context.Context, o pgx.TxOptions, query string, moves []move) error {
	return peer.Retry(ctx, func(ctx context.Context) error {
		err := pgx.BeginTxFunc(ctx, s.pool, o, func(tx pgx.Tx) error {
			values := make([][]byte, len(moves))
			for i, m := range moves {
				var old []byte
				if err := tx.QueryRow(ctx, query, m.key).Scan(&old); err != nil {
					return err
				}
				value, err := peer.Add(old, m.amount)
				if err != nil {
					return err
				}
				values[i] = value
			}
			for i, m := range moves {
				if _, err := tx.Exec(ctx, update, m.key, values[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if refused(err) {
			return peer.ErrConflict
		}
		return err
	})
}

// refused tells a transaction that is to be begun again: 40001 is a failed serialization, 40P01 a
// deadlock.
func refused(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}
