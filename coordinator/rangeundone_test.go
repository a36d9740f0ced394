package coordinator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// A write to a range that fails on its way, whichever of its reads that is, leaves nothing behind
// in the open transaction: what was buffered before is committed, and no part of it.
func TestFailedRangeWriteIsUndone(t *testing.T) {
	all := txn.Span{Start: key("a"), End: key("f")}
	for _, op := range []txn.Op{
		{Kind: txn.OpRevert, Span: all, To: 60}, {Kind: txn.OpDeleteRange, Span: all},
	} {
		for reads := 0; ; reads++ {
			if !failsAfter(t, &op, reads) {
				if reads < 2 {
					t.Errorf("kind %d read %d times only", op.Kind, reads)
				}
				break
			}
		}
	}
}

// failsAfter reports whether op, of which so many reads were answered and the next one not, failed.
func failsAfter(t *testing.T, op *txn.Op, reads int) (failed bool) {
	s := newStory(t)
	for i := range 1100 { // more than one step of a revert
		s.fake.data[string(key(fmt.Sprintf("b%04d", i)))] = txn.Version{TS: 70, Value: txn.IntValue(1)}
	}
	s.plan(strings.Repeat("read s2 ok\n", reads) + "read s2 tooold ts=99")
	s.env.run(t, func() {
		tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		set := txn.Op{Kind: txn.OpSet, Key: key("c"), Value: txn.IntValue(2)}
		if _, err := tx.Do(t.Context(), &set, 0); err != nil {
			t.Error(err)
		}
		_, err = tx.Do(t.Context(), op, 0)
		failed = err != nil
		_, _ = tx.Commit(t.Context(), coordinator.CommitOptions{})
	})
	log := s.fake.log.String()
	i := strings.Index(log, "ops=")
	if failed && (i < 0 || strings.Contains(log[i:], "b0") || !strings.Contains(log[i:], "c")) {
		t.Errorf("kind %d failed after %d reads, and this was committed: %.200s", op.Kind, reads, log[max(i, 0):])
	}
	return failed
}
