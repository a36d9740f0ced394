package txn

import (
	"bytes"
	"unicode/utf8"
)

// Filter leaves keys of a span out. The zero Filter leaves none out.
type Filter struct {
	// Bucket, if not 0, is the length of a bucket's name with its '/', in a Key: keys
	// with another '/' behind it are of buckets below, and left out.
	Bucket int
	// Glob, if not empty, is what the user's part of a key must match as a whole.
	Glob Glob
}

// Empty reports whether f leaves nothing out.
func (f *Filter) Empty() bool { return f.Bucket == 0 && len(f.Glob) == 0 }

// Takes reports whether k, a key of the span, is left in.
func (f *Filter) Takes(k Key) bool {
	if f.Bucket != 0 && bytes.IndexByte(k[f.Bucket:], '/') >= 0 {
		return false
	}
	return len(f.Glob) == 0 || f.Glob.Match(k.User())
}

// Glob is a pattern over keys: * is any characters, '/' among them, ? is one,
// [abc], [a-z] and [!x] are one of a set or none of it, and \ makes the next byte
// stand for itself. A character is that of UTF-8, or a byte that begins
// none. Upper and lower case differ.
type Glob []byte

// Check reports what is wrong with g.
func (g Glob) Check() error {
	for rest := []byte(g); len(rest) > 0; {
		_, n, problem := nextElement(rest)
		if problem != "" {
			e := Errorf(Invalid, "glob_invalid", "pattern %q: %s at byte %d",
				[]byte(g), problem, len(g)-len(rest))
			e.Next = `write \ before a character that is meant as it is`
			return e
		}
		rest = rest[n:]
	}
	return nil
}

// Prefix is what every match begins with, and whether that is all of it.
func (g Glob) Prefix() (prefix []byte, whole bool) {
	for rest := []byte(g); len(rest) > 0; {
		one, n, _ := nextElement(rest)
		if one.kind != elementByte {
			return prefix, false
		}
		prefix, rest = append(prefix, one.literal), rest[n:]
	}
	return prefix, true
}

// Match reports whether all of s matches g, which Check has passed. It takes at
// most len(g)*len(s) steps: of several stars only the last one is ever tried
// again, since an earlier one that took more would not help it.
func (g Glob) Match(s []byte) bool {
	pattern := []byte(g)
	var star, resume []byte // behind the last star; where it goes on in s
	starred := false
	for len(s) > 0 {
		if len(pattern) > 0 {
			one, n, _ := nextElement(pattern)
			if one.kind == elementStar {
				star, resume, starred = pattern[n:], s, true
				pattern = star
				continue
			}
			if taken := one.match(s); taken > 0 {
				pattern, s = pattern[n:], s[taken:]
				continue
			}
		}
		if !starred {
			return false
		}
		_, n := character(resume)
		resume = resume[n:] // the star takes one character more
		pattern, s = star, resume
	}
	for len(pattern) > 0 && pattern[0] == '*' {
		pattern = pattern[1:]
	}
	return len(pattern) == 0
}

type elementKind uint8

const (
	elementByte elementKind = iota
	elementAny
	elementStar
	elementSet
)

// element is one part of a pattern.
type element struct {
	kind    elementKind
	literal byte
	set     []byte // what stands between the brackets, behind a '!'
	negated bool
}

// nextElement is the first element of a pattern that is not empty, and its length.
func nextElement(p []byte) (one element, n int, problem string) {
	switch p[0] {
	case '*':
		return element{kind: elementStar}, 1, ""
	case '?':
		return element{kind: elementAny}, 1, ""
	case '\\':
		if len(p) == 1 {
			return one, 1, `nothing follows \`
		}
		return element{literal: p[1]}, 2, ""
	case '[':
		return nextSet(p)
	default:
		return element{literal: p[0]}, 1, ""
	}
}

// nextSet reads [...]. A ] right behind the opening is one of the set.
func nextSet(p []byte) (one element, n int, problem string) {
	one.kind = elementSet
	at := 1
	if at < len(p) && p[at] == '!' {
		one.negated = true
		at++
	}
	begin := at
	for ; at < len(p); at++ {
		switch {
		case p[at] == '\\':
			at++
		case p[at] == ']' && at > begin:
			one.set = p[begin:at]
			return one, at + 1, one.problem()
		}
	}
	return one, len(p), "[ is not closed"
}

func (e *element) problem() (problem string) {
	e.ranges(func(lo, hi rune) bool {
		if lo > hi {
			problem = "a range in [ ] runs backwards"
		}
		return true
	})
	return problem
}

// match is how many bytes of s the element takes; 0: it does not match.
func (e *element) match(s []byte) int {
	if e.kind == elementByte {
		if s[0] != e.literal {
			return 0
		}
		return 1
	}
	r, n := character(s)
	if e.kind == elementAny {
		return n
	}
	in := false
	e.ranges(func(lo, hi rune) bool {
		in = lo <= r && r <= hi
		return !in
	})
	if in == e.negated {
		return 0
	}
	return n
}

// character is the first one of s. A byte that begins none is one beyond all
// that UTF-8 knows, so that no range of characters has it.
func character(s []byte) (rune, int) {
	r, n := utf8.DecodeRune(s)
	if r == utf8.RuneError && n == 1 {
		r = utf8.MaxRune + 1 + rune(s[0])
	}
	return r, n
}

// ranges calls f with the ranges of a set, single characters too, until it says no.
func (e *element) ranges(f func(lo, hi rune) bool) {
	for set := e.set; len(set) > 0; {
		lo, n := setCharacter(set)
		set = set[n:]
		hi := lo
		if len(set) > 1 && set[0] == '-' {
			hi, n = setCharacter(set[1:])
			set = set[1+n:]
		}
		if !f(lo, hi) {
			return
		}
	}
}

// setCharacter is the first character of a set that is not empty, behind its \.
func setCharacter(set []byte) (rune, int) {
	if set[0] == '\\' && len(set) > 1 {
		r, n := character(set[1:])
		return r, n + 1
	}
	return character(set)
}
