package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

// slot is a run's own keys: all that begin with a prefix, in the middle of which a shard ends.
type slot string

// lane is a slot for each transaction of a script.
type lane [txnsMax]slot

func newLane(n int) (l lane) {
	for i := range l {
		l[i] = slot(fmt.Sprintf("slot%02d/", n*txnsMax+i))
	}
	return l
}

// split is the key at which the second shard begins.
func (s slot) split() string { return string(s) + "m" }

// key is where a script's key is: y and w on the second shard if split.
func (s slot) key(name string, split bool) string {
	if split && (name == "y" || name == "w") {
		return string(s) + "z/" + name
	}
	return string(s) + "a/" + name
}

// run is a script on its way.
type run struct {
	db *client.DB
	setting
	script []step
	slots  lane          // by transaction
	bound  time.Duration // how long a step may take before it is said to wait

	clock  atomic.Int64 // of what begins and ends
	actors []*actor     // T1 first

	mu  sync.Mutex
	log []string
}

// actor is a transaction: it takes its steps one by one.
type actor struct {
	run   *run
	slot  slot
	tx    transaction
	read  state // by key, the last that it saw
	seen  observed
	err   error         // that no script may come to
	over  chan struct{} // closed when it has ended
	steps chan doing
	last  doing // that it was given; the scheduler's
}

// transaction is what a script needs of one: a client.Txn, or bare.
type transaction interface {
	Get(context.Context, string, ...client.ReadOption) (client.Entry, error)
	Scan(context.Context, client.Range) iter.Seq2[client.Entry, error]
	Set(context.Context, string, client.Value, client.SetOptions) (client.SetResult, error)
	Delete(context.Context, string, client.DeleteOptions) (client.DeleteResult, error)
	Commit(context.Context) (client.CommitResult, error)
	Rollback(context.Context) error
}

// bare is no isolation: every operation takes effect at once, and stays.
type bare struct{ *client.KV }

// Get is never for update: there is nothing to lock for.
func (b bare) Get(ctx context.Context, key string, _ ...client.ReadOption) (client.Entry, error) {
	return b.KV.Get(ctx, key)
}

func (bare) Commit(context.Context) (r client.CommitResult, err error) { return r, nil }
func (bare) Rollback(context.Context) error                            { return nil }

// doing is a step, and when it was done.
type doing struct {
	step
	done chan struct{}
}

// do runs the script on fresh keys, and returns for each transaction what it did, and what was
// left in its slot.
func (r *run) do(ctx context.Context, init state) (txns []observed, finals []state, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := r.prepare(ctx, init); err != nil {
		return nil, nil, fmt.Errorf("preparing: %w", err)
	}
	var acting sync.WaitGroup
	for _, a := range r.actors {
		acting.Go(func() { a.act(ctx, cancel) })
	}
	for _, s := range r.script {
		r.give(s)
	}
	for _, a := range r.actors {
		close(a.steps)
	}
	acting.Wait()
	for _, a := range r.actors {
		if a.err != nil {
			return nil, nil, a.err
		}
		final, err := a.scan(ctx, bare{&r.db.KV})
		if err != nil {
			return nil, nil, fmt.Errorf("looking back: %w", err)
		}
		txns, finals = append(txns, a.seen), append(finals, final)
	}
	return txns, finals, nil
}

// prepare makes the actors and fills their slots.
func (r *run) prepare(ctx context.Context, init state) error {
	names := make(map[string]bool)
	for _, s := range r.script {
		names[s.txn] = true
	}
	filled := make(map[slot]bool)
	for i, name := range slices.Sorted(maps.Keys(names)) {
		s := r.slots[i]
		r.actors = append(r.actors, &actor{
			run: r, slot: s, read: make(state),
			seen: observed{name: name, torn: r.torn(name)},
			over: make(chan struct{}), steps: make(chan doing, len(r.script)),
		})
		if filled[s] {
			continue
		}
		filled[s] = true
		if err := r.db.Update(ctx, func(tx *client.Txn) error {
			return r.fill(ctx, tx, s, init)
		}); err != nil {
			return err
		}
	}
	return nil
}

// fill makes init all that is in a slot.
func (r *run) fill(ctx context.Context, tx *client.Txn, s slot, init state) error {
	for e, err := range tx.Scan(ctx, client.Prefix(string(s))) {
		if err == nil {
			_, err = tx.Delete(ctx, e.Key, client.DeleteOptions{})
		}
		if err != nil {
			return err
		}
	}
	for k, v := range init {
		_, err := tx.Set(ctx, s.key(k, r.split), client.IntValue(v), client.SetOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

// give hands out a step, and returns when it is done, or seems to wait for somebody; and when
// those who waited are done with theirs, or seem to go on waiting.
func (r *run) give(s step) {
	i := slices.IndexFunc(r.actors, func(a *actor) bool { return a.seen.name == s.txn })
	a := r.actors[i]
	behind := !a.last.within(nil)
	a.last = doing{s, make(chan struct{})}
	a.steps <- a.last
	if behind {
		return // nothing has happened
	}
	if !a.last.within(time.After(r.bound)) {
		r.note("%v ... waits", s)
		a.seen.waited = s.verb != "begin"
		return
	}
	bound := time.After(r.bound)
	for _, other := range r.actors {
		if !other.last.within(bound) {
			return
		}
	}
}

// within waits for the step to be done, or the time; nil: not at all.
func (d doing) within(bound <-chan time.Time) bool {
	if d.done == nil {
		return true // there was none
	}
	if bound == nil {
		select {
		case <-d.done:
			return true
		default:
			return false
		}
	}
	select {
	case <-d.done:
		return true
	case <-bound:
		return false
	}
}

// act takes steps until there are no more. Those behind the transaction's end do nothing.
func (a *actor) act(ctx context.Context, cancel context.CancelFunc) {
	for d := range a.steps {
		if a.seen.fate == "" && a.err == nil {
			a.take(ctx, d.step)
		}
		close(d.done)
		if a.err != nil {
			cancel() // nobody shall wait for it
		}
	}
	if a.seen.fate == "" && a.err == nil {
		a.err = fmt.Errorf("%s has not ended", a.seen.name)
	}
}

func (a *actor) take(ctx context.Context, s step) {
	o, end := op{step: s}, fate("")
	var err error
	switch s.verb {
	case "begin":
		err = a.begin(ctx, s)
	case "commit":
		_, err = a.tx.Commit(ctx)
		end = committed
	case "rollback":
		err = a.tx.Rollback(ctx)
		end = rolledBack
	default:
		err = a.operate(ctx, &o)
		if err == nil {
			a.seen.ops = append(a.seen.ops, o)
		}
	}
	switch kind := txn.KindOf(err); {
	case err == nil && o.saw != nil:
		a.run.note("%v -> %s", s, s.token(o.saw))
	case err == nil:
		a.run.note("%v", s)
	case kind == txn.Conflict, kind == txn.Wounded:
		a.run.note("%v: %v", s, err)
		end = aborted
		if s.verb != "commit" {
			_ = a.tx.Rollback(ctx) // to be polite: it has ended
		}
	default:
		a.err = fmt.Errorf("%v: %w", s, err)
		return
	}
	if end != "" {
		a.seen.fate, a.seen.ended = end, int(a.run.clock.Add(1))
		close(a.over)
	}
}

func (a *actor) begin(ctx context.Context, s step) (err error) {
	for _, other := range a.run.actors {
		if len(s.args) > 0 && other.seen.name == s.args[1] {
			select {
			case <-other.over:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	a.seen.began = int(a.run.clock.Add(1))
	if a.run.locking == nothing {
		a.tx = bare{&a.run.db.KV}
		return nil
	}
	a.tx, err = a.run.db.Begin(ctx, a.run.options(a.seen.name))
	return err
}

// operate does a step that reads, writes, or both.
func (a *actor) operate(ctx context.Context, o *op) (err error) {
	switch {
	case o.step.ranged():
		all, err := a.scan(ctx, a.tx)
		if err != nil {
			return err
		}
		o.saw = o.step.sees(all)
	case o.step.observes():
		name := o.step.args[0]
		e, err := get(ctx, a.tx, o.step.verb, a.slot.key(name, a.run.split))
		if err != nil {
			return err
		}
		o.saw = make(state)
		if e.Found() {
			o.saw[name] = e.Value.Int()
		}
	}
	maps.Copy(a.read, o.saw)
	o.wrote = o.step.writes(o.saw, a.read)
	for _, name := range slices.Sorted(maps.Keys(o.wrote)) {
		key, v := a.slot.key(name, a.run.split), o.wrote[name]
		if v == nil {
			_, err = a.tx.Delete(ctx, key, client.DeleteOptions{})
		} else {
			_, err = a.tx.Set(ctx, key, client.IntValue(*v), client.SetOptions{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scan reads all of the slot, by the names that the script knows.
func (a *actor) scan(ctx context.Context, from transaction) (state, error) {
	all := make(state)
	for e, err := range from.Scan(ctx, client.Prefix(string(a.slot))) {
		if err != nil {
			return nil, err
		}
		all[e.Key[strings.LastIndex(e.Key, "/")+1:]] = e.Value.Int()
	}
	return all, nil
}

func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

// String is what happened, in order.
func (r *run) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return "    " + strings.Join(r.log, "\n    ")
}
