package coordinator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// Whichever way a transaction commits, its shards hear who asked for it and why.
func TestAnnotationReachesTheShards(t *testing.T) {
	note := txn.Annotation{Principal: "ann", Message: "because"}
	for text, requests := range map[string]int{"set a 1\nget z": 2, "set a 1\nset b 2": 1, "set a 1\nset n 2": 2} {
		for _, interactive := range []bool{false, true} {
			s := newStory(t)
			var log string
			s.env.run(t, func() {
				p := program(text)
				if p.Annotation = note; !interactive {
					_, err := s.c.Execute(t.Context(), p, coordinator.CommitOptions{})
					log = s.fake.log.String()
					if err != nil {
						t.Error(err)
					}
					return
				}
				tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				for i := range p.Then {
					if _, err := tx.Do(t.Context(), &p.Then[i], 0); err != nil {
						t.Error(err)
					}
				}
				_, err = tx.Commit(t.Context(), coordinator.CommitOptions{Annotation: note})
				log = s.fake.log.String()
				if err != nil {
					t.Error(err)
				}
			})
			got := 0
			for line := range strings.Lines(log) {
				if strings.HasPrefix(line, "commit") || strings.HasPrefix(line, "prewrite") {
					got += strings.Count(line, " by=ann why=because ")
				}
			}
			if strings.Contains(text, "get") {
				requests = 1 // the other shard is only read
			}
			if got != requests {
				t.Errorf("%q, interactive %v: %d requests with the annotation, want %d:\n%s",
					text, interactive, got, requests, log)
			}
		}
	}
}

// Each write gets a copy, so it counts as often: a transaction that its message
// makes too large writes nothing, before any shard is asked.
func TestAnnotationCountsWithEveryWrite(t *testing.T) {
	note := txn.Annotation{Message: strings.Repeat("m", txn.MessageBytesMax)}
	s := newStory(t)
	s.env.run(t, func() {
		tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		for i := range txn.WriteKeysMax {
			op := txn.Op{Kind: txn.OpSet, Key: key(fmt.Sprintf("%05d", i))}
			if _, err := tx.Do(t.Context(), &op, 0); err != nil {
				t.Error(err)
				return
			}
		}
		before := s.fake.log.String()
		_, err = tx.Commit(t.Context(), coordinator.CommitOptions{Annotation: note})
		if txn.KindOf(err) != txn.Exhausted {
			t.Errorf("commit: %v", err)
		}
		if log := s.fake.log.String(); log != before {
			t.Errorf("asked: %.200s", strings.TrimPrefix(log, before))
		}
	})
}
