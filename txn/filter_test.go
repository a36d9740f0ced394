package txn

import (
	"bytes"
	"path"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, key string
		want      bool
	}{
		{"*", "", true},
		{"*", "a/b/c", true},
		{"", "", true},
		{"user:*:profile", "user:17:profile", true},
		{"user:*:profile", "user:17:x:profile", true},
		{"user:*:profile", "user:17:profiles", false},
		{"user:*:profile", "USER:17:profile", false},
		{"a?c", "abc", true},
		{"a?c", "a/c", true},
		{"a?c", "ac", false},
		{"a?c", "aéc", true},
		{"a?c", "a\xffc", true},
		{"[abc]x", "bx", true},
		{"[abc]x", "dx", false},
		{"[a-cz]", "b", true},
		{"[a-cz]", "z", true},
		{"[a-cz]", "d", false},
		{"[!a-c]", "d", true},
		{"[!a-c]", "b", false},
		{"[!a]", "\xff", true},
		{"[à-ü]", "é", true},
		{"[]a]", "]", true},
		{"[!]a]", "]", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{`[\]]`, "]", true},
		{`[\!a]`, "!", true},
		{"[a!]", "!", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{`a\?`, "a?", true},
		{`\\`, `\`, true},
		{`\[a]`, "[a]", true},
		{"**a", "bca", true},
		{"*a*b*c*", "xaxbxcx", true},
		{"*a*b*c", "abcb", false},
		{"a*", "b", false},
		{"é*", "é1", true},
		{"*[!é]", "é", false},
		{"*?", "", false},
	} {
		g := Glob(c.glob)
		if err := g.Check(); err != nil {
			t.Errorf("%q: %v", c.glob, err)
		} else if got := g.Match([]byte(c.key)); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.glob, c.key, got, c.want)
		}
	}
}

func TestGlobInvalid(t *testing.T) {
	for _, glob := range []string{`a\`, "[", "[]", "[!]", "[a", "[z-a]", `[a\`, `[\]`} {
		if err := Glob(glob).Check(); KindOf(err) != Invalid {
			t.Errorf("%q: %v", glob, err)
		}
	}
}

func TestGlobPrefix(t *testing.T) {
	for _, c := range []struct {
		glob, prefix string
		whole        bool
	}{
		{"", "", true}, {"abc", "abc", true}, {`a\*b*`, "a*b", false}, {"[a]b", "", false},
		{"ab?", "ab", false}, {`a\\`, `a\`, true},
	} {
		prefix, whole := Glob(c.glob).Prefix()
		if string(prefix) != c.prefix || whole != c.whole {
			t.Errorf("%q: %q %v", c.glob, prefix, whole)
		}
	}
}

// What has neither '/' nor a negated set means the same to path.Match.
func TestGlobLikePath(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b", "*", "?", "[ab]", "[a-c]", `\*`, "é",
		}), 0, 8).Draw(rt, "pattern"), "")
		key := rapid.StringOfN(rapid.RuneFrom([]rune("abcé*")), 0, 10, -1).Draw(rt, "key")
		want, err := path.Match(pattern, key)
		if err != nil {
			rt.Fatal(err)
		}
		g := Glob(pattern)
		if got := g.Match([]byte(key)); got != want {
			rt.Fatalf("%q matches %q: %v, want %v", pattern, key, got, want)
		}
		prefix, whole := g.Prefix()
		if want && (!bytes.HasPrefix([]byte(key), prefix) || whole && key != string(prefix)) {
			rt.Fatalf("%q matches %q without its prefix %q", pattern, key, prefix)
		}
	})
}

// Many stars must not take exponential time.
func TestGlobStars(t *testing.T) {
	g := Glob(strings.Repeat("a*", 1000) + "b")
	start := time.Now()
	if g.Match(bytes.Repeat([]byte("a"), KeyBytesMax)) {
		t.Error("it matches")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestFilterBucket(t *testing.T) {
	k := func(s string) Key { return NewKey(DefaultKeyspace, []byte(s)) }
	f := Filter{Bucket: len(k("a/")), Glob: Glob("*x")}
	for key, want := range map[string]bool{"a/x": true, "a/b/x": false, "a/y": false} {
		if f.Takes(k(key)) != want {
			t.Errorf("%s: %v", key, !want)
		}
	}
}
