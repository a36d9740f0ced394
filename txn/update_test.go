package txn

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestUpdate(t *testing.T) {
	i, f, s, b := IntValue, FloatValue, StringValue, func(s string) Value { return BytesValue([]byte(s)) }
	none := Value{Type: Null}
	for _, c := range []struct {
		name   string
		there  Value // null: missing
		op     Op
		want   Value // null: still missing
		ok     bool
		reason string
	}{
		{"add", i(5), Op{Value: i(3)}, i(8), true, ""},
		{"add to nothing", none, Op{Value: i(3)}, i(3), true, ""},
		{"subtract", i(5), Op{Value: i(-7)}, i(-2), true, ""},
		{"add nothing", i(5), Op{Value: i(0)}, i(5), true, ""},
		{"add floats", f(0.5), Op{Value: f(1)}, f(1.5), true, ""},
		{"add a float to nothing", none, Op{Value: f(1)}, f(1), true, ""},
		{"to the limit", i(math.MaxInt64 - 1), Op{Value: i(1)}, i(math.MaxInt64), true, ""},
		{"over the limit", i(math.MaxInt64), Op{Value: i(1)}, i(math.MaxInt64), false, "integer_overflow"},
		{"under the limit", i(math.MinInt64), Op{Value: i(-1)}, i(math.MinInt64), false, "integer_overflow"},
		{"both extremes", i(math.MinInt64), Op{Value: i(math.MinInt64)}, i(math.MinInt64), false, "integer_overflow"},
		{"to infinity", f(math.MaxFloat64), Op{Value: f(math.MaxFloat64)}, f(math.Inf(1)), true, ""},
		{"int and float", i(1), Op{Value: f(1)}, i(1), false, "type_mismatch"},
		{"string and int", s("1"), Op{Value: i(1)}, s("1"), false, "type_mismatch"},
		{"bool and int", BoolValue(true), Op{Value: i(1)}, BoolValue(true), false, "type_mismatch"},
		{"within", i(5), Op{Value: i(-5), Lower: new(i(0)), Upper: new(i(9))}, i(0), true, ""},
		{"below", i(5), Op{Value: i(-6), Lower: new(i(0))}, i(5), false, ""},
		{"above", i(5), Op{Value: i(5), Upper: new(i(9))}, i(5), false, ""},
		{"below, missing", none, Op{Value: i(-1), Lower: new(i(0))}, none, false, ""},
		{"NaN passes bounds", f(1), Op{Value: f(math.NaN()), Upper: new(f(9))}, f(1), false, ""},
		{"condition", i(5), Op{Value: i(1), Cond: Cond{Absent: true}}, i(5), false, ""},
		{"condition before the type", s("a"), Op{Value: i(1), Cond: Cond{Absent: true}}, s("a"), false, ""},

		{"append", s("ab"), Op{Update: UpdateAppend, Value: s("c")}, s("abc"), true, ""},
		{"append bytes to a string", s("ab"), Op{Update: UpdateAppend, Value: b("c")}, s("abc"), true, ""},
		{"append a string to bytes", b("ab"), Op{Update: UpdateAppend, Value: s("c")}, b("abc"), true, ""},
		{"append to nothing", none, Op{Update: UpdateAppend, Value: b("c")}, b("c"), true, ""},
		{"append nothing", s("ab"), Op{Update: UpdateAppend, Value: s("")}, s("ab"), false, ""},
		{"append no UTF-8", s("ab"), Op{Update: UpdateAppend, Value: b("\xff")}, s("ab"), false, "value_not_utf8"},
		{"append to an int", i(1), Op{Update: UpdateAppend, Value: b("c")}, i(1), false, "type_mismatch"},
		{"append too much", b(strings.Repeat("x", ValueBytesMax)), Op{Update: UpdateAppend, Value: b("c")},
			b(strings.Repeat("x", ValueBytesMax)), false, "value_too_large"},

		{"min", i(5), Op{Update: UpdateMin, Value: i(3)}, i(3), true, ""},
		{"min stays", i(3), Op{Update: UpdateMin, Value: i(5)}, i(3), false, ""},
		{"min, the same", i(3), Op{Update: UpdateMin, Value: i(3)}, i(3), false, ""},
		{"max", i(3), Op{Update: UpdateMax, Value: i(5)}, i(5), true, ""},
		{"max stays", i(5), Op{Update: UpdateMax, Value: i(3)}, i(5), false, ""},
		{"max of nothing", none, Op{Update: UpdateMax, Value: i(-3)}, i(-3), true, ""},
		{"max of texts", s("a"), Op{Update: UpdateMax, Value: b("b")}, s("b"), true, ""},
		{"max over NaN", f(math.NaN()), Op{Update: UpdateMax, Value: f(1)}, f(1), true, ""},
		{"min of other types", f(1), Op{Update: UpdateMin, Value: i(0)}, f(1), false, "type_mismatch"},
	} {
		c.op.Kind, c.op.Key = OpUpdate, k("a")
		there := shelf{}
		if c.there.Type != Null {
			there[string(k("a"))] = Version{TS: 100, Revision: 3, CreateTS: 100, Value: c.there}
		}
		if err := c.op.CheckUpdate(); err != nil && c.name != "NaN passes bounds" {
			t.Errorf("%s: %v", c.name, err)
		}
		var buf Buffer
		res, err := buf.Do(&c.op, there, now)
		if got := reasonOf(err); got != c.reason || err == nil && res.OK != c.ok {
			t.Errorf("%s: %+v, %q", c.name, res, got)
			continue
		}
		got, _ := buf.current(k("a"), there, now)
		if !got.Live(now) {
			got.Value = none
		}
		if !reflect.DeepEqual(got.Value, c.want) {
			t.Errorf("%s: %v %q, want %v %q", c.name, got.Value.Type, got.Value.Data, c.want.Type, c.want.Data)
		}
		if answer := res.Entry.Value; err == nil && c.op.Update != UpdateAppend && c.want.Type != Null &&
			!reflect.DeepEqual(answer, c.want) || err == nil && c.want.Type != Null && res.Count != int64(len(c.want.Data)) {
			t.Errorf("%s: answers %+v, %d bytes", c.name, answer, res.Count)
		}
		if wrote := len(buf.Writes()) == 1; wrote != c.ok {
			t.Errorf("%s: wrote %v", c.name, wrote)
		}
	}
}

func reasonOf(err error) string {
	if e, ok := err.(*Error); ok {
		return e.Reason
	}
	return ""
}

func TestUpdateKeepsExpiry(t *testing.T) {
	there := shelf{
		string(k("a")):    {TS: 100, Revision: 3, CreateTS: 100, Expiry: 5000, Value: IntValue(1)},
		string(k("gone")): {TS: 100, Revision: 3, CreateTS: 100, Expiry: now, Value: IntValue(1)},
	}
	for _, c := range []struct {
		key    string
		expiry Timestamp
		value  int64
		rev    int64
	}{{"a", 5000, 3, 4}, {"gone", now + 7000, 2, 4}, {"new", now + 7000, 2, 0}} {
		var b Buffer
		res, err := b.Do(&Op{Kind: OpUpdate, Key: k(c.key), Value: IntValue(2), TTL: 7}, there, now)
		v := res.Entry.Version
		if err != nil || v.Expiry != c.expiry || v.Value.Int() != c.value || v.Revision != c.rev {
			t.Errorf("%s: %+v, %v", c.key, res, err)
		}
	}
}

// Several updates of a key in one transaction make one version.
func TestUpdatesFold(t *testing.T) {
	var b Buffer
	there := shelf{string(k("a")): {TS: 100, Revision: 3, CreateTS: 100, Expiry: 5000, Value: IntValue(1)}}
	for _, op := range []Op{
		{Kind: OpUpdate, Value: IntValue(1)}, {Kind: OpExtend, TTL: 3}, {Kind: OpUpdate, Value: IntValue(1)},
	} {
		op.Key = k("a")
		if res, err := b.Do(&op, there, now); err != nil || !res.OK {
			t.Fatal(res, err)
		}
	}
	w := b.Writes()
	if len(w) != 1 || w[0].Value.Int() != 3 || w[0].TTL != 3 || w[0].KeepTTL {
		t.Errorf("%+v", w)
	}
}

func TestCheckUpdate(t *testing.T) {
	nan := FloatValue(math.NaN())
	for reason, op := range map[string]Op{
		"operand_type":      {Value: StringValue("1")},
		"operand_nan":       {Update: UpdateMin, Value: nan},
		"bound_unsupported": {Update: UpdateMax, Value: IntValue(1), Lower: new(IntValue(0))},
		"bound_type":        {Value: IntValue(1), Upper: new(FloatValue(3))},
		"bound_nan":         {Value: FloatValue(1), Upper: &nan},
	} {
		if got := reasonOf(op.CheckUpdate()); got != reason {
			t.Errorf("%s: %s", reason, got)
		}
	}
	for says, op := range map[string]Op{
		"type int; what is appended is bytes or a string": {Update: UpdateAppend, Value: IntValue(1)},
		"type bool; min and max are of":                   {Update: UpdateMin, Value: BoolValue(true)},
		"type null; an increment is by an int or a float": {Value: NullValue()},
	} {
		err := op.CheckUpdate()
		if got := reasonOf(err); got != "operand_type" || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %s, %v", op, got, err)
		}
	}
}
