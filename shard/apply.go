package shard

import (
	"go.etcd.io/raft/v3/raftpb"

	"github.com/cairnkv/cairn/internal/mutant"
	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/txn"
)

// applying is one engine batch on its way: what it changes in memory once it
// is committed, and who is told afterwards.
type applying struct {
	batch   mvcc.Batch
	state   mvcc.ShardState
	intents []intentChange
	rows    []rowChange
	// versions is what a leader's memory of the newest versions is to learn, if it has one.
	versions []versionChange
	learns   bool
	told     []told
	// What the batch holds and later commands of it must see. An entry is
	// never cut in two: its applied index goes with all of it (I10).
	staged  map[string]staged // by key
	records map[txn.ID]txn.Record
	dropped dropped // as the batch will leave it
	// usage is what the batch will leave of base, where it changes that.
	usage map[txn.KeyspaceID]*txn.Usage
	base  map[txn.KeyspaceID]txn.Usage
}

// staged is the newest word of the batch on a key's intent.
type staged struct {
	intent *mvcc.Intent // nil: resolved
	value  []byte       // its provisional version
}

type intentChange struct {
	put *mvcc.Intent
	del txn.Key
}

type told struct {
	proposal uint64
	applied  applied
}

// What a follower leaves for later at most, but for one entry more.
const (
	lateEntriesMax = 64
	lateBytesMax   = 256 << 10
)

// late is what is committed and not applied.
type late struct {
	entries []*raftpb.Entry
	bytes   int
}

// apply carries out committed entries, or leaves them for later: nobody asks a
// follower what they came to, and many together cost less.
func (r *Replica) apply(entries []*raftpb.Entry) error {
	l := &r.late
	now := r.lead != nil || r.o.Meta != nil
	for _, e := range entries {
		l.bytes += len(e.Data)
		now = now || isChange(e)
	}
	l.entries = append(l.entries, entries...)
	if now || len(l.entries) >= lateEntriesMax || l.bytes >= lateBytesMax {
		return r.applyLate()
	}
	return nil
}

// applyLate applies all that is committed, blindly and in order.
func (r *Replica) applyLate() error {
	entries := r.late.entries
	r.late = late{}
	if len(entries) == 0 {
		return nil
	}
	a := r.startApply()
	defer func() { a.batch.Close() }()
	for _, e := range entries {
		if err := r.applyEntry(a, e); err != nil {
			return err
		}
		if a.batch.Size() >= applyBatchBytesMax {
			if err := r.commitApply(a); err != nil {
				return err
			}
		}
	}
	return r.commitApply(a)
}

func (r *Replica) startApply() *applying {
	return &applying{batch: r.o.State.NewBatch(), state: r.mu.state,
		staged: map[string]staged{}, records: map[txn.ID]txn.Record{}, dropped: r.mu.dropped,
		usage: map[txn.KeyspaceID]*txn.Usage{}, base: r.mu.usage, learns: r.mu.newest != nil}
}

// commitApply makes the batch visible together with its intents (M14), then
// answers. a is empty afterwards.
func (r *Replica) commitApply(a *applying) error {
	shard := uint64(r.o.Route.Shard)
	mvcc.PutShardState(a.batch, shard, &a.state)
	for id, u := range a.usage { // order: a row for each
		mvcc.PutUsage(a.batch, shard, id, *u)
	}
	r.mu.Lock()
	err := a.batch.Commit(false)
	r.mu.batch++
	if err == nil {
		for _, c := range a.intents {
			if c.put != nil {
				r.mu.intents.Put(c.put)
			} else {
				r.mu.intents.Delete(c.del)
			}
		}
		for id, u := range a.usage { // order: an entry for each
			r.mu.usage[id] = *u
		}
		r.learnVersions(a.versions)
		r.mu.state, r.mu.dropped = a.state, a.dropped
		r.wakeReaders()
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range a.rows {
		r.rows.change(c)
	}
	r.dropIter()
	r.readers.drop(r.mu.batch)
	for _, t := range a.told {
		r.answerWaiter(t.proposal, t.applied)
	}
	a.batch.Close()
	*a = *r.startApply()
	return nil
}

func (r *Replica) applyEntry(a *applying, e *raftpb.Entry) error {
	if isChange(e) {
		if err := r.applyConfChange(a, e); err != nil {
			return err
		}
	} else if len(e.Data) > 0 {
		commands, err := decodeEntry(e.Data)
		if err != nil {
			return err
		}
		for i := range commands {
			if err := r.applyCommand(a, &commands[i], e.GetTerm()); err != nil {
				return err
			}
		}
	}
	a.state.AppliedIndex, a.state.AppliedTerm = e.GetIndex(), e.GetTerm()
	return nil
}

// applyCommand rejects what another leadership proposed or what was meant for
// another epoch (R8, R9): without effect, and its waiter learns so.
func (r *Replica) applyCommand(a *applying, c *command, term uint64) error {
	res := applied{ok: true}
	var err error
	switch {
	case c.term != term && !mutant.On(mutant.R9) || c.epoch != a.state.Epoch:
		res.ok = false
	case a.refuses(c):
		res.ok = false
	case c.kind == cmdWrite:
		applyWrite(a, c)
	case c.kind == cmdForgo:
		a.putRequest(c, txn.Aborted)
	case c.kind == cmdPrewrite:
		res.ok, err = r.applyPrewrite(a, c)
	case c.kind == cmdResolve:
		err = r.applyResolve(a, c)
	case c.kind == cmdDecide:
		res, err = r.applyDecide(a, c)
	case c.kind == cmdCollect:
		r.applyCollect(a, c)
	case c.kind == cmdMeta:
		err = r.o.Meta.Apply(a.batch, c.body)
		res.session, res.change = r.o.Meta.LastSession(), r.o.Meta.LastKeyspaceChange()
	case c.kind == cmdDrop:
		res.ok = r.applyDrop(a, c)
	}
	if r.lead != nil && c.term == r.lead.term {
		a.told = append(a.told, told{c.proposal, res})
	}
	return err
}

// count adds to what the keyspace of key holds.
func (a *applying) count(key txn.Key, u txn.Usage) {
	a.state.Keys += u.Keys
	a.state.Bytes += u.LiveBytes
	a.used(key.Keyspace()).Add(u)
}

// used is what a keyspace holds, to be changed.
func (a *applying) used(id txn.KeyspaceID) *txn.Usage {
	u := a.usage[id]
	if u == nil {
		now := a.base[id]
		u = &now
		a.usage[id] = u
	}
	return u
}

// versionBytes is what a version of key takes, by its encoded value.
func versionBytes(key txn.Key, value []byte) int64 {
	return int64(len(key.User()) + len(value))
}

// putVersion puts the version that o makes, and the row of the request that its
// key's newest versions do not tell of any more.
func (a *applying) putVersion(o *op, ts txn.Timestamp) {
	mvcc.PutEncoded(a.batch, o.key, ts, o.value)
	a.learn(versionChange{kind: versionPut, key: o.key, ts: ts, value: o.value})
	if o.evicted != nil {
		a.putRow(o.key, o.evicted.id, &o.evicted.row)
	}
}

func applyWrite(a *applying, c *command) {
	for i := range c.ops {
		o := &c.ops[i]
		a.putVersion(o, c.ts)
		a.count(o.key, txn.Usage{Keys: o.keys, LiveBytes: o.bytes, Versions: 1,
			Bytes: versionBytes(o.key, o.value)})
	}
	if c.flags&flagRequest != 0 {
		a.putRequest(c, txn.Committed)
	}
}

// applyPrewrite puts intents and provisional versions. With the record it
// checks again that there is none (A2).
func (r *Replica) applyPrewrite(a *applying, c *command) (ok bool, err error) {
	if c.flags&flagRecord != 0 {
		rec, err := r.record(a, c)
		if err != nil {
			return false, err
		}
		there := rec.Status != txn.Absent && !mutant.On(mutant.A2)
		below := c.baseTS <= a.state.RecordFloor && !mutant.On(mutant.A6)
		if there || below {
			return false, nil
		}
		rec.BaseTS, rec.MaxTS, rec.Hash = c.baseTS, c.maxTS, c.hash
		to := txn.Pending
		if c.flags&flagStaging != 0 {
			to, rec.Keys = txn.Staging, c.keys
		}
		rec.Requested = c.flags&flagRequest != 0
		rec.Move(txn.In(txn.Absent), to, 0)
		a.putRecord(&rec)
	}
	if c.flags&flagRequest != 0 {
		a.putRequest(c, txn.Pending)
	}
	for i := range c.ops {
		o := &c.ops[i]
		a.putVersion(o, c.ts)
		a.count(o.key, txn.Usage{Versions: 1, Bytes: versionBytes(o.key, o.value)})
		in := (&mvcc.Intent{Key: o.key, Txn: c.txn, BaseTS: c.baseTS, TS: c.ts, Hash: c.hash,
			Age: c.age, Primary: c.primary, IsPrimary: o.key.Compare(c.primary) == 0,
			Bound: o.bound, KeysDelta: o.keys, BytesDelta: o.bytes}).Clone()
		mvcc.PutIntent(a.batch, in)
		a.intents = append(a.intents, intentChange{put: in})
		a.staged[string(o.key)] = staged{intent: in, value: o.value}
	}
	return true, nil
}

func (a *applying) putRecord(rec *txn.Record) {
	mvcc.PutRecord(a.batch, rec)
	a.records[rec.Txn] = *rec
}

// record is c's record as the batch will leave it. What the batch erases the engine
// still has.
func (r *Replica) record(a *applying, c *command) (txn.Record, error) {
	if len(c.primary) >= 4 && a.dropped[c.primary.Keyspace()] != 0 {
		return txn.Record{Txn: c.txn, Primary: c.primary}, nil
	}
	if rec, ok := a.records[c.txn]; ok {
		return rec, nil
	}
	return mvcc.GetRecord(r.o.State, c.primary, c.txn)
}

// intent is the intent on k as the batch will leave it.
func (r *Replica) intent(a *applying, k txn.Key) (*mvcc.Intent, []byte) {
	if s, ok := a.staged[string(k)]; ok {
		return s.intent, s.value
	}
	return r.mu.intents.Get(k), nil
}

// intentsOf are the keys on which id has, or had before this batch, an intent.
func (r *Replica) intentsOf(a *applying, id txn.ID) []txn.Key {
	keys := r.mu.intents.OfTxn(id)
	for _, c := range a.intents {
		if c.put != nil && c.put.Txn == id {
			keys = append(keys, c.put.Key)
		}
	}
	return keys
}

// applyResolve ends the intents of a decided transaction; those that are not
// there any more are passed over.
func (r *Replica) applyResolve(a *applying, c *command) error {
	keys := c.keys
	if len(keys) == 0 {
		keys = r.intentsOf(a, c.txn)
	}
	for _, k := range keys {
		in, value := r.intent(a, k)
		if in == nil || in.Txn != c.txn {
			continue
		}
		mvcc.DeleteIntent(a.batch, k)
		a.intents = append(a.intents, intentChange{del: in.Key})
		a.staged[string(k)] = staged{}
		if err := r.resolveVersion(a, in, value, c); err != nil {
			return err
		}
	}
	return r.applyDone(a, c)
}

// applyDone marks the record of which nobody will ask any more who meets an
// intent. A parallel commit's may not say yet what its intents have decided.
func (r *Replica) applyDone(a *applying, c *command) error {
	if c.flags&flagDone == 0 {
		return nil
	}
	rec, err := r.record(a, c)
	if err == nil && c.flags&flagSettle != 0 {
		rec.Move(txn.In(txn.Staging), txn.Committed, c.ts)
	}
	if err == nil && rec.Status.Final() {
		rec.Done = true
		a.putRecord(&rec)
	}
	return err
}

// resolveVersion deletes the provisional version or moves it to C. value is
// that of a version which is still in this batch.
func (r *Replica) resolveVersion(a *applying, in *mvcc.Intent, value []byte, c *command) error {
	if c.flags&flagCommit == 0 {
		return r.removeVersion(a, in, value)
	}
	a.count(in.Key, txn.Usage{Keys: in.KeysDelta, LiveBytes: in.BytesDelta})
	a.learn(versionChange{kind: versionMoved, key: in.Key, from: in.TS, ts: c.ts})
	if value == nil {
		return mvcc.MoveVersion(r.o.State, a.batch, in.Key, in.TS, c.ts)
	}
	if in.TS != c.ts {
		mvcc.DeleteVersion(a.batch, in.Key, in.TS)
		mvcc.PutEncoded(a.batch, in.Key, c.ts, value)
	}
	return nil
}

// removeVersion deletes a provisional version.
func (r *Replica) removeVersion(a *applying, in *mvcc.Intent, value []byte) (err error) {
	if value == nil {
		value, _, err = r.o.State.Get(mvcc.DataKey(in.Key, in.TS))
	}
	a.count(in.Key, txn.Usage{Versions: -1, Bytes: -versionBytes(in.Key, value)})
	mvcc.DeleteVersion(a.batch, in.Key, in.TS)
	a.learn(versionChange{kind: versionRemoved, key: in.Key})
	return err
}

// applyDecide moves the record, if it may still be moved.
func (r *Replica) applyDecide(a *applying, c *command) (applied, error) {
	rec, err := r.record(a, c)
	if err != nil {
		return applied{}, err
	}
	if rec.Status == txn.Absent && c.from.Has(txn.Absent) {
		below := c.baseTS <= a.state.RecordFloor && !mutant.On(mutant.A6)
		if below || a.dropped.has(c.primary) {
			return applied{ok: true, gone: true}, nil // A6
		}
		rec.BaseTS = c.baseTS
	}
	if rec.Move(c.from, c.to, c.ts) {
		a.putRecord(&rec)
	}
	return applied{ok: true, status: rec.Status, commit: rec.CommitTS}, nil
}
