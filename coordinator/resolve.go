package coordinator

import (
	"context"
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

// resolveAll tells every shard of the writes what was decided, the primary's
// last, so that the record outlives the intents that point to it. (Records
// are not collected yet; should a shard be out of reach, whoever meets an
// intent there asks the record.)
func (t *twoPhase) resolveAll(commit bool, at txn.Timestamp, until time.Duration) {
	phase := "coordinator.abort."
	if commit {
		phase = "coordinator.resolve."
	}
	if t.c.env.Point(phase+"before-first") != nil {
		return
	}
	one := func(i int) error {
		keys := make([]txn.Key, len(t.prewrites[i].Writes))
		for k := range keys {
			keys[k] = t.prewrites[i].Writes[k].Key
		}
		err := t.c.resolve(context.Background(), &shardrpc.ResolveRequest{
			Txn: t.id, BaseTS: t.base, Commit: commit, CommitTS: at, Keys: keys,
		}, keys[0], until)
		if err != nil {
			return err
		}
		return t.c.env.Point(phase + "after-k")
	}
	others := len(t.prewrites) - 1
	err := t.c.parallel("coordinator.resolve", others, func(i int) error { return one(i + 1) })
	if stopped(err) || stopped(one(0)) {
		return
	}
	_ = t.c.env.Point(phase + "after-all") // nothing follows
}
