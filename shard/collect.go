package shard

import (
	"bytes"
	"slices"
	"time"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// RetentionDefault is how long the outcome of a transaction can be asked for.
const RetentionDefault = 15 * time.Minute

const (
	// A pass begins a second after the last one did at the earliest, and not
	// before an eighth of what it waits for has gone by: sooner it would find
	// little.
	collectEvery = time.Second
	collectParts = 8
	// A tick's part of a pass: keys looked at, and time for it, which is asked
	// for every so many keys. The simulator's stands still meanwhile.
	collectLooksMax = 4096
	collectTimeMax  = time.Millisecond
	collectClock    = 64
	// What one command removes: names, and bytes of them.
	collectNamesMax = 1024
	collectBytesMax = 256 << 10
)

// collector walks over the records of the shard, or over the rows of requests,
// again and again, and removes those that nobody asks for any more (C7): of
// records the ones that are decided, without an intent anywhere, and older than
// the retention. What is old and not so yet it tells to gateways (StaleRequest),
// which see to it. A row goes after the record that decides it. Rows are many
// more, so each kind has a walk of its own.
type collector struct {
	bounds func(txn.Span) (lower, upper []byte)
	look   func(key, value []byte, cmd *command) error // sorts out one pair
	every  time.Duration                               // between the beginnings of passes
	next   time.Duration                               // no new pass before
	from   []byte                                      // where this pass goes on; nil: there is none
	met    int                                         // pairs, in this pass
	busy   bool                                        // what was found is in the log
}

// collectors are those of a new leadership.
func (r *Replica) collectors() (records, rows collector) {
	every := func(keep time.Duration) time.Duration {
		return max(collectEvery, keep/collectParts)
	}
	records = collector{bounds: mvcc.RecordBounds, look: r.lookRecord, every: every(r.staleAge())}
	rows = collector{bounds: mvcc.RequestBounds, look: r.lookRow, every: every(r.rowKeep())}
	return records, rows
}

// staleAge is how old a record is of which gateways are told, if they have to see
// to it before it may go.
func (r *Replica) staleAge() time.Duration {
	return min(r.o.Retention, txn.ForsakenAfter.Duration())
}

// rowKeep is how long what a request came to is remembered: for RequestRetention
// at least, whatever the retention of records.
func (r *Replica) rowKeep() time.Duration {
	return max(r.o.Retention, txn.RequestRetention.Duration())
}

// collect does a tick's part of both passes.
func (r *Replica) collect() {
	l := r.lead
	if r.serving.Load() != l.term {
		return
	}
	if l.records.from == nil {
		l.stale.begin()
	}
	if r.collectNext(&l.records) {
		l.stale.end()
	}
	if r.lead == l && r.collectNext(&l.rows) { // it may have failed
		r.knowRows(l.rows.met)
	}
}

// collectNext does a tick's part of c's pass, and reports whether that was its end.
func (r *Replica) collectNext(c *collector) (ended bool) {
	now := r.o.Env.Now()
	if c.busy || c.from == nil && now < c.next {
		return false
	}
	if c.from == nil {
		c.next, c.met = now+c.every, 0
	}
	cmd := &command{kind: cmdCollect}
	var err error
	if c.from, err = r.walk(c, cmd); err != nil {
		r.fail(err)
		return false
	}
	cmd.rows = r.nobodyWrites(cmd.rows)
	if len(cmd.records)+len(cmd.rows) > 0 {
		c.busy = true
		r.await(cmd, func(applied) { c.busy = false })
	}
	return c.from == nil
}

// walk does a part of c's pass, and returns where the next one begins; nil: that
// was the end.
func (r *Replica) walk(c *collector, cmd *command) (next []byte, err error) {
	lower, upper := c.bounds(r.o.Route.Span)
	if len(c.from) > 0 {
		lower = c.from
	}
	it, err := r.o.State.NewIter(mvcc.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return nil, err
	}
	next, err = r.collectFrom(it, c, cmd)
	if e := it.Close(); err == nil {
		err = e
	}
	return next, err
}

// collectFrom puts into cmd what may go, as far as a tick's part reaches, and
// returns where the next one begins; nil: there is no more.
func (r *Replica) collectFrom(it mvcc.Iterator, c *collector, cmd *command) ([]byte, error) {
	until, size := r.o.Env.Now()+collectTimeMax, 0
	ok := it.First()
	for n := 1; ok; n++ {
		found := len(cmd.records) + len(cmd.rows)
		c.met++
		b, err := it.Value()
		if err == nil {
			err = c.look(it.Key(), b, cmd)
		}
		if err != nil {
			return nil, err
		}
		if len(cmd.records)+len(cmd.rows) > found {
			found++
			size += len(it.Key())
		}
		ok = it.Next()
		if n >= collectLooksMax || found >= collectNamesMax || size >= collectBytesMax ||
			n%collectClock == 0 && r.o.Env.Now() >= until {
			break
		}
	}
	if !ok {
		return nil, it.Error()
	}
	return bytes.Clone(it.Key()), nil
}

// lookRecord sorts out one record.
func (r *Replica) lookRecord(key, value []byte, cmd *command) error {
	primary, id, err := mvcc.DecodeRecordKey(key)
	if err != nil {
		return err
	}
	rec, err := mvcc.DecodeRecord(primary, id, value)
	if err != nil {
		return err
	}
	age := r.o.Newest.Load().Sub(max(rec.BaseTS, rec.CommitTS))
	keep := r.o.Retention
	if rec.Requested {
		keep = r.rowKeep()
	}
	done := rec.Done || mutant.On(mutant.C7) && rec.Status.Final()
	switch {
	case done && age > keep:
		cmd.ts = max(cmd.ts, rec.BaseTS)
		cmd.records = append(cmd.records, recordName{primary.Clone(), id})
	case !done && age > r.staleAge():
		r.lead.stale.add(key, &rec)
	}
	return nil
}

// lookRow sorts out one row.
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
	if age <= r.rowKeep() {
		return nil
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

// nobodyWrites leaves out of rows those in whose place the log may put others: a
// write that carries the request has been admitted and is not answered, or one is in
// the log that pushes it out of its anchor's newest versions. What comes later comes
// behind in the log, and what earlier leaders have proposed has been applied.
func (r *Replica) nobodyWrites(rows []rowName) []rowName {
	if len(rows) == 0 {
		return nil
	}
	type name struct {
		anchor string
		id     txn.RequestID
	}
	written := make(map[name]bool)
	for w := range r.lead.writes { // order: a set
		if w.request != nil {
			written[name{string(w.anchor), w.request.ID}] = true
		}
		if w.command == nil {
			continue
		}
		for i := range w.command.ops {
			if o := &w.command.ops[i]; o.evicted != nil {
				written[name{string(o.key), o.evicted.id}] = true
			}
		}
	}
	return slices.DeleteFunc(rows, func(n rowName) bool {
		return written[name{string(n.anchor), n.id}]
	})
}

// applyCollect removes rows, and records together with the rise of the floor at
// or below which none is ever made again: one without the other would let a late
// request bring back what was decided (A7).
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
		a.deleteRow(c.rows[i].anchor, c.rows[i].id)
	}
	r.collected.Add(int64(len(c.records) + len(c.rows)))
}
