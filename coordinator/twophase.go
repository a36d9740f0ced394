package coordinator

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// twoPhase is an attempt that several shards take part in (F4, F5): its
// requests, built once.
type twoPhase struct {
	*attempt
	c     *Coordinator
	base  txn.Timestamp // C0: fresh, and no other transaction's
	maxTS txn.Timestamp
	mode  CommitMode
	// validates go to shards where it only reads, prewrites to the others: the
	// first one holds the primary and the record.
	validates []*shardrpc.ValidateRequest
	prewrites []*shardrpc.PrewriteRequest
}

// commitTwoPhase validates, prewrites, and decides: in parallel mode by what it
// has prewritten, else at the record. Every check that can fail comes before
// the first prewrite is sent (C10); after that the attempt ends as committed,
// refused, proved aborted, or Unknown.
func (c *Coordinator) commitTwoPhase(
	ctx context.Context, a *attempt, rs routes,
) (*Committed, *refusal, error) {
	base, err := c.fresh(ctx, a.until)
	if err != nil {
		return nil, nil, err
	}
	t := &twoPhase{attempt: a, c: c, base: base, mode: c.opts.Commit}
	if t.mode == Parallel && tooLarge(a.writes) {
		t.mode = TwoPhase
	}
	if err := t.build(rs); err != nil {
		return nil, nil, err
	}
	if t.base > t.maxTS {
		return nil, locallyPushed(a.id), nil
	}
	if !mutant.On(mutant.V7) {
		if refused, err := t.validate(ctx); refused != nil || err != nil {
			return nil, refused, err
		}
	}
	if err := c.beforeFirst(ctx, "coordinator.prewrite.before-first"); err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx) // C3
	c.own(a.id)
	began := c.env.Now()
	p := t.prewrite(ctx)
	if err := c.env.Wait(ctx, &p.turn, a.until); stopped(err) {
		return nil, nil, err
	}
	c.stage(StagePrewrite, began)
	switch p.close() {
	case allPrewritten:
		if mutant.On(mutant.V7) {
			if refused, err := t.validate(ctx); refused != nil || err != nil {
				return t.decideAbort(ctx, p, ending{refused, err})
			}
		}
		if t.mode == Parallel {
			return t.commitParallel(ctx, p)
		}
		return t.decideCommit(ctx, p)
	case prewriteRefused:
		return nil, t.abandon(p.refusal()), nil
	case prewriteStopped:
		return nil, nil, env.ErrStopped
	case prewriteGone:
		return t.decideAbort(ctx, p, ending{err: t.unknown(errGone)})
	default:
		return t.decideAbort(ctx, p, ending{err: lateError(a)})
	}
}

// build cuts the attempt into requests by shard.
func (t *twoPhase) build(rs routes) error {
	type part struct {
		writes []txn.Write
		reads  txn.ReadSet
	}
	parts := make([]part, len(rs))
	for i := range t.writes {
		r, err := rs.find(t.writes[i].Key)
		if err != nil {
			return err
		}
		parts[r].writes = append(parts[r].writes, t.writes[i])
	}
	for _, seen := range t.reads.Keys {
		r, err := rs.find(seen.Key)
		if err != nil {
			return err
		}
		parts[r].reads.Keys = append(parts[r].reads.Keys, seen)
	}
	for _, seen := range t.reads.Spans {
		for r := range rs {
			if some := seen.Intersect(rs[r].Span); !some.Empty() {
				parts[r].reads.Spans = append(parts[r].reads.Spans,
					txn.SeenSpan{Span: some, At: seen.At})
			}
		}
	}
	t.maxTS = t.reads.MaxTS
	if t.readsMore() {
		t.maxTS = min(t.maxTS, t.base)
	}
	hash := keysHash(t.writes)
	record, keys := txn.Pending, []txn.Key(nil)
	if t.mode == Parallel {
		record, keys = txn.Staging, keysOf(t.writes)
	}
	home := -1
	if primary := t.primary(); primary != nil {
		var err error
		if home, err = rs.find(primary); err != nil {
			return err
		}
	}
	for r := range parts {
		p := &parts[r]
		p.reads.MaxTS = t.reads.MaxTS
		prewrite := &shardrpc.PrewriteRequest{
			Txn: t.id, Age: t.age, BaseTS: t.base, MaxTS: t.maxTS, Primary: t.primary(),
			Hash: hash, Reads: p.reads, Writes: p.writes, Annotation: t.note,
		}
		switch {
		case r == home:
			prewrite.Record, prewrite.Keys, prewrite.Request = record, keys, t.request
			t.prewrites = slices.Insert(t.prewrites, 0, prewrite)
		case len(p.writes) > 0:
			t.prewrites = append(t.prewrites, prewrite)
		case !p.reads.Empty():
			t.validates = append(t.validates, &shardrpc.ValidateRequest{
				Txn: t.id, At: t.base, Reads: p.reads,
			})
		}
	}
	return nil
}

// readsMore reports whether something was read that is not written: nothing
// protects that from changing after C0. Both lists are in key order.
func (t *twoPhase) readsMore() bool {
	for _, s := range t.reads.Spans {
		at, ok := slices.BinarySearchFunc(t.writes, s.Start, func(w txn.Write, k txn.Key) int {
			return w.Key.Compare(k)
		})
		if !ok || t.writes[at].Key.Next().Compare(s.End) != 0 {
			return true
		}
	}
	w := 0
	for i := range t.reads.Keys {
		for w < len(t.writes) && t.writes[w].Key.Compare(t.reads.Keys[i].Key) < 0 {
			w++
		}
		if w == len(t.writes) || t.writes[w].Key.Compare(t.reads.Keys[i].Key) != 0 {
			return true
		}
	}
	return false
}

// tooLarge reports whether writes have too many keys for a staging record.
func tooLarge(writes []txn.Write) bool {
	bytes := 0
	for i := range writes {
		bytes += len(writes[i].Key)
	}
	return len(writes) > txn.ParallelKeysMax || bytes > txn.ParallelBytesMax
}

func keysOf(writes []txn.Write) []txn.Key {
	keys := make([]txn.Key, len(writes))
	for i := range writes {
		keys[i] = writes[i].Key
	}
	return keys
}

// keysHash names the exact list of keys that is written (C11).
func keysHash(writes []txn.Write) uint64 {
	h := fnv.New64a()
	var size [4]byte
	for i := range writes {
		binary.BigEndian.PutUint32(size[:], uint32(len(writes[i].Key)))
		_, _ = h.Write(size[:]) // a hash takes everything
		_, _ = h.Write(writes[i].Key)
	}
	return h.Sum64()
}

// validate asks the shards that are only read, before anything is written
// (V7): a validation that fails beside a prewrite would come too late.
func (t *twoPhase) validate(ctx context.Context) (*refusal, error) {
	if len(t.validates) == 0 {
		return nil, nil
	}
	if err := t.c.env.Point("coordinator.validate.before"); err != nil {
		return nil, err
	}
	began := t.c.env.Now()
	defer func() { t.c.stage(StageValidate, began) }()
	replies := make([]shardrpc.Reply, len(t.validates))
	err := t.c.parallel("coordinator.validate", len(t.validates), func(i int) error {
		return t.validateShard(ctx, t.validates[i], &replies[i])
	})
	for i := range replies {
		switch {
		case replies[i].Answer == shardrpc.Refused:
			return &refusal{id: t.id, reply: replies[i]}, nil
		case replies[i].Answer == shardrpc.Gone && err == nil: // too old: read again
			return &refusal{id: t.id, reply: shardrpc.Reply{
				Answer: shardrpc.Refused, Reason: shardrpc.ReasonStale,
			}}, nil
		}
	}
	return nil, err
}

func (t *twoPhase) validateShard(
	ctx context.Context, req *shardrpc.ValidateRequest, reply *shardrpc.Reply,
) error {
	var key txn.Key
	if len(req.Reads.Keys) > 0 {
		key = req.Reads.Keys[0].Key
	} else {
		key = req.Reads.Spans[0].Start
	}
	return t.c.deliver(ctx, delivery{key: key, until: t.until,
		send: func(ctx context.Context, to shardrpc.Target) (shardrpc.Answer, error) {
			r := *req
			r.Target = to
			got, err := send(ctx, t.c, t.until,
				func(ctx context.Context) (*shardrpc.Reply, error) {
					return t.c.shards.Validate(ctx, &r)
				})
			if err != nil {
				return shardrpc.Retry, err
			}
			*reply = *got
			return got.Answer, nil
		}})
}

// lateError is for an attempt that was aborted because its time was up.
func lateError(a *attempt) error {
	return &txn.Error{Kind: txn.Deadline, Reason: "deadline", Txn: a.id,
		Err: errNoAnswerAll}
}

// graceOver is the end of the time in which a caller may still learn more
// than Unknown.
func (c *Coordinator) graceOver(until time.Duration) time.Duration {
	return max(until, c.env.Now()) + decideGrace
}
