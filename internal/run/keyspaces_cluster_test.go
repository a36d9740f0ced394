package run

import (
	"path/filepath"
	"testing"

	"connectrpc.com/connect"

	cairnv1 "github.com/cairnkv/cairn/proto/gen/cairn/v1"
	"github.com/cairnkv/cairn/proto/remote"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// TestKeyspacesOfOtherGateways: what one gateway has done to keyspaces holds at once at another,
// which knows the table as it was.
func TestKeyspacesOfOtherGateways(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	shards := []string{member.address}
	a := spacesAt(t, start(t, &Gateway{Shards: shards}).address)
	b := spacesAt(t, start(t, &Gateway{Shards: shards}).address)
	for range 3 {
		a.create("shop")
		b.set("shop", "k", "of b") // a name that it does not know, or knows for another keyspace
		if got := a.get("shop", "k"); got != "of b" {
			t.Fatalf("it has %q", got)
		}
		if !a.drop("shop") {
			t.Fatal("it was missing")
		}
		_, err := b.kv.Get(t.Context(), connect.NewRequest(&cairnv1.GetRequest{Keyspace: "shop", Key: []byte("k")}))
		b.refused("keyspace_not_found", err)
		a.create("shop")
		if got := b.get("shop", "k"); got != "" {
			t.Fatalf("the new one has %q", got)
		}
		if r := b.set("shop", "k", "new").Revision; r != 0 {
			t.Fatalf("the first revision is %d", r)
		}
		a.drop("shop")
	}
}

// TestDeletionIsFinished: a deletion that nobody goes on with is ended by any gateway.
func TestDeletionIsFinished(t *testing.T) {
	member := startShard(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "data"))
	shards := []string{member.address}
	s := spacesAt(t, start(t, &Gateway{Shards: shards}).address)
	s.create("shop")
	s.set("shop", "k", "v")
	c := remote.Dial(shards, remote.Options{})
	t.Cleanup(c.Close)
	begin := &shardrpc.ChangeKeyspaceRequest{
		Target: shardrpc.Target{Shard: shardrpc.MetaShard, Epoch: 1},
		Change: txn.KeyspaceChange{Verb: txn.DeleteKeyspace, Name: "shop"}}
	resp, err := c.ChangeKeyspace(t.Context(), begin)
	if err != nil || resp.Answer != shardrpc.OK || !resp.Changed || !resp.Keyspace.Deleting {
		t.Fatalf("%+v, %v", resp, err)
	}
	_, err = s.ks.CreateKeyspace(t.Context(), connect.NewRequest(&cairnv1.CreateKeyspaceRequest{
		Keyspace: &cairnv1.Keyspace{Name: "shop"}}))
	s.refused("keyspace_deleting", err)
	eventually(t, "the end of the deletion", func() bool {
		return len(s.list()) == 1
	})
	s.create("shop")
	if got := s.get("shop", "k"); got != "" {
		t.Errorf("the old one's %q is still there", got)
	}
}
