package client_test

import (
	"testing"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
	"github.com/cairnkv/cairn/txn"
)

func TestKeyspaces(t *testing.T) {
	for name, unary := range map[string]bool{"stream": false, "unary": true} {
		t.Run(name, func(t *testing.T) {
			s, err := clienttest.NewServer(clienttest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			db, err := client.New(client.Options{Endpoint: s.URL, Unary: unary})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Close)
			testKeyspaces(t, db)
		})
	}
}

func testKeyspaces(t *testing.T, db *client.DB) {
	want := client.Keyspace{Name: "shop", KeyspaceOptions: client.KeyspaceOptions{
		HistoryAge: 10 * time.Minute, HistoryCount: 16, DefaultTTL: time.Second, ValueBytesMax: 4_000_000, BytesMax: 9}}
	options := client.KeyspaceOptions{DefaultTTL: time.Second, BytesMax: 9}
	for _, first := range []bool{true, false} {
		ks, created, err := db.CreateKeyspace(t.Context(), "shop", options)
		if err != nil || created != first || ks != want {
			t.Errorf("created: %+v, %v, %v", ks, created, err)
		}
	}
	age, count := time.Hour, int64(3)
	ks, err := db.UpdateKeyspace(t.Context(), "shop", client.KeyspaceUpdate{HistoryAge: &age, HistoryCount: &count})
	want.HistoryAge, want.HistoryCount = age, count
	if err != nil || ks != want {
		t.Errorf("updated: %+v, %v", ks, err)
	}
	all, err := db.Keyspaces(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != client.DefaultKeyspace || all[1] != want {
		t.Errorf("all: %+v, %v", all, err)
	}
	st, err := db.Keyspace(t.Context(), "shop")
	if err != nil || st.Keyspace != want || st.Keys != 3 || st.Bytes != 70 || st.Versions != 5 || st.Oldest != 9 {
		t.Errorf("status: %+v, %v", st, err)
	}
	for _, first := range []bool{true, false} {
		if deleted, err := db.DeleteKeyspace(t.Context(), "shop"); err != nil || deleted != first {
			t.Errorf("deleted: %v, %v", deleted, err)
		}
	}
	if _, err := db.Keyspace(t.Context(), "shop"); txn.KindOf(err) != txn.NotFound {
		t.Errorf("what was deleted: %v", err)
	}
}
