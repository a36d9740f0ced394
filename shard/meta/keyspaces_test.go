package meta

import (
	"fmt"
	"testing"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// spaces is a State and the engine that it must survive in.
type spaces struct {
	*testing.T
	eng mvcc.Engine
	s   *State
}

func newSpaces(t *testing.T) *spaces {
	eng := mvcc.OpenMem(mvcc.Compare)
	s, err := Load(eng)
	if err != nil {
		t.Fatal(err)
	}
	return &spaces{t, eng, s}
}

// change carries a change out, and checks that a restart finds what there is now.
func (x *spaces) change(c txn.KeyspaceChange) KeyspaceOutcome {
	x.Helper()
	body, err := KeyspaceCommand(&c)
	if err == nil {
		err = apply(x, x.eng, x.s, body)
	}
	if err != nil {
		x.Fatal(err)
	}
	out := x.s.LastKeyspaceChange()
	again, err := Load(x.eng)
	if err != nil {
		x.Fatal(err)
	}
	was, changes := x.s.Keyspaces()
	is, changesAgain := again.Keyspaces()
	if fmt.Sprint(was) != fmt.Sprint(is) || changes != changesAgain || x.s.keyspaces.head != again.keyspaces.head {
		x.Errorf("a restart finds %v after %d changes, not %v after %d", is, changesAgain, was, changes)
	}
	x.s = again
	return out
}

func create(name string) txn.KeyspaceChange {
	return txn.KeyspaceChange{Verb: txn.CreateKeyspace, Name: name, At: 77,
		Options: txn.KeyspaceOptions{BytesMax: 100}.WithDefaults()}
}

func TestKeyspaces(t *testing.T) {
	x := newSpaces(t)
	first, _ := x.s.Keyspaces()
	if len(first) != 1 || first[0].ID != txn.DefaultKeyspace || first[0].Name != "default" ||
		first[0].HistoryCount != 16 {
		t.Fatalf("a new table is %+v", first)
	}
	if err := apply(t, x.eng, x.s, ExtendCommand(5_000_000)); err != nil {
		t.Fatal(err)
	}
	if at := x.s.Keyspace(txn.DefaultKeyspace).CreatedAt; at != 4_000_000 {
		t.Errorf("the cluster began at %d", at)
	}
	a := x.change(create("a"))
	if !a.Changed || a.Keyspace.ID != 2 || a.Keyspace.Version != 1 || a.Keyspace.CreatedAt != 77 ||
		a.Keyspace.BytesMax != 100 {
		t.Errorf("created: %+v", a.Keyspace)
	}
	if again := x.change(create("a")); again.Changed || again.Keyspace == nil || again.Keyspace.ID != 2 {
		t.Errorf("created again: %+v", again)
	}
	other := create("a")
	other.Options.HistoryCount = 7
	if e := x.change(other).Err; e == nil || e.Reason != "keyspace_exists" {
		t.Errorf("with other options: %v", e)
	}
	up := x.change(txn.KeyspaceChange{Verb: txn.UpdateKeyspace, Name: "a", Set: txn.SetDefaultTTL,
		Options: txn.KeyspaceOptions{DefaultTTL: 9, BytesMax: 1}}).Keyspace
	if up.DefaultTTL != 9 || up.BytesMax != 100 || up.Version != 2 {
		t.Errorf("updated: %+v", up)
	}
	fill := txn.KeyspaceChange{Verb: txn.FillKeyspace, ID: 2, Bytes: 120}
	if full := x.change(fill).Keyspace; full.FullBytes != 120 || full.FullError() == nil || full.Version != 3 {
		t.Errorf("filled: %+v", full)
	}
	more := x.change(txn.KeyspaceChange{Verb: txn.UpdateKeyspace, Name: "a", Set: txn.SetBytesMax,
		Options: txn.KeyspaceOptions{BytesMax: 200}}).Keyspace
	if more.FullBytes != 0 || more.FullError() != nil {
		t.Errorf("with more room: %+v", more)
	}
	if late := x.change(fill); late.Changed {
		t.Errorf("a mark that was meant for the limit before: %+v", late.Keyspace)
	}
	x.testDelete()
}

func (x *spaces) testDelete() {
	del := txn.KeyspaceChange{Verb: txn.DeleteKeyspace, Name: "a"}
	finish := txn.KeyspaceChange{Verb: txn.FinishKeyspace, ID: 2}
	if early := x.change(finish); early.Changed || early.Keyspace == nil {
		x.Errorf("finished before it began: %+v", early)
	}
	other := txn.KeyspaceChange{Verb: txn.DeleteKeyspace, Name: "default"}
	if e := x.change(other).Err; e == nil || e.Reason != "keyspace_default" {
		x.Errorf("the default: %v", e)
	}
	other.Name = "none"
	if out := x.change(other); out.Keyspace != nil || out.Err != nil || out.Changed {
		x.Errorf("what is missing: %+v", out)
	}
	if out := x.change(del); !out.Changed || !out.Keyspace.Deleting {
		x.Errorf("deleted: %+v", out)
	}
	if out := x.change(del); out.Changed || out.Keyspace == nil {
		x.Errorf("deleted again: %+v", out)
	}
	if e := x.change(create("a")).Err; e == nil || e.Reason != "keyspace_deleting" {
		x.Errorf("created meanwhile: %v", e)
	}
	up := txn.KeyspaceChange{Verb: txn.UpdateKeyspace, Name: "a"}
	if e := x.change(up).Err; e == nil || e.Kind != txn.NotFound {
		x.Errorf("updated meanwhile: %v", e)
	}
	if out := x.change(finish); !out.Changed || out.Keyspace != nil || x.s.Keyspace(2) != nil {
		x.Errorf("finished: %+v", out)
	}
	if out := x.change(finish); out.Changed {
		x.Errorf("finished again: %+v", out)
	}
	if out := x.change(create("a")); !out.Changed || out.Keyspace.ID != 3 {
		x.Errorf("made anew: %+v", out.Keyspace)
	}
	del.ID = 2
	if out := x.change(del); out.Changed || out.Keyspace != nil || x.s.Keyspace(3).Deleting {
		x.Errorf("a late copy deleted the one that has the name now: %+v", out)
	}
	del.ID = 3
	if out := x.change(del); !out.Changed || !out.Keyspace.Deleting {
		x.Errorf("deleted by number: %+v", out)
	}
}

func TestKeyspacesMax(t *testing.T) {
	x := newSpaces(t)
	for i := range txn.KeyspacesMax - 1 {
		c := create(fmt.Sprint("k", i))
		body, err := KeyspaceCommand(&c)
		if err == nil {
			err = apply(t, x.eng, x.s, body)
		}
		if err != nil || !x.s.LastKeyspaceChange().Changed {
			t.Fatal(i, err)
		}
	}
	if e := x.change(create("one more")).Err; e == nil || e.Kind != txn.Exhausted {
		t.Errorf("one too many: %v", e)
	}
	x.change(txn.KeyspaceChange{Verb: txn.DeleteKeyspace, Name: "k7"})
	x.change(txn.KeyspaceChange{Verb: txn.FinishKeyspace, ID: 9})
	if out := x.change(create("one more")); !out.Changed || out.Keyspace.ID != txn.KeyspacesMax+1 {
		t.Errorf("in its place: %+v", out)
	}
}
