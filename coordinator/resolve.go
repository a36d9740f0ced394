package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// inBackground runs work that no caller waits for, until which it may go on.
// When too much of it is under way, the caller does it, but not for long.
func (c *Coordinator) inBackground(name string, work func(until time.Duration)) {
	if c.background.Add(1) > int64(c.opts.BackgroundMax) {
		c.background.Add(-1)
		work(c.env.Now() + c.opts.AttemptTimeout)
		return
	}
	c.env.Go(name, func() {
		defer c.background.Add(-1)
		work(c.env.Now() + cleanUpMax)
	})
}

// Drain waits until nothing goes on behind the backs of callers, or until then.
func (c *Coordinator) Drain(until time.Duration) {
	for c.background.Load()+c.unlocks.Load() > 0 && c.env.Now() < until {
		if c.env.Sleep(context.Background(), drainPause) != nil {
			return
		}
	}
}

// drainPause is how often Drain looks.
const drainPause = 5 * time.Millisecond

// resolveAll tells every shard of the writes what was decided, the primary's
// last: then nobody meets an intent any more that sends him to the record, and
// its shard hears that too.
func (t *twoPhase) resolveAll(commit bool, at txn.Timestamp, until time.Duration) {
	if t.resolves(commit) {
		t.resolveLast(t.resolveOthers(commit, at, until), commit, at, until)
	}
}

// resolveOthers resolves at all shards but the primary's.
func (t *twoPhase) resolveOthers(commit bool, at txn.Timestamp, until time.Duration) error {
	return t.c.parallel("coordinator.resolve", len(t.prewrites)-1, func(i int) error {
		return t.resolveShard(i+1, commit, at, until)
	})
}

// resolves is the point before anything is resolved, and false if nothing is to be.
func (t *twoPhase) resolves(commit bool) bool {
	err := t.c.env.Point(phaseOf(commit) + "before-first")
	if err != nil && commit && !stopped(err) {
		t.unlockWritten()
	}
	return err == nil
}

// resolveLast resolves at the primary's shard. Err is what the others came to.
func (t *twoPhase) resolveLast(
	err error, commit bool, at txn.Timestamp, until time.Duration,
) {
	if err == nil {
		err = t.resolvePrimary(commit, at, until)
	} else if !stopped(err) {
		err = errors.Join(err, t.resolveShard(0, commit, at, until))
	}
	switch {
	case stopped(err):
		return
	case err != nil && commit:
		t.unlockWritten()
	}
	_ = t.c.env.Point(phaseOf(commit) + "after-all") // nothing follows
}

// unlockWritten is for a commit that could not be resolved everywhere. Its
// intents are up to whoever meets them (F7); but whoever waits for one of its
// locks would meet none.
func (t *twoPhase) unlockWritten() {
	asked := make([]askedShard, len(t.prewrites))
	for i, m := range t.prewrites {
		asked[i] = askedShard{m.Shard, shardKey(m)}
	}
	t.c.unlockLater(asked, shardrpc.UnlockRequest{Txn: t.id, Age: t.age, BaseTS: t.base})
}

func phaseOf(commit bool) string {
	if commit {
		return "coordinator.resolve."
	}
	return "coordinator.abort."
}

// resolvePrimary is resolveShard for the primary's, after all others: the
// record may go when its time has come (C7). One that is staging is committed by it.
func (t *twoPhase) resolvePrimary(commit bool, at txn.Timestamp, until time.Duration) error {
	return t.sendResolve(0, &shardrpc.ResolveRequest{
		Txn: t.id, BaseTS: t.base, Commit: commit, CommitTS: at, Done: t.primary(),
	}, until)
}

func (t *twoPhase) resolveShard(
	i int, commit bool, at txn.Timestamp, until time.Duration,
) error {
	return t.sendResolve(i, &shardrpc.ResolveRequest{
		Txn: t.id, BaseTS: t.base, Commit: commit, CommitTS: at,
	}, until)
}

func (t *twoPhase) sendResolve(i int, r *shardrpc.ResolveRequest, until time.Duration) error {
	r.Keys = keysOf(t.prewrites[i].Writes)
	err := t.c.resolve(context.Background(), r, shardKey(t.prewrites[i]), until)
	if err != nil {
		return err
	}
	return t.c.env.Point(phaseOf(r.Commit) + "after-k")
}
