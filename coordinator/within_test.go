package coordinator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/txn"
)

// silent answers nothing: its calls last until nobody waits for them any more.
type silent struct{ coordinator.Shards }

func (silent) Timestamp(ctx context.Context, _ int) (txn.Timestamp, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// Without tasks of their own calls end in time, and with their caller.
func TestCallsEndWithin(t *testing.T) {
	r := env.NewReal()
	defer r.Close()
	within := func(ctx context.Context, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(ctx, d)
		t.Cleanup(cancel)
		return ctx
	}
	c, err := coordinator.New(coordinator.Options{Env: r, Shards: silent{}, Within: within,
		AttemptTimeout: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	read := coordinator.Read{Keys: []txn.Key{txn.NewKey(txn.DefaultKeyspace, []byte("k"))}}
	gone, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, _, err := c.Get(gone, read); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that left: %v", err)
	}
	read.Deadline = r.Now() + 20*time.Millisecond
	if _, _, err := c.Get(t.Context(), read); txn.KindOf(err) != txn.Unavailable {
		t.Errorf("a deadline: %v", err)
	}
}
