package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// commitParallel is for an attempt of which every shard has prewritten its part
// beside a staging record. That is the commit (F4): whoever recovers it comes
// to the same timestamp by the same rule, txn.Settle. The caller is answered
// now, and the record follows.
func (t *twoPhase) commitParallel(
	ctx context.Context, p *prewriting,
) (*Committed, *refusal, error) {
	status, commit := txn.Settle(t.base, []txn.Found{{MaxTS: p.maxTS, Bound: p.bound}})
	switch {
	case status != txn.Committed:
		return t.decideAbort(ctx, p, ending{refused: locallyPushed(t.id)})
	case commit > t.maxTS && !mutant.On(mutant.MaxTS):
		return t.decideAbort(ctx, p, ending{err: txn.Errorf(txn.Internal, "commit_ts",
			"provisional timestamp %d is not within %d and %d", commit, t.base, t.maxTS)})
	}
	err := t.c.env.Point("coordinator.prewrite.after-all")
	if stopped(err) {
		return nil, nil, err
	}
	t.finishCommitted(commit)
	if err == nil {
		err = t.c.env.Point("coordinator.ack.before")
	}
	switch {
	case stopped(err):
		return nil, nil, err
	case err != nil:
		return nil, nil, t.unknown(err)
	}
	return &Committed{commit, settled(slices.Concat(p.written...), commit)}, nil, nil
}

// finishCommitted makes versions of all intents, and the record say what the
// prewrites have decided. The record is moved by what resolves its own shard, when
// no other has an intent left: a resolved intent counts as found (C8).
func (t *twoPhase) finishCommitted(commit txn.Timestamp) {
	t.c.inBackground("coordinator.finish", func(until time.Duration) {
		began := t.c.env.Now()
		defer t.c.stage(StageResolve, began)
		defer t.c.disown(t.id)
		if !t.resolves(true) {
			return
		}
		err := t.resolveOthers(true, commit, min(until, began+recordWaitMax))
		if err != nil && !stopped(err) {
			err = t.decideAndResolve(commit, until)
		}
		t.resolveLast(err, true, commit, until)
	})
}

// recordWaitMax is how long the record of a parallel commit stays as it is for the
// sake of shards that are still to be resolved. Who meets an intent at its shard
// asks it, and should not have to wait for another one's next leader.
const recordWaitMax = 200 * time.Millisecond

// decideAndResolve moves the record beside resolving at all shards but its own.
func (t *twoPhase) decideAndResolve(commit txn.Timestamp, until time.Duration) error {
	d := deciding{shardrpc.DecideRequest{
		Txn: t.id, Primary: t.primary(), BaseTS: t.base,
		From: txn.In(txn.Staging), To: txn.Committed, CommitTS: commit,
	}, nil}
	return t.c.parallel("coordinator.finish", len(t.prewrites), func(i int) error {
		if i > 0 {
			return t.resolveShard(i, true, commit, until)
		}
		_, err := t.c.move(context.Background(), &d, until)
		return err
	})
}
