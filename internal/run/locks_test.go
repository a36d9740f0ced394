package run

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/proto/shardrpc"
)

// TestLocks: whoever asks, through whichever gateway, sees who holds a lock and who waits for whom.
func TestLocks(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		at := serve(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"c"}})
		testLocks(t, dial(t, at, false), dial(t, at, true), func() { countsLocks(t, at, 2, 1) })
		countsLocks(t, at, 0, 0)
	})
	t.Run("linked", func(t *testing.T) {
		member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
		shards := []string{member.address}
		first, second := serve(t, &Gateway{Shards: shards}), serve(t, &Gateway{Shards: shards})
		testLocks(t, dial(t, first, false), dial(t, second, false), func() {
			countsLocks(t, "http://"+member.address, 2, 1)
		})
		countsLocks(t, "http://"+member.address, 0, 0)
	})
}

// countsLocks waits until the metrics of the member at endpoint say so.
func countsLocks(t *testing.T, endpoint string, held, waiting int) {
	t.Helper()
	eventually(t, "the member's metrics count the locks", func() bool {
		_, body := get(t, endpoint+"/metrics")
		return total(t, body, "cairn_shard_locks{") == held &&
			total(t, body, "cairn_shard_lock_waits{") == waiting
	})
}

// total is the sum of a metric over all shards.
func total(t *testing.T, metrics, name string) (sum int) {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, name) {
			n, err := strconv.Atoi(strings.Fields(line)[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// testLocks calls waits while one transaction holds two locks and another one waits.
func testLocks(t *testing.T, db, other *client.DB, waits func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begin := func(db *client.DB) *client.Txn {
		tx, err := db.Begin(ctx, client.TxnOptions{Pessimistic: true})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	table := func() (all []string, locks client.LockTable) {
		locks, err := other.Locks(ctx)
		if err != nil || locks.More || len(locks.Silent) > 0 {
			t.Fatalf("%+v, %v", locks, err)
		}
		for _, l := range locks.Locks {
			state := "held"
			if l.Waits {
				state = "waits"
			}
			all = append(all, strings.Join([]string{l.Keyspace, l.Key, l.Mode.String(), state}, " "))
		}
		return all, locks
	}
	holder := begin(db)
	for _, key := range []string{"a", "k"} {
		if _, err := holder.Set(ctx, key, client.IntValue(1), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	waiter, got := begin(other), make(chan error, 1)
	go func() {
		_, err := waiter.Get(ctx, "k")
		got <- err
	}()
	want := []string{"default a exclusive held", "default k exclusive held", "default k shared waits"}
	eventually(t, "one waits", func() bool { all, _ := table(); return slices.Equal(all, want) })
	_, locks := table()
	held, behind := locks.Locks[1], locks.Locks[2]
	waits()
	if held.Txn == behind.Txn || !slices.Equal(behind.Behind, []string{held.Txn}) || len(held.Behind) > 0 {
		t.Errorf("%+v; %+v", held, behind)
	}
	if held.Age >= behind.Age || held.Since < 0 || held.Since > time.Minute {
		t.Errorf("ages and times: %+v; %+v", held, behind)
	}
	open, err := db.OpenTxns(ctx)
	if err != nil || len(open) == 0 || open[0].ID != held.Txn {
		t.Errorf("%+v holds a lock, open are %+v, %v", held, open, err)
	}
	if _, err := holder.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other one has it", func() bool {
		all, _ := table()
		return slices.Equal(all, []string{"default k shared held"})
	})
	if err := waiter.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody has a lock", func() bool { all, _ := table(); return len(all) == 0 })
}

// showsLocks answers for shards 2 to 5.
type showsLocks struct{}

func (showsLocks) Routes(context.Context) ([]shardrpc.Route, error) {
	return []shardrpc.Route{{Shard: 2}, {Shard: 3}, {Shard: 4}, {Shard: 5}}, nil
}

func (showsLocks) Locks(
	ctx context.Context, req *shardrpc.LocksRequest,
) (*shardrpc.LocksResponse, error) {
	switch req.Shard {
	case 2:
		return nil, errors.New("broken link")
	case 3:
		<-ctx.Done()
		return nil, ctx.Err()
	case 4:
		return &shardrpc.LocksResponse{Answer: shardrpc.Moved}, nil
	}
	return &shardrpc.LocksResponse{Answer: shardrpc.OK, More: true,
		Locks: []shardrpc.LockInfo{{Waits: true}}}, nil
}

// TestSilentShards: a shard that does not answer hides no other, and is named.
func TestSilentShards(t *testing.T) {
	all, err := showLocks(t.Context(), showsLocks{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, why := range []string{"broken link", "context deadline exceeded", "the shard does not serve now", ""} {
		if s := all[i]; s.Silent != why || s.Shard != shardrpc.ShardID(2+i) {
			t.Errorf("%+v, want %q", s, why)
		}
	}
	if s := all[3]; !s.More || len(s.Locks) != 1 {
		t.Errorf("%+v", s)
	}
}
