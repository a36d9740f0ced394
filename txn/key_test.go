package txn

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSpans compares the algebra of spans with that of sets of keys.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 254, 255}), 0, 3),
			func(b []byte) Key { return b })
		a := Span{key.Draw(t, "a"), key.Draw(t, "a end")}
		b := Span{key.Draw(t, "b"), key.Draw(t, "b end")}
		at := key.Draw(t, "key")
		both := a.Contains(at) && b.Contains(at)
		if in := a.Intersect(b); in.Contains(at) != both {
			t.Fatalf("%v and %v is %v, at %v", a, b, in, at)
		}
		if both && !a.Overlaps(b) || a.Empty() && a.Contains(at) {
			t.Fatalf("%v and %v at %v", a, b, at)
		}
		if p := PrefixSpan(b.Start); p.Contains(at) != hasPrefix(at, b.Start) {
			t.Fatalf("prefix %v at %v", b.Start, at)
		}
		if !KeySpan(at).Contains(at) || KeySpan(at).Contains(at.Next()) {
			t.Fatalf("span of %v", at)
		}
	})
}

func hasPrefix(k, p Key) bool { return len(k) >= len(p) && string(k[:len(p)]) == string(p) }
