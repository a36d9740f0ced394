package shardrpc

import (
	"encoding/binary"

	"github.com/cairnkv/cairn/txn"
)

// TestDepthMax is how deep the tests of a program may be nested. The public API allows less.
const TestDepthMax = 32

func appendProgram(dst []byte, p *txn.Program) []byte {
	dst = appendTest(dst, &p.If)
	dst = appendList(dst, p.Then, appendOp)
	return appendList(dst, p.Else, appendOp)
}

func (d *decoder) program(p *txn.Program) {
	d.test(&p.If, 1)
	p.Then = list(d, opBytesMin, (*decoder).op)
	p.Else = list(d, opBytesMin, (*decoder).op)
}

const (
	condAbsent = 1 << iota
	condPresent
	condValue
	condRevision
	condCommitTS
	condFlags = 1<<iota - 1
)

func appendCond(dst []byte, c *txn.Cond) []byte {
	dst = append(dst, flag(c.Absent, condAbsent)|flag(c.Present, condPresent)|
		flag(c.Value != nil, condValue)|flag(c.Revision != nil, condRevision)|
		flag(c.CommitTS != nil, condCommitTS))
	if c.Value != nil {
		dst = appendValue(dst, c.Value)
	}
	if c.Revision != nil {
		dst = binary.AppendVarint(dst, *c.Revision)
	}
	if c.CommitTS != nil {
		dst = appendTS(dst, *c.CommitTS)
	}
	return dst
}

func (d *decoder) cond(c *txn.Cond) {
	f := d.flags(condFlags)
	c.Absent, c.Present = f&condAbsent != 0, f&condPresent != 0
	if f&condValue != 0 {
		c.Value = new(d.value())
	}
	if f&condRevision != 0 {
		c.Revision = new(d.varint())
	}
	if f&condCommitTS != 0 {
		c.CommitTS = new(d.ts())
	}
}

const testBytesMin = 4

func appendTest(dst []byte, t *txn.Test) []byte {
	dst = appendBytes(append(dst, byte(t.Kind)), t.Key)
	dst = appendList(appendCond(dst, &t.Cond), t.Of, appendTest)
	if t.Kind > txn.TestNot {
		dst = append(dst, byte(t.Attribute), byte(t.Is))
		dst = binary.AppendVarint(appendValue(dst, &t.Value), t.N)
		dst = appendTS(appendSpan(dst, &t.Span), t.Since)
	}
	return dst
}

// test reads a tree of which depth-1 levels are above. A negation of nothing, or of two things,
// would have no meaning; evaluating it would panic.
func (d *decoder) test(t *txn.Test, depth int) {
	if depth > TestDepthMax {
		d.fail("its tests are nested too deep")
		return
	}
	t.Kind = enum(d, txn.TestUnchanged)
	d.key(&t.Key)
	d.cond(&t.Cond)
	t.Of = list(d, testBytesMin, func(d *decoder, of *txn.Test) { d.test(of, depth+1) })
	if t.Kind == txn.TestNot && len(t.Of) != 1 {
		d.fail("a negation is not of one test")
	}
	if t.Kind > txn.TestNot {
		t.Attribute, t.Is = enum(d, txn.AttributeCreateTS), enum(d, txn.GreaterOrEqual)
		t.Value, t.N = d.value(), d.varint()
		d.span(&t.Span)
		t.Since = d.ts()
	}
}

const (
	opKeepTTL = 1 << iota
	opNoHistory
	opReturnPrev
	opReverse
	opKeysOnly
	opCountOnly
	opCond  // Cond
	opRange // Span, Limit
	opFlags = 1<<iota - 1
)

// The second byte of flags.
const (
	opUpdate = 1 << iota // Update
	opLower
	opUpper
	opFilter // Filter
	opFlags2 = 1<<iota - 1
)

const opBytesMin = 7

// appendOp is for the kinds that go to a shard. What the others have beside, To and
// DryRun, has no form.
func appendOp(dst []byte, o *txn.Op) []byte {
	ranges := len(o.Span.Start) > 0 || len(o.Span.End) > 0 || o.Limit != 0
	conds := !o.Cond.Empty()
	dst = append(dst, byte(o.Kind), flag(o.KeepTTL, opKeepTTL)|flag(o.NoHistory, opNoHistory)|
		flag(o.ReturnPrev, opReturnPrev)|flag(o.Reverse, opReverse)|flag(o.KeysOnly, opKeysOnly)|
		flag(o.CountOnly, opCountOnly)|flag(conds, opCond)|flag(ranges, opRange),
		flag(o.Update != 0, opUpdate)|flag(o.Lower != nil, opLower)|
			flag(o.Upper != nil, opUpper)|flag(!o.Filter.Empty(), opFilter))
	dst = appendBytes(dst, o.Key)
	dst = appendValue(dst, &o.Value)
	dst = binary.AppendVarint(dst, o.TTL)
	if conds {
		dst = appendCond(dst, &o.Cond)
	}
	if ranges {
		dst = binary.AppendVarint(appendSpan(dst, &o.Span), int64(o.Limit))
	}
	return appendOpMore(dst, o)
}

func appendOpMore(dst []byte, o *txn.Op) []byte {
	if o.Update != 0 {
		dst = append(dst, byte(o.Update))
	}
	if o.Lower != nil {
		dst = appendValue(dst, o.Lower)
	}
	if o.Upper != nil {
		dst = appendValue(dst, o.Upper)
	}
	if !o.Filter.Empty() {
		dst = binary.AppendVarint(dst, int64(o.Filter.Bucket))
		dst = appendBytes(dst, o.Filter.Glob)
	}
	return dst
}

func (d *decoder) op(o *txn.Op) {
	o.Kind = enum(d, txn.OpUpdate)
	f, more := d.flags(opFlags), d.flags(opFlags2)
	o.KeepTTL, o.NoHistory = f&opKeepTTL != 0, f&opNoHistory != 0
	o.ReturnPrev, o.Reverse = f&opReturnPrev != 0, f&opReverse != 0
	o.KeysOnly, o.CountOnly = f&opKeysOnly != 0, f&opCountOnly != 0
	d.key(&o.Key)
	o.Value, o.TTL = d.value(), d.varint()
	if f&opCond != 0 {
		d.cond(&o.Cond)
	}
	if f&opRange != 0 {
		d.span(&o.Span)
		o.Limit = d.int()
	}
	d.opMore(o, more)
}

func (d *decoder) opMore(o *txn.Op, f byte) {
	if f&opUpdate != 0 {
		o.Update = enum(d, txn.UpdateMax)
	}
	if f&opLower != 0 {
		o.Lower = new(d.value())
	}
	if f&opUpper != 0 {
		o.Upper = new(d.value())
	}
	if f&opFilter != 0 {
		o.Filter.Bucket, o.Filter.Glob = d.int(), d.bytes()
	}
}

const (
	resultOK = 1 << iota
	resultMore
	resultPrev
	resultFlags = 1<<iota - 1
)

const resultBytesMin = 3 + entryBytesMin

func appendResult(dst []byte, r *txn.Result) []byte {
	dst = append(dst, flag(r.OK, resultOK)|flag(r.More, resultMore)|flag(r.Prev != nil, resultPrev))
	dst = appendEntry(dst, &r.Entry)
	dst = binary.AppendVarint(dst, r.PrevRevision)
	if r.Prev != nil {
		dst = appendEntry(dst, r.Prev)
	}
	dst = appendList(dst, r.Entries, appendEntry)
	return binary.AppendVarint(dst, r.Count)
}

func (d *decoder) result(r *txn.Result) {
	f := d.flags(resultFlags)
	r.OK, r.More = f&resultOK != 0, f&resultMore != 0
	d.entry(&r.Entry)
	r.PrevRevision = d.varint()
	if f&resultPrev != 0 {
		r.Prev = new(txn.Entry)
		d.entry(r.Prev)
	}
	r.Entries = list(d, entryBytesMin, (*decoder).entry)
	r.Count = d.varint()
}
