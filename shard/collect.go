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

// collector walks over the records of the shard and then over the rows of
// requests, again and again, and removes those that nobody asks for any more
// (C7): of records the ones that are decided, without an intent anywhere, and
// older than the retention. What is old and not so yet it tells to gateways
// (StaleRequest), which see to it. A row goes after the record that decides it.
type collector struct {
	next  time.Duration // no new pass before
	from  []byte        // where this pass goes on; nil: there is none
	rows  bool          // it is at the rows
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
	look := r.lookRecord
	if c.from == nil {
		c.next, c.found, c.rows = now+collectEvery, nil, false
	}
	if c.rows {
		_, upper = mvcc.RequestBounds(r.o.Route.Span)
		look = r.lookRow
	}
	if c.from != nil {
		lower = c.from
	}
	it, err := r.o.State.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		r.fail(err)
		return
	}
	cmd := &command{kind: cmdCollect}
	c.from, err = r.collectFrom(it, cmd, look)
	if e := it.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		r.fail(err)
		return
	case c.from == nil && !c.rows:
		c.stale, c.rows = c.found, true
		c.from, _ = mvcc.RequestBounds(r.o.Route.Span)
	}
	if len(cmd.records)+len(cmd.rows) > 0 {
		c.busy = true
		l := r.lead
		r.await(cmd, func(applied) { l.collector.busy = false })
	}
}

// collectFrom puts into cmd what may go of the next collectMax, and returns
// where the next look begins; nil: there are no more.
func (r *Replica) collectFrom(
	it mvcc.Iterator, cmd *command, look func(key, value []byte, cmd *command) error,
) ([]byte, error) {
	ok := it.First()
	for range collectMax {
		if !ok {
			return nil, it.Error()
		}
		b, err := it.Value()
		if err == nil {
			err = look(it.Key(), b, cmd)
		}
		if err != nil {
			return nil, err
		}
		ok = it.Next()
	}
	if !ok {
		return nil, it.Error()
	}
	return append([]byte(nil), it.Key()...), nil
}

// lookRecord sorts out one record.
func (r *Replica) lookRecord(key, value []byte, cmd *command) error {
	primary, id, err := mvcc.DecodeRecordKey(key)
	if err != nil {
		return err
	}
	rec, err := mvcc.DecodeRecord(primary.Clone(), id, value)
	if err != nil {
		return err
	}
	age := r.o.Newest.Load().Sub(max(rec.BaseTS, rec.CommitTS))
	keep := r.o.Retention
	if rec.Requested {
		keep = max(keep, txn.RequestRetention.Duration())
	}
	done := rec.Done || mutant.On(mutant.C7) && rec.Status.Final()
	switch c := &r.lead.collector; {
	case done && age > keep:
		cmd.ts = max(cmd.ts, rec.BaseTS)
		cmd.records = append(cmd.records, recordName{rec.Primary, rec.Txn})
	case !done && age > min(r.o.Retention, txn.ForsakenAfter.Duration()) && len(c.found) < staleMax:
		c.found = append(c.found, shardrpc.Blocker{
			Key: rec.Primary, Txn: rec.Txn, Primary: rec.Primary, BaseTS: rec.BaseTS})
	}
	return nil
}

// lookRow sorts out one row. What a request came to is remembered for
// RequestRetention at least, whatever the retention of records.
func (r *Replica) lookRow(key, value []byte, cmd *command) error {
	anchor, id, err := mvcc.DecodeRequestKey(key)
	if err != nil {
		return err
	}
	row, err := mvcc.DecodeRequest(value)
	if err != nil {
		return err
	}
	age := r.o.Newest.Load().Sub(max(row.BaseTS, row.CommitTS))
	if age <= max(r.o.Retention, txn.RequestRetention.Duration()) {
		return nil
	}
	if r.written(anchor) {
		return nil // what is in the log may put another row there
	}
	if row.Status == txn.Pending {
		rec, err := mvcc.GetRecord(r.o.State, anchor, row.Txn)
		if err != nil || rec.Status != txn.Absent {
			return err
		}
	}
	cmd.rows = append(cmd.rows, rowName{anchor.Clone(), id})
	return nil
}

// written reports whether a write of k is in flight.
func (r *Replica) written(k txn.Key) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.latches.BlockingKey(k, txn.Forever) != nil
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
	for i := range c.rows {
		mvcc.DeleteRequest(a.batch, c.rows[i].anchor, c.rows[i].id)
	}
	r.collected.Add(int64(len(c.records) + len(c.rows)))
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
