package client_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// Counters that many add to lose nothing, however often they conflict.
func TestUpdateCounter(t *testing.T) {
	const callers, each = 8, 5
	_, db := serve(t, clienttest.Options{}, client.Options{AttemptsMax: 1000})
	ctx := within(t)
	var runs atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				err := db.Update(ctx, func(tx *client.Txn) error {
					runs.Add(1)
					e, err := tx.Get(ctx, "n")
					if err != nil {
						return err
					}
					n := int64(0)
					if e.Found() {
						n = e.Value.Int()
					}
					_, err = tx.Set(ctx, "n", client.IntValue(n+1), client.SetOptions{})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := must(db.Get(ctx, "n"))(t).Value.Int(); n != callers*each {
		t.Errorf("counter is %d, want %d", n, callers*each)
	}
	if runs.Load() < callers*each {
		t.Errorf("only %d runs", runs.Load())
	}
}

func TestUpdateIsBounded(t *testing.T) {
	hook := func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_TXN_COMMIT {
			return txn.Errorf(txn.Wounded, "older", "an older transaction came")
		}
		return nil
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{AttemptsMax: 3})
	runs := 0
	fn := func(tx *client.Txn) error { runs++; return nil }
	err := db.Update(within(t), fn)
	if txn.KindOf(err) != txn.Wounded || runs != 3 {
		t.Errorf("%v after %d runs", err, runs)
	}
	ctx, cancel := context.WithCancel(within(t))
	err = db.Update(ctx, func(tx *client.Txn) error {
		cancel()
		return txn.Errorf(txn.Conflict, "test", "again")
	})
	if txn.KindOf(err) != txn.Deadline || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestUpdateOwnError(t *testing.T) {
	var rollbacks atomic.Int32
	hook := func(_ context.Context, m cairnv1.Method, _ proto.Message) error {
		if m == cairnv1.Method_METHOD_TXN_ROLLBACK {
			rollbacks.Add(1)
		}
		return nil
	}
	_, db := serve(t, clienttest.Options{Hook: hook}, client.Options{})
	ctx := within(t)
	mine := errors.New("mine")
	n, err := client.Do(ctx, db, func(tx *client.Txn) (int, error) {
		must(tx.SetString(ctx, "k", "v"))(t)
		if e := must(tx.Get(ctx, "k"))(t); string(e.Value.Data) != "v" || e.CommitTS != 0 && !e.Found() {
			t.Errorf("own write: %+v", e)
		}
		return 7, mine
	})
	if err != mine || n != 0 || rollbacks.Load() != 1 {
		t.Errorf("%d, %v, %d rollbacks", n, err, rollbacks.Load())
	}
	if e := must(db.Get(ctx, "k"))(t); e.Found() {
		t.Errorf("rolled back, and there is %+v", e)
	}
	err = db.View(ctx, func(tx *client.Txn) error {
		_, err := tx.SetString(ctx, "k", "v")
		return err
	})
	if txn.KindOf(err) != txn.Invalid {
		t.Errorf("write in a view: %v", err)
	}
}

func TestBegin(t *testing.T) {
	s, db := serve(t, clienttest.Options{}, client.Options{})
	ctx := within(t)
	tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
	must(tx.SetString(ctx, "b", "1"))(t)
	must(tx.In("default").SetString(ctx, "a", "1"))(t)
	must(tx.Delete(ctx, "none", client.DeleteOptions{}))(t)
	if e := must(db.Get(ctx, "a"))(t); e.Found() {
		t.Errorf("seen before commit: %+v", e)
	}
	out := must(tx.Commit(ctx))(t)
	if out.CommitTS <= tx.ReadTS() || len(out.Written) != 2 || out.Written[0].Key != "a" {
		t.Errorf("commit: %+v", out)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Errorf("rollback after commit: %v", err)
	}
	if _, err := tx.Commit(ctx); txn.KindOf(err) != txn.Invalid {
		t.Errorf("second commit: %v", err)
	}
	if _, err := tx.Get(ctx, "a"); txn.KindOf(err) != txn.Invalid {
		t.Errorf("get after commit: %v", err)
	}
	view := must(db.Begin(ctx, client.TxnOptions{AsOf: tx.ReadTS()}))(t)
	if e := must(view.Get(ctx, "a"))(t); e.Found() {
		t.Errorf("as of before the commit: %+v", e)
	}
	if err := view.Rollback(ctx); err != nil {
		t.Error(err)
	}
	// A gateway that restarts forgets open transactions: they run again.
	runs := 0
	err := db.Update(ctx, func(tx *client.Txn) error {
		must(tx.Get(ctx, "a"))(t)
		if runs++; runs == 1 {
			s.Close()
			if err := s.Restart(); err != nil {
				return err
			}
		}
		_, err := tx.SetString(ctx, "k", "v")
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%v after %d runs", err, runs)
	}
}
