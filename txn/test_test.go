package txn

import (
	"cmp"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var relations = []Relation{Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual}

// What each relation makes of a side that is less, equal, greater, or has no order.
const (
	isLess      = "01 11 00"
	isEqual     = "10 01 01"
	isGreater   = "01 00 11"
	isUnordered = "01 00 00"
)

func truth(t *testing.T, test Test, v View) string {
	t.Helper()
	var s []byte
	for i, r := range relations {
		test.Is = r
		ok, err := test.holds(v, now)
		if err != nil {
			t.Fatal(err)
		}
		if i == 2 || i == 4 {
			s = append(s, ' ')
		}
		s = append(s, "01"[map[bool]int{true: 1}[ok]])
	}
	return string(s)
}

func TestCompareValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	i, f, s := IntValue, FloatValue, StringValue
	b := func(s string) Value { return BytesValue([]byte(s)) }
	j := func(s string) Value { return JSONValue([]byte(s)) }
	for _, c := range []struct {
		name        string
		left, right Value
		want        string
	}{
		{"ints", i(-3), i(2), isLess},
		{"int extremes", i(math.MinInt64), i(math.MaxInt64), isLess},
		{"same ints", i(7), i(7), isEqual},
		{"floats", f(-0.5), f(-0.25), isLess},
		{"zeros", f(math.Copysign(0, -1)), f(0), isEqual},
		{"infinities", f(-inf), f(inf), isLess},
		{"infinity and itself", f(inf), f(inf), isEqual},
		{"NaN and a float", f(nan), f(1), isUnordered},
		{"a float and NaN", f(1), f(nan), isUnordered},
		{"NaN and itself", f(nan), f(nan), isUnordered},
		{"an int and NaN", i(1), f(nan), isUnordered},
		{"int and float", i(3), f(3), isEqual},
		{"int under float", i(3), f(3.5), isLess},
		{"int over float", i(3), f(2.5), isGreater},
		{"negative int and float", i(-3), f(-3.5), isGreater},
		{"negative int over float", i(-4), f(-3.5), isLess},
		{"int and negative zero", i(0), f(math.Copysign(0, -1)), isEqual},
		{"2^53+1 is no float", i(1<<53 + 1), f(1 << 53), isGreater},
		{"a float just under it", f(1 << 53), i(1<<53 + 1), isLess},
		{"the largest int and 2^63", i(math.MaxInt64), f(1 << 63), isLess},
		{"the smallest int and -2^63", i(math.MinInt64), f(-1 << 63), isEqual},
		{"the smallest int and less", i(math.MinInt64), f(-1 << 63 * 1.5), isGreater},
		{"int and infinity", i(math.MaxInt64), f(inf), isLess},
		{"a float and an int", f(2.5), i(2), isGreater},
		{"bytes", b("a\x00"), b("a\xff"), isLess},
		{"a prefix", s("ab"), s("abc"), isLess},
		{"bytes and string", b("x"), s("x"), isEqual},
		{"string over bytes", s("y"), b("x"), isGreater},
		{"empty", b(""), s(""), isEqual},
		{"bools", BoolValue(false), BoolValue(true), isLess},
		{"same bools", BoolValue(true), BoolValue(true), isEqual},
		{"nulls", NullValue(), NullValue(), isEqual},
		{"same JSON", j(`{"a":1}`), j(`{"a":1}`), isEqual},
		{"JSON that means the same", j(`{"a":1}`), j(`{"a": 1}`), isUnordered},
		{"JSON and string", j(`"a"`), s(`"a"`), isUnordered},
		{"int and string", i(1), s("1"), isUnordered},
		{"int and bool", i(1), BoolValue(true), isUnordered},
		{"null and empty", NullValue(), b(""), isUnordered},
	} {
		v := Version{TS: 100, Value: c.left}
		test := Test{Kind: TestCompare, Key: k("a"), Value: c.right}
		if got := truth(t, test, shelf{string(k("a")): v}); got != c.want {
			t.Errorf("%s: = != < <= > >= hold %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCompareIntFloat compares with arithmetic of any precision.
func TestCompareIntFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.Int64().Draw(t, "int")
		f := rapid.Float64().Draw(t, "float")
		if rapid.Bool().Draw(t, "near") {
			f = float64(i) + float64(rapid.IntRange(-2, 2).Draw(t, "off"))/2
		}
		got, ordered := IntValue(i).Compare(FloatValue(f))
		back, _ := FloatValue(f).Compare(IntValue(i))
		want := new(big.Float).SetInt64(i).Cmp(big.NewFloat(f))
		if got != want || back != -want || !ordered {
			t.Fatalf("%d and %v: %d, back %d, want %d", i, f, got, back, want)
		}
	})
}

func TestCompareAttributes(t *testing.T) {
	shelf := shelf{
		string(k("a")):    {TS: 300, Revision: 4, CreateTS: 200, Value: IntValue(5)},
		string(k("dead")): {TS: 300, Kind: KindDelete, Revision: 4, CreateTS: 200},
		string(k("gone")): {TS: 300, Revision: 4, CreateTS: 200, Expiry: now, Value: IntValue(5)},
	}
	for _, c := range []struct {
		name string
		of   Attribute
		n    int64
		want string // of the live key
		gone string // of a missing key
	}{
		{"value", AttributeValue, 5, isEqual, isUnordered},
		{"revision", AttributeRevision, 4, isEqual, isLess},
		{"lower revision", AttributeRevision, 3, isGreater, isLess},
		{"higher revision", AttributeRevision, 5, isLess, isLess},
		{"no revision", AttributeRevision, -1, isGreater, isEqual},
		{"commit_ts", AttributeCommitTS, 300, isEqual, isLess},
		{"earlier commit_ts", AttributeCommitTS, 299, isGreater, isLess},
		{"no commit_ts", AttributeCommitTS, 0, isGreater, isEqual},
		{"create_ts", AttributeCreateTS, 200, isEqual, isLess},
		{"later create_ts", AttributeCreateTS, 201, isLess, isLess},
		{"no create_ts", AttributeCreateTS, 0, isGreater, isEqual},
	} {
		test := Test{Kind: TestCompare, Attribute: c.of, N: c.n, Value: IntValue(c.n)}
		for name, want := range map[string]string{"a": c.want, "dead": c.gone, "gone": c.gone, "none": c.gone} {
			if test.Key = k(name); truth(t, test, shelf) != want {
				t.Errorf("%s of %s: = != < <= > >= hold %s, want %s", c.name, name, truth(t, test, shelf), want)
			}
		}
	}
}

// counted is a View that knows how much of it was looked at.
type counted struct {
	shelf
	asked, shown int
}

func (c *counted) Scan(s Scan, emit func(Entry) bool) error {
	c.asked = s.Limit
	return c.shelf.Scan(s, func(e Entry) bool {
		c.shown++
		return emit(e)
	})
}

// TestCountStops: of seven keys five were in the span and four are there.
func TestCountStops(t *testing.T) {
	shelf := shelf{
		string(k("c")): {TS: 300, Kind: KindDelete},
		string(k("e")): {TS: 300, Expiry: now},
	}
	for _, name := range []string{"b", "d", "f", "g", "z"} {
		shelf[string(k(name))] = live(0, name)
	}
	span := Span{Start: k("b"), End: k("h")}
	for n := int64(0); n <= 6; n++ {
		for _, r := range relations {
			v := counted{shelf: shelf}
			test := Test{Kind: TestCount, Span: span, Is: r, N: n}
			got, err := test.holds(&v, now)
			if want := r.Holds(cmp.Compare(4, n), true); got != want || err != nil {
				t.Errorf("count relation %d to %d: %v, %v", r, n, got, err)
			}
			enough := n + 1
			if r == Less || r == GreaterOrEqual {
				enough = n
			}
			if int64(v.asked) != enough || int64(v.shown) != min(enough, 4) {
				t.Errorf("count relation %d to %d: asked for %d, looked at %d, %d is enough",
					r, n, v.asked, v.shown, enough)
			}
		}
	}
}

func TestUnchangedSince(t *testing.T) {
	for _, c := range []struct {
		name  string
		v     Version
		since Timestamp
		want  bool
	}{
		{"set before", Version{TS: 300}, 300, true},
		{"set after", Version{TS: 300}, 299, false},
		{"deleted before", Version{TS: 300, Kind: KindDelete}, 300, true},
		{"deleted after", Version{TS: 300, Kind: KindDelete}, 299, false},
		{"extended after", Version{TS: 300, Kind: KindExtend, Expiry: 5000}, 299, false},
		{"expired after", Version{TS: 300, Expiry: 600}, 599, false},
		{"expired before", Version{TS: 300, Expiry: 600}, 600, true},
		{"expires now", Version{TS: 300, Expiry: now}, 600, false},
		{"expires later", Version{TS: 300, Expiry: now + 1}, 600, true},
		{"nothing there", Version{}, 1, true},
	} {
		v := shelf{}
		if c.v.TS != 0 {
			v[string(k("b"))] = c.v
		}
		test := Test{Kind: TestUnchanged, Span: Span{Start: k("a"), End: k("c")}, Since: c.since}
		if got, err := test.holds(v, now); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if test.Span.End = k("b"); !must(test.holds(v, now))(t) {
			t.Errorf("%s: a span without the key has changed", c.name)
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// blind is a View that must not be looked at.
type blind struct{}

var errLooked = errors.New("looked")

func (blind) Get(Key) (Version, error)              { return Version{}, errLooked }
func (blind) Scan(Scan, func(Entry) bool) error     { return errLooked }
func (blind) Changed(Span, Timestamp) (bool, error) { return false, errLooked }

// TestTrees: what is settled is not looked at, and failing to look is no answer.
func TestTrees(t *testing.T) {
	yes := Test{Kind: TestAll}
	no := Test{Kind: TestAny}
	look := Test{Kind: TestNot, Of: []Test{{Kind: TestCompare, Key: k("a")}}}
	all := func(of ...Test) Test { return Test{Kind: TestAll, Of: of} }
	some := func(of ...Test) Test { return Test{Kind: TestAny, Of: of} }
	not := func(of Test) Test { return Test{Kind: TestNot, Of: []Test{of}} }
	for _, c := range []struct {
		name string
		test Test
		want bool
		err  error
	}{
		{"zero", Test{}, true, nil},
		{"all of none", yes, true, nil},
		{"any of none", no, false, nil},
		{"not", not(no), true, nil},
		{"all", all(yes, no, look), false, nil},
		{"any", some(no, yes, look), true, nil},
		{"nested", all(some(no, not(no)), not(all(yes, no))), true, nil},
		{"count of nothing or more", Test{Kind: TestCount, Is: GreaterOrEqual}, true, nil},
		{"count below nothing", Test{Kind: TestCount, Is: Less}, false, nil},
		{"all needs to look", all(yes, look), false, errLooked},
		{"any needs to look", some(no, look), false, errLooked},
		{"not of a look", not(look), false, errLooked},
		{"count", not(Test{Kind: TestCount, N: 1}), false, errLooked},
		{"unchanged", not(Test{Kind: TestUnchanged, Since: 1}), false, errLooked},
	} {
		got, err := c.test.holds(blind{}, now)
		if !errors.Is(err, c.err) || err == nil && got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// TestFootprint: whatever a test may look at is in the program's footprint.
func TestFootprint(t *testing.T) {
	span := func(a, b string) Span { return Span{Start: k(a), End: k(b)} }
	p := Program{
		If: Test{Kind: TestAny, Of: []Test{
			{Key: k("a"), Cond: Cond{Present: true}},
			{Kind: TestNot, Of: []Test{{Kind: TestCount, Span: span("b", "c")}}},
			{Kind: TestCompare, Key: k("d")},
			{Kind: TestUnchanged, Span: span("e", "f"), Since: 7},
			{Kind: TestUnchanged, Span: span("e", "f"), Since: 5},
		}},
		Then: []Op{{Kind: OpGet, Key: k("g")}, {Kind: OpRange, Span: span("h", "i")}},
	}
	var got []string
	p.Keys(func(key Key) { got = append(got, string(key.User())) })
	p.Spans(func(s Span) { got = append(got, string(s.Start.User())+"-"+string(s.End.User())) })
	const want = "a d g b-c e-f e-f h-i"
	if s := strings.Join(got, " "); s != want || p.Since() != 7 {
		t.Errorf("footprint %s since %d, want %s", s, p.Since(), want)
	}
}
