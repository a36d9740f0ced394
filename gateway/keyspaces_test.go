package gateway

import (
	"strings"
	"testing"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/txn"
)

func fakeKeyspace(id txn.KeyspaceID, name string, o txn.KeyspaceOptions) txn.Keyspace {
	return txn.Keyspace{ID: id, Name: name, Version: 1, CreatedAt: 5, KeyspaceOptions: o.WithDefaults()}
}

func (f *fixture) setAt(keyspace string, ttl int64, value string) (*cairnv1.SetResponse, error) {
	return f.g.set(f.Context(), &cairnv1.SetRequest{
		Keyspace: keyspace, Key: []byte("k"), Value: str(value), TtlMs: ttl})
}

func (f *fixture) asked() int {
	f.shards.mu.Lock()
	defer f.shards.mu.Unlock()
	return f.shards.table.asked
}

// TestKeyspaceTable: a name that is known costs nothing, one that is not asks the meta group.
func TestKeyspaceTable(t *testing.T) {
	f := start(t)
	if _, err := f.setAt("a", 0, "v"); classify(err, true).Reason != txn.ReasonKeyspaceNotFound {
		t.Fatal(err)
	}
	f.shards.setKeyspaces(fakeKeyspace(7, "a", txn.KeyspaceOptions{}))
	if _, err := f.setAt("a", 0, "v"); err != nil { // asked again, at once
		t.Fatal(err)
	}
	before := f.asked()
	for range 100 {
		if _, err := f.setAt("a", 0, "v"); err != nil {
			t.Fatal(err)
		}
		f.set("k", "v")
	}
	if n := f.asked() - before; n > 10 { // but for the owner of the table, each second
		t.Errorf("200 calls asked %d times", n)
	}
	gone := fakeKeyspace(7, "a", txn.KeyspaceOptions{})
	gone.Deleting = true
	f.shards.setKeyspaces(gone)
	if _, err := f.g.refreshKeyspaces(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	_, err := f.setAt("a", 0, "v")
	e := classify(err, true)
	if e.Kind != txn.NotFound || !strings.Contains(e.Next, "cairn keyspace create a") {
		t.Errorf("%v, next %q", err, e.Next)
	}
	if name := f.g.keyspaceName(7) + f.g.keyspaceName(9) + f.g.keyspaceName(1); name != "a#9default" {
		t.Errorf("names are %q", name)
	}
}

func TestKeyspaceOptions(t *testing.T) {
	f := start(t)
	full := fakeKeyspace(8, "full", txn.KeyspaceOptions{BytesMax: 100})
	full.FullBytes = 120
	f.shards.setKeyspaces(full, fakeKeyspace(9, "small", txn.KeyspaceOptions{DefaultTTL: 1000, ValueBytesMax: 3}))
	if set, err := f.setAt("small", 0, "abc"); err != nil || set.ExpiresAt == 0 {
		t.Errorf("%v, %v", set, err)
	}
	h := f.begin(&cairnv1.BeginRequest{})
	in, err := f.g.set(t.Context(), &cairnv1.SetRequest{Txn: h, Keyspace: "small", Key: []byte("t"), Value: str("abc")})
	if err == nil {
		_, err = f.g.commit(t.Context(), &cairnv1.CommitRequest{Txn: in.Txn})
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.g.get(t.Context(), &cairnv1.GetRequest{Keyspace: "small", Key: []byte("t")})
	if err != nil || got.ExpiresAt == 0 {
		t.Errorf("set in a transaction: %v, %v", got, err)
	}
	if _, err := f.setAt("small", 0, "abcd"); classify(err, true).Reason != "value_too_large" {
		t.Errorf("a large value: %v", err)
	}
	_, err = f.setAt("full", 0, "a")
	if e := classify(err, true); e.Kind != txn.Exhausted || e.Reason != "keyspace_full" ||
		!strings.Contains(message(f.g.inKeyspace(e)), `120 bytes`) {
		t.Errorf("a full keyspace: %v", err)
	}
	_, err = f.g.extend(t.Context(), &cairnv1.ExtendRequest{Keyspace: "full", Key: []byte("k"), TtlMs: 5})
	if e := classify(err, true); e.Reason != "keyspace_full" {
		t.Errorf("extended in a full keyspace: %v", err)
	}
	if _, err = f.g.del(t.Context(), &cairnv1.DeleteRequest{Keyspace: "full", Key: []byte("k")}); err != nil {
		t.Errorf("deleted in a full keyspace: %v", err)
	}
}

// TestRepeatInFullKeyspace: what was carried out is answered again, though its keyspace is full by
// now: perhaps that very write has filled it.
func TestRepeatInFullKeyspace(t *testing.T) {
	f := start(t)
	full := fakeKeyspace(8, "a", txn.KeyspaceOptions{BytesMax: 100})
	f.shards.setKeyspaces(full)
	set := func(id string) (*cairnv1.SetResponse, error) {
		return f.g.set(t.Context(), &cairnv1.SetRequest{
			Keyspace: "a", Key: []byte("k"), Value: str("v"), RequestId: []byte(id)})
	}
	first, err := set("job 1")
	if err != nil {
		t.Fatal(err)
	}
	full.FullBytes = 120
	f.shards.setKeyspaces(full)
	if _, err := f.g.refreshKeyspaces(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if again, err := set("job 1"); err != nil || again.CommitTs != first.CommitTs {
		t.Errorf("done at %d, again: %v, %v", first.CommitTs, again, err)
	}
	if _, err := set("job 2"); classify(err, true).Reason != "keyspace_full" {
		t.Errorf("another one: %v", err)
	}
}

// TestErrorsNameTheKeyspace: of a key in another keyspace than the default it is said which.
func TestErrorsNameTheKeyspace(t *testing.T) {
	f := start(t)
	f.shards.setKeyspaces(fakeKeyspace(9, "shop", txn.KeyspaceOptions{}))
	if _, err := f.g.refreshKeyspaces(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	e := txn.Errorf(txn.Conflict, "conflict", "something has changed")
	e.Key = txn.NewKey(9, []byte("k"))
	if m := message(f.g.inKeyspace(e)); m != `something has changed, in keyspace "shop" (key "k")` {
		t.Errorf("%q", m)
	}
	e.Key = txn.NewKey(txn.DefaultKeyspace, []byte("k"))
	if m := message(f.g.inKeyspace(e)); m != `something has changed (key "k")` {
		t.Errorf("%q", m)
	}
}

// TestReuseInFullKeyspace: another request with the same request_id is no repeat, and not answered
// as if it had been carried out.
func TestReuseInFullKeyspace(t *testing.T) {
	f := start(t)
	full := fakeKeyspace(8, "a", txn.KeyspaceOptions{BytesMax: 100})
	f.shards.setKeyspaces(full)
	set := func(value string) error {
		_, err := f.g.set(t.Context(), &cairnv1.SetRequest{
			Keyspace: "a", Key: []byte("k"), Value: str(value), RequestId: []byte("job")})
		return err
	}
	if err := set("v"); err != nil {
		t.Fatal(err)
	}
	full.FullBytes = 120
	f.shards.setKeyspaces(full)
	if _, err := f.g.refreshKeyspaces(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := set("w"); classify(err, true).Reason != "request_id_reused" {
		t.Errorf("other content: %v", err)
	}
}
