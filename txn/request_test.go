package txn

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestJudge is what becomes of another attempt, case by case.
func TestJudge(t *testing.T) {
	const self, other ID = 7, 8
	ask := &Request{Fingerprint: 5}
	row := func(s Status, id ID) RequestRow {
		r := RequestRow{Status: s, Fingerprint: 5, Txn: id, BaseTS: 10}
		if s == Committed {
			r.CommitTS = 20
		}
		return r
	}
	for _, c := range []struct {
		name   string
		row    RequestRow
		q      *Request
		record Status
		want   RequestVerdict
		at     Timestamp
	}{
		{"the first", RequestRow{}, ask, Absent, RequestProceed, 0},
		{"done", row(Committed, other), ask, Absent, RequestRepeat, 20},
		{"done by itself", row(Committed, self), ask, Absent, RequestRepeat, 20},
		{"done, other content", row(Committed, other), &Request{Fingerprint: 6}, Absent, RequestReused, 0},
		{"open, other content", row(Pending, other), &Request{Fingerprint: 6}, Pending, RequestReused, 0},
		{"open", row(Pending, other), ask, Pending, RequestBusy, 0},
		{"open, staging", row(Pending, other), ask, Staging, RequestBusy, 0},
		{"open, committed", row(Pending, other), ask, Committed, RequestRepeat, 30},
		{"open, aborted", row(Pending, other), ask, Aborted, RequestProceed, 0},
		{"open, collected", row(Pending, other), ask, Absent, RequestProceed, 0},
		{"aborted, other content", row(Pending, other), &Request{Fingerprint: 6}, Aborted, RequestProceed, 0},
		{"committed, other content", row(Pending, other), &Request{Fingerprint: 6}, Committed, RequestReused, 0},
		{"its own", row(Pending, self), ask, Pending, RequestProceed, 0},
		{"its own, committed", row(Pending, self), ask, Committed, RequestProceed, 0},
		{"after an inquiry", row(Aborted, 0), ask, Absent, RequestAborted, 0},
		{"after an inquiry, other content", row(Aborted, 0), &Request{}, Absent, RequestAborted, 0},
		{"inquiry before", RequestRow{}, nil, Absent, RequestProceed, 0},
		{"inquiry, done", row(Committed, other), nil, Absent, RequestRepeat, 20},
		{"inquiry, open", row(Pending, other), nil, Pending, RequestBusy, 0},
		{"inquiry, committed", row(Pending, other), nil, Committed, RequestRepeat, 30},
		{"inquiry, aborted", row(Pending, other), nil, Aborted, RequestProceed, 0},
		{"inquiry after an inquiry", row(Aborted, 0), nil, Absent, RequestAborted, 0},
	} {
		rec := &Record{Status: c.record}
		if c.record == Committed {
			rec.CommitTS = 30
		}
		if got, at := c.row.Judge(c.q, self, rec); got != c.want || at != c.at {
			t.Errorf("%s: verdict %d at %d, want %d at %d", c.name, got, at, c.want, c.at)
		}
	}
}

func TestDatedRequestID(t *testing.T) {
	for _, since := range []Timestamp{0, 1, 1_700_000_000_000_000, MaxTimestamp} {
		a, b := DatedRequestID(since, [16]byte{1}), DatedRequestID(since, [16]byte{2})
		if RequestSince(a) != since || NamedRequest(a).Since != SinceSeen(since) || len(a) > RequestIDBytesMax {
			t.Errorf("%d: %x says %d", since, a, RequestSince(a))
		}
		if NamedRequest(a).ID != HashRequestID(a) || HashRequestID(a) == HashRequestID(b) {
			t.Errorf("%d: the name of %x", since, a)
		}
	}
	dated := DatedRequestID(7, [16]byte{})
	other := slices.Clone(dated)
	other[1]++
	for _, id := range [][]byte{nil, []byte("job 7"), other, dated[1:], append(dated, 0)} {
		if since := RequestSince(id); since != 0 {
			t.Errorf("%x says %d", id, since)
		}
	}
	forged := slices.Clone(dated)
	for i := range 8 {
		forged[4+i] = 0xff
	}
	if since := RequestSince(forged); since <= 0 {
		t.Errorf("%x says %d", forged, since)
	}
}

func TestAnchor(t *testing.T) {
	p := Program{
		If:   Test{Key: k("a"), Cond: Cond{Absent: true}},
		Then: []Op{{Kind: OpGet, Key: k("b")}, {Kind: OpSet, Key: k("d")}},
		Else: []Op{{Kind: OpRange, Span: PrefixSpan(k("a"))}, {Kind: OpDelete, Key: k("c")}},
	}
	if got := p.Anchor(); got.Compare(k("c")) != 0 {
		t.Errorf("anchor %v", got)
	}
	p = Program{Then: []Op{{Kind: OpDeleteRange, Span: PrefixSpan(k("c"))}},
		Else: []Op{{Kind: OpRevert, Span: PrefixSpan(k("b")), DryRun: true}}}
	if got := p.Anchor(); got.Compare(k("c")) != 0 || !p.WritesSpans() {
		t.Errorf("anchor %v", got)
	}
	p = Program{Then: []Op{{Kind: OpDeleteRange, Span: PrefixSpan(k(""))}}}
	if got := p.Anchor(); got.Compare(k("\x00")) != 0 {
		t.Errorf("anchor %v of a whole keyspace", got)
	}
	p = Program{Then: []Op{{Kind: OpGet, Key: k("b")}}}
	if got := p.Anchor(); got != nil {
		t.Errorf("anchor %v of a program that only reads", got)
	}
}

// fullProgram has something in every field.
func fullProgram() *Program {
	cond := func() Cond {
		return Cond{Absent: true, Present: true, Value: new(StringValue("v")),
			Revision: new(int64(3)), CommitTS: new(Timestamp(4))}
	}
	op := Op{
		Kind: OpSet, Key: k("a"), Cond: cond(), Value: IntValue(1), TTL: 5, KeepTTL: true,
		NoHistory: true, ReturnPrev: true, Span: Span{Start: k("b"), End: k("c")}, Limit: 6,
		Reverse: true, KeysOnly: true, CountOnly: true,
		Update: UpdateMax, Lower: new(IntValue(8)), Upper: new(FloatValue(9)),
		Filter: Filter{Bucket: 5, Glob: Glob("*")}, To: 10, DryRun: true,
	}
	return &Program{
		If: Test{Kind: TestAny, Key: k("a"), Cond: cond(), Of: []Test{
			{Kind: TestNot, Of: []Test{{Key: k("t"), Cond: cond()}}},
		}, Attribute: AttributeRevision, Is: Less, Value: IntValue(2), N: 7,
			Span: Span{Start: k("x"), End: k("y")}, Since: 8},
		Then: []Op{op}, Else: []Op{{Kind: OpDelete, Key: k("z")}},
	}
}

// Every field counts: emptied, each in turn, it makes another fingerprint. So
// a field that is added to a program and forgotten in its fingerprint shows.
func TestFingerprintFields(t *testing.T) {
	seen := map[uint64]string{fullProgram().Fingerprint(): "the whole"}
	var each func(v reflect.Value, name string, p *Program)
	each = func(v reflect.Value, name string, p *Program) {
		if v.IsZero() {
			if strings.HasPrefix(name, ".Then[0].") || strings.HasPrefix(name, ".If.") && !strings.HasPrefix(name, ".If.Of") {
				t.Errorf("%s is empty in the test's program", name)
			}
			return
		}
		old := reflect.New(v.Type()).Elem()
		old.Set(v)
		v.SetZero()
		sum := p.Fingerprint()
		if twin, ok := seen[sum]; ok {
			t.Errorf("without %s it is that of %s", name, twin)
		}
		seen[sum] = name
		v.Set(old)
		switch v.Kind() {
		case reflect.Pointer:
			if v.Elem().Kind() == reflect.Struct {
				each(v.Elem(), name+"*", p)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				each(v.Field(i), name+"."+v.Type().Field(i).Name, p)
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Struct {
				each(v.Index(0), fmt.Sprint(name, "[0]"), p)
			}
		}
	}
	p := fullProgram()
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		each(v.Field(i), "."+v.Type().Field(i).Name, p)
	}
	if len(seen) < 30 {
		t.Errorf("only %d variants were tried", len(seen))
	}
}

// The fingerprint is on disk: the same program has the same one in every release.
func TestFingerprintGolden(t *testing.T) {
	set := Program{Then: []Op{{Kind: OpSet, Key: k("a"), Value: StringValue("v")}}}
	first := fullProgram() // with what there was in the first release
	op := &first.Then[0]
	op.Update, op.Lower, op.Upper, op.Filter, op.To, op.DryRun = 0, nil, nil, Filter{}, 0, false
	for _, c := range []struct {
		name string
		p    *Program
		want uint64
	}{
		{"nothing", &Program{}, 0x2ee9af2b352a695a},
		{"set", &set, 0x95ca7b5f5d2c04ca},
		{"the first release", first, 0xaedf88e57fc309f9},
		{"everything", fullProgram(), 0x70db5a97b88616ca},
		{"message", &Program{Annotation: Annotation{Message: "why"}}, 0x77bd42e72d65d750},
		{"principal", &Program{Annotation: Annotation{Principal: "ann"}}, 0x2ee9af2b352a695a},
	} {
		if got := c.p.Fingerprint(); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// Where a field ends is part of the fingerprint, also of one that is too large
// to be gathered.
func TestFingerprintBoundaries(t *testing.T) {
	long := make([]byte, 2*digestBytes)
	seen := map[uint64]bool{}
	for _, c := range [][2]string{
		{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {string(long), "c"}, {string(long[1:]), "\x00c"},
	} {
		p := Program{Then: []Op{{Kind: OpSet, Key: Key(c[0]), Value: BytesValue([]byte(c[1]))}}}
		seen[p.Fingerprint()] = true
	}
	swapped := Program{Else: []Op{{Kind: OpSet, Key: Key("ab"), Value: BytesValue([]byte("c"))}}}
	seen[swapped.Fingerprint()] = true
	if len(seen) != 6 {
		t.Errorf("%d fingerprints of 6 programs", len(seen))
	}
}
