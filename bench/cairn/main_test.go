package cairn_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnkv/cairn/bench/cairn"
	"github.com/cairnkv/cairn/bench/load"
	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/client/clienttest"
)

const (
	patience = 90 * time.Second
	callers  = 6
)

// within bounds a test that would hang.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start starts a system, and ends it with the test.
func start(t testing.TB, o cairn.Options) (*cairn.System, *client.DB) {
	t.Helper()
	s, err := cairn.Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	db, err := client.Dial(s.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, db
}

// fake is a system whose server is in memory.
func fake(t testing.TB, hook clienttest.Hook) (*cairn.System, *client.DB) {
	t.Helper()
	server, err := clienttest.NewServer(clienttest.Options{Hook: hook, Page: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return start(t, cairn.Options{Kind: cairn.Target, Endpoint: server.URL})
}

// do has callers do a number of operations each, and returns what went wrong.
func do(t testing.TB, s *cairn.System, r load.Run, each int) error {
	t.Helper()
	ctx := within(t)
	op, release, err := s.Prepare(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	errs := make([]error, callers)
	var all sync.WaitGroup
	for id := range callers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(r.Seed, uint64(id)))
			c := &load.Caller{ID: id, Rand: random, Value: make([]byte, r.ValueBytes),
				Key: func() int { return random.IntN(r.Keys) }}
			for range each {
				for i := range c.Value {
					c.Value[i] = byte(random.Uint32())
				}
				errs[id] = errors.Join(errs[id], op(ctx, c))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// table is all keys whose second letter is t's.
func table(t testing.TB, db *client.DB, letter byte) map[string]client.Entry {
	t.Helper()
	found := make(map[string]client.Entry)
	r := client.All()
	r.Glob = fmt.Sprintf("?%c*", letter)
	for e, err := range db.Scan(within(t), r) {
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Key) != cairn.KeyBytes {
			t.Errorf("key %q has %d bytes", e.Key, len(e.Key))
		}
		found[e.Key] = e
	}
	return found
}

func number(e client.Entry) int64 { return int64(binary.BigEndian.Uint64(e.Value.Data)) }

func sum(all map[string]client.Entry) (n int64) {
	for _, e := range all {
		n += number(e)
	}
	return n
}

// rewritten is how many revisions all keys have got since they were made.
func rewritten(all map[string]client.Entry) (n int64) {
	for _, e := range all {
		n += e.Revision
	}
	return n
}

// shards are the first letters.
func shards(all map[string]client.Entry) (letters string) {
	for key := range all {
		if !strings.Contains(letters, key[:1]) {
			letters += key[:1]
		}
	}
	return letters
}
