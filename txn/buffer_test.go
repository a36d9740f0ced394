package txn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shelf is a View over one version a key.
type shelf map[string]Version

func (s shelf) Get(k Key) (Version, error) { return s[string(k)], nil }

func (s shelf) within(span Span) []string {
	var keys []string
	for k := range s { // order: sorted below
		if span.Contains(Key(k)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (s shelf) Changed(span Span, since Timestamp) (bool, error) {
	return slices.ContainsFunc(s.within(span), func(k string) bool {
		v := s[k]
		return v.TS > since || v.Live(since) && !v.Live(now)
	}), nil
}

func (s shelf) Scan(o Scan, emit func(Entry) bool) error {
	keys := s.within(o.Span)
	if o.Reverse {
		slices.Reverse(keys)
	}
	for _, k := range keys {
		v := s[k]
		if v.Live(now) && !emit(Entry{Key: Key(k), Version: v}) {
			break
		}
	}
	return nil
}

const now Timestamp = 1000

func k(name string) Key { return NewKey(DefaultKeyspace, []byte(name)) }

func live(rev int64, value string) Version {
	return Version{TS: 100, Revision: rev, CreateTS: 100, Value: StringValue(value)}
}

func TestOperations(t *testing.T) {
	rev := func(n int64) *int64 { return &n }
	val := func(s string) *Value { v := StringValue(s); return &v }
	ts := func(n Timestamp) *Timestamp { return &n }
	shelf := shelf{
		string(k("a")):    live(3, "old"),
		string(k("dead")): {TS: 200, Kind: KindDelete, Revision: 7},
		string(k("gone")): {TS: 200, Revision: 5, Expiry: now, Value: StringValue("x")},
	}
	for _, c := range []struct {
		name string
		op   Op
		ok   bool
		rev  int64 // in the answer of one that was not done
	}{
		{"blind set", Op{Kind: OpSet, Key: k("a")}, true, 0},
		{"nx on a live key", Op{Kind: OpSet, Key: k("a"), Cond: Cond{Absent: true}}, false, 3},
		{"nx on a missing key", Op{Kind: OpSet, Key: k("z"), Cond: Cond{Absent: true}}, true, 0},
		{"nx on a tombstone", Op{Kind: OpSet, Key: k("dead"), Cond: Cond{Absent: true}}, true, 0},
		{"nx on an expired key", Op{Kind: OpSet, Key: k("gone"), Cond: Cond{Absent: true}}, true, 0},
		{"xx on an expired key", Op{Kind: OpSet, Key: k("gone"), Cond: Cond{Present: true}}, false, -1},
		{"cmp", Op{Kind: OpSet, Key: k("a"), Cond: Cond{Value: val("old")}}, true, 0},
		{"cmp of another", Op{Kind: OpSet, Key: k("a"), Cond: Cond{Value: val("new")}}, false, 3},
		{"empty cmp on missing", Op{Kind: OpSet, Key: k("z"), Cond: Cond{Value: val("")}}, false, -1},
		{"cmprev", Op{Kind: OpSet, Key: k("a"), Cond: Cond{Revision: rev(3)}}, true, 0},
		{"cmprev -1 on missing", Op{Kind: OpSet, Key: k("z"), Cond: Cond{Revision: rev(-1)}}, true, 0},
		{"cmprev of a tombstone", Op{Kind: OpSet, Key: k("dead"), Cond: Cond{Revision: rev(7)}}, false, -1},
		{"commit_ts", Op{Kind: OpSet, Key: k("a"), Cond: Cond{CommitTS: ts(100)}}, true, 0},
		{"other commit_ts", Op{Kind: OpSet, Key: k("a"), Cond: Cond{CommitTS: ts(99)}}, false, 3},
		{"delete", Op{Kind: OpDelete, Key: k("a")}, true, 0},
		{"delete missing", Op{Kind: OpDelete, Key: k("z")}, false, -1},
		{"extend", Op{Kind: OpExtend, Key: k("a"), TTL: 5}, true, 0},
		{"extend expired", Op{Kind: OpExtend, Key: k("gone"), TTL: 5}, false, -1},
	} {
		var b Buffer
		res, err := b.Do(&c.op, shelf, now)
		if err != nil || res.OK != c.ok || !c.ok && res.Entry.Revision != c.rev {
			t.Errorf("%s: %+v, %v", c.name, res, err)
		}
		if wrote := len(b.Writes()) == 1; wrote != c.ok {
			t.Errorf("%s: wrote %v", c.name, wrote)
		}
	}
}

func TestVersions(t *testing.T) {
	old := Version{TS: 100, Revision: 3, First: 1, CreateTS: 90, Expiry: 5000, Value: StringValue("o")}
	dead := Version{TS: 100, Kind: KindDelete, Revision: 4, First: 1, CreateTS: 90}
	for _, c := range []struct {
		name    string
		prev    Version
		w       Write
		ok      bool
		rev     int64
		created Timestamp
		expiry  Timestamp
	}{
		{"first set", Version{}, Write{}, true, 0, now, 0},
		{"set over set", old, Write{}, true, 4, 90, 0},
		{"set keeps ttl", old, Write{KeepTTL: true}, true, 4, 90, 5000},
		{"set with ttl", old, Write{TTL: 2}, true, 4, 90, now + 2000},
		{"set after delete", dead, Write{}, true, 5, now, 0},
		{"extend", old, Write{Kind: KindExtend, TTL: 9}, true, 3, 90, now + 9000},
		{"extend to never", old, Write{Kind: KindExtend}, true, 3, 90, 0},
		{"extend missing", dead, Write{Kind: KindExtend, TTL: 9}, false, 0, 0, 0},
		{"delete", old, Write{Kind: KindDelete}, true, 4, 90, 0},
		{"delete missing", Version{}, Write{Kind: KindDelete}, false, 0, 0, 0},
	} {
		v, ok := c.w.Version(&c.prev, now, 1)
		if ok != c.ok || ok && (v.Revision != c.rev || v.CreateTS != c.created || v.Expiry != c.expiry) {
			t.Errorf("%s: %+v, %v", c.name, v, ok)
		}
	}
}

func TestFolding(t *testing.T) {
	set := Op{Kind: OpSet, Key: k("a"), Value: StringValue("v"), TTL: 7}
	for _, c := range []struct {
		name string
		ops  []Op
		want string
	}{
		{"set, extend", []Op{set, {Kind: OpExtend, Key: k("a"), TTL: 9}}, "set v 9"},
		{"set, set keeping ttl", []Op{set, {Kind: OpSet, Key: k("a"), Value: StringValue("w"),
			KeepTTL: true}}, "set w 7"},
		{"set, delete", []Op{set, {Kind: OpDelete, Key: k("a")}}, "delete"},
		{"delete, set", []Op{{Kind: OpDelete, Key: k("a")}, set}, "set v 7"},
		{"delete, delete", []Op{{Kind: OpDelete, Key: k("a")}, {Kind: OpDelete, Key: k("a")}}, "delete"},
	} {
		var b Buffer
		for i := range c.ops {
			if _, err := b.Do(&c.ops[i], shelf{string(k("a")): live(0, "x")}, now); err != nil {
				t.Fatal(err)
			}
		}
		w := b.Writes()[0]
		got := map[Kind]string{KindDelete: "delete", KindExtend: "extend",
			KindSet: fmt.Sprintf("set %s %d", w.Value.Data, w.TTL)}[w.Kind]
		if len(b.Writes()) != 1 || got != c.want {
			t.Errorf("%s: %d writes, first %q", c.name, len(b.Writes()), got)
		}
	}
}

// TestScanReadsOwnWrites compares a scan through a Buffer with one over a
// shelf where the writes were put in place.
func TestScanReadsOwnWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(strings.Split("a b c d e f g h", " "))
		under, after := shelf{}, shelf{}
		for range rapid.IntRange(0, 6).Draw(t, "committed") {
			key := string(k(name.Draw(t, "key")))
			under[key] = live(0, "old")
			after[key] = under[key]
		}
		var b Buffer
		for range rapid.IntRange(0, 6).Draw(t, "writes") {
			op := Op{Kind: OpSet, Key: k(name.Draw(t, "key")), Value: StringValue("new")}
			if rapid.Bool().Draw(t, "delete") {
				op.Kind = OpDelete
			}
			if _, err := b.Do(&op, under, now); err != nil {
				t.Fatal(err)
			}
			if delete(after, string(op.Key)); op.Kind == OpSet {
				after[string(op.Key)] = live(0, "new")
			}
		}
		scan := Op{Kind: OpRange, Span: Span{Start: k("b"), End: k("g")},
			Limit: rapid.IntRange(0, 4).Draw(t, "limit"), Reverse: rapid.Bool().Draw(t, "reverse")}
		if rapid.Bool().Draw(t, "glob") {
			scan.Filter.Glob = Glob("[!ce]")
		}
		got, err1 := b.Do(&scan, under, now)
		want, err2 := new(Buffer).Do(&scan, after, now)
		if err1 != nil || err2 != nil || got.More != want.More || show(got) != show(want) {
			t.Fatalf("got %s more %v, want %s more %v", show(got), got.More, show(want), want.More)
		}
	})
}

func show(r Result) string {
	var s []string
	for _, e := range r.Entries {
		s = append(s, fmt.Sprintf("%s=%s", e.Key.User(), e.Value.Data))
	}
	return strings.Join(s, " ")
}

func TestLimits(t *testing.T) {
	var b Buffer
	for i := range WriteKeysMax + 1 {
		op := Op{Kind: OpSet, Key: k(fmt.Sprintf("%06d", i))}
		if _, err := b.Do(&op, shelf{}, now); (err != nil) != (i == WriteKeysMax) {
			t.Fatalf("key %d: %v", i, err)
		} else if err != nil && KindOf(err) != Exhausted {
			t.Fatal(err)
		}
	}
	b = Buffer{}
	op := Op{Kind: OpSet, Key: k("a"), Value: BytesValue(make([]byte, WriteBytesMax))}
	if _, err := b.Do(&op, shelf{}, now); KindOf(err) != Exhausted {
		t.Fatal(err)
	}
}

// The results of a program have a limit, whatever they come from; nothing is cut
// off to keep it, and what fits fits in every run.
func TestAnswerLimit(t *testing.T) {
	const n = 16
	each := AnswerBytesMax/n - (&Entry{Key: k("a00")}).Size()
	there := shelf{}
	for i := range n + 1 {
		there[string(k(fmt.Sprintf("a%02d", i)))] = live(0, strings.Repeat("x", each))
	}
	at := func(i int) Key { return k(fmt.Sprintf("a%02d", i)) }
	all := Span{Start: k("a"), End: k("b")}
	gets := func(n int) (ops []Op) {
		for i := range n {
			ops = append(ops, Op{Kind: OpGet, Key: at(i)})
		}
		return ops
	}
	set := func(i int) Op { return Op{Kind: OpSet, Key: at(i), Value: StringValue("new")} }
	for _, c := range []struct {
		name string
		ops  []Op
		fits bool
	}{
		{"gets", gets(n), true},
		{"one more", gets(n + 1), false},
		{"whether it is there", []Op{
			{Kind: OpGet, Key: at(0), KeysOnly: true}, {Kind: OpRange, Span: all, Limit: n - 1}}, true},
		{"range and get", append(gets(1), Op{Kind: OpRange, Span: all, Limit: n}), false},
		{"range", []Op{{Kind: OpRange, Span: all}}, false},
		{"reverse", []Op{{Kind: OpRange, Span: all, Reverse: true}}, false},
		{"page", []Op{{Kind: OpRange, Span: all, Limit: n}}, true},
		{"keys", append(gets(n-1), Op{Kind: OpRange, Span: all, KeysOnly: true}), true},
		{"count", append(gets(n), Op{Kind: OpRange, Span: all, CountOnly: true}), true},
		{"replaced", append([]Op{{Kind: OpSet, Key: at(0), ReturnPrev: true}}, gets(n)[1:]...), true},
		{"one more replaced", append(gets(n), Op{Kind: OpDelete, Key: at(n), ReturnPrev: true}), false},
		{"not replaced", append(gets(n), Op{Kind: OpSet, Key: at(n), Cond: Cond{Absent: true}}), true},
		{"range over a write", []Op{set(0), set(1), {Kind: OpRange, Span: all}}, true},
		{"range over too few writes", []Op{set(0), {Kind: OpRange, Span: all}}, false},
		{"page over a write", []Op{set(0), {Kind: OpRange, Span: all, Limit: 2}}, true},
		{"page over the last write", []Op{set(n), {Kind: OpRange, Span: all, Limit: n}}, true},
		{"count over a write", append(gets(n-1), set(0), Op{Kind: OpRange, Span: all, CountOnly: true}), true},
		{"keys over a write", append(gets(n-1), set(0), Op{Kind: OpRange, Span: all, KeysOnly: true}), true},
	} {
		for range 2 {
			out, err := (&Program{Then: c.ops}).Run(there, now)
			if e, _ := err.(*Error); (err == nil) != c.fits || err != nil && (e.Kind != Exhausted || e.Next == "") {
				t.Errorf("%s: %v", c.name, err)
			}
			if last := len(c.ops) - 1; err == nil && c.ops[last].Kind == OpRange {
				want := int64(n + 1)
				if limit := int64(c.ops[last].Limit); limit > 0 {
					want = limit
				}
				if r := out.Results[last]; r.Count != want || r.More != (want <= n) {
					t.Errorf("%s: %d entries, more %v", c.name, r.Count, r.More)
				}
			}
		}
	}
}

// What a program deletes first takes no room in a range that it reads then.
func TestAnswerLimitOverDeletes(t *testing.T) {
	const n, deleted = 16, 8000
	there := shelf{}
	var p Program
	for i := range deleted {
		key := k(fmt.Sprintf("a%04d", i))
		there[string(key)] = live(0, "x")
		p.Then = append(p.Then, Op{Kind: OpDelete, Key: key})
	}
	for i := range n {
		key := k(fmt.Sprintf("b%02d", i))
		there[string(key)] = live(0, strings.Repeat("x", AnswerBytesMax/n-(&Entry{Key: key}).Size()))
	}
	p.Then = append(p.Then, Op{Kind: OpRange, Span: Span{Start: k("a"), End: k("c")}})
	out, err := p.Run(there, now)
	if err != nil {
		t.Fatal(err)
	}
	if r := out.Results[deleted]; r.Count != n || r.More {
		t.Errorf("%d entries, more %v", r.Count, r.More)
	}
}
