package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// History is all that clients learned and all that there is in the end.
type History struct {
	Ops []*Op
	// Final are all versions of all keys, ascending, after every intent was
	// resolved.
	Final map[string][]txn.Version
	// Issued reports whether the oracle gave out a timestamp; nil: not known.
	Issued   func(txn.Timestamp) bool
	classics *classics // nil: there are none
}

// Check replays the committed transactions in the order of their timestamps
// on a plain model, and reports the first thing in h that does not follow
// from that, in words. What the classic workloads promise it looks at without
// that model, and reports as well.
func Check(h *History) error {
	return errors.Join(checkExactly(h), checkDirectly(h))
}

func checkExactly(h *History) error {
	c := &checker{h: h, model: newModel(), commits: map[*Op]*commit{}}
	for _, step := range []func() error{
		c.findCommits, c.findAcknowledged, c.replay, c.checkReads, c.checkOrder,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	h       *History
	model   *model
	commits map[*Op]*commit
	order   []*commit // by timestamp
}

// commit is a transaction that took effect.
type commit struct {
	op    *Op
	ts    txn.Timestamp
	id    txn.ID // 0: it left no version
	left  []left // its versions at the end, by key
	wrote bool   // the replay says that it writes
}

type left struct {
	key txn.Key
	v   txn.Version
}

func violation(what string, ops ...*Op) error {
	for _, op := range ops {
		if op != nil {
			what += "\n  " + op.String()
		}
	}
	return fmt.Errorf("%s", what)
}

// findCommits groups what is left by transaction, and finds whose it is: all
// or nothing of a transaction, once, and nothing of one that failed.
func (c *checker) findCommits() error {
	owners := map[txn.ID]*Op{}
	for _, op := range c.h.Ops {
		for _, id := range op.IDs {
			if other := owners[id]; other != nil {
				return violation(fmt.Sprintf("transaction id %v was used twice (C2)", id), other, op)
			}
			owners[id] = op
		}
	}
	byID := map[txn.ID]*commit{}
	for _, key := range sortedKeys(c.h.Final) {
		for _, v := range c.h.Final[key] {
			cm := byID[v.Txn]
			if cm == nil {
				cm = &commit{op: owners[v.Txn], ts: v.TS, id: v.Txn}
				byID[v.Txn] = cm
				c.order = append(c.order, cm)
			}
			if cm.ts != v.TS {
				return violation(fmt.Sprintf("transaction %v is torn: a version at %d and one at %d",
					v.Txn, cm.ts, v.TS), cm.op)
			}
			cm.left = append(cm.left, left{txn.Key(key), v})
			note := txn.Annotation{Principal: v.Principal, Message: v.Message}
			if op := cm.op; op != nil && note != op.Note {
				return violation(fmt.Sprintf("%v at %d is signed %q, %q", txn.Key(key), v.TS,
					v.Principal, v.Message), op)
			}
		}
	}
	for _, cm := range c.order {
		if err := c.claim(cm); err != nil {
			return err
		}
	}
	return nil
}

// claim checks a transaction that left versions against what its client knows.
func (c *checker) claim(cm *commit) error {
	where := fmt.Sprintf("transaction %v left versions at %d on %v", cm.id, cm.ts, cm.left[0].key)
	switch op := cm.op; {
	case op == nil:
		return violation(where + ", but no client ran it")
	case op.Outcome == Failed:
		return violation(where+", but its client was told that it failed", op)
	case c.commits[op] != nil:
		return violation(where+fmt.Sprintf(", but its client's operation also committed as %v at %d",
			c.commits[op].id, c.commits[op].ts), op)
	case op.Outcome == Committed && op.commitTS() != cm.ts:
		return violation(where+fmt.Sprintf(", but it was acknowledged at %d", op.commitTS()), op)
	case op.Request != nil && op.Request.Told != 0 && op.Request.Told != cm.ts:
		return violation(where+", but an inquiry was told something else", op)
	case c.h.Issued != nil && !c.h.Issued(cm.ts):
		return violation(where+", which the oracle never issued (I1)", op)
	}
	c.commits[cm.op] = cm
	return nil
}

// findAcknowledged adds the acknowledged transactions that left nothing: some
// had nothing to write, which the replay must confirm.
func (c *checker) findAcknowledged() error {
	for _, op := range c.h.Ops {
		at := op.toldTS()
		if at != 0 && op.writes() && c.commits[op] == nil {
			cm := &commit{op: op, ts: at}
			c.commits[op] = cm
			c.order = append(c.order, cm)
		}
	}
	slices.SortStableFunc(c.order, func(a, b *commit) int { return cmp.Compare(a.ts, b.ts) })
	for i := 1; i < len(c.order); i++ {
		a, b := c.order[i-1], c.order[i]
		if a.ts == b.ts && a.id != 0 && b.id != 0 {
			return violation(fmt.Sprintf("two transactions committed at %d (I2)", a.ts), a.op, b.op)
		}
	}
	return nil
}

// writes reports whether op may have written.
func (o *Op) writes() bool {
	if o.Program != nil {
		return !o.Program.Program.ReadOnly()
	}
	return o.Txn != nil && slices.ContainsFunc(o.Txn.Steps, func(s Step) bool {
		return s.Op.Writes() && s.Result.OK
	})
}

// toldTS is when op took effect, as its client was told; 0: it was not.
func (o *Op) toldTS() txn.Timestamp {
	switch {
	case o.Outcome == Committed:
		return o.commitTS()
	case o.Request != nil:
		return o.Request.Told
	default:
		return 0
	}
}

// commitTS is when a committed op took effect.
func (o *Op) commitTS() txn.Timestamp {
	switch {
	case o.Program != nil:
		return o.Program.Result.CommitTS
	case o.Txn != nil:
		return o.Txn.Committed.CommitTS
	case o.Get != nil:
		return o.Get.At
	default:
		return o.Scans[0].Page.At
	}
}

// replay runs every commit on the model as it was just before.
func (c *checker) replay() error {
	for _, cm := range c.order {
		o := c.model.overlay(cm.ts-1, cm.ts)
		var err error
		if cm.op.Program != nil {
			err = c.replayProgram(cm, o)
		} else {
			err = c.replaySteps(cm, o)
		}
		if err != nil {
			return err
		}
		for _, l := range cm.left {
			c.model.add(l.key, l.v)
		}
	}
	return nil
}

func (c *checker) replayProgram(cm *commit, o *overlay) error {
	e := cm.op.Program
	ops := e.Program.Else
	succeeded := o.holds(&e.Program.If)
	if succeeded {
		ops = e.Program.Then
	}
	results := make([]txn.Result, len(ops))
	for i := range ops {
		results[i] = o.do(&ops[i])
	}
	made := o.made()
	if err := c.compareLeft(cm, made); err != nil {
		return err
	}
	if cm.op.Outcome != Committed {
		return nil
	}
	if e.Result.Succeeded != succeeded {
		return violation(fmt.Sprintf("the test of the program came out %v; at %d it is %v",
			e.Result.Succeeded, cm.ts, succeeded), cm.op, c.lastWriter(cm))
	}
	fill(ops, results, made)
	for i := range ops {
		if what := differ(&e.Result.Results[i], &results[i]); what != "" {
			return violation(fmt.Sprintf("result %d (%s): %s; at %d it is %s", i, tellOp(&ops[i]), what,
				cm.ts, tellResult(&results[i])), cm.op, c.lastWriter(cm))
		}
	}
	return nil
}

// fill gives the results of writes what the transaction as a whole came to.
func fill(ops []txn.Op, results []txn.Result, made []txn.Written) {
	for i := range ops {
		if !ops[i].Writes() || ops[i].Kind.Ranges() || !results[i].OK {
			continue
		}
		value := results[i].Entry.Value // what an update came to
		results[i].Entry.Version = txn.Version{Revision: txn.NoRevision}
		results[i].PrevRevision = txn.NoRevision
		if ops[i].Kind == txn.OpUpdate {
			results[i].Entry.Value = value
		}
		for _, w := range made {
			if w.Key.Compare(ops[i].Key) == 0 {
				w.Version.Value.Data = nil
				// A set that a later delete undid was done all the same.
				results[i].OK = w.Wrote || ops[i].Kind == txn.OpSet || ops[i].Kind == txn.OpUpdate
				results[i].Entry.Version = w.Version
				if ops[i].Kind == txn.OpUpdate {
					results[i].Entry.Value = value
				}
				results[i].PrevRevision = w.PrevRevision
			}
		}
	}
}

// replaySteps runs an interactive transaction as if all of it had happened
// at its commit timestamp.
func (c *checker) replaySteps(cm *commit, o *overlay) error {
	t := cm.op.Txn
	if t.Isolation == coordinator.Snapshot {
		return c.replaySnapshot(cm, o)
	}
	for i := range t.Steps {
		if err := c.replayStep(cm, i, o.do(&t.Steps[i].Op)); err != nil {
			return err
		}
	}
	return c.compareMade(cm, o)
}

// replayStep compares what a step answered with what it would have at the commit.
func (c *checker) replayStep(cm *commit, i int, want txn.Result) error {
	s := &cm.op.Txn.Steps[i]
	forStep(&s.Op, &want)
	what := differ(&s.Result, &want)
	if what == "" {
		return nil
	}
	return violation(fmt.Sprintf("step %d (%s), read at %d: %s; when it committed at %d it was %s",
		i, tellOp(&s.Op), s.At, what, cm.ts, tellResult(&want)), cm.op, c.lastWriter(cm))
}

// replaySnapshot runs a transaction at its snapshot, and commits what that came
// to at its commit timestamp. Nobody may have written the same keys in between,
// nor changed what was read for update.
func (c *checker) replaySnapshot(cm *commit, o *overlay) error {
	t := cm.op.Txn
	at := c.model.overlay(t.ReadTS, t.ReadTS)
	o.own = at.own
	for i := range t.Steps {
		s := &t.Steps[i]
		at.do(&s.Op)
		if !s.ForUpdate || s.Op.Writes() {
			continue
		}
		if err := c.replayStep(cm, i, o.do(&s.Op)); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(at.own) {
		if !at.writtenAt(txn.Key(key), t.ReadTS).Wrote {
			delete(at.own, key) // a delete of what it had made itself
			continue
		}
		if v := c.model.at(txn.Key(key), cm.ts-1); v.TS > t.ReadTS {
			return violation(fmt.Sprintf("an update of %v at %d is lost: it was not in the snapshot at %d",
				txn.Key(key), v.TS, t.ReadTS), cm.op, c.writer(v.Txn))
		}
	}
	return c.compareMade(cm, o)
}

func (c *checker) compareMade(cm *commit, o *overlay) error {
	t := cm.op.Txn
	made := o.made()
	if err := c.compareLeft(cm, made); err != nil {
		return err
	}
	if cm.op.Outcome != Committed {
		return nil
	}
	if len(made) != len(t.Committed.Written) {
		return violation(fmt.Sprintf("the answer tells of %d writes, there were %d",
			len(t.Committed.Written), len(made)), cm.op)
	}
	for i := range made {
		got, want := t.Committed.Written[i], made[i]
		want.Version.Value.Data = nil
		bad := got.Key.Compare(want.Key) != 0 || got.Wrote != want.Wrote ||
			got.PrevRevision != want.PrevRevision
		if what := differVersion(&got.Version, &want.Version); bad || what != "" {
			return violation(fmt.Sprintf("the write of %v at %d should be %v %s on revision %d: %s",
				want.Key, cm.ts, want.Wrote, tellVersion(&want.Version), want.PrevRevision, what), cm.op)
		}
	}
	return nil
}

// compareLeft checks that a transaction left exactly what it made. A shard
// that prepares its part settles expiries at its own timestamp, a little before
// the commit's: made takes that over.
func (c *checker) compareLeft(cm *commit, made []txn.Written) error {
	rest := cm.left
	for i := range made {
		w := &made[i]
		if len(rest) > 0 && rest[0].key.Compare(w.Key) == 0 {
			c.prepared(cm, w, &rest[0].v)
		}
		if !w.Wrote {
			continue
		}
		cm.wrote = true
		if len(rest) == 0 || rest[0].key.Compare(w.Key) != 0 {
			return violation(fmt.Sprintf("a write of %v at %d is lost", w.Key, cm.ts), cm.op)
		}
		v := &rest[0].v
		w.Version.Txn = v.Txn
		if what := differVersion(v, &w.Version); what != "" {
			return violation(fmt.Sprintf("%v at %d is %s; it should be %s: %s", w.Key, cm.ts, tellVersion(v),
				tellVersion(&w.Version), what), cm.op, c.lastWriter(cm))
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return violation(fmt.Sprintf("%v has a version at %d that its transaction should not have made",
			rest[0].key, cm.ts), cm.op, c.lastWriter(cm))
	}
	return nil
}

// prepareMax is how long a transaction can take from its first prepared part
// to its commit timestamp, in microseconds.
const prepareMax = 5_000_000

// prepared takes over from v what its shard may have settled before cm.ts.
func (c *checker) prepared(cm *commit, w *txn.Written, v *txn.Version) {
	if !slices.Contains(cm.op.Prepared, cm.id) {
		return
	}
	if early := w.Version.Expiry - v.Expiry; v.Expiry != 0 && 0 < early && early < prepareMax {
		w.Version.Expiry = v.Expiry
	}
}

// lastWriter is the transaction that wrote before cm, as a hint for people.
func (c *checker) lastWriter(cm *commit) *Op {
	i := slices.Index(c.order, cm)
	for i--; i >= 0; i-- {
		if c.order[i].id != 0 {
			return c.order[i].op
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m { // order: sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
