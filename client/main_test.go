package client_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a gateway in memory, and a DB on it.
func serve(t testing.TB, so clienttest.Options, co client.Options) (*clienttest.Server, *client.DB) {
	t.Helper()
	s, err := clienttest.NewServer(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	co.Endpoint = s.URL
	db, err := client.New(co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return s, db
}

// within bounds a test that would hang.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
