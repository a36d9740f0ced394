package coordinator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/proto/shardrpc"
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

// A read that nobody waits for tells the present, or is left to Get; who cannot tell it is not asked
// for a while.
func TestGetSoon(t *testing.T) {
	r := env.NewReal()
	defer r.Close()
	var answer shardrpc.ReadResponse
	var fails error
	asked := 0
	c, err := coordinator.New(coordinator.Options{Env: r, Shards: routed{}, ReadSoon: func(
		_ context.Context, req *shardrpc.ReadRequest, within time.Duration, then func(*shardrpc.ReadResponse, error),
	) func(error) {
		if asked++; req.Shard != 2 || req.Epoch != 7 || req.At != 0 || len(req.Keys) != 1 || within <= 0 {
			t.Errorf("%+v within %v", req, within)
		}
		then(&answer, fails)
		return func(error) {}
	}})
	if err != nil {
		t.Fatal(err)
	}
	key := txn.NewKey(txn.DefaultKeyspace, []byte("k"))
	get := func() (begun, ok bool, at txn.Timestamp) {
		end := c.GetSoon(t.Context(), key, func(v *txn.Version, ts txn.Timestamp, told bool) {
			ok, at = told && v.Revision == 4, ts
		})
		return end != nil, ok, at
	}
	if begun, _, _ := get(); begun {
		t.Error("it was begun without routes")
	}
	_, _, _ = c.Get(t.Context(), coordinator.Read{Keys: []txn.Key{key}, Deadline: r.Now() + time.Millisecond})
	answer = shardrpc.ReadResponse{At: 9, Versions: []txn.Version{{Revision: 4}}}
	if begun, ok, at := get(); !begun || !ok || at != 9 {
		t.Errorf("begun %v, ok %v, at %d", begun, ok, at)
	}
	fails = errors.New("lost")
	if begun, ok, _ := get(); !begun || ok {
		t.Errorf("a lost answer: begun %v, ok %v", begun, ok)
	}
	for _, a := range []shardrpc.ReadResponse{{Moved: true}, {At: 9}, {Retry: true}} {
		fails, answer = nil, a
		if begun, ok, _ := get(); !begun || ok {
			t.Errorf("%+v: begun %v, ok %v", a, begun, ok)
		}
	}
	if begun, _, _ := get(); begun || asked != 5 {
		t.Errorf("begun %v, asked %d times", begun, asked)
	}
}

// routed has one shard, which answers nothing.
type routed struct{ silent }

func (routed) Routes(context.Context) ([]shardrpc.Route, error) {
	return []shardrpc.Route{{Shard: 2, Epoch: 7}}, nil
}

func (routed) Timestamp(context.Context, int) (txn.Timestamp, error) { return 1, nil }

func (routed) Read(ctx context.Context, _ *shardrpc.ReadRequest) (*shardrpc.ReadResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
