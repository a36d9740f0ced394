package txn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shelves is a present with a past: what there was at time 500.
type shelves struct {
	shelf
	past shelf
}

func (s shelves) Scan(o Scan, emit func(Entry) bool) error {
	if o.Past != 0 {
		return s.past.Scan(o, emit)
	}
	return s.shelf.Scan(o, emit)
}

func TestDeleteRange(t *testing.T) {
	there := shelf{}
	for _, key := range strings.Split("a b/1 b/2 b/x/3 c", " ") {
		there[string(k(key))] = live(0, key)
	}
	there[string(k("b/gone"))] = Version{TS: 100, Expiry: now, Value: StringValue("x")}
	for _, c := range []struct {
		name string
		op   Op
		want string
	}{
		{"prefix", Op{Span: PrefixSpan(k("b/"))}, "b/1 b/2 b/x/3"},
		{"bucket", Op{Span: PrefixSpan(k("b/")), Filter: Filter{Bucket: len(k("b/"))}}, "b/1 b/2"},
		{"glob", Op{Span: PrefixSpan(k("")), Filter: Filter{Glob: Glob("*[23]")}}, "b/2 b/x/3"},
		{"all", Op{Span: PrefixSpan(k(""))}, "a b/1 b/2 b/x/3 c"},
		{"nothing", Op{Span: PrefixSpan(k("z"))}, ""},
	} {
		var b Buffer
		c.op.Kind = OpDeleteRange
		res, err := b.Do(&c.op, there, now)
		var got []string
		for _, w := range b.Writes() {
			got = append(got, string(w.Key.User()))
			if w.Kind != KindDelete {
				t.Errorf("%s: %+v", c.name, w)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want || res.Count != int64(len(got)) || res.OK != (len(got) > 0) {
			t.Errorf("%s: %v %+v, %v", c.name, got, res, err)
		}
	}
}

func TestDeleteRangeOfOwnWrites(t *testing.T) {
	there := shelf{string(k("a")): live(0, "a"), string(k("b")): live(0, "b")}
	var b Buffer
	for _, op := range []Op{
		{Kind: OpSet, Key: k("own"), Value: StringValue("x")},
		{Kind: OpSet, Key: k("a"), Value: StringValue("y")},
		{Kind: OpDelete, Key: k("b")},
	} {
		if _, err := b.Do(&op, there, now); err != nil {
			t.Fatal(err)
		}
	}
	res, err := b.Do(&Op{Kind: OpDeleteRange, Span: PrefixSpan(k(""))}, there, now)
	if err != nil || res.Count != 2 { // a and own: b is deleted already
		t.Fatalf("%+v, %v", res, err)
	}
	if w := b.Writes(); len(w) != 2 || w[0].Kind != KindDelete || w[1].Kind != KindDelete {
		t.Errorf("%+v", w)
	}
}

func TestDeleteRangeTooLarge(t *testing.T) {
	there := shelf{}
	for i := range WriteKeysMax + 1 {
		there[string(k(fmt.Sprintf("%05d", i)))] = live(0, "")
	}
	var b Buffer
	op := Op{Kind: OpDeleteRange, Span: PrefixSpan(k(""))}
	if _, err := b.Do(&op, there, now); KindOf(err) != Exhausted || len(b.Writes()) != 0 {
		t.Errorf("%d writes, %v", len(b.Writes()), err)
	}
	delete(there, string(k("00007")))
	if res, err := b.Do(&op, there, now); err != nil || res.Count != WriteKeysMax {
		t.Errorf("%+v, %v", res, err)
	}
}

// A revert leaves what there was, in one step or many, with own writes or without,
// and a dry run tells the same changes.
func TestRevert(t *testing.T) {
	const to = Timestamp(500)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(strings.Split("a b c d e f g h", " "))
		value := rapid.SampledFrom([]string{"x", "y"})
		v := shelves{shelf{}, shelf{}}
		for range rapid.IntRange(0, 8).Draw(t, "past") {
			key := string(k(name.Draw(t, "key")))
			v.past[key] = Version{TS: 100, Txn: 1, CreateTS: 100, Value: StringValue(value.Draw(t, "value"))}
			v.shelf[key] = v.past[key]
		}
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			key := string(k(name.Draw(t, "key")))
			if rapid.Bool().Draw(t, "delete") {
				delete(v.shelf, key)
			} else {
				v.shelf[key] = Version{TS: 600, Txn: 2, CreateTS: 600, Value: StringValue(value.Draw(t, "value"))}
			}
		}
		var b Buffer
		for range rapid.IntRange(0, 3).Draw(t, "own") {
			op := Op{Kind: OpSet, Key: k(name.Draw(t, "key")), Value: StringValue(value.Draw(t, "value"))}
			if rapid.Bool().Draw(t, "delete") {
				op.Kind = OpDelete
			}
			if _, err := b.Do(&op, v, now); err != nil {
				t.Fatal(err)
			}
		}
		op := Op{Kind: OpRevert, Span: Span{Start: k("b"), End: k("g")}, To: to, DryRun: true}
		before := slices.Clone(b.Writes())
		dry, err := b.Do(&op, v, now)
		if err != nil || len(b.Writes()) != len(before) || int64(len(dry.Changes)) != dry.Count {
			t.Fatalf("%+v, %v", dry, err)
		}
		op.DryRun = false
		res, err := b.Do(&op, v, now)
		if err != nil || res.Count != dry.Count || res.OK != (res.Count > 0) {
			t.Fatalf("%+v, %v, dry %+v", res, err, dry)
		}
		scan := Op{Kind: OpRange, Span: op.Span}
		got, _ := b.Do(&scan, v, now)
		want, _ := new(Buffer).Do(&scan, v.past, now)
		if show(got) != show(want) {
			t.Fatalf("got %s, want %s", show(got), show(want))
		}
		again, err := b.Do(&op, v, now)
		if err != nil || again.Count != 0 {
			t.Fatalf("a second one changes %d, %v", again.Count, err)
		}
	})
}

func TestRevertLarge(t *testing.T) {
	const n, to = 3 * revertStep, Timestamp(500)
	v := shelves{shelf{}, shelf{}}
	big := strings.Repeat("x", revertStepBytes/3)
	for i := range n {
		key := string(k(fmt.Sprintf("%05d", i)))
		old := Version{TS: 100, Txn: 1, CreateTS: 100, Value: StringValue("old")}
		if i < 20 {
			old.Value = StringValue(big)
		}
		v.past[key], v.shelf[key] = old, old
		if i%100 == 7 {
			v.shelf[key] = Version{TS: 600, Txn: 2, CreateTS: 600, Value: StringValue("new")}
		}
		if i%100 == 8 {
			delete(v.past, key)
		}
	}
	var b Buffer
	res, err := b.Do(&Op{Kind: OpRevert, Span: PrefixSpan(k("")), To: to}, v, now)
	if err != nil || res.Count != 2*n/100 || len(b.Writes()) != 2*n/100 {
		t.Errorf("%d changes, %d writes, %v", res.Count, len(b.Writes()), err)
	}
}

func TestRevertTimeToLive(t *testing.T) {
	const to = Timestamp(500)
	v := shelves{
		shelf{string(k("a")): live(2, "new")},
		shelf{string(k("a")): {TS: 100, Txn: 1, Expiry: to + 2_000_001, Value: StringValue("old")}},
	}
	var b Buffer
	res, err := b.Do(&Op{Kind: OpRevert, Span: KeySpan(k("a")), To: to}, v, now)
	if err != nil || !res.OK || b.Writes()[0].TTL != 2001 {
		t.Errorf("%+v %+v, %v", res, b.Writes(), err)
	}
	if _, err := b.Do(&Op{Kind: OpRevert, Span: KeySpan(k("a")), To: now + 1}, v, now); KindOf(err) != Invalid {
		t.Errorf("to the future: %v", err)
	}
}

// A dry run answers no more than fits, in an open transaction too, where results are not counted.
func TestDryRunIsLimited(t *testing.T) {
	past := shelf{}
	for i := range 5 {
		past[string(k(fmt.Sprint("b", i)))] = live(0, strings.Repeat("x", AnswerBytesMax/4))
	}
	op := Op{Kind: OpRevert, Span: PrefixSpan(k("b")), To: 500, DryRun: true}
	var b Buffer
	if _, err := b.Do(&op, shelves{shelf{}, past}, now); KindOf(err) != Exhausted {
		t.Errorf("all of it: %v", err)
	}
	op.Span.End = k("b3")
	if res, err := b.Do(&op, shelves{shelf{}, past}, now); err != nil || len(res.Changes) != 3 {
		t.Errorf("what fits: %d, %v", len(res.Changes), err)
	}
}
