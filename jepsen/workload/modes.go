package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// mode is a way to carry out a plan, as it is written in a history.
type mode string

// The modes. A verb has the mode verb and the name of its own in the history.
const (
	optimistic    mode = "optimistic"    // Begin to Commit, without a second attempt
	pessimistic   mode = "pessimistic"   // the same
	update        mode = "update"        // the SDK runs it again after conflicts
	updateLocking mode = "updatelocking" // the same, pessimistic from the first attempt
	view          mode = "view"
	asOf          mode = "asof" // at a timestamp that is taken after the invocation
	oneshot       mode = "oneshot"
	batch         mode = "batch"
	verb          mode = "verb"
	final         mode = "final" // a view, when everything is over
)

const (
	hesitations   = 10 // percent of the steps of a transaction with a pause before them
	hesitationMax = 4 * time.Millisecond
	rollbackMax   = time.Second
	// idleMax is how long a transaction may stay open without a call: clients of these loads die.
	idleMax     = time.Second
	lookUpMax   = 500 * time.Millisecond
	lookUpsMax  = 4
	lookUpDepth = 16 // versions of a key
	// lockAfter is after how many conflicts Update locks: Options.LockAfter.
	lockAfter = 2
)

// verbNames are the modes of plans of one step, by its way.
var verbNames = map[way]string{
	get: "get", scan: "scan", put: "set", create: "create", push: "append", add: "increment",
	remove: "delete",
}

// called is how a history calls what p does.
func (p *plan) called() string {
	switch {
	case p.mode == verb && p.cas != nil:
		return "cas"
	case p.mode == verb:
		return verbNames[p.steps[0].way]
	}
	return string(p.mode)
}

// attempts carries out plans on one DB.
type attempts struct {
	db   *client.DB
	rand *rand.Rand
	name string // of the operation, unlike all others
	// leaves: a transaction that failed is left to itself, as by a client that died.
	leaves bool
}

func (t *attempts) carryOut(ctx context.Context, p *plan) (answer, error) {
	own := verbs{kv: &t.db.KV, layout: p.layout, rand: t.rand, whole: true}
	switch p.mode {
	case optimistic, pessimistic:
		return t.explicit(ctx, p)
	case update, updateLocking:
		return t.update(ctx, p)
	case view, final:
		return t.view(ctx, p)
	case asOf:
		return t.asOf(ctx, p)
	case oneshot:
		return oneShot(ctx, t.db, p)
	case batch:
		if p.writes() {
			return own.batchSet(ctx, p)
		}
		a := newAnswer()
		err := own.batchGet(ctx, p.steps, &a)
		return a, err
	case verb:
		if p.cas != nil {
			return own.compareAndSet(ctx, p)
		}
		return own.all(ctx, p)
	}
	return answer{}, fmt.Errorf("no mode %q", p.mode)
}

func (t *attempts) on(tx *client.Txn, p *plan) *verbs {
	return &verbs{kv: &tx.KV, layout: p.layout, rand: t.rand, locks: p.writes()}
}

// explicit is one attempt, from Begin to Commit.
func (t *attempts) explicit(ctx context.Context, p *plan) (answer, error) {
	o := client.TxnOptions{Pessimistic: p.mode == pessimistic, Timeout: idleMax}
	tx, err := t.db.Begin(ctx, o)
	if err != nil {
		return answer{}, err
	}
	a, err := t.on(tx, p).all(ctx, p)
	if err == nil {
		a.ts, err = commit(ctx, tx)
	}
	if err != nil && !t.leaves {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackMax)
		defer cancel()
		_ = tx.Rollback(ctx) // what is not committed goes by itself
	}
	return a, err
}

// commit commits, and tries once more where that is allowed.
func commit(ctx context.Context, tx *client.Txn) (client.Timestamp, error) {
	res, err := tx.Commit(ctx)
	switch txn.KindOf(err) {
	case txn.Unavailable, txn.Exhausted:
		res, err = tx.Commit(ctx)
	}
	return res.CommitTS, err
}

// update leaves attempts and commits to the SDK. Its answer is that of the last attempt.
func (t *attempts) update(ctx context.Context, p *plan) (answer, error) {
	o := client.TxnOptions{Pessimistic: p.mode == updateLocking, Message: t.name, Timeout: idleMax}
	var last answer
	runs := 0
	err := t.db.UpdateWith(ctx, o, func(tx *client.Txn) (err error) {
		runs++
		last, err = t.on(tx, p).all(ctx, p)
		last.ts = 0 // nobody tells
		if !o.Pessimistic && runs <= lockAfter {
			last.ts = tx.ReadTS() // unless it writes
		}
		return err
	})
	if err == nil && last.wrote != "" {
		last.ts = 0
		last.late = func(dbs []*client.DB) client.Timestamp {
			return t.lookUp(ctx, dbs, last.wrote)
		}
	}
	return last, err
}

// lookUp finds out when this operation wrote a key of the store, 0 if that fails.
func (t *attempts) lookUp(
	ctx context.Context, dbs []*client.DB, stored string,
) client.Timestamp {
	ctx = context.WithoutCancel(ctx)
	for i := range lookUpsMax {
		if at, err := t.writtenAt(ctx, dbs[i%len(dbs)], stored); err == nil {
			return at
		}
	}
	return 0
}

func (t *attempts) writtenAt(
	ctx context.Context, db *client.DB, stored string,
) (client.Timestamp, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpMax)
	defer cancel()
	o := client.HistoryOptions{Limit: lookUpDepth, KeysOnly: true}
	for e, err := range db.History(ctx, stored, o) {
		switch {
		case err != nil:
			return 0, err
		case e.Message == t.name:
			return e.CommitTS, nil
		}
	}
	return 0, nil
}

func (t *attempts) view(ctx context.Context, p *plan) (a answer, err error) {
	err = t.db.View(ctx, func(tx *client.Txn) (err error) {
		a, err = t.on(tx, p).all(ctx, p)
		a.ts = tx.ReadTS()
		return err
	})
	return a, err
}

// asOf reads the past, which began with the operation.
func (t *attempts) asOf(ctx context.Context, p *plan) (answer, error) {
	var at client.Timestamp
	if err := t.db.View(ctx, func(tx *client.Txn) error {
		at = tx.ReadTS()
		return nil
	}); err != nil {
		return answer{}, err
	}
	var a answer
	err := t.db.UpdateWith(ctx, client.TxnOptions{AsOf: at}, func(tx *client.Txn) (err error) {
		a, err = t.on(tx, p).all(ctx, p)
		a.ts = at
		return err
	})
	return a, err
}

// pause is not longer than ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func writeMode(r *rand.Rand) mode {
	return pick(r, []choice[mode]{
		{24, optimistic}, {14, pessimistic}, {11, update}, {6, updateLocking}, {45, oneshot},
	})
}

// readMode is for plans that only read; scans and gets in batches and verbs are beside it.
func readMode(r *rand.Rand) mode {
	return pick(r, []choice[mode]{
		{14, optimistic}, {10, pessimistic}, {6, update}, {30, view}, {6, asOf}, {34, oneshot},
	})
}

// choice is one of several, which comes as often as its weight says.
type choice[T any] struct {
	weight int
	value  T
}

func pick[T any](r *rand.Rand, all []choice[T]) (chosen T) {
	sum := 0
	for _, c := range all {
		sum += c.weight
	}
	n := r.IntN(sum)
	for _, c := range all {
		if n -= c.weight; n < 0 {
			return c.value
		}
	}
	return chosen
}
