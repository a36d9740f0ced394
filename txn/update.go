package txn

import (
	"bytes"
	"math"
	"unicode/utf8"
)

// UpdateKind is how an update changes a value. The numbers are on the wire.
type UpdateKind uint8

const (
	UpdateAdd    UpdateKind = iota // of an int or a float
	UpdateAppend                   // of bytes or a string
	UpdateMin                      // of an int, a float, bytes or a string
	UpdateMax                      // likewise
)

// update changes a value by what it is, under the expiry that it has. It writes
// nothing if that leaves the value as it is, or would pass a bound.
func (b *Buffer) update(op *Op, v View, at Timestamp) (Result, error) {
	cur, err := b.current(op.Key, v, at)
	if err != nil {
		return Result{}, err
	}
	res := Result{Entry: Entry{Key: op.Key}, PrevRevision: cur.RevisionAt(at)}
	live := cur.Live(at)
	there := &cur.Value
	if !live {
		there = nil
	}
	if !op.Cond.Holds(&cur, at) {
		return res, b.leave(op, &res, cur, live)
	}
	next, changes, failed := op.updated(there)
	if failed != nil {
		failed.Key = op.Key
		return Result{}, failed
	}
	if !changes {
		return res, b.leave(op, &res, cur, live)
	}
	set := Op{Kind: OpSet, Key: op.Key, Value: next, KeepTTL: live, NoHistory: op.NoHistory}
	if !live {
		set.TTL = op.TTL
	}
	if err := b.put(&set); err != nil {
		return Result{}, err
	}
	if cur, err = b.current(op.Key, v, at); err != nil {
		return Result{}, err
	}
	res.OK = true
	return res, b.leave(op, &res, cur, true)
}

// leave puts into the answer what the update leaves. What was appended to is too
// large to be sent back each time: its size has to do.
func (b *Buffer) leave(op *Op, res *Result, v Version, live bool) error {
	if !live {
		res.Entry.Version = Version{Revision: NoRevision}
		return nil
	}
	res.Count = int64(len(v.Value.Data))
	if op.Update == UpdateAppend {
		v.Value.Data = nil
	}
	res.Entry.Version = v
	if !b.answer.takes(&res.Entry) {
		return answerTooLarge()
	}
	res.Entry.Value.Data = bytes.Clone(v.Value.Data)
	return nil
}

// updated is what comes of there, nil for a missing key; changes says whether it
// is something else.
func (op *Op) updated(there *Value) (next Value, changes bool, failed *Error) {
	switch {
	case there == nil:
	case !alike(there.Type, op.Value.Type):
		return next, false, Errorf(Invalid, "type_mismatch",
			"the value is of type %v, and the operand of type %v", there.Type, op.Value.Type)
	case there.Type == String && !utf8.Valid(op.Value.Data):
		return next, false, Errorf(Invalid, "value_not_utf8",
			"the value is a string, and the operand is not UTF-8")
	}
	switch op.Update {
	case UpdateAdd:
		return op.added(there)
	case UpdateAppend:
		return op.appended(there)
	default:
		if there == nil {
			return op.Value, true, nil
		}
		order, ordered := op.Value.Compare(*there)
		if !ordered { // there is NaN, which any number is better than
			return op.Value, true, nil
		}
		next = Value{there.Type, op.Value.Data}
		if op.Update == UpdateMin {
			return next, order < 0, nil
		}
		return next, order > 0, nil
	}
}

// alike reports whether values of the two types can be combined.
func alike(a, b Type) bool { return a == b || a <= String && b <= String }

func (op *Op) added(there *Value) (next Value, changes bool, failed *Error) {
	if op.Value.Type == Float {
		sum := op.Value.Float()
		known := !math.IsNaN(sum)
		if there != nil {
			sum += there.Float()
			known = known && !math.IsNaN(there.Float())
		}
		if known && math.IsNaN(sum) {
			return next, false, Errorf(Invalid, "sum_nan",
				"Infinity and -Infinity have no sum")
		}
		next = FloatValue(sum)
	} else {
		var have int64
		if there != nil {
			have = there.Int()
		}
		by := op.Value.Int()
		sum := have + by
		if (sum < have) != (by < 0) {
			return next, false, Errorf(Invalid, "integer_overflow",
				"%d and %d are more than an int of 64 bits holds", have, by)
		}
		next = IntValue(sum)
	}
	return next, op.within(next), nil
}

// within reports whether a sum passes no bound. NaN passes any.
func (op *Op) within(sum Value) bool {
	if op.Lower != nil {
		if order, ordered := sum.Compare(*op.Lower); !ordered || order < 0 {
			return false
		}
	}
	if op.Upper != nil {
		if order, ordered := sum.Compare(*op.Upper); !ordered || order > 0 {
			return false
		}
	}
	return true
}

// appended keeps the type of what is there: curl and a shell cannot tell bytes
// from strings.
func (op *Op) appended(there *Value) (next Value, changes bool, failed *Error) {
	if there == nil {
		return op.Value, true, nil
	}
	if n := len(there.Data) + len(op.Value.Data); n > ValueBytesMax {
		return next, false, Errorf(Invalid, "value_too_large",
			"the value would have %d bytes, the limit is %d", n, ValueBytesMax)
	}
	next = Value{there.Type, append(bytes.Clone(there.Data), op.Value.Data...)}
	return next, len(op.Value.Data) > 0, nil
}

// takes says which operands an update is for.
func (k UpdateKind) takes() string {
	switch k {
	case UpdateAdd:
		return "an increment is by an int or a float"
	case UpdateAppend:
		return "what is appended is bytes or a string"
	}
	return "min and max are of an int, a float, bytes or a string"
}

// CheckUpdate reports an operand, or a bound, that an update of kind k cannot use.
func (op *Op) CheckUpdate() error {
	t := op.Value.Type
	number, text := t == Int || t == Float, t <= String
	switch {
	case op.Update == UpdateAdd && !number, op.Update == UpdateAppend && !text, !number && !text:
		return Errorf(Invalid, "operand_type",
			"the operand is of type %v; %s", t, op.Update.takes())
	case op.Update >= UpdateMin && t == Float && math.IsNaN(op.Value.Float()):
		return Errorf(Invalid, "operand_nan", "NaN is neither the smaller nor the larger of two")
	}
	for _, bound := range [2]*Value{op.Lower, op.Upper} {
		switch {
		case bound == nil:
		case op.Update != UpdateAdd:
			return Errorf(Invalid, "bound_unsupported", "only an increment has bounds")
		case bound.Type != t:
			return Errorf(Invalid, "bound_type",
				"a bound is of type %v, and the operand of type %v", bound.Type, t)
		case t == Float && math.IsNaN(bound.Float()):
			return Errorf(Invalid, "bound_nan", "NaN bounds nothing")
		}
	}
	if op.Lower != nil && op.Upper != nil {
		if order, _ := op.Lower.Compare(*op.Upper); order > 0 {
			return Errorf(Invalid, "bounds_crossed", "the lower bound is above the upper one: "+
				"no increment could pass")
		}
	}
	return nil
}
