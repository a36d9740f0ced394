package shard

import (
	"errors"
	"testing"

	"github.com/cairnkv/cairn/mvcc"
)

// closing is an iterator that counts how often it was closed.
type closing struct {
	mvcc.Iterator
	closed int
	err    error
}

func (c *closing) Close() error { c.closed++; return nil }
func (c *closing) Error() error { return c.err }

// Readers are used again until something is applied, and each is closed once.
func TestReaders(t *testing.T) {
	var s readers
	s.drop(1)
	open := func(batch uint64) (*reader, *closing) {
		it := &closing{}
		return &reader{it: it, batch: batch}, it
	}
	first, it := open(1)
	if s.put(first); s.take(2) != nil || s.take(1) != first || s.take(1) != nil {
		t.Error("not the reader that was put")
	}
	s.put(first)
	s.drop(2)
	if it.closed != 1 || s.take(1) != nil || s.take(2) != nil {
		t.Errorf("closed %d times", it.closed)
	}
	for name, spoil := range map[string]func(*reader, *closing){
		"of an old batch": func(rd *reader, _ *closing) { rd.batch = 1 },
		"of a newer one":  func(rd *reader, _ *closing) { rd.batch = 3 },
		"that failed":     func(_ *reader, it *closing) { it.err = errors.New("bad block") },
		"too many": func(*reader, *closing) {
			for range idleReadersMax {
				full, _ := open(2)
				s.put(full)
			}
		},
		"after the end": func(*reader, *closing) { s.close() },
	} {
		s = readers{batch: 2}
		rd, it := open(2)
		spoil(rd, it)
		if s.put(rd); it.closed != 1 {
			t.Errorf("one %s is closed %d times", name, it.closed)
		}
	}
}
