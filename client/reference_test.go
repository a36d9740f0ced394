package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func testUpdates(t *testing.T, db *client.DB) {
	ctx := within(t)
	five := client.IntValue(5)
	r := must(db.Increment(ctx, "n", five, client.UpdateOptions{TTLIfNew: time.Hour}))(t)
	if !r.Updated || r.Value.Int() != 5 || r.Revision != 0 || r.PrevRevision != -1 || r.ExpiresAt.IsZero() {
		t.Errorf("first increment: %+v", r)
	}
	bounds := client.UpdateOptions{UpperBound: new(client.IntValue(8)), LowerBound: new(client.IntValue(1))}
	if r := must(db.Increment(ctx, "n", five, bounds))(t); r.Updated || r.Value.Int() != 5 || r.Revision != 0 {
		t.Errorf("increment over the bound: %+v", r)
	}
	if r := must(db.Decrement(ctx, "n", five, bounds))(t); r.Updated {
		t.Errorf("decrement under the bound: %+v", r)
	}
	if r := must(db.Decrement(ctx, "n", client.IntValue(2), bounds))(t); r.Value.Int() != 3 || r.Revision != 1 {
		t.Errorf("decrement: %+v", r)
	}
	if _, err := db.Decrement(ctx, "n", client.IntValue(math.MinInt64), bounds); txn.KindOf(err) != txn.Invalid {
		t.Errorf("decrement by the least int: %v", err)
	}
	if r := must(db.Max(ctx, "n", five, client.UpdateOptions{}))(t); !r.Updated || r.Value.Int() != 5 {
		t.Errorf("max: %+v", r)
	}
	if r := must(db.Min(ctx, "n", client.IntValue(7), client.UpdateOptions{}))(t); r.Updated || r.Value.Int() != 5 {
		t.Errorf("min: %+v", r)
	}
	must(db.SetString(ctx, "s", "ab"))(t)
	a := must(db.Append(ctx, "s", client.StringValue("cd"), client.UpdateOptions{}))(t)
	if e := must(db.Get(ctx, "s"))(t); !a.Updated || a.ValueBytes != 4 || string(e.Value.Data) != "abcd" {
		t.Errorf("append: %+v made %+v", a, e)
	}
	if _, err := db.Increment(ctx, "s", five, client.UpdateOptions{}); txn.KindOf(err) != txn.Invalid {
		t.Errorf("increment of a string: %v", err)
	}
	ttl := must(db.TTL(ctx, "n"))(t)
	if !ttl.Found() || ttl.Left <= 0 || ttl.Left > time.Hour {
		t.Errorf("ttl: %+v", ttl)
	}
	for i, want := range []bool{true, false} {
		if p := must(db.Persist(ctx, "n", client.ExtendOptions{}))(t); p.Persisted != want || p.Revision != ttl.Revision {
			t.Errorf("persist %d: %+v", i, p)
		}
	}
	if ttl := must(db.TTL(ctx, "n"))(t); ttl.Left != 0 || !ttl.Found() {
		t.Errorf("ttl after persist: %+v", ttl)
	}
	if ttl := must(db.TTL(ctx, "gone"))(t); ttl.Found() {
		t.Errorf("ttl of a missing key: %+v", ttl)
	}
}

func testBatches(t *testing.T, db *client.DB) {
	ctx := within(t)
	items := []client.SetItem{
		{Key: "b/2", Value: client.IntValue(2)},
		{Key: "b/1", Value: client.IntValue(1), If: client.Conditions{Present: true}},
	}
	set := must(db.BatchSet(ctx, items, client.BatchOptions{}))(t)
	if len(set) != 2 || !set[0].Set || set[0].CommitTS == 0 || set[1].Set || set[1].Revision != -1 {
		t.Errorf("batch set: %+v", set)
	}
	_, err := db.BatchSet(ctx, items, client.BatchOptions{RequireAll: true})
	if txn.KindOf(err) != txn.NotFound {
		t.Errorf("batch set of existing keys: %v", err)
	}
	gone := must(db.BatchDelete(ctx, []string{"b/1", "b/2"}, client.BatchOptions{}))(t)
	if len(gone) != 2 || gone[0].Deleted || !gone[1].Deleted || gone[1].Revision != 1 {
		t.Errorf("batch delete: %+v", gone)
	}
	eph := db.Ephemeral()
	must(eph.SetString(ctx, "b/2", "in memory"))(t)
	if e := must(db.Get(ctx, "b/2"))(t); e.Found() {
		t.Errorf("an ephemeral key is a persistent one: %+v", e)
	}
	if e := must(eph.Get(ctx, "b/2"))(t); string(e.Value.Data) != "in memory" || e.Revision != 0 {
		t.Errorf("ephemeral get: %+v", e)
	}
	if _, err := eph.Count(ctx, client.All()); txn.KindOf(err) != txn.Invalid {
		t.Errorf("ephemeral count: %v", err)
	}
	if _, err := eph.DeleteRange(ctx, client.All(), client.DeleteRangeOptions{}); txn.KindOf(err) != txn.Invalid {
		t.Errorf("ephemeral delete range: %v", err)
	}
}

func testRanges(t *testing.T, db *client.DB) {
	ctx := within(t)
	for _, key := range []string{"user:1:profile", "user:1:mail", "user:2:profile", "user:3:profile", "vase"} {
		must(db.SetString(ctx, key, "v"))(t)
	}
	profiles := client.Prefix("user:")
	profiles.Glob = "user:*:profile"
	if n := must(db.Count(ctx, profiles))(t); n != 3 {
		t.Errorf("%d keys match %q", n, profiles.Glob)
	}
	dry := must(db.DeleteRange(ctx, profiles, client.DeleteRangeOptions{DryRun: true}))(t)
	if n := must(db.Count(ctx, client.Prefix("user:")))(t); dry.Count != 3 || n != 4 {
		t.Errorf("dry run: %+v, and %d keys are left", dry, n)
	}
	if _, err := db.DeleteRange(ctx, client.Range{}, client.DeleteRangeOptions{}); txn.KindOf(err) != txn.Invalid {
		t.Errorf("a range that selects nothing: %v", err)
	}
	before := dry.CommitTS
	if r := must(db.DeleteRange(ctx, profiles, client.DeleteRangeOptions{}))(t); r.Count != 3 {
		t.Errorf("delete range: %+v", r)
	}
	plan := must(db.RevertRange(ctx, client.Prefix("user:"), before, client.RevertOptions{DryRun: true}))(t)
	if plan.Count != 3 || len(plan.Changes) != 3 || plan.Changes[0].From != nil || plan.Changes[0].To == nil {
		t.Errorf("revert, dry: %+v", plan)
	}
	if r := must(db.RevertRange(ctx, client.Prefix("user:"), before, client.RevertOptions{}))(t); r.Count != 3 {
		t.Errorf("revert: %+v", r)
	}
	if n := must(db.DeleteRangeBatched(ctx, client.Prefix("user:"), "why"))(t); n != 4 {
		t.Errorf("%d keys deleted in batches", n)
	}
	if n := must(db.Count(ctx, client.Prefix("user:")))(t); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	const many = 2001 // two whole pages and a bit
	var items []client.SetItem
	for i := range many {
		items = append(items, client.SetItem{Key: fmt.Sprintf("many/%d", i), Value: client.NullValue()})
	}
	was := must(db.BatchSetBatched(ctx, items, ""))(t)
	if len(was) != many || !was[many-1].Set || was[0].CommitTS == was[many-1].CommitTS {
		t.Errorf("%d of %d keys set in batches at %d", len(was), many, was[0].CommitTS)
	}
	at := was[many-1].CommitTS
	n := must(db.DeleteRangeBatched(ctx, client.Prefix("many/"), ""))(t)
	if left := must(db.Count(ctx, client.Prefix("many/")))(t); n != many || left != 0 {
		t.Errorf("%d of %d keys deleted, %d are left", n, many, left)
	}
	must(db.SetString(ctx, "many/later", "there since"))(t)
	n = must(db.RevertRangeBatched(ctx, client.Prefix("many/"), at, ""))(t)
	if back := must(db.Count(ctx, client.Prefix("many/")))(t); n != many+1 || back != many {
		t.Errorf("%d of %d keys brought back, %d are there", n, many+1, back)
	}
}

func testHistory(t *testing.T, db *client.DB) {
	ctx := within(t)
	must(db.Set(ctx, "h", client.IntValue(1), client.SetOptions{Message: "first"}))(t)
	must(db.ExtendWith(ctx, "h", time.Hour, client.ExtendOptions{Message: "longer"}))(t)
	must(db.Delete(ctx, "h", client.DeleteOptions{}))(t)
	must(db.Revert(ctx, "h", client.AtRevision(0), client.RevertOptions{Message: "back"}))(t)
	err := db.UpdateWith(ctx, client.TxnOptions{Message: "in a transaction"}, func(tx *client.Txn) error {
		_, err := tx.Increment(ctx, "h", client.IntValue(1), client.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(o client.HistoryOptions) (all []string) {
		for h, err := range db.History(ctx, "h", o) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, h.Change.String()+" "+h.Message)
		}
		return all
	}
	want := []string{"set in a transaction", "set back", "deleted ", "extended longer", "set first"}
	if got := read(client.HistoryOptions{Page: 2}); !slices.Equal(got, want) {
		t.Errorf("history: %q, want %q", got, want)
	}
	if got := read(client.HistoryOptions{Limit: 3}); !slices.Equal(got, want[:3]) {
		t.Errorf("history: %q, want %q", got, want[:3])
	}
	for h, err := range db.History(ctx, "", client.HistoryOptions{}) {
		if txn.KindOf(err) != txn.Invalid {
			t.Errorf("history of an empty key: %+v, %v", h, err)
		}
	}
	_, err = db.Revert(ctx, "h", client.AtRevision(77), client.RevertOptions{})
	if txn.KindOf(err) != txn.NotFound {
		t.Errorf("revert to a missing revision: %v", err)
	}
}

func testProgram(t *testing.T, db *client.DB) {
	ctx := within(t)
	must(db.SetString(ctx, "p/old", "v"))(t)
	o := client.UpdateOptions{}
	out := must(db.Execute(ctx, client.Program{
		Message: "all at once",
		Then: []client.Op{
			client.IncrementOp("p/n", client.IntValue(2), o), client.MaxOp("p/n", client.IntValue(9), o),
			client.MinOp("p/n", client.IntValue(4), o), client.AppendOp("p/s", client.StringValue("x"), o),
			client.TTLOp("p/n"), client.DeleteRangeOp(client.Prefix("p/old"), client.DeleteRangeOptions{}),
		},
	}))(t)
	if len(out.Results) != 6 || out.Results[2].Update.Value.Int() != 4 || !out.Results[4].TTL.Found() ||
		out.Results[3].Update.ValueBytes != 1 || out.Results[5].DeleteRange.Count != 1 {
		t.Errorf("execute: %+v", out)
	}
	back := must(db.Execute(ctx, client.Program{Then: []client.Op{
		client.RevertRangeOp(client.Prefix("p/"), out.CommitTS-1, client.RevertOptions{DryRun: true}),
		client.RevertOp("p/old", client.AtRevision(0), client.RevertOptions{}),
	}}))(t)
	if back.Results[0].Revert.Count != 3 || back.Results[1].Revert.Count != 1 {
		t.Errorf("execute of reverts: %+v", back)
	}
}

// The new calls happen once, too, whatever becomes of their answers.
func TestLostAnswersOfTheReference(t *testing.T) {
	var tr troubles
	_, db := serve(t, tr.options(), client.Options{})
	ctx := within(t)
	one := client.IntValue(1)

	tr.at(cairnv1.Method_METHOD_KV_UPDATE, nil, lostTwice())
	if r := must(db.Increment(ctx, "k", one, client.UpdateOptions{}))(t); r.Value.Int() != 1 {
		t.Errorf("increment: %+v", r)
	}
	tr.at(cairnv1.Method_METHOD_KV_BATCH_SET, nil, lostTwice())
	items := []client.SetItem{{Key: "k", Value: one}, {Key: "a", Value: one}}
	if r := must(db.BatchSet(ctx, items, client.BatchOptions{}))(t); r[0].Revision != 1 || r[1].Revision != 0 {
		t.Errorf("batch set: %+v", r)
	}
	tr.at(cairnv1.Method_METHOD_KV_REVERT, nil, lostTwice())
	if r := must(db.Revert(ctx, "k", client.AtRevision(0), client.RevertOptions{}))(t); r.Count != 0 {
		t.Errorf("revert to the same: %+v", r)
	}
	tr.at(cairnv1.Method_METHOD_KV_BATCH_DELETE, nil, lostTwice())
	if r := must(db.BatchDelete(ctx, []string{"k"}, client.BatchOptions{}))(t); !r[0].Deleted {
		t.Errorf("batch delete: %+v", r)
	}
	tr.at(cairnv1.Method_METHOD_KV_DELETE_RANGE, nil, lostTwice())
	if r := must(db.DeleteRange(ctx, client.Prefix("a"), client.DeleteRangeOptions{}))(t); r.Count != 1 {
		t.Errorf("delete range: %+v", r)
	}
	// A copy that is refused for good says nothing about the first: its token does.
	tr.at(cairnv1.Method_METHOD_KV_DELETE_RANGE, []error{nil, txn.Errorf(txn.Invalid, "test", "no")}, lostTwice()[:1])
	must(db.SetString(ctx, "a", "v"))(t)
	if r := must(db.DeleteRange(ctx, client.Prefix("a"), client.DeleteRangeOptions{}))(t); r.Count != 1 {
		t.Errorf("delete range, refused the second time: %+v", r)
	}
	// Where a selection begins is where the request is remembered, also behind a pattern's first letters.
	everything, pattern := client.All(), client.All()
	pattern.Glob = "b?"
	for _, r := range []client.Range{everything, pattern} {
		must(db.SetString(ctx, "bb", "v"))(t)
		tr.at(cairnv1.Method_METHOD_KV_DELETE_RANGE, []error{nil, txn.Errorf(txn.Invalid, "test", "no")}, lostTwice()[:1])
		if r := must(db.DeleteRange(ctx, r, client.DeleteRangeOptions{}))(t); r.Count != 1 {
			t.Errorf("delete range: %+v", r)
		}
	}
	// What is ephemeral is remembered by nobody.
	tr.at(cairnv1.Method_METHOD_KV_SET, nil, lostTwice())
	_, err := db.Ephemeral().SetString(ctx, "e", "v")
	if txn.KindOf(err) != txn.Unknown || client.OutcomeToken(err) != "" {
		t.Errorf("ephemeral set: %v", err)
	}
}

// Over https the server has to be somebody who is trusted. Where it is not, nothing was sent.
func TestTLS(t *testing.T) {
	for _, unary := range []bool{false, true} {
		s, stranger := serve(t, clienttest.Options{TLS: true}, client.Options{Unary: unary, CallAttemptsMax: 1})
		ctx := within(t)
		_, err := stranger.SetString(ctx, "k", "v")
		if txn.KindOf(err) != txn.Unavailable {
			t.Errorf("unary=%v: a server that nobody vouches for: %v", unary, err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.Certificate())
		db, err := client.New(client.Options{Endpoint: s.URL, Unary: unary, TLS: &tls.Config{RootCAs: roots}})
		if err != nil {
			t.Fatal(err)
		}
		if r := must(db.SetString(ctx, "k", "v"))(t); r.Revision != 0 {
			t.Errorf("unary=%v: %+v", unary, r)
		}
		if len(s.Frames()) > 0 == unary {
			t.Errorf("unary=%v: frames %v", unary, s.Frames())
		}
		db.Close()
	}
}

// Who calls is told by every request: the stream's, and each single one.
func TestPrincipal(t *testing.T) {
	for _, unary := range []bool{false, true} {
		s, db := serve(t, clienttest.Options{}, client.Options{Unary: unary, Principal: "alice", Token: "secret"})
		ctx := within(t)
		must(db.SetString(ctx, "k", "v"))(t)
		for h, err := range db.History(ctx, "k", client.HistoryOptions{}) {
			if err != nil || h.Principal != "alice" {
				t.Errorf("unary=%v: %+v, %v", unary, h, err)
			}
		}
		if got := s.Header("Authorization"); got != "Bearer secret" {
			t.Errorf("unary=%v: the authorization was %q", unary, got)
		}
	}
	for _, o := range []client.Options{{Principal: "a\nb"}, {Token: "a\x00"}} {
		o.Endpoint = "http://x"
		if _, err := client.New(o); txn.KindOf(err) != txn.Invalid {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
