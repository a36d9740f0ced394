package txn

import (
	"strings"
	"testing"
)

func TestAnnotationCheck(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n/2) }
	for _, c := range []struct {
		name   string
		a      Annotation
		reason string
	}{
		{"nothing", Annotation{}, ""},
		{"the most", Annotation{long(PrincipalBytesMax), long(MessageBytesMax)}, ""},
		{"lines", Annotation{Message: "a\nb\x00"}, ""},
		{"long principal", Annotation{Principal: long(PrincipalBytesMax) + "x"}, "principal_too_long"},
		{"long message", Annotation{Message: long(MessageBytesMax) + "x"}, "message_too_long"},
		{"principal's bytes", Annotation{Principal: "a\xff"}, "principal_not_utf8"},
		{"message's bytes", Annotation{Message: "a\xff"}, "message_not_utf8"},
		{"line in a principal", Annotation{Principal: "a\nb"}, "principal_control_character"},
		{"C1 in a principal", Annotation{Principal: "a\u0085"}, "principal_control_character"},
	} {
		err := c.a.Check()
		if e, _ := err.(*Error); (err == nil) != (c.reason == "") || e != nil && e.Reason != c.reason {
			t.Errorf("%s: %v, want %q", c.name, err, c.reason)
		}
	}
}

// Every write gets a copy of the annotation, and counts with it.
func TestAnnotationCounts(t *testing.T) {
	p := Program{Annotation: Annotation{Message: strings.Repeat("m", MessageBytesMax)}}
	each := len(k("00000")) + MessageBytesMax
	for i := range WriteBytesMax / each {
		p.Then = append(p.Then, Op{Kind: OpDelete, Key: k(string([]byte{
			byte('0' + i/1000), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10), '0'}))})
	}
	if _, err := p.Run(there{}, 100); err != nil {
		t.Errorf("%d keys: %v", len(p.Then), err)
	}
	p.Then = append(p.Then, Op{Kind: OpSet, Key: k("zzzzz")})
	if _, err := p.Run(there{}, 100); KindOf(err) != Exhausted {
		t.Errorf("%d keys: %v", len(p.Then), err)
	}
	var b Buffer
	for i := range p.Then {
		if _, err := b.Do(&p.Then[i], there{}, 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Annotate(&p.Annotation); KindOf(err) != Exhausted {
		t.Errorf("annotated afterwards: %v", err)
	}
}

// there is a View where every key is.
type there struct{}

func (there) Get(Key) (Version, error) { return Version{TS: 50, Value: IntValue(1)}, nil }

func (there) Scan(Scan, func(Entry) bool) error { return nil }

func (there) Changed(Span, Timestamp) (bool, error) { return false, nil }

// What a transaction writes over without history stays so, whatever it sets there
// afterwards.
func TestNoHistoryFolds(t *testing.T) {
	for _, c := range []struct {
		name string
		ops  []Op
		want bool
	}{
		{"set", []Op{{Kind: OpSet}}, false},
		{"then set", []Op{{Kind: OpSet, NoHistory: true}, {Kind: OpSet}}, true},
		{"then extend", []Op{{Kind: OpSet, NoHistory: true}, {Kind: OpExtend, TTL: 1}}, true},
		{"at last", []Op{{Kind: OpSet}, {Kind: OpSet, NoHistory: true}}, true},
		{"then delete", []Op{{Kind: OpSet, NoHistory: true}, {Kind: OpDelete}}, false},
	} {
		var b Buffer
		for i := range c.ops {
			c.ops[i].Key = k("a")
			if _, err := b.Do(&c.ops[i], there{}, 100); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.Writes()[0].NoHistory; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHides(t *testing.T) {
	for _, c := range []struct {
		name string
		v    Version
		want int64
	}{
		{"nothing", Version{}, NoRevision},
		{"a set with history", Version{Revision: 3, First: 1}, NoRevision},
		{"one without", Version{Revision: 3, First: 1, NoHistory: true}, 2},
		{"over nothing", Version{Revision: 3, First: 3, NoHistory: true}, NoRevision},
		{"the first one", Version{NoHistory: true}, NoRevision},
		{"an extend", Version{Kind: KindExtend, Revision: 3, First: 1, NoHistory: true}, NoRevision},
	} {
		if got := c.v.Hides(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
