package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// checkReads compares every read, of failed transactions too, with the model
// at the timestamp of the read.
func (c *checker) checkReads() error {
	for _, op := range c.h.Ops {
		var err error
		switch {
		case op.Txn != nil:
			err = c.checkSteps(op)
		case op.Get != nil && op.Outcome == Committed:
			err = c.checkGet(op)
		case op.Program != nil && op.Outcome == Committed && op.Program.Program.ReadOnly():
			cm := &commit{op: op, ts: op.commitTS()}
			err = c.replayProgram(cm, c.model.overlay(cm.ts, cm.ts))
		}
		for _, scan := range op.Scans {
			if err == nil && scan.Page != nil {
				err = c.checkScan(op, scan)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkSteps(op *Op) error {
	t := op.Txn
	at := t.ReadTS
	if t.Mode == coordinator.Pessimistic { // each read has its own timestamp
		if err := c.checkFirstReads(op); err != nil {
			return err
		}
		if op.Outcome != Committed || c.commits[op] != nil {
			return nil // nothing to be checked, or replaySteps has done it
		}
		at = t.Committed.CommitTS
	}
	o := c.model.overlay(at, at)
	for i := range t.Steps {
		want := o.do(&t.Steps[i].Op)
		forStep(&t.Steps[i].Op, &want)
		if what := differ(&t.Steps[i].Result, &want); what != "" {
			return violation(fmt.Sprintf("step %d (%s): %s; at %d it is %s", i, tellOp(&t.Steps[i].Op),
				what, at, tellResult(&want)), op)
		}
	}
	return nil
}

// checkFirstReads: a pessimistic transaction reads what is committed by then
// when it comes to a key for the first time, whatever becomes of it.
func (c *checker) checkFirstReads(op *Op) error {
	touched := map[string]bool{}
	for i := range op.Txn.Steps {
		s := &op.Txn.Steps[i]
		if s.Op.Kind == txn.OpGet && !touched[string(s.Op.Key)] {
			want := c.model.overlay(s.At, s.At).do(&s.Op)
			if what := differ(&s.Result, &want); what != "" {
				return violation(fmt.Sprintf("step %d (%s): %s; at %d it is %s", i, tellOp(&s.Op),
					what, s.At, tellResult(&want)), op)
			}
		}
		if s.Op.Writes() && s.Op.Kind.Ranges() { // any key may be touched from here on
			return nil
		}
		touched[string(s.Op.Key)] = true
	}
	return nil
}

// forStep takes from a result what a call inside a transaction does not tell:
// a set that looks at nothing knows no revision.
func forStep(op *txn.Op, r *txn.Result) {
	if op.Kind == txn.OpSet && op.Cond.Empty() && !op.ReturnPrev {
		r.PrevRevision = 0
	}
}

func (c *checker) checkGet(op *Op) error {
	g := op.Get
	for i, key := range g.Read.Keys {
		want := c.model.at(key, g.At)
		if i == 0 && g.Read.Revision != nil {
			want = c.model.withRevision(key, *g.Read.Revision, g.At)
		}
		if what := differVersion(&g.Versions[i], &want); what != "" {
			return violation(fmt.Sprintf("a get of %v at %d should answer %s: %s", key, g.At,
				tellVersion(&want), what), op, c.writer(want.Txn))
		}
	}
	if g.Past != nil {
		return c.checkPast(op)
	}
	return nil
}

// checkPast: a page of a history is the newest versions that it shows, each as it
// was written, at least one, and says where the rest begins. Large values end it early.
func (c *checker) checkPast(op *Op) error {
	g, key := op.Get, op.Get.Read.Keys[0]
	want, n := c.model.past(key, g.Past.At), len(g.Past.Versions)
	next, wrong := txn.Timestamp(0), ""
	if n < len(want) {
		want, next = want[:n], want[n].TS
	}
	if n != len(want) || n > pastMax || g.Past.Next != next || n == 0 && next != 0 {
		wrong = fmt.Sprintf("it has %d versions, and more from %d", n, g.Past.Next)
	}
	for i := range want {
		if wrong == "" {
			wrong = differVersion(&g.Past.Versions[i], &want[i])
		}
	}
	if wrong == "" {
		return nil
	}
	return violation(fmt.Sprintf("the history of %v at %d: %s", key, g.Past.At, wrong), op)
}

// checkScan: a page holds every live key up to Next, and nothing else.
func (c *checker) checkScan(op *Op, scan *Scan) error {
	q, p := &scan.Scan, scan.Page
	span := q.Span
	if p.More && q.Reverse {
		span.Start = p.Next
	} else if p.More {
		span.End = p.Next
	}
	want := c.model.overlay(p.At, p.At).live(span, q.Reverse)
	if q.KeysOnly {
		for i := range want {
			want[i].Value.Data = nil
		}
	}
	if what := differEntries(p.Entries, want); what != "" {
		return violation(fmt.Sprintf("a scan at %d: %s", p.At, what), op)
	}
	if q.Limit > 0 && len(p.Entries) > q.Limit {
		return violation(fmt.Sprintf("a scan of %d entries has a limit of %d",
			len(p.Entries), q.Limit), op)
	}
	return nil
}

func (c *checker) writer(id txn.ID) *Op {
	for _, cm := range c.order {
		if cm.id == id && id != 0 {
			return cm.op
		}
	}
	return nil
}

// placed is an operation with its place in real time and in the order of
// timestamps.
type placed struct {
	op         *Op
	ts         txn.Timestamp
	start, end uint64
	wrote      bool
}

// checkOrder: what ended before something else began has a lower timestamp,
// or the same if the later one only reads.
func (c *checker) checkOrder() error {
	var all []placed
	for _, op := range c.h.Ops {
		if ts, wrote, ok := c.place(op); ok {
			all = append(all, placed{op, ts, op.Start, op.End, wrote})
		}
	}
	ended := slices.Clone(all)
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.start, b.start) })
	slices.SortFunc(ended, func(a, b placed) int { return cmp.Compare(a.end, b.end) })
	var newest placed
	i := 0
	for _, b := range all {
		for ; i < len(ended) && ended[i].end < b.start; i++ {
			if a := ended[i]; a.end != 0 && a.ts > newest.ts {
				newest = a
			}
		}
		if newest.op != nil && (newest.ts > b.ts || newest.ts == b.ts && b.wrote) {
			return violation(fmt.Sprintf(
				"an operation at %d began after one at %d had ended: real time was not kept",
				b.ts, newest.ts), newest.op, b.op)
		}
	}
	return nil
}

// place is the timestamp of an op that promises to be in real-time order.
func (c *checker) place(op *Op) (ts txn.Timestamp, wrote, ok bool) {
	if cm := c.commits[op]; cm != nil {
		return cm.ts, cm.wrote, true
	}
	if op.Outcome != Committed {
		return 0, false, false
	}
	return op.commitTS(), false, !op.past()
}

// differ says how a result is not the one that was to be expected.
func differ(got, want *txn.Result) string {
	if got.OK != want.OK || got.Count != want.Count || got.More != want.More {
		return fmt.Sprintf("it says ok %v, count %d, more %v", got.OK, got.Count, got.More)
	}
	if got.PrevRevision != want.PrevRevision {
		return fmt.Sprintf("it says that the revision was %d", got.PrevRevision)
	}
	if what := differVersion(&got.Entry.Version, &want.Entry.Version); what != "" {
		return what
	}
	if (got.Prev == nil) != (want.Prev == nil) {
		return fmt.Sprintf("it tells of something before: %v", got.Prev != nil)
	}
	if got.Prev != nil {
		if what := differVersion(&got.Prev.Version, &want.Prev.Version); what != "" {
			return "before it: " + what
		}
	}
	return differEntries(got.Entries, want.Entries)
}

func differEntries(got, want []txn.Entry) string {
	for i := range got {
		if i == len(want) {
			return fmt.Sprintf("it shows %v, which was not there", got[i].Key)
		}
		if got[i].Key.Compare(want[i].Key) != 0 {
			return fmt.Sprintf("it shows %v where %v should be", got[i].Key, want[i].Key)
		}
		if what := differVersion(&got[i].Version, &want[i].Version); what != "" {
			return fmt.Sprintf("%v: %s", got[i].Key, what)
		}
	}
	if len(want) > len(got) {
		return fmt.Sprintf("it does not show %v", want[len(got)].Key)
	}
	return ""
}

// differVersion says how a version is not the one that was to be expected.
// One of the transaction's own, not committed yet, has no timestamps to
// speak of.
func differVersion(got, want *txn.Version) string {
	own := got.Txn == 0 || want.Txn == 0
	switch {
	case got.Kind != want.Kind || got.NoHistory != want.NoHistory:
		return "the kind is wrong in " + tellVersion(got)
	case got.Revision != want.Revision || got.First != want.First:
		return "the revision is wrong in " + tellVersion(got)
	case got.Value.Type != want.Value.Type || !bytes.Equal(got.Value.Data, want.Value.Data):
		return "the value is wrong in " + tellVersion(got)
	case (got.Expiry == 0) != (want.Expiry == 0):
		return "the expiry is wrong in " + tellVersion(got)
	case own && got.Txn == want.Txn:
		return ""
	case got.TS != want.TS || got.Txn != want.Txn:
		return "the version is another one: " + tellVersion(got)
	case got.CreateTS != want.CreateTS:
		return "the time of creation is wrong in " + tellVersion(got)
	case got.Expiry != want.Expiry:
		return "the expiry is wrong in " + tellVersion(got)
	}
	return ""
}
