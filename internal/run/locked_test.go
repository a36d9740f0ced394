package run

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// TestLocked: a write that meets the lock of an older transaction waits for as long as its caller
// does, and is told who holds the lock, on one shard as on several. Nobody is told that it is
// unknown what became of it.
func TestLocked(t *testing.T) {
	at := serve(t, &Gateway{Data: filepath.Join(t.TempDir(), "data"), Splits: []string{"m"}})
	db, other := dial(t, at, false), dial(t, at, true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	older, err := db.Begin(ctx, client.TxnOptions{Pessimistic: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := older.Set(ctx, "a", client.IntValue(1), client.SetOptions{}); err != nil {
		t.Fatal(err)
	}
	open, err := db.OpenTxns(ctx)
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	writes := map[string]func(context.Context) error{
		"put": func(ctx context.Context) error {
			_, err := other.Set(ctx, "a", client.IntValue(2), client.SetOptions{})
			return err
		},
		"over two shards": func(ctx context.Context) error {
			tx, err := other.Begin(ctx, client.TxnOptions{})
			if err != nil {
				return err
			}
			for _, k := range []string{"a", "z"} {
				if _, err := tx.Set(ctx, k, client.IntValue(2), client.SetOptions{}); err != nil {
					return err
				}
			}
			_, err = tx.Commit(ctx)
			return err
		},
	}
	for name, write := range writes { // order: each by itself
		brief, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
		err := write(brief)
		cancel()
		e, _ := errors.AsType[*txn.Error](err)
		if e == nil || e.Kind != txn.Conflict || e.Reason != "lock_timeout" || e.Other.String() != open[0].ID {
			t.Errorf("%s while the key is locked: %v", name, err)
		}
	}
	waiting := make(chan error, len(writes))
	for _, write := range writes { // order: side by side
		go func() { waiting <- write(ctx) }()
	}
	eventually(t, "both wait", func() bool {
		table, err := db.Locks(ctx)
		n := 0
		for _, l := range table.Locks {
			if l.Waits && l.Key == "a" {
				n++
			}
		}
		return err == nil && n == len(writes)
	})
	if _, err := older.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for range writes {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
}
