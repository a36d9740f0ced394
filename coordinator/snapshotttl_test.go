package coordinator_test

import (
	"strings"
	"testing"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// At snapshot isolation, too, an update commits before the expiry that it keeps: later it would
// make a value for ever of one that had an end.
func TestSnapshotKeepsExpiry(t *testing.T) {
	for _, op := range []txn.Op{
		{Kind: txn.OpUpdate, Update: txn.UpdateAdd, Value: txn.IntValue(1)},
		{Kind: txn.OpSet, Value: txn.IntValue(1), KeepTTL: true, Cond: txn.Cond{Present: true}},
	} {
		s := newStory(t)
		op.Key = key("a")
		s.fake.data[string(op.Key)] = txn.Version{TS: 50, Value: txn.IntValue(1), Expiry: 500}
		s.env.run(t, func() {
			tx, err := s.c.Begin(t.Context(), coordinator.BeginOptions{Isolation: coordinator.Snapshot})
			if err != nil {
				t.Error(err)
				return
			}
			if res, err := tx.Do(t.Context(), &op, 0); err != nil || !res.OK {
				t.Errorf("%+v, %v", res, err)
			}
			if _, err := tx.Commit(t.Context(), coordinator.CommitOptions{}); err != nil {
				t.Error(err)
			}
		})
		if log := s.fake.log.String(); !strings.Contains(log, "max=499") {
			t.Errorf("kind %d is committed whenever: %s", op.Kind, log)
		}
	}
}
