package txn

// Cond is a conjunction over the current state of one key. The zero Cond
// always holds.
type Cond struct {
	Absent   bool   // nx
	Present  bool   // xx
	Value    *Value // cmp; a missing key matches no value
	Revision *int64 // cmprev; -1: must be missing
	CommitTS *Timestamp
}

// Empty reports whether c asks nothing.
func (c *Cond) Empty() bool {
	return !c.Absent && !c.Present && c.Value == nil && c.Revision == nil && c.CommitTS == nil
}

// Holds evaluates c against v, the newest version at time at.
func (c *Cond) Holds(v *Version, at Timestamp) bool {
	live := v.Live(at)
	switch {
	case c.Absent && live, c.Present && !live:
		return false
	case c.Value != nil && (!live || !c.Value.Matches(v.Value)):
		return false
	case c.Revision != nil && *c.Revision != v.RevisionAt(at):
		return false
	case c.CommitTS != nil && (!live || *c.CommitTS != v.TS):
		return false
	}
	return true
}

// OpKind names an operation. The numbers are on the wire and in the log.
type OpKind uint8

const (
	OpGet OpKind = iota
	OpSet
	OpDelete
	OpExtend
	OpRange
	OpUpdate
	// The kinds from here on stay at the coordinator: what they write depends on
	// what is there, so no shard could latch it beforehand.
	OpDeleteRange
	OpRevert
)

// Writes reports whether k may write; the others only read.
func (k OpKind) Writes() bool { return k != OpGet && k != OpRange }

// Ranges reports whether k is about a span and not about a key.
func (k OpKind) Ranges() bool { return k == OpRange || k == OpDeleteRange || k == OpRevert }

// Op is one operation of a transaction. Which fields count depends on Kind.
type Op struct {
	Kind       OpKind
	Key        Key
	Cond       Cond  // set, delete, update
	Value      Value // set; update: the operand
	TTL        int64 // ms; set, and update of a missing key: 0 none; extend: 0 removes it
	KeepTTL    bool  // set
	NoHistory  bool  // set, update
	ReturnPrev bool  // set, delete

	Update UpdateKind // update
	Lower  *Value     // update by adding: not below
	Upper  *Value     // update by adding: not above

	Span      Span   // range, delete range, revert
	Filter    Filter // likewise
	Limit     int    // range; 0: none
	Reverse   bool   // range
	KeysOnly  bool   // get, range: no values in the answer
	CountOnly bool   // range

	To     Timestamp // revert: to what was there then
	DryRun bool      // revert: only Result.Changes
}

// Writes reports whether op may write.
func (op *Op) Writes() bool { return op.Kind.Writes() && !op.DryRun }

// KeepsExpiry reports whether what op writes may end when what was there does: that
// makes no sense any more behind that end, at any isolation.
func (op *Op) KeepsExpiry() bool { return op.Kind == OpUpdate || op.KeepTTL }

// Anchor is the key that stands for what op writes: its key, or the start of its
// span. A span that begins with its keyspace has no key there, so the first that
// there could be does.
func (op *Op) Anchor() Key {
	if !op.Kind.Ranges() {
		return op.Key
	}
	if len(op.Span.Start.User()) == 0 {
		return op.Span.Start.Next()
	}
	return op.Span.Start
}

// Result answers one Op.
type Result struct {
	// OK: a get found the key, a write did something.
	OK    bool
	Entry Entry // get: what was found; a write to a key: what is there now
	// PrevRevision is the revision before a write: -1 for a missing key.
	PrevRevision int64
	Prev         *Entry  // ReturnPrev and there was one
	Entries      []Entry // range
	// Count is the entries of a range, the keys that a delete of a range or a
	// revert changes, and the bytes that an update leaves.
	Count   int64
	More    bool     // range: the limit cut it
	Changes []Change // revert, dry run; only at the coordinator
}

// Change is what a revert does to one key. A nil Entry is a missing key.
type Change struct {
	Key      Key
	From, To *Entry
}

// Program is a one-shot transaction: Then if the test holds, Else if not.
type Program struct {
	If   Test
	Then []Op
	Else []Op
	// Annotation goes to every version that the program makes.
	Annotation Annotation
}

// each calls f with every operation of both branches until it says no.
func (p *Program) each(f func(*Op) bool) {
	for _, ops := range [2][]Op{p.Then, p.Else} {
		for i := range ops {
			if !f(&ops[i]) {
				return
			}
		}
	}
}

// ReadOnly reports whether no branch can write.
func (p *Program) ReadOnly() bool {
	reads := true
	p.each(func(op *Op) bool {
		reads = !op.Writes()
		return reads
	})
	return reads
}

// WritesSpans reports whether a branch may write keys that p does not name.
func (p *Program) WritesSpans() bool {
	writes := false
	p.each(func(op *Op) bool {
		writes = op.Writes() && op.Kind.Ranges()
		return !writes
	})
	return writes
}

// WrittenKeys calls f with every key that p names and that either branch may
// write, in the order in which p names them.
func (p *Program) WrittenKeys(f func(Key)) {
	p.each(func(op *Op) bool {
		if op.Writes() && !op.Kind.Ranges() {
			f(op.Key)
		}
		return true
	})
}

// WrittenSpans is WrittenKeys for spans.
func (p *Program) WrittenSpans(f func(Span)) {
	p.each(func(op *Op) bool {
		if op.Writes() && op.Kind.Ranges() {
			f(op.Span)
		}
		return true
	})
}

// Keys calls f with every key that p names, and Spans with every span.
func (p *Program) Keys(f func(Key)) {
	p.If.keys(f)
	p.each(func(op *Op) bool {
		if !op.Kind.Ranges() {
			f(op.Key)
		}
		return true
	})
}

// Since is the latest moment that p goes back to; 0 if it does not.
func (p *Program) Since() Timestamp {
	var since Timestamp
	p.each(func(op *Op) bool {
		since = max(since, op.To)
		return true
	})
	p.If.Walk(func(t *Test) {
		if t.Kind == TestUnchanged {
			since = max(since, t.Since)
		}
	})
	return since
}

// Spans calls f with every span that p ranges over or tests.
func (p *Program) Spans(f func(Span)) {
	p.If.spans(f)
	p.each(func(op *Op) bool {
		if op.Kind.Ranges() {
			f(op.Span)
		}
		return true
	})
}
