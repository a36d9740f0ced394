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
)

// Writes reports whether k may write; the others only read.
func (k OpKind) Writes() bool { return k != OpGet && k != OpRange }

// Op is one operation of a transaction. Which fields count depends on Kind.
type Op struct {
	Kind       OpKind
	Key        Key
	Cond       Cond  // set, delete
	Value      Value // set
	TTL        int64 // ms; set: 0 none; extend: 0 removes it
	KeepTTL    bool  // set
	NoHistory  bool  // set
	ReturnPrev bool  // set, delete

	Span      Span // range
	Limit     int  // range; 0: none
	Reverse   bool // range
	KeysOnly  bool // get, range: no values in the answer
	CountOnly bool // range
}

// Result answers one Op.
type Result struct {
	// OK: a get found the key, a set or delete or extend did it.
	OK    bool
	Entry Entry // get: what was found; set, delete, extend: what is there now
	// PrevRevision is the revision before a write: -1 for a missing key.
	PrevRevision int64
	Prev         *Entry  // ReturnPrev and there was one
	Entries      []Entry // range
	Count        int64   // range
	More         bool    // range: the limit cut it
}

// Program is a one-shot transaction: Then if the test holds, Else if not.
type Program struct {
	If   Test
	Then []Op
	Else []Op
}

// ReadOnly reports whether no branch can write.
func (p *Program) ReadOnly() bool {
	for _, ops := range [2][]Op{p.Then, p.Else} {
		for i := range ops {
			if ops[i].Kind.Writes() {
				return false
			}
		}
	}
	return true
}

// WrittenKeys calls f with every key that either branch may write, in the order
// in which p names them.
func (p *Program) WrittenKeys(f func(Key)) {
	for _, ops := range [2][]Op{p.Then, p.Else} {
		for i := range ops {
			if ops[i].Kind.Writes() {
				f(ops[i].Key)
			}
		}
	}
}

// Keys calls f with every key that p names, and Spans with every span.
func (p *Program) Keys(f func(Key)) {
	p.If.keys(f)
	for _, ops := range [2][]Op{p.Then, p.Else} {
		for i := range ops {
			if ops[i].Kind != OpRange {
				f(ops[i].Key)
			}
		}
	}
}

// Since is the latest moment that a test of p goes back to; 0 if none does.
func (p *Program) Since() Timestamp {
	var since Timestamp
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
	for _, ops := range [2][]Op{p.Then, p.Else} {
		for i := range ops {
			if ops[i].Kind == OpRange {
				f(ops[i].Span)
			}
		}
	}
}
