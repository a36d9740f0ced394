package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

// heard is what a server was asked, and may answer in its stead.
type heard struct {
	mu     sync.Mutex
	calls  []string
	ages   []string // of attempts, as they began
	answer func(m string, req proto.Message) error
}

func (h *heard) options() clienttest.Options {
	return clienttest.Options{Hook: func(_ context.Context, m cairnv1.Method, req proto.Message) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		name := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(m.String(), "METHOD_KV_"), "METHOD_TXN_"))
		begin, _ := req.(*cairnv1.BeginRequest)
		if r, ok := req.(interface{ GetBegin() *cairnv1.BeginRequest }); ok && r.GetBegin() != nil {
			name, begin = "begin+"+name, r.GetBegin()
		}
		if begin != nil {
			h.ages = append(h.ages, string(begin.Age))
		}
		h.calls = append(h.calls, name)
		if h.answer != nil {
			return h.answer(name, req)
		}
		return nil
	}}
}

// said is what was asked since the last time.
func (h *heard) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.calls = nil }()
	return strings.Join(h.calls, " ")
}

// A function's transaction begins with its first call, if that is a read.
func TestBeginsWithTheFirstCall(t *testing.T) {
	var h heard
	_, db := serve(t, h.options(), client.Options{})
	ctx := within(t)
	pessimistic := client.TxnOptions{Pessimistic: true}
	for want, run := range map[string]func() error{
		"begin+get get commit": func() error {
			return db.Update(ctx, func(tx *client.Txn) error {
				if tx.ReadTS() != 0 {
					t.Errorf("reads at %d before it has begun", tx.ReadTS())
				}
				must(tx.Get(ctx, "a"))(t)
				at := tx.ReadTS()
				if must(tx.Get(ctx, "b"))(t); at == 0 || tx.ReadTS() != at {
					t.Errorf("reads at %d, then at %d", at, tx.ReadTS())
				}
				return nil
			})
		},
		"begin+batch_get commit": func() error {
			return db.Update(ctx, func(tx *client.Txn) error {
				must(tx.BatchGet(ctx, []string{"a", "b"}, client.BatchGetOptions{}))(t)
				return nil
			})
		},
		"begin exists get commit": func() error {
			return db.Update(ctx, func(tx *client.Txn) error {
				must(tx.Exists(ctx, "a"))(t)
				must(tx.Get(ctx, "a"))(t)
				return nil
			})
		},
		"begin get commit": func() error {
			return db.UpdateWith(ctx, pessimistic, func(tx *client.Txn) error {
				must(tx.Get(ctx, "a"))(t)
				return nil
			})
		},
		"begin commit": func() error { return db.Update(ctx, func(*client.Txn) error { return nil }) },
		"": func() error {
			err := db.Update(ctx, func(*client.Txn) error { return errors.ErrUnsupported })
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("a function's own error is %v", err)
			}
			return nil
		},
		"begin+get rollback": func() error {
			_ = db.Update(ctx, func(tx *client.Txn) error {
				must(tx.Get(ctx, "a"))(t)
				return errors.ErrUnsupported
			})
			return nil
		},
	} {
		if err := run(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if got := h.said(); got != want {
			t.Errorf("calls are %q, want %q", got, want)
		}
	}
}

// The answer to the first call is lost: the next copy begins another transaction, which is the one.
func TestFirstCallLost(t *testing.T) {
	for _, unary := range []bool{false, true} {
		t.Run(fmt.Sprintf("unary=%v", unary), func(t *testing.T) {
			var tr troubles
			_, db := serve(t, tr.options(), client.Options{Unary: unary})
			ctx := within(t)
			tr.at(cairnv1.Method_METHOD_KV_GET, nil, lostTwice())
			err := db.Update(ctx, func(tx *client.Txn) error {
				must(tx.Get(ctx, "k"))(t)
				_, err := tx.SetString(ctx, "k", "v")
				return err
			})
			if e := must(db.Get(ctx, "k"))(t); err != nil || e.Revision != 0 {
				t.Errorf("%v, and the key is %+v", err, e)
			}
		})
	}
}

// Attempts are as old as the first, also behind one that failed with its first call.
func TestAgeSurvivesFirstCalls(t *testing.T) {
	var h heard
	runs := 0
	h.answer = func(name string, _ proto.Message) error {
		if name == "commit" && runs == 1 || name == "begin+get" && runs == 2 {
			return txn.Errorf(txn.Conflict, "test", "again")
		}
		return nil
	}
	_, db := serve(t, h.options(), client.Options{LockAfter: -1})
	ctx := within(t)
	err := db.Update(ctx, func(tx *client.Txn) error {
		runs++
		_, err := tx.Get(ctx, "a")
		return err
	})
	if want := []string{"", "t1", "t1"}; err != nil || !slices.Equal(h.ages, want) {
		t.Errorf("%v, and attempts began with %q, want %q", err, h.ages, want)
	}
}

// What has read outside of a transaction is not taken for a part of one.
func TestFirstCallOnAnOlderGateway(t *testing.T) {
	var h heard
	h.answer = func(_ string, req proto.Message) error {
		if r, ok := req.(*cairnv1.GetRequest); ok {
			r.Begin = nil
		}
		return nil
	}
	_, db := serve(t, h.options(), client.Options{})
	err := db.Update(within(t), func(tx *client.Txn) error {
		_, err := tx.Get(within(t), "a")
		return err
	})
	if e, ok := errors.AsType[*txn.Error](err); !ok || e.Reason != "begin_unsupported" {
		t.Errorf("got %v", err)
	}
}
