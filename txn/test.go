package txn

import "cmp"

// TestKind says what a Test asks. The numbers are on the wire.
type TestKind uint8

const (
	TestKey       TestKind = iota // Cond over Key
	TestAll                       // every one of Of
	TestAny                       // at least one of Of
	TestNot                       // not Of[0]
	TestCompare                   // Attribute of Key <Is> Value or N
	TestCount                     // number of keys in Span <Is> N
	TestUnchanged                 // Span is as it was at Since
)

// Test is the tree of a one-shot transaction's `if`. The zero Test holds.
type Test struct {
	Kind TestKind
	Key  Key
	Cond Cond
	Of   []Test

	Attribute Attribute // compare
	Is        Relation  // compare, count
	Value     Value     // compare, of AttributeValue
	N         int64     // compare, of any other attribute; count
	Span      Span      // count, unchanged
	Since     Timestamp // unchanged
}

// Attribute is what of a key a Test compares. The numbers are on the wire.
type Attribute uint8

const (
	AttributeValue    Attribute = iota // a missing key has none: only NotEqual holds
	AttributeRevision                  // -1 for a missing key
	AttributeCommitTS                  // 0 for a missing key
	AttributeCreateTS                  // 0 for a missing key
)

// Relation is how the left side of a comparison must relate to the right one.
// The numbers are on the wire.
type Relation uint8

const (
	Equal Relation = iota
	NotEqual
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
)

// Holds judges what cmp.Compare and its like say. Sides without an order
// among them are not equal either.
func (r Relation) Holds(order int, ordered bool) bool {
	switch r {
	case Equal:
		return ordered && order == 0
	case NotEqual:
		return !ordered || order != 0
	case Less:
		return ordered && order < 0
	case LessOrEqual:
		return ordered && order <= 0
	case Greater:
		return ordered && order > 0
	default:
		return ordered && order >= 0
	}
}

// Walk calls f with t and every test below it.
func (t *Test) Walk(f func(*Test)) {
	f(t)
	for i := range t.Of {
		t.Of[i].Walk(f)
	}
}

func (t *Test) keys(f func(Key)) {
	t.Walk(func(t *Test) {
		if (t.Kind == TestKey || t.Kind == TestCompare) && len(t.Key) > 0 {
			f(t.Key)
		}
	})
}

func (t *Test) spans(f func(Span)) {
	t.Walk(func(t *Test) {
		if t.Kind == TestCount || t.Kind == TestUnchanged {
			f(t.Span)
		}
	})
}

// holds evaluates t at time at. It stops looking as soon as the answer is
// settled: what was not looked at has not been observed.
func (t *Test) holds(v View, at Timestamp) (bool, error) {
	switch t.Kind {
	case TestAll, TestAny:
		for i := range t.Of {
			ok, err := t.Of[i].holds(v, at)
			if err != nil || ok == (t.Kind == TestAny) {
				return ok, err
			}
		}
		return t.Kind == TestAll, nil
	case TestNot:
		ok, err := t.Of[0].holds(v, at)
		return !ok, err
	case TestCompare:
		ver, err := v.Get(t.Key)
		return err == nil && t.compare(&ver, at), err
	case TestCount:
		return t.count(v)
	case TestUnchanged:
		changed, err := v.Changed(t.Span, t.Since)
		return !changed, err
	default:
		if t.Cond.Empty() {
			return true, nil
		}
		ver, err := v.Get(t.Key)
		return err == nil && t.Cond.Holds(&ver, at), err
	}
}

func (t *Test) compare(v *Version, at Timestamp) bool {
	live := v.Live(at)
	var side int64
	switch t.Attribute {
	case AttributeValue:
		if !live {
			return t.Is.Holds(0, false)
		}
		return t.Is.Holds(v.Value.Compare(t.Value))
	case AttributeRevision:
		side = v.RevisionAt(at)
	case AttributeCommitTS:
		if live {
			side = int64(v.TS)
		}
	case AttributeCreateTS:
		if live {
			side = int64(v.CreateTS)
		}
	}
	return t.Is.Holds(cmp.Compare(side, t.N), true)
}

// count counts no further than it takes to know the answer: N entries tell
// less from the rest, one more tells equal from greater.
func (t *Test) count(v View) (bool, error) {
	enough := t.N
	if t.Is != Less && t.Is != GreaterOrEqual {
		enough++
	}
	var n int64
	if enough > 0 {
		s := Scan{Span: t.Span, KeysOnly: true, Limit: int(enough)}
		err := v.Scan(s, func(Entry) bool {
			n++
			return n < enough
		})
		if err != nil {
			return false, err
		}
	}
	return t.Is.Holds(cmp.Compare(n, t.N), true), nil
}
