package workload

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/txn"
)

const (
	smallPage   = 3  // entries of a page, in some scans
	smallPages  = 20 // percent of scans with small pages
	exclusively = 30 // percent of reads that are for update, in transactions that may write
	singleMax   = 4  // gets in a row that are calls of their own
)

// verbs carries out steps one by one, in a transaction or each on its own.
type verbs struct {
	kv     *client.KV
	layout layout
	rand   *rand.Rand
	// locks: some reads are for update.
	locks bool
	// whole: a scan is one call, also of a range on several shards.
	whole bool
}

func (v *verbs) do(ctx context.Context, s *step, a *answer) error {
	key := v.layout.store(s.key)
	switch s.way {
	case get:
		e, err := v.kv.Get(ctx, key, v.readOptions()...)
		return after(err, func() error { return a.got(s.key, e) })
	case scan:
		return v.scan(ctx, s, a)
	case put:
		r, err := v.kv.Set(ctx, key, client.IntValue(s.n), client.SetOptions{})
		return after(err, func() error { return a.put(v.layout, &s.asked()[0], &r) })
	case create:
		o := client.SetOptions{If: client.Conditions{Absent: true}, ReturnPrev: true}
		r, err := v.kv.Set(ctx, key, client.IntValue(s.n), o)
		return after(err, func() error { return a.put(v.layout, &s.asked()[0], &r) })
	case push:
		r, err := v.kv.Append(ctx, key, listValue(s.n), client.UpdateOptions{})
		return after(err, func() error { return a.appended(v.layout, s, &r) })
	case rewrite:
		return v.rewrite(ctx, s, a)
	case add:
		r, err := v.kv.Increment(ctx, key, client.IntValue(s.delta), s.updateOptions())
		return after(err, func() error { return a.added(v.layout, s, &r) })
	case remove:
		r, err := v.kv.Delete(ctx, key, client.DeleteOptions{})
		return after(err, func() error { return a.removed(v.layout, s, &r) })
	case clean:
		r, err := v.kv.DeleteRange(ctx, v.layout.whole(s.key), client.DeleteRangeOptions{})
		return after(err, func() error { return a.cleaned(v.layout, s, &r) })
	}
	return nil
}

func after(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func (v *verbs) readOptions() []client.ReadOption {
	if v.locks && v.rand.IntN(100) < exclusively {
		return []client.ReadOption{client.ForUpdate()}
	}
	return nil
}

func (s *step) updateOptions() client.UpdateOptions {
	if s.floor == nil {
		return client.UpdateOptions{}
	}
	return client.UpdateOptions{LowerBound: new(client.IntValue(*s.floor))}
}

// scan reads a range, which may lie on all shards.
func (v *verbs) scan(ctx context.Context, s *step, a *answer) error {
	var ranges []client.Range
	if v.whole {
		ranges = append(ranges, v.layout.whole(s.key))
	} else {
		for _, prefix := range v.layout.prefixes(s.key) {
			ranges = append(ranges, client.Prefix(prefix))
		}
	}
	var entries []client.Entry
	for _, r := range ranges {
		r.ForUpdate = v.locks && v.rand.IntN(100) < exclusively
		if v.rand.IntN(100) < smallPages {
			r.Page = smallPage
		}
		for e, err := range v.kv.Scan(ctx, r) {
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
	}
	return a.scanned(s.key, entries)
}

// rewrite appends by reading and writing all of the list.
func (v *verbs) rewrite(ctx context.Context, s *step, a *answer) error {
	key := v.layout.store(s.key)
	e, err := v.kv.Get(ctx, key, v.readOptions()...)
	if err != nil {
		return err
	}
	read := newAnswer() // no read of the history
	if err := read.got(s.key, e); err != nil {
		return err
	}
	list := extended(read.seen[s.key].list, s.n)
	r, err := v.kv.Set(ctx, key, listValue(list...), client.SetOptions{})
	return after(err, func() error { return a.put(v.layout, &s.asked()[0], &r) })
}

// all carries out p, without its writes if what was read before them does not permit them.
func (v *verbs) all(ctx context.Context, p *plan) (answer, error) {
	a := newAnswer()
	asked, permitted := p.permits == nil, true
	for i := 0; i < len(p.steps); i++ {
		s := &p.steps[i]
		if n := gets(p.steps[i:]); n > singleMax {
			if err := v.batchGet(ctx, p.steps[i:i+n], &a); err != nil {
				return a, err
			}
			i += n - 1
			continue
		}
		if s.writes() && !asked {
			asked, permitted = true, p.permits(&a)
		}
		if s.writes() && !permitted {
			continue
		}
		if v.rand.IntN(100) < hesitations {
			if err := pause(ctx, rand.N(hesitationMax)); err != nil { // so it is not committed
				return a, &txn.Error{Kind: txn.Deadline, Op: "workload.pause", Reason: "context", Err: err}
			}
		}
		if err := v.do(ctx, s, &a); err != nil {
			return a, err
		}
	}
	return a, nil
}

// gets is how many gets steps begins with.
func gets(steps []step) int {
	n := slices.IndexFunc(steps, func(s step) bool { return s.way != get })
	if n < 0 {
		return len(steps)
	}
	return n
}

// batchGet reads all keys of some gets at once.
func (v *verbs) batchGet(ctx context.Context, steps []step, a *answer) error {
	keys := make([]string, len(steps))
	for i := range steps {
		keys[i] = v.layout.store(steps[i].key)
	}
	o := client.BatchGetOptions{ForUpdate: v.locks && v.rand.IntN(100) < exclusively}
	entries, err := v.kv.BatchGet(ctx, keys, o)
	if err != nil {
		return err
	}
	if len(entries) != len(keys) {
		return contradicts("a BatchGet of %d keys has %d answers", len(keys), len(entries))
	}
	for i := range entries {
		if err := a.got(steps[i].key, entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// batchSet writes all keys of p at once; its steps put and create.
func (v *verbs) batchSet(ctx context.Context, p *plan) (answer, error) {
	a := newAnswer()
	items := make([]client.SetItem, len(p.steps))
	for i := range p.steps {
		s := &p.steps[i]
		items[i] = client.SetItem{Key: v.layout.store(s.key), Value: client.IntValue(s.n),
			If: client.Conditions{Absent: s.way == create}}
	}
	results, err := v.kv.BatchSet(ctx, items, client.BatchOptions{})
	if err != nil {
		return a, err
	}
	if len(results) != len(items) {
		return a, contradicts("a BatchSet of %d keys has %d answers", len(items), len(results))
	}
	for i := range results {
		if err := a.put(v.layout, &p.steps[i].asked()[0], &results[i]); err != nil {
			return a, err
		}
	}
	return a, nil
}

// compareAndSet carries out a plan of a get and a put by one Set with a condition.
func (v *verbs) compareAndSet(ctx context.Context, p *plan) (answer, error) {
	a := newAnswer()
	s := &p.steps[1]
	r, err := v.kv.Set(ctx, v.layout.store(s.key), client.IntValue(s.n),
		client.SetOptions{If: *p.cas, ReturnPrev: true})
	if err != nil {
		return a, err
	}
	if r.Set { // so it was what was asked for, which is in Prev
		e := client.Entry{Revision: r.PrevRevision}
		if r.Prev != nil {
			e = *r.Prev
		}
		if err := a.got(s.key, e); err != nil {
			return a, err
		}
		a.conditional(p)
	}
	err = a.put(v.layout, &s.asked()[0], &r)
	return a, err
}
