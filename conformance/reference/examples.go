package main

import (
	"slices"
	"strings"

	"github.com/cairnkv/cairn/conformance"
)

// textMax is how long an example may be in any way in.
const textMax = 700

// aboutCall says which cases are about a call: those whose names begin with one of the words.
var aboutCall = map[string]string{
	"KVService/Get": "get- value- key-", "KVService/Exists": "exists-", "KVService/BatchGet": "mget",
	"KVService/Set":        "set- value- key- eph-",
	"KVService/Delete":     "delete delete-missing delete-conditions delete-cmpts delete-re delete-ex",
	"KVService/Extend":     "extend",
	"KVService/TimeToLive": "ttl", "KVService/Update": "increment append min max",
	"KVService/BatchSet": "mset", "KVService/BatchDelete": "mdelete",
	"KVService/DeleteRange": "delete-range", "KVService/History": "history",
	"KVService/Revert": "revert", "KVService/Range": "range-", "KVService/RangeStream": "range-stream",
	"TxnService/Execute": "execute-", "TxnService/Begin": "txn-", "TxnService/Commit": "txn-",
	"KeyspaceService/CreateKeyspace": "keyspace-",
	"KeyspaceService/UpdateKeyspace": "keyspace-change",
	"KeyspaceService/DeleteKeyspace": "keyspace-drop",
	"KeyspaceService/GetKeyspace":    "keyspace-statistics keyspace-make",
	"KeyspaceService/ListKeyspaces":  "keyspace-list",
}

// isAbout reports whether a case is about a call.
func isAbout(c *conformance.Case, method string) bool {
	for word := range strings.FieldsSeq(aboutCall[method]) {
		if c.Name == word || word != "delete" && strings.HasPrefix(c.Name, word) {
			return word != "delete-re" || !strings.HasPrefix(c.Name, "delete-range")
		}
	}
	return false
}

// examples shows one step of each operation that the call does, in all ways in, the errors that
// cases provoke, and what the cases say that must hold.
func (b *book) examples(method string) {
	var about, errors, ops []string
	var shown []*conformance.Step
	look := func(c *conformance.Case) {
		for _, s := range c.Steps {
			if s.Method() != method {
				continue
			}
			if e, reason := errorOf(s); e != "" {
				errors = append(errors, e+"|"+reason+"|"+strings.TrimSpace(s.Text))
			} else if !slices.Contains(ops, s.Op) && presentable(s) {
				ops, shown = append(ops, s.Op), append(shown, s)
			}
		}
	}
	for _, c := range b.cases {
		if isAbout(c, method) {
			about = append(about, "- `"+c.Name+"`: "+c.About)
			look(c)
		}
	}
	for _, c := range b.cases {
		look(c) // whatever is not yet there
	}
	if len(shown) > 0 {
		b.printf("**Examples**\n\n")
	}
	for _, s := range shown {
		b.printf("`%s`\n\n", s.Text)
		for _, show := range s.Show() {
			b.printf("%s:\n\n```%s\n%s\n```\n\n", show.Way, show.Language, show.Text)
		}
	}
	b.errors(errors)
	if len(about) > 0 {
		b.printf("**What must hold** (cases of `conformance/cases`)\n\n%s\n",
			strings.Join(about, "\n"))
	}
}

// errors is a table of those that cases provoke, each kind and reason once.
func (b *book) errors(lines []string) {
	var seen []string
	for _, line := range lines {
		word := strings.SplitN(line, "|", 3)
		name := word[0] + " " + word[1]
		if word[1] == "" || slices.Contains(seen, name) {
			continue
		}
		if len(seen) == 0 {
			b.printf("**Errors**, by an example of each\n\n| kind | reason | from |\n|---|---|---|\n")
		}
		seen = append(seen, name)
		step, _, _ := strings.Cut(word[2], " =>")
		b.printf("| `%s` | `%s` | `%s` |\n", word[0], word[1], strings.ReplaceAll(step, "|", `\|`))
	}
	if len(seen) > 0 {
		b.printf("\n")
	}
}

// errorOf is the error that a step wants.
func errorOf(s *conformance.Step) (kind, reason string) {
	for _, c := range s.Want {
		if c.What == "error" && len(c.Names) > 0 {
			return c.Word, c.Names[0]
		} else if c.What == "error" {
			return c.Word, ""
		}
	}
	return "", ""
}

// presentable reports whether a step fits on a page in all ways in.
func presentable(s *conformance.Step) bool {
	for _, show := range s.Show() {
		if len(show.Text) > textMax || strings.ContainsAny(show.Text, "\x00\xff") {
			return false
		}
	}
	return true
}
