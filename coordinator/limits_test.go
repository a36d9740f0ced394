package coordinator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// An open transaction keeps so many bytes of values and no more. What it let go
// is read again as of when it was read first, whatever is newest by now.
func TestLargeValuesAreReadAgain(t *testing.T) {
	for mode, first := range map[coordinator.Mode]int{coordinator.Optimistic: 100, coordinator.Pessimistic: 110} {
		s := newStory(t)
		for _, name := range []string{"a", "b", "c"} {
			s.fake.data[string(key(name))] = txn.Version{
				TS: 50, Value: txn.BytesValue(make([]byte, txn.ValueBytesMax))}
		}
		var log string
		s.env.run(t, func() {
			tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{Mode: mode})
			if err != nil {
				t.Error(err)
				return
			}
			for _, name := range []string{"a", "b", "b", "a", "c", "a", "a"} {
				op := txn.Op{Kind: txn.OpGet, Key: key(name)}
				if res, err := tx.Do(t.Context(), &op, 0); err != nil || len(res.Entry.Value.Data) != txn.ValueBytesMax {
					t.Errorf("get %s: %v, %v", name, res.OK, err)
				}
			}
			log = s.fake.log.String()
			tx.Rollback()
		})
		again := fmt.Sprintf("read s2 at=%d [a] -> ok\n", first)
		if strings.Count(log, again) != 2 || strings.Count(log, "read") != 4 {
			t.Errorf("mode %d:\n%s", mode, log)
		}
	}
}

// What a transaction reads is limited when it is read, prefetched or not: by the
// number of keys, and by their bytes. One over the limit commits nothing.
func TestReadLimits(t *testing.T) {
	for _, c := range []struct{ name, format string }{{"count", "%06d"}, {"bytes", "%04000d"}} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t)
			size := txn.Seen{Key: key(fmt.Sprintf(c.format, 0))}
			most := min(txn.ReadKeysMax, txn.ReadBytesMax/size.Size())
			s.env.run(t, func() {
				tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; i <= most; i += 1000 {
					keys := make([]txn.Key, min(1000, most+1-i))
					for j := range keys {
						keys[j] = key(fmt.Sprintf(c.format, i+j))
					}
					err := tx.Prefetch(t.Context(), keys, false, 0)
					if full := i == most; (txn.KindOf(err) == txn.Exhausted) != (err != nil) || err != nil && !full {
						t.Errorf("prefetch from %d: %v", i, err)
						return
					}
					for j, k := range keys {
						_, err := tx.Do(t.Context(), &txn.Op{Kind: txn.OpGet, Key: k}, 0)
						if over := i+j == most; (err != nil) != over || over && txn.KindOf(err) != txn.Exhausted {
							t.Errorf("key %d of %d: %v", i+j, most, err)
							return
						}
					}
				}
				again := txn.Op{Kind: txn.OpGet, Key: key(fmt.Sprintf(c.format, 0))}
				if _, err := tx.Do(t.Context(), &again, 0); err != nil {
					t.Errorf("what was read before: %v", err)
				}
				if _, err := tx.Commit(t.Context(), coordinator.CommitOptions{}); txn.KindOf(err) != txn.Exhausted {
					t.Errorf("commit: %v", err)
				}
			})
			if strings.Contains(s.fake.log.String(), "commit s2") {
				t.Error("it was sent")
			}
		})
	}
}

// A commit that never left this process has not happened. Once one copy did
// leave, nobody knows.
func TestUnsentIsNotUnknown(t *testing.T) {
	for _, c := range []struct {
		first string
		want  txn.ErrorKind
	}{{"unsent", txn.Unavailable}, {"lost", txn.Unknown}} {
		s := newStory(t)
		s.plan("commit s2 " + c.first + strings.Repeat("\ncommit s2 unsent", 1000))
		s.env.run(t, func() {
			_, err := s.c.Execute(t.Context(), program("set a 1"),
				coordinator.CommitOptions{Deadline: s.env.Now() + 100*time.Millisecond})
			if txn.KindOf(err) != c.want {
				t.Errorf("%s: %v", c.first, err)
			}
		})
	}
}

// What was carried out is repeated, even if it reads more than could be committed
// now: nothing is.
func TestRepeatHasNoReadLimit(t *testing.T) {
	s := newStory(t)
	s.plan("commit s2 refused:repeated key=a ts=65")
	p := program("set a 1")
	for i := range 2 * txn.ReadBytesMax / txn.KeyBytesMax {
		p.Then = append(p.Then, txn.Op{Kind: txn.OpGet, Key: key(fmt.Sprintf("b%04000d", i))})
	}
	s.env.run(t, func() {
		res, err := s.c.Execute(t.Context(), p, coordinator.CommitOptions{
			Request: txn.Request{ID: txn.HashRequestID([]byte("r"))}})
		if err != nil || res.CommitTS != 65 {
			t.Errorf("%v, %v", res, err)
		}
	})
}
