package txn

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Anchor is the key at which a request that runs p is remembered: the smallest
// one that either branch may write (see Op.Anchor). Whoever knows p knows it,
// whatever p comes to. Nil if p cannot write.
func (p *Program) Anchor() Key {
	var first Key
	p.each(func(op *Op) bool {
		if k := op.Anchor(); op.Writes() && (first == nil || k.Compare(first) < 0) {
			first = k
		}
		return true
	})
	return first
}

// Fingerprint tells programs apart: equal ones have the same, in every release,
// whoever asks for them. It is on disk.
func (p *Program) Fingerprint() uint64 {
	d := digest{sum: sha256.New()}
	d.test(&p.If)
	for _, ops := range [2][]Op{p.Then, p.Else} {
		d.number(fieldBranch, int64(len(ops)))
		for i := range ops {
			d.op(&ops[i])
		}
	}
	d.bytes(fieldMessage, []byte(p.Annotation.Message))
	d.flush()
	return binary.BigEndian.Uint64(d.sum.Sum(nil))
}

// The fields of a program. What is zero leaves no trace, so that a field which
// a later release adds changes no fingerprint of a program without it. Append,
// never reorder.
const (
	fieldBranch = iota + 1
	fieldTest
	fieldKey
	fieldOf
	fieldAbsent
	fieldPresent
	fieldCondType
	fieldCondData
	fieldRevision
	fieldCommitTS
	fieldOp
	fieldType
	fieldData
	fieldTTL
	fieldKeepTTL
	fieldNoHistory
	fieldReturnPrev
	fieldStart
	fieldEnd
	fieldLimit
	fieldReverse
	fieldKeysOnly
	fieldCountOnly
	fieldAttribute
	fieldIs
	fieldN
	fieldSince
	fieldUpdate
	fieldLowerType
	fieldLowerData
	fieldUpperType
	fieldUpperData
	fieldBucket
	fieldGlob
	fieldTo
	fieldDryRun
	fieldMessage
)

// digest hashes fields, each behind its name and its length.
type digest struct {
	sum hash.Hash
	b   []byte
}

// digestBytes gather before they are hashed.
const digestBytes = 512

func (d *digest) flush() {
	_, _ = d.sum.Write(d.b) // a hash takes everything
	d.b = d.b[:0]
}

func (d *digest) number(field byte, n int64) {
	d.b = binary.AppendVarint(append(d.b, field), n)
}

func (d *digest) flag(field byte, set bool) {
	if set {
		d.number(field, 1)
	}
}

func (d *digest) unlessZero(field byte, n int64) {
	if n != 0 {
		d.number(field, n)
	}
}

func (d *digest) span(s *Span) {
	d.bytes(fieldStart, s.Start)
	d.bytes(fieldEnd, s.End)
}

// value is that of an operation or a test; the zero Value leaves no trace.
func (d *digest) value(v *Value) {
	if v.Type != 0 || len(v.Data) > 0 {
		d.number(fieldType, int64(v.Type))
		d.bytes(fieldData, v.Data)
	}
}

func (d *digest) bytes(field byte, b []byte) {
	if len(b) == 0 {
		return
	}
	d.number(field, int64(len(b)))
	if len(d.b)+len(b) <= digestBytes {
		d.b = append(d.b, b...)
		return
	}
	d.flush()
	_, _ = d.sum.Write(b)
}

func (d *digest) test(t *Test) {
	d.number(fieldTest, int64(t.Kind))
	d.bytes(fieldKey, t.Key)
	d.cond(&t.Cond)
	d.unlessZero(fieldAttribute, int64(t.Attribute))
	d.unlessZero(fieldIs, int64(t.Is))
	d.value(&t.Value)
	d.unlessZero(fieldN, t.N)
	d.span(&t.Span)
	d.unlessZero(fieldSince, int64(t.Since))
	if len(t.Of) == 0 {
		return
	}
	d.number(fieldOf, int64(len(t.Of)))
	for i := range t.Of {
		d.test(&t.Of[i])
	}
}

func (d *digest) cond(c *Cond) {
	d.flag(fieldAbsent, c.Absent)
	d.flag(fieldPresent, c.Present)
	if c.Value != nil {
		d.number(fieldCondType, int64(c.Value.Type))
		d.bytes(fieldCondData, c.Value.Data)
	}
	if c.Revision != nil {
		d.number(fieldRevision, *c.Revision)
	}
	if c.CommitTS != nil {
		d.number(fieldCommitTS, int64(*c.CommitTS))
	}
}

func (d *digest) op(o *Op) {
	d.number(fieldOp, int64(o.Kind))
	d.bytes(fieldKey, o.Key)
	d.cond(&o.Cond)
	d.value(&o.Value)
	d.unlessZero(fieldTTL, o.TTL)
	d.unlessZero(fieldLimit, int64(o.Limit))
	d.flag(fieldKeepTTL, o.KeepTTL)
	d.flag(fieldNoHistory, o.NoHistory)
	d.flag(fieldReturnPrev, o.ReturnPrev)
	d.span(&o.Span)
	d.flag(fieldReverse, o.Reverse)
	d.flag(fieldKeysOnly, o.KeysOnly)
	d.flag(fieldCountOnly, o.CountOnly)
	d.unlessZero(fieldUpdate, int64(o.Update))
	if o.Lower != nil {
		d.number(fieldLowerType, int64(o.Lower.Type))
		d.bytes(fieldLowerData, o.Lower.Data)
	}
	if o.Upper != nil {
		d.number(fieldUpperType, int64(o.Upper.Type))
		d.bytes(fieldUpperData, o.Upper.Data)
	}
	d.unlessZero(fieldBucket, int64(o.Filter.Bucket))
	d.bytes(fieldGlob, o.Filter.Glob)
	d.unlessZero(fieldTo, int64(o.To))
	d.flag(fieldDryRun, o.DryRun)
}
