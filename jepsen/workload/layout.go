package workload

import (
	"strings"

	"github.com/cairnkv/cairn/client"
)

// letters are what keys of the four data shards begin with, where shards are cut as they are by
// default, at ":", "h" and "p".
var letters = [...]string{"0", "a", "m", "z"}

// layout is how keys of a history lie on shards: by a number in them, modulo four.
type layout uint8

const (
	spread layout = iota // by the number at the end of the key
	pinned               // by that at the end of its range, so that a range lies on one shard
)

// store is the key in the store of one in the history.
func (l layout) store(key string) string {
	if name, _, ok := strings.Cut(key, "/"); ok && l == pinned {
		if n, ok := number(name); ok {
			return letters[n%len(letters)] + key
		}
	}
	n, _ := number(key)
	return letters[n%len(letters)] + key
}

// named is the key in the history of one in the store.
func named(stored string) string { return stored[1:] }

// prefixes are those of the store's keys in a range.
func (l layout) prefixes(name string) []string {
	if n, ok := number(name); ok && l == pinned {
		return []string{letters[n%len(letters)] + name + "/"}
	}
	all := make([]string, len(letters))
	for i, letter := range letters {
		all[i] = letter + name + "/"
	}
	return all
}

// whole is a range in one piece.
func (l layout) whole(name string) client.Range {
	if l == pinned {
		return client.Prefix(l.prefixes(name)[0])
	}
	r := client.All()
	r.Glob = "?" + name + "/*"
	return r
}

// number is the one at the end of s.
func number(s string) (n int, ok bool) {
	digits := s[len(strings.TrimRight(s, "0123456789")):]
	for _, d := range digits {
		n = (n*10 + int(d-'0')) % (1 << 20)
	}
	return n, digits != ""
}
