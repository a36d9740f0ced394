package run

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// What a transaction reads and answers is refused before anything is written, if it would not fit
// the link to the member; and what is let through fits.
func TestLimitsOverALink(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	gw := start(t, &Gateway{Shards: []string{member.address}})
	db := dial(t, "http://"+gw.address, false)
	ctx := t.Context()
	then := []client.Op{client.SetOp("a", client.IntValue(1), client.SetOptions{})}
	for i := range 5 {
		k := fmt.Sprint("a", i)
		if _, err := db.Set(ctx, k, client.BytesValue(make([]byte, 3_900_000)), client.SetOptions{}); err != nil {
			t.Fatal(err)
		}
		then = append(then, client.GetOp(k))
	}
	if _, err := db.Execute(ctx, client.Program{Then: then}); txn.KindOf(err) != txn.Exhausted {
		t.Errorf("too large an answer: %v", err)
	}
	if e, err := db.Get(ctx, "a"); err != nil || e.Found() {
		t.Errorf("it was refused, and a is there: %v %v", e.Found(), err)
	}
	if res, err := db.Execute(ctx, client.Program{Then: then[:3]}); err != nil || !res.Succeeded {
		t.Errorf("an answer that fits: %v", err)
	}

	const fit = txn.ReadBytesMax / (txn.KeyBytesMax + 20)
	for n, want := range map[int]bool{fit: true, fit + 1: false} {
		tx, err := db.Begin(ctx, client.TxnOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf("a%04d", i) + strings.Repeat("x", txn.KeyBytesMax-5)
		}
		_, err = tx.BatchGet(ctx, keys[:n/2], client.BatchGetOptions{})
		if err == nil {
			_, err = tx.BatchGet(ctx, keys[n/2:], client.BatchGetOptions{})
		}
		if (err == nil) != want || err != nil && txn.KindOf(err) != txn.Exhausted {
			t.Errorf("%d keys are read: %v", n, err)
		}
		if _, err = tx.Set(ctx, "a", client.IntValue(1), client.SetOptions{}); err == nil {
			_, err = tx.Commit(ctx)
		}
		if (err == nil) != want || err != nil && txn.KindOf(err) != txn.Exhausted {
			t.Errorf("%d keys were read: %v", n, err)
		}
	}
}
