package txn

import "bytes"

// deleteRange deletes what a range would show.
func (b *Buffer) deleteRange(op *Op, v View, at Timestamp) (Result, error) {
	found, err := b.scanPage(&Op{
		Span: op.Span, Filter: op.Filter, KeysOnly: true, Limit: WriteKeysMax,
	}, v, at, page{})
	if err != nil {
		return Result{}, err
	}
	if found.More {
		return Result{}, tooManyChanges("deletes")
	}
	for i := range found.Entries {
		if err := b.remove(found.Entries[i].Key, v, at); err != nil {
			return Result{}, err
		}
	}
	return Result{OK: found.Count > 0, Count: found.Count}, nil
}

// remove deletes k, which exists as the transaction sees it.
func (b *Buffer) remove(k Key, v View, at Timestamp) error {
	if _, had := b.find(k); had { // only then can it be its own alone
		if base, err := v.Get(k); err != nil || !base.Live(at) {
			b.drop(k)
			return err
		}
	}
	return b.put(&Op{Kind: OpDelete, Key: k})
}

// ReasonTooLarge is of a transaction over the limits of what one may write or read.
const ReasonTooLarge = "transaction_too_large"

func tooManyChanges(does string) error {
	e := Errorf(Exhausted, ReasonTooLarge,
		"the operation %s more than %d keys, the limit of a transaction", does, WriteKeysMax)
	e.Next = "nothing was done: take smaller ranges one after the other"
	return e
}

const (
	// revertStep is how many keys a revert compares at once, unless they are large.
	revertStep      = 1000
	revertStepBytes = 1 << 20
)

// revert brings a span back to what it was at op.To. It goes through the present
// and the past step by step, so that a range of any size can be compared.
func (b *Buffer) revert(op *Op, v View, at Timestamp) (Result, error) {
	if op.To > at {
		return Result{}, Errorf(Invalid, "as_of_future",
			"the time to go back to, %d, lies behind the one that the transaction reads at, %d",
			op.To, at)
	}
	r := reverting{Buffer: b, op: op, view: v, at: at, shown: b.answer}
	if r.shown == nil { // whoever counts no results has not asked for all of a range
		r.shown = new(answer)
	}
	for rest := op.Span; !rest.Empty(); {
		present, part, err := r.present(rest)
		if err != nil {
			return Result{}, err
		}
		if err := r.compare(present, part); err != nil {
			return Result{}, err
		}
		if len(part.End) == 0 {
			break
		}
		rest.Start = part.End
	}
	r.res.OK = r.res.Count > 0
	return r.res, nil
}

// reverting is a revert on its way.
type reverting struct {
	*Buffer
	op    *Op
	view  View
	at    Timestamp
	shown *answer // of a dry run
	gone  []Key   // to be deleted: that may read the view, which no scan allows
	res   Result
}

// present is what there is at the start of rest, and the part of rest that this
// is all of.
func (r *reverting) present(rest Span) (entries []Entry, part Span, err error) {
	found, err := r.scanPage(&Op{Span: rest, Filter: r.op.Filter, Limit: revertStep},
		r.view, r.at, page{bytes: revertStepBytes})
	if n := len(found.Entries); err == nil && found.More {
		rest.End = found.Entries[n-1].Key.Next()
	}
	return found.Entries, rest, err
}

// compare changes what differs in part between the present and the past.
func (r *reverting) compare(present []Entry, part Span) error {
	var failed error
	err := r.view.Scan(Scan{Span: part, Past: r.op.To}, func(past Entry) bool {
		if !r.op.Filter.Takes(past.Key) {
			return true
		}
		for len(present) > 0 && present[0].Key.Compare(past.Key) < 0 {
			if failed = r.change(&present[0], nil); failed != nil {
				return false
			}
			present = present[1:]
		}
		if len(present) == 0 || present[0].Key.Compare(past.Key) > 0 {
			failed = r.change(nil, &past)
		} else {
			failed = r.change(&present[0], &past)
			present = present[1:]
		}
		return failed == nil
	})
	for err == nil && failed == nil && len(present) > 0 {
		failed = r.change(&present[0], nil)
		present = present[1:]
	}
	if err == nil {
		err = failed
	}
	for i := 0; err == nil && i < len(r.gone); i++ {
		err = r.remove(r.gone[i], r.view, r.at)
	}
	r.gone = nil
	return err
}

// change brings one key back, nil being a missing one.
func (r *reverting) change(from, to *Entry) error {
	if from != nil && to != nil && (from.TS == to.TS && from.Txn == to.Txn ||
		from.Value.Type == to.Value.Type && from.Expiry == 0 && to.Expiry == 0 &&
			bytes.Equal(from.Value.Data, to.Value.Data)) {
		return nil
	}
	r.res.Count++
	if r.op.DryRun {
		return r.note(from, to)
	}
	if r.res.Count > WriteKeysMax {
		return tooManyChanges("changes")
	}
	if to == nil {
		r.gone = append(r.gone, from.Key)
		return nil
	}
	value := Value{to.Value.Type, bytes.Clone(to.Value.Data)}
	return r.put(&Op{Kind: OpSet, Key: to.Key.Clone(), Value: value, TTL: to.TTLAt(r.op.To)})
}

// note answers a change without making it.
func (r *reverting) note(from, to *Entry) error {
	var c Change
	for _, side := range [2]struct {
		e    *Entry
		into **Entry
	}{{from, &c.From}, {to, &c.To}} {
		if side.e == nil {
			continue
		}
		if !r.shown.takes(side.e) {
			return answerTooLarge()
		}
		e := *side.e
		e.Key, e.Value.Data = e.Key.Clone(), bytes.Clone(e.Value.Data)
		*side.into, c.Key = &e, e.Key
	}
	r.res.Changes = append(r.res.Changes, c)
	return nil
}
