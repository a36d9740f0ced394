package shard

import (
	"time"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// RetentionDefault is how long the outcome of a transaction can be asked for.
const RetentionDefault = 15 * time.Minute

const (
	collectEvery = time.Second // between the beginnings of two passes
	collectMax   = 256         // records looked at in a tick
	staleMax     = 64          // transactions told to those who ask for stale ones
)

// collector walks over the records of the shard again and again, and removes
// those that nobody asks for any more (C7): decided, without an intent
// anywhere, and older than the retention. What is old and not so yet it tells
// to gateways (StaleRequest), which see to it.
type collector struct {
	next  time.Duration // no new pass before
	from  []byte        // where this pass goes on; nil: there is none
	busy  bool          // what was found is in the log
	found []shardrpc.Blocker
	stale []shardrpc.Blocker // found by the last whole pass
}

// collect does a tick's part of a pass.
func (r *Replica) collect() {
	c := &r.lead.collector
	now := r.o.Env.Now()
	if r.serving.Load() != r.lead.term || c.busy || c.from == nil && now < c.next {
		return
	}
	lower, upper := mvcc.RecordBounds(r.o.Route.Span)
	if c.from == nil {
		c.next, c.found = now+collectEvery, nil
	} else {
		lower = c.from
	}
	it, err := r.o.State.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		r.fail(err)
		return
	}
	cmd := &command{kind: cmdCollect}
	c.from, err = r.collectFrom(it, cmd)
	if e := it.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		r.fail(err)
		return
	case c.from == nil:
		c.stale = c.found
	}
	if len(cmd.records) > 0 {
		c.busy = true
		l := r.lead
		r.await(cmd, func(applied) { l.collector.busy = false })
	}
}

// collectFrom puts up to collectMax records into cmd, as far as they may go,
// and returns where the next look begins; nil: there are no more.
func (r *Replica) collectFrom(it mvcc.Iterator, cmd *command) ([]byte, error) {
	ok := it.First()
	for range collectMax {
		if !ok {
			return nil, it.Error()
		}
		primary, id, err := mvcc.DecodeRecordKey(it.Key())
		if err != nil {
			return nil, err
		}
		b, err := it.Value()
		if err != nil {
			return nil, err
		}
		rec, err := mvcc.DecodeRecord(primary.Clone(), id, b)
		if err != nil {
			return nil, err
		}
		r.look(&rec, cmd)
		ok = it.Next()
	}
	if !ok {
		return nil, it.Error()
	}
	return append([]byte(nil), it.Key()...), nil
}

// look sorts out one record.
func (r *Replica) look(rec *txn.Record, cmd *command) {
	newest := r.o.Newest.Load()
	age := newest.Sub(max(rec.BaseTS, rec.CommitTS))
	done := rec.Done || mutant.On(mutant.C7) && rec.Status.Final()
	switch c := &r.lead.collector; {
	case done && age > r.o.Retention:
		cmd.ts = max(cmd.ts, rec.BaseTS)
		cmd.records = append(cmd.records, recordName{rec.Primary, rec.Txn})
	case !done && age > min(r.o.Retention, txn.ForsakenAfter.Duration()) && len(c.found) < staleMax:
		c.found = append(c.found, shardrpc.Blocker{
			Key: rec.Primary, Txn: rec.Txn, Primary: rec.Primary, BaseTS: rec.BaseTS})
	}
}

// applyCollect removes records and raises the floor at or below which none is
// ever made again: one without the other would let a late request bring back
// what was decided (A7).
func (r *Replica) applyCollect(a *applying, c *command) {
	for i := range c.records {
		n := &c.records[i]
		mvcc.DeleteRecord(a.batch, n.primary, n.txn)
		a.records[n.txn] = txn.Record{Txn: n.txn, Primary: n.primary}
	}
	if !mutant.On(mutant.A7) {
		a.state.RecordFloor = max(a.state.RecordFloor, c.ts)
	}
	r.collected.Add(int64(len(c.records)))
}

// stale tells a gateway which transactions are old and not done with.
func (r *Replica) stale(id uint64, m *shardrpc.StaleRequest) {
	resp := &shardrpc.StaleResponse{}
	var rejected bool
	if resp.Answer, rejected = r.rejects(m.Target, nil, nil); !rejected {
		resp.Answer, resp.Stale = shardrpc.OK, r.lead.collector.stale
	}
	r.reply(id, resp)
}
