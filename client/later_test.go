package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnkv/cairn/client"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/token"
	"github.com/cairnkv/cairn/txn"
)

// setBoth writes two keys, and fails the test where that is no plain success.
func setBoth(t *testing.T, tx *client.Txn, value string) {
	t.Helper()
	for _, key := range []string{"a", "b"} {
		r := must(tx.SetString(t.Context(), key, value))(t)
		if r != (client.SetResult{Set: true}) {
			t.Errorf("set %q: %+v", key, r)
		}
	}
}

// A set of which all is known before is no call of its own in a function's transaction.
func TestSetsGoWithOtherCalls(t *testing.T) {
	var h heard
	_, db := serve(t, h.options(), client.Options{})
	ctx := within(t)
	absent := client.SetOptions{If: client.Conditions{Absent: true}}
	in := func(o client.TxnOptions, f func(tx *client.Txn)) func() error {
		return func() error {
			return db.UpdateWith(ctx, o, func(tx *client.Txn) error {
				f(tx)
				return nil
			})
		}
	}
	for want, run := range map[string]func() error{
		"begin+get get commit": in(client.TxnOptions{}, func(tx *client.Txn) {
			must(tx.Get(ctx, "a"))(t)
			must(tx.Get(ctx, "b"))(t)
			setBoth(t, tx, "v")
		}),
		"begin commit": in(client.TxnOptions{}, func(tx *client.Txn) { setBoth(t, tx, "w") }),
		"begin+batch_get commit": in(client.TxnOptions{}, func(tx *client.Txn) {
			must(tx.BatchGet(ctx, []string{"a", "b"}, client.BatchGetOptions{}))(t)
			items := []client.SetItem{{Key: "a"}, {Key: "b"}}
			got := must(tx.BatchSet(ctx, items, client.BatchOptions{}))(t)
			if !slices.Equal(got, []client.SetResult{{Set: true}, {Set: true}}) {
				t.Errorf("batch: %+v", got)
			}
		}),
		"begin batch_set get commit": in(client.TxnOptions{}, func(tx *client.Txn) {
			setBoth(t, tx, "own")
			if e := must(tx.Get(ctx, "b"))(t); string(e.Value.Data) != "own" {
				t.Errorf("its own write is %+v", e)
			}
			setBoth(t, tx, "x")
		}),
		"begin batch_set batch_set get commit": in(client.TxnOptions{}, func(tx *client.Txn) {
			setBoth(t, tx, "x")
			must(tx.In("other").SetString(ctx, "a", "elsewhere"))(t)
			if e := must(tx.In("other").Get(ctx, "a"))(t); string(e.Value.Data) != "elsewhere" {
				t.Errorf("its own write elsewhere is %+v", e)
			}
		}),
		"begin batch_set set delete commit": in(client.TxnOptions{}, func(tx *client.Txn) {
			setBoth(t, tx, "x")
			if r := must(tx.Set(ctx, "a", client.IntValue(1), absent))(t); r.Set {
				t.Errorf("a set under a condition: %+v", r)
			}
			if r := must(tx.Delete(ctx, "b", client.DeleteOptions{}))(t); !r.Deleted {
				t.Errorf("delete: %+v", r)
			}
		}),
		"begin get set set commit": in(client.TxnOptions{Pessimistic: true}, func(tx *client.Txn) {
			must(tx.Get(ctx, "a"))(t)
			setBoth(t, tx, "p")
		}),
		"begin+get set commit": in(client.TxnOptions{Timeout: 4}, func(tx *client.Txn) {
			must(tx.Get(ctx, "a"))(t) // which is long ago, if one has 4 ns
			must(tx.SetString(ctx, "a", "late"))(t)
		}),
		"begin set set rollback": func() error {
			tx := must(db.Begin(ctx, client.TxnOptions{}))(t)
			setBoth(t, tx, "explicit")
			return tx.Rollback(ctx)
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

// What is too much to be kept is sent.
func TestSetsDoNotPileUp(t *testing.T) {
	var h heard
	_, db := serve(t, h.options(), client.Options{})
	ctx := within(t)
	const keys, large = 2500, 200 << 10
	err := db.Update(ctx, func(tx *client.Txn) error {
		for i := range keys {
			must(tx.SetString(ctx, fmt.Sprint(i), "v"))(t)
		}
		for i := range 2 {
			must(tx.SetBytes(ctx, fmt.Sprint("large", i), make([]byte, large)))(t)
		}
		return nil
	})
	if want := "begin batch_set set batch_set set batch_set set commit"; err != nil || h.said() != want {
		t.Errorf("%v, with other calls than %s", err, want)
	}
	n := must(db.Count(ctx, client.Range{}))(t)
	if n != keys+2 {
		t.Errorf("%d keys were written, want %d", n, keys+2)
	}
}

// A set that waits has the bytes that it was called with.
func TestSetsKeepTheirBytes(t *testing.T) {
	_, db := serve(t, (&heard{}).options(), client.Options{})
	ctx := within(t)
	err := db.Update(ctx, func(tx *client.Txn) error {
		b := []byte("first")
		must(tx.SetBytes(ctx, "a", b))(t)
		copy(b, "other")
		items := []client.SetItem{{Key: "b", Value: client.BytesValue(b)}}
		must(tx.BatchSet(ctx, items, client.BatchOptions{}))(t)
		copy(b, "third")
		return nil
	})
	a, b := must(db.Get(ctx, "a"))(t), must(db.Get(ctx, "b"))(t)
	if err != nil || !bytes.Equal(a.Value.Data, []byte("first")) || string(b.Value.Data) != "other" {
		t.Errorf("%v, and the keys are %s and %s", err, a.Value.Data, b.Value.Data)
	}
}

// What is wrong with a set that was kept ends the transaction, also where nobody looked at the call
// that said so.
func TestSetsThatFail(t *testing.T) {
	var h heard
	h.answer = func(name string, req proto.Message) error {
		switch r := req.(type) {
		case *cairnv1.BatchSetRequest:
			return txn.Errorf(txn.NotFound, "keyspace_not_found", "no keyspace %q", r.Keyspace)
		case *cairnv1.CommitRequest:
			if len(r.Sets) > 0 {
				return txn.Errorf(txn.Exhausted, "value_too_large", "x")
			}
		}
		return nil
	}
	_, db := serve(t, h.options(), client.Options{})
	ctx := within(t)
	err := db.Update(ctx, func(tx *client.Txn) error {
		must(tx.In("none").SetString(ctx, "a", "v"))(t)
		for range 2 {
			if _, err := tx.Get(ctx, "b"); txn.KindOf(err) != txn.NotFound {
				t.Errorf("get: %v", err)
			}
		}
		if _, err := tx.SetString(ctx, "b", "v"); txn.KindOf(err) != txn.NotFound {
			t.Errorf("set: %v", err)
		}
		return nil
	})
	if got, want := h.said(), "begin batch_set rollback"; txn.KindOf(err) != txn.NotFound || got != want {
		t.Errorf("%v by %q, want %q", err, got, want)
	}
	err = db.Update(ctx, func(tx *client.Txn) error {
		must(tx.SetString(ctx, "a", "v"))(t)
		return nil
	})
	if got, want := h.said(), "begin commit rollback"; txn.KindOf(err) != txn.Exhausted || got != want {
		t.Errorf("%v by %q, want %q", err, got, want)
	}
	err = db.Update(ctx, func(tx *client.Txn) error {
		_, err := tx.SetString(ctx, "", "v")
		return err
	})
	if got := h.said(); txn.KindOf(err) != txn.Invalid || !strings.HasPrefix(got, "begin set") {
		t.Errorf("no key: %v by %q", err, got)
	}
}

// The answer to a commit that brings the first writes is lost. What came of it is still told.
func TestCommitOfFirstWritesLost(t *testing.T) {
	for _, unary := range []bool{false, true} {
		t.Run(fmt.Sprintf("unary=%v", unary), func(t *testing.T) {
			var tr troubles
			_, db := serve(t, tr.options(), client.Options{Unary: unary})
			ctx := within(t)
			runs := 0
			add := func(tx *client.Txn) error {
				runs++
				e := must(tx.Get(ctx, "n"))(t)
				n := int64(1)
				if e.Found() {
					n += e.Value.Int()
				}
				must(tx.Set(ctx, "n", client.IntValue(n), client.SetOptions{}))(t)
				must(tx.In("other").Set(ctx, "a", client.IntValue(n), client.SetOptions{}))(t)
				return nil
			}
			tr.at(cairnv1.Method_METHOD_TXN_COMMIT, nil, lostTwice())
			if err := db.Update(ctx, add); err != nil || runs != 1 {
				t.Errorf("it was done: %v after %d runs", err, runs)
			}
			tr.at(cairnv1.Method_METHOD_TXN_COMMIT, lostTwice()[:1], nil)
			if err := db.Update(ctx, add); err != nil || runs != 3 {
				t.Errorf("it was not done: %v after %d runs", err, runs-1)
			}
			if n := must(db.Get(ctx, "n"))(t).Value.Int(); n != 2 {
				t.Errorf("two were added, and there are %d", n)
			}
		})
	}
}

// Where nobody hears of it, the token names the first key.
func TestTokenOfFirstWrites(t *testing.T) {
	var h heard
	h.answer = func(name string, _ proto.Message) error {
		if name == "commit" || name == "outcome" {
			return &txn.Error{Kind: txn.Unknown}
		}
		return nil
	}
	_, db := serve(t, h.options(), client.Options{ResolveMax: 50 * time.Millisecond})
	at := client.Timestamp(0)
	err := db.Update(t.Context(), func(tx *client.Txn) error {
		must(tx.Get(t.Context(), "z"))(t)
		at = tx.ReadTS()
		must(tx.In("other").SetString(t.Context(), "z", "v"))(t)
		setBoth(t, tx, "v")
		return nil
	})
	tok, perr := token.Parse(client.OutcomeToken(err))
	if txn.KindOf(err) != txn.Unknown || errors.Join(perr) != nil || tok.Keyspace != "other" ||
		string(tok.Anchor) != "z" || tok.Since != at {
		t.Errorf("%v with token %+v, %v", err, tok, perr)
	}
}

// The answer to sets that went before a read is lost: the function runs again.
func TestFlushedSetsLost(t *testing.T) {
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{})
	ctx := within(t)
	runs := 0
	tr.at(cairnv1.Method_METHOD_KV_BATCH_SET, nil, lostTwice()[:1])
	err := db.Update(ctx, func(tx *client.Txn) error {
		runs++
		setBoth(t, tx, fmt.Sprint(runs))
		_, _ = tx.Get(ctx, "c")
		return nil
	})
	if e := must(db.Get(ctx, "a"))(t); err != nil || runs != 2 || string(e.Value.Data) != "2" {
		t.Errorf("%v after %d runs, and the key is %+v", err, runs, e)
	}
}
