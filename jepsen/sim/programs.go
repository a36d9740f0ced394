package sim

import (
	"fmt"
	"math"

	"github.com/cairnkv/cairn/txn"
)

// program is any one-shot transaction that is valid.
func (r *runner) program() txn.Program {
	var p txn.Program
	if r.w.oneIn(2) {
		p.If = r.test(3)
	}
	for range r.w.number(1, 5) {
		p.Then = append(p.Then, r.anyOp())
	}
	for range r.w.number(0, 3) {
		p.Else = append(p.Else, r.anyOp())
	}
	return p
}

// test is a tree of at most depth levels.
func (r *runner) test(depth int) txn.Test {
	if depth <= 1 || r.w.oneIn(2) {
		return r.leaf()
	}
	kind := pick(r.w.chance, []txn.TestKind{txn.TestAll, txn.TestAny, txn.TestNot})
	n := 1
	if kind != txn.TestNot {
		n = r.w.number(1, 3)
	}
	t := txn.Test{Kind: kind}
	for range n {
		t.Of = append(t.Of, r.test(depth-1))
	}
	return t
}

// leaf asks something of one key or range, often close to what is so.
func (r *runner) leaf() txn.Test {
	key := r.key()
	is := txn.Relation(r.w.IntN(int(txn.GreaterOrEqual) + 1))
	switch r.w.IntN(6) {
	case 0, 1:
		return txn.Test{Kind: txn.TestKey, Key: key, Cond: r.cond(key, 1)}
	case 2, 3:
		return r.comparison(key, is)
	case 4:
		if since := r.oldStamp(); since > 0 {
			return txn.Test{Kind: txn.TestUnchanged, Span: r.span(), Since: since}
		}
	}
	return txn.Test{Kind: txn.TestCount, Span: r.span(), Is: is,
		N: int64(r.w.number(0, len(r.w.plan.keys)))}
}

func (r *runner) comparison(key txn.Key, is txn.Relation) txn.Test {
	t := txn.Test{Kind: txn.TestCompare, Key: key, Is: is,
		Attribute: txn.Attribute(r.w.IntN(int(txn.AttributeCreateTS) + 1))}
	known := r.w.known.newest[string(key)]
	off := int64(r.w.number(-1, 1))
	switch t.Attribute {
	case txn.AttributeValue:
		if t.Value = known.Value; t.Value.Data == nil || r.w.oneIn(3) {
			t.Value = pick(r.w.chance, []txn.Value{txn.IntValue(r.w.Int64N(9000)),
				txn.FloatValue(float64(r.w.IntN(18000)) / 2), txn.StringValue("o5"),
				txn.FloatValue(math.NaN())})
		}
	case txn.AttributeRevision:
		t.N = max(known.Revision+off, txn.NoRevision)
	case txn.AttributeCommitTS:
		t.N = max(int64(known.TS)+off, 0)
	case txn.AttributeCreateTS:
		t.N = max(int64(known.CreateTS)+off, 0)
	}
	return t
}

// cond asks something of a key with the probability 1/one, often what clients
// have last seen there.
func (r *runner) cond(key txn.Key, one int) txn.Cond {
	var c txn.Cond
	if !r.w.oneIn(one) {
		return c
	}
	known := r.w.known.newest[string(key)]
	switch r.w.IntN(6) {
	case 0:
		c.Absent = true
	case 1:
		c.Present = true
	case 2:
		v := known.Value
		if v.Data == nil {
			v = txn.StringValue("nobody wrote this")
		}
		c.Value = &v
	case 3:
		rev := known.Revision
		if r.w.oneIn(4) {
			rev = int64(r.w.number(-1, 4))
		}
		c.Revision = &rev
	case 4:
		ts := known.TS
		c.CommitTS = &ts
	default:
		c.Present, c.Absent = r.w.oneIn(2), false
		rev := known.Revision
		c.Revision = &rev
	}
	return c
}

func (r *runner) anyOp() txn.Op {
	if r.w.oneIn(3) {
		return r.readOp()
	}
	if r.w.oneIn(10) {
		return r.rangeWrite()
	}
	return r.writeOp(r.key())
}

// rangeWrite deletes a range or brings it back to what it was.
func (r *runner) rangeWrite() txn.Op {
	op := txn.Op{Kind: txn.OpDeleteRange, Span: r.span()}
	if r.w.oneIn(3) {
		op.Filter.Glob = txn.Glob(fmt.Sprintf("*%d", r.w.IntN(4)))
	}
	if to := r.oldStamp(); to > 0 && r.w.oneIn(2) {
		op.Kind, op.To = txn.OpRevert, to
	}
	return op
}

// update mostly fits what clients have last seen there.
func (r *runner) update(key txn.Key) txn.Op {
	op := txn.Op{Kind: txn.OpUpdate, Key: key, TTL: r.ttl(), Cond: r.cond(key, 4),
		Update: txn.UpdateKind(r.w.IntN(int(txn.UpdateMax) + 1)), Value: r.value()}
	if known := r.w.known.newest[string(key)]; known.Value.Type != op.Value.Type && !r.w.oneIn(8) {
		switch known.Value.Type {
		case txn.Int:
			op.Value = txn.IntValue(int64(r.w.number(-50, 50)))
		case txn.Float:
			op.Value = txn.FloatValue(float64(r.w.number(-50, 50)) / 2)
		default:
			op.Value = txn.StringValue("+")
		}
	}
	if op.CheckUpdate() != nil { // adding texts, appending numbers
		op.Update = txn.UpdateAppend
		if op.Value.Type == txn.Int || op.Value.Type == txn.Float {
			op.Update = txn.UpdateAdd
		}
	}
	if op.Update == txn.UpdateAdd && r.w.oneIn(3) {
		lower, upper := op.Value, op.Value
		op.Lower, op.Upper = &lower, &upper
		if r.w.oneIn(2) {
			op.Upper = nil
		}
	}
	return op
}

func (r *runner) readOp() txn.Op {
	if r.w.oneIn(2) {
		return txn.Op{Kind: txn.OpGet, Key: r.key(), KeysOnly: r.w.oneIn(5)}
	}
	op := txn.Op{Kind: txn.OpRange, Span: r.span(), Reverse: r.w.oneIn(3)}
	switch r.w.IntN(4) {
	case 0:
		op.CountOnly = true
	case 1:
		op.KeysOnly = true
	}
	if r.w.oneIn(2) {
		op.Limit = r.w.number(1, 4)
	}
	return op
}

func (r *runner) writeOp(key txn.Key) txn.Op {
	op := txn.Op{Key: key, ReturnPrev: r.w.oneIn(3)}
	switch r.w.IntN(9) {
	case 8:
		return r.update(key)
	case 0, 1:
		op.Kind, op.Cond = txn.OpDelete, r.cond(key, 3)
	case 2:
		op.Kind, op.ReturnPrev, op.TTL = txn.OpExtend, false, r.ttl()
	default:
		op.Kind, op.Cond, op.Value = txn.OpSet, r.cond(key, 2), r.value()
		op.NoHistory = r.w.oneIn(8)
		switch r.w.IntN(4) {
		case 0:
			op.TTL = r.ttl()
		case 1:
			op.KeepTTL = true
		}
	}
	return op
}

// ttl is in milliseconds; some end while the run goes on.
func (r *runner) ttl() int64 {
	switch r.w.IntN(4) {
	case 0:
		return 0
	case 1:
		return int64(r.w.number(1, 20))
	default:
		return int64(r.w.number(20, 3000))
	}
}
