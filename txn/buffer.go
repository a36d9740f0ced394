package txn

import "slices"

// View is committed state at one timestamp. What it returns may alias memory
// that the next call reuses.
type View interface {
	// Get is the newest version of key, tombstones included; zero if none.
	Get(key Key) (Version, error)
	// Scan emits the live entries of a span in order until emit returns false.
	Scan(s Scan, emit func(Entry) bool) error
	// Changed reports whether span has a version, of any kind, that was committed
	// after since, or a value that was there at since and has expired.
	Changed(span Span, since Timestamp) (bool, error)
}

// Scan says what to scan. All but Span, Reverse and Past are hints: a View may
// emit more than was asked for.
type Scan struct {
	Span    Span
	Reverse bool
	// Past, if not 0, is an earlier time to look at, which nothing changes any more.
	Past     Timestamp
	KeysOnly bool // values are not looked at
	Limit    int  // entries that emit takes at most; 0: not known
}

// Buffer holds the writes of one transaction until it commits, and answers
// operations as they would be with those writes in place. It folds all
// operations on a key into one Write: a transaction makes one version a key.
// (So a delete and a set of the same key in one transaction replace the value
// and keep create_ts, and a delete of what it has made itself leaves nothing.)
type Buffer struct {
	writes []Write // by key
	bytes  int
	answer *answer // of a Program; nil: results are not counted
	note   int     // bytes that every write carries besides
}

// Writes are the folded writes in key order, shared with b.
func (b *Buffer) Writes() []Write { return b.writes }

// Clone is b as it is now.
func (b *Buffer) Clone() Buffer {
	return Buffer{writes: slices.Clone(b.writes), bytes: b.bytes}
}

// Run evaluates p on top of an empty Buffer at time at. Results of writes are
// whole only after Fill. It fails with Exhausted once the results hold more than
// AnswerBytesMax: on the same state whenever it is run, so that what was answered
// once can be answered again.
func (p *Program) Run(v View, at Timestamp) (*Outcome, error) {
	holds, err := p.If.holds(v, at)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Succeeded: holds, Ops: p.Then}
	if !holds {
		out.Ops = p.Else
	}
	b := Buffer{answer: new(answer), note: p.Annotation.Size()}
	out.Results = make([]Result, len(out.Ops))
	for i := range out.Ops {
		if out.Results[i], err = b.Do(&out.Ops[i], v, at); err != nil {
			return nil, err
		}
	}
	out.Writes = b.writes
	return out, nil
}

// Outcome is what a Program came to.
type Outcome struct {
	Succeeded bool // the test held
	Ops       []Op // the branch that ran
	Results   []Result
	Writes    []Write
}

// Fill completes the results of writes with what their shards answered.
// written is in key order.
func Fill(ops []Op, results []Result, written []Written) {
	for i := range ops {
		if !ops[i].Writes() || ops[i].Kind.Ranges() || !results[i].OK {
			continue
		}
		at, ok := slices.BinarySearchFunc(written, ops[i].Key, func(w Written, k Key) int {
			return w.Key.Compare(k)
		})
		r := &results[i]
		if !ok { // what it did to the key was undone
			value := r.Entry.Value
			r.Entry.Version = Version{Revision: NoRevision}
			r.PrevRevision = NoRevision
			if ops[i].Kind == OpUpdate {
				r.Entry.Value = value
			}
			continue
		}
		w := &written[at]
		// A set that a later delete of the same transaction undid was done.
		r.OK = w.Wrote || ops[i].Kind == OpSet || ops[i].Kind == OpUpdate
		made := Entry{Key: w.Key, Version: w.Version}
		if ops[i].Kind == OpUpdate { // which has answered what it came to
			made.Value = r.Entry.Value
		}
		r.Entry, r.PrevRevision = made, w.PrevRevision
	}
}

// Do evaluates one operation at time at and buffers what it writes.
func (b *Buffer) Do(op *Op, v View, at Timestamp) (Result, error) {
	switch op.Kind {
	case OpGet:
		return b.get(op, v, at)
	case OpRange:
		return b.scan(op, v, at)
	case OpUpdate:
		return b.update(op, v, at)
	case OpDeleteRange:
		return b.deleteRange(op, v, at)
	case OpRevert:
		return b.revert(op, v, at)
	default:
		return b.write(op, v, at)
	}
}

func (b *Buffer) get(op *Op, v View, at Timestamp) (Result, error) {
	ver, err := b.current(op.Key, v, at)
	if err != nil || !ver.Live(at) {
		return Result{Entry: Entry{Key: op.Key, Version: Version{Revision: NoRevision}}}, err
	}
	if op.KeysOnly {
		ver.Value.Data = nil
	}
	found := Entry{Key: op.Key, Version: ver}
	if !b.answer.takes(&found) {
		return Result{}, answerTooLarge()
	}
	found.Value.Data = slices.Clone(ver.Value.Data)
	return Result{OK: true, Entry: found}, nil
}

// Blind reports whether op writes and needs to know nothing of what is there.
func (op *Op) Blind() bool { return op.Kind == OpSet && op.Cond.Empty() && !op.ReturnPrev }

func (b *Buffer) write(op *Op, v View, at Timestamp) (Result, error) {
	res := Result{OK: true, Entry: Entry{Key: op.Key}}
	if !op.Blind() {
		cur, err := b.current(op.Key, v, at)
		if err != nil {
			return res, err
		}
		live := cur.Live(at)
		if live && op.ReturnPrev {
			prev := Entry{Key: op.Key, Version: cur}
			if !b.answer.takes(&prev) {
				return res, answerTooLarge()
			}
			prev.Value.Data = slices.Clone(cur.Value.Data)
			res.Prev = &prev
		}
		res.PrevRevision = cur.RevisionAt(at)
		if !op.Cond.Holds(&cur, at) || op.Kind != OpSet && !live {
			res.OK = false
			if cur.Value.Data = nil; !live {
				cur = Version{Revision: NoRevision}
			}
			res.Entry.Version = cur
			return res, nil
		}
	}
	if op.Kind == OpDelete {
		if base, err := v.Get(op.Key); err != nil || !base.Live(at) {
			b.drop(op.Key) // it was this transaction that made it
			return res, err
		}
	}
	return res, b.put(op)
}

// drop takes back the write of k.
func (b *Buffer) drop(k Key) {
	if at, had := b.find(k); had {
		b.bytes -= b.writes[at].Size()
		b.writes = slices.Delete(b.writes, at, at+1)
	}
}

// put folds op into the write that its key already has.
func (b *Buffer) put(op *Op) error {
	w := Write{Key: op.Key, Value: op.Value, TTL: op.TTL,
		KeepTTL: op.KeepTTL, NoHistory: op.NoHistory}
	at, had := b.find(op.Key)
	switch op.Kind {
	case OpDelete:
		w = Write{Key: op.Key, Kind: KindDelete}
	case OpExtend:
		w.Kind = KindExtend
		if had && b.writes[at].Kind == KindSet {
			w = b.writes[at]
			w.TTL, w.KeepTTL = op.TTL, false
		}
	case OpSet:
		// What was written over without history before this set stays so.
		w.NoHistory = w.NoHistory || had && b.writes[at].NoHistory
		if had && op.KeepTTL {
			old := &b.writes[at]
			w.TTL, w.KeepTTL = old.TTL, old.Kind == KindSet && old.KeepTTL
		}
	}
	if had {
		b.bytes -= b.writes[at].Size()
		b.writes[at] = w
	} else {
		b.writes = slices.Insert(b.writes, at, w)
	}
	b.bytes += w.Size()
	return b.checkSize()
}

func (b *Buffer) checkSize() error {
	if n := len(b.writes); n > WriteKeysMax {
		return Errorf(Exhausted, ReasonTooLarge,
			"the transaction writes %d keys, the limit is %d", n, WriteKeysMax)
	}
	if n := b.bytes + len(b.writes)*b.note; n > WriteBytesMax {
		return Errorf(Exhausted, ReasonTooLarge,
			"the transaction writes %d bytes, the limit is %d", n, WriteBytesMax)
	}
	return nil
}

// Annotate counts a with every write, and refuses what gets too large by it.
func (b *Buffer) Annotate(a *Annotation) error {
	b.note = a.Size()
	return b.checkSize()
}

func (b *Buffer) find(k Key) (int, bool) {
	if n := len(b.writes); n == 0 || b.writes[n-1].Key.Compare(k) < 0 {
		return n, false // ascending writes, the common case of a batch
	}
	return slices.BinarySearchFunc(b.writes, k, func(w Write, k Key) int {
		return w.Key.Compare(k)
	})
}

// current is the newest version of k as this transaction sees it.
func (b *Buffer) current(k Key, v View, at Timestamp) (Version, error) {
	ver, err := v.Get(k)
	if i, had := b.find(k); had && err == nil {
		ver, _ = b.writes[i].Version(&ver, at, 0)
	}
	return ver, err
}

func (b *Buffer) scan(op *Op, v View, at Timestamp) (Result, error) {
	return b.scanPage(op, v, at, page{answer: b.answer})
}

// page bounds what a scan shows, besides the operation's limit.
type page struct {
	answer *answer // over it the scan fails
	// bytes, if not 0, cuts the scan before the entry with which it would hold more,
	// unless that is its first.
	bytes int
}

func (b *Buffer) scanPage(op *Op, v View, at Timestamp, p page) (Result, error) {
	var res Result
	fits, held := true, 0
	take := func(e Entry) bool {
		full := op.Limit > 0 && res.Count == int64(op.Limit)
		held += e.Size()
		if full || p.bytes > 0 && res.Count > 0 && held > p.bytes {
			res.More = true
			return false
		}
		if res.Count++; op.CountOnly {
			return true
		}
		if op.KeysOnly {
			e.Value.Data = nil
		}
		if fits = p.answer.takes(&e); !fits {
			return false
		}
		e.Key, e.Value.Data = e.Key.Clone(), slices.Clone(e.Value.Data)
		res.Entries = append(res.Entries, e)
		return true
	}
	own := b.within(op)
	s := Scan{Span: op.Span, Reverse: op.Reverse, KeysOnly: op.KeysOnly || op.CountOnly}
	if op.Limit > 0 && op.Filter.Empty() { // and one to see whether there are more
		s.Limit = op.Limit + 1
	}
	var err error
	if len(own) == 0 {
		err = v.Scan(s, func(e Entry) bool { return !op.Filter.Takes(e.Key) || take(e) })
	} else {
		m := merge{buf: b, op: op, own: own, view: v, at: at, take: take, page: p}
		err = m.run(s)
	}
	switch {
	case err != nil:
		return res, err
	case !fits:
		return Result{}, answerTooLarge()
	}
	res.OK = true
	return res, nil
}

// within copies the writes that a scan meets, in its order.
func (b *Buffer) within(op *Op) []Write {
	var own []Write
	for i := range b.writes {
		if k := b.writes[i].Key; op.Span.Contains(k) && op.Filter.Takes(k) {
			own = append(own, b.writes[i])
		}
	}
	if op.Reverse {
		slices.Reverse(own)
	}
	return own
}

// merge interleaves own writes with a scan of what is committed.
type merge struct {
	buf  *Buffer
	op   *Op
	own  []Write
	view View
	at   Timestamp
	take func(Entry) bool
	page page
}

func (m *merge) run(s Scan) error {
	// The entries are copied out first: emitting an own write reads the view
	// again, which a View need not allow inside a scan. Each own write hides
	// at most one entry, so this many are enough for the limit and one more.
	enough := 0
	if m.op.Limit > 0 {
		enough = m.op.Limit + 1 + len(m.own)
	}
	if s.Limit > 0 {
		s.Limit = enough
	}
	var base []Entry
	shown, held := 0, 0
	room := m.page.answer.clone()
	err := m.view.Scan(s, func(e Entry) bool {
		if !m.op.Filter.Takes(e.Key) {
			return true
		}
		_, hidden := m.buf.find(e.Key)
		if hidden || s.KeysOnly {
			e.Value.Data = nil
		}
		e.Key, e.Value.Data = e.Key.Clone(), slices.Clone(e.Value.Data)
		base = append(base, e)
		if hidden {
			return len(base) != enough
		}
		shown, held = shown+1, held+e.Size()
		// Where they alone are too much, take says so before it has seen all of them.
		cut := m.page.bytes > 0 && shown > 1 && held > m.page.bytes
		return len(base) != enough && !cut && (m.op.CountOnly || room.takes(&e))
	})
	for err == nil && len(m.own)+len(base) > 0 {
		var more bool
		more, err = m.next(&base, s.Reverse)
		if !more {
			break
		}
	}
	return err
}

// next emits the smaller head; an own write replaces a committed entry.
func (m *merge) next(base *[]Entry, reverse bool) (more bool, err error) {
	order := -1
	switch {
	case len(m.own) == 0:
		order = 1
	case len(*base) > 0:
		if order = m.own[0].Key.Compare((*base)[0].Key); reverse {
			order = -order
		}
	}
	if order > 0 {
		e := (*base)[0]
		*base = (*base)[1:]
		return m.take(e), nil
	}
	key := m.own[0].Key
	m.own = m.own[1:]
	if order == 0 && len(*base) > 0 {
		*base = (*base)[1:]
	}
	ver, err := m.buf.current(key, m.view, m.at)
	if err != nil || !ver.Live(m.at) {
		return err == nil, err
	}
	return m.take(Entry{Key: key, Version: ver}), nil
}

// answer counts the results of a Program.
type answer struct {
	bytes int
}

// takes adds e and reports whether it fits; nil takes everything.
func (a *answer) takes(e *Entry) bool {
	if a == nil {
		return true
	}
	a.bytes += e.Size()
	return a.bytes <= AnswerBytesMax
}

func (a *answer) clone() *answer {
	if a == nil {
		return nil
	}
	c := *a
	return &c
}

func answerTooLarge() error {
	e := Errorf(Exhausted, "answer_too_large",
		"what is read holds more than %d bytes, the limit of an answer", AnswerBytesMax)
	e.Next = "nothing was done: read less at a time, or keys only"
	return e
}
