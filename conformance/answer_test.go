package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnkv/cairn/txn"
)

// answer is what came of a step, in neutral words. Nil means that the way in did not say.
type answer struct {
	done                                  *bool
	revision, prev, commit, create, count *int64
	expires, ttl                          *int64 // Unix ms; remaining ms
	bytes                                 *int64 // of the value that an append made
	value                                 *txn.Value
	was                                   *answer // the version before
	items                                 []answer
	key                                   string // of an item
	operation, message                    string
	cursor                                *string
	names                                 []string
	options                               map[string]int64
	failed                                *failure
}

// failure is an error that Cairn answered.
type failure struct {
	kind    string
	reason  string // empty: the way in does not say
	message string
}

func (f *failure) String() string {
	return fmt.Sprintf("error %s %s (%s)", f.kind, f.reason, f.message)
}

func int64p(n int64) *int64 { return &n }

func number(p *int64) string {
	if p == nil {
		return "?"
	}
	return fmt.Sprint(*p)
}

// String is for messages: what there is of the answer.
func (a *answer) String() string {
	if a.failed != nil {
		return a.failed.String()
	}
	var b strings.Builder
	if a.key != "" {
		fmt.Fprintf(&b, "%q ", a.key)
	}
	if a.done != nil {
		fmt.Fprintf(&b, "done=%v ", *a.done)
	}
	fmt.Fprintf(&b, "r%s prev=%s ts=%s create=%s expires=%s count=%s", number(a.revision), number(a.prev),
		number(a.commit), number(a.create), number(a.expires), number(a.count))
	if a.ttl != nil {
		fmt.Fprintf(&b, " ttlms=%d", *a.ttl)
	}
	if a.value != nil {
		b.WriteString(" " + ValueText(a.value))
	}
	if a.was != nil {
		fmt.Fprintf(&b, " was {%v}", a.was)
	}
	for i := range a.items {
		fmt.Fprintf(&b, " {%v}", &a.items[i])
	}
	return b.String()
}

// comparison goes through the checks of one step.
type comparison struct {
	place  *Place
	now    time.Time
	silent func(what string) bool // whether the way in need not say this
}

// all compares an answer with what is wanted; the text says what is wrong, empty = nothing.
func (c *comparison) all(a *answer, want []Check) string {
	if a.failed != nil && !slices.ContainsFunc(want, func(w Check) bool { return w.What == "error" }) {
		return a.failed.String()
	}
	items := 0
	for _, w := range want {
		if w.What == "item" || w.What == "result" {
			if items++; items > len(a.items) {
				continue
			}
			if problem := c.item(&a.items[items-1], w); problem != "" {
				return fmt.Sprintf("item %d: %s", items, problem)
			}
			continue
		}
		if problem := c.one(a, w); problem != "" {
			return problem
		}
	}
	if items > 0 && items != len(a.items) {
		return fmt.Sprintf("%d items, want %d", len(a.items), items)
	}
	return ""
}

func (c *comparison) item(a *answer, w Check) string {
	if w.What == "item" && c.place.Back(a.key) != w.Key {
		return fmt.Sprintf("key %q, want %q", c.place.Back(a.key), w.Key)
	}
	return c.all(a, w.Of)
}

func (c *comparison) one(a *answer, w Check) string {
	switch w.What {
	case "ok":
		return ""
	case "error":
		return c.failure(a, w)
	case "done":
		if a.done == nil && c.silent("done") {
			return ""
		}
		if a.done == nil || *a.done != w.Bool {
			return fmt.Sprintf("done %v, want %v", a.done != nil && *a.done, w.Bool)
		}
		return ""
	case "value":
		if a.value == nil || a.value.Type != w.Value.Type || string(a.value.Data) != string(w.Value.Data) {
			return fmt.Sprintf("value %s, want %s", ValueText(a.value), ValueText(w.Value))
		}
		return ""
	case "novalue":
		if a.value != nil {
			return fmt.Sprintf("value %s, want none", ValueText(a.value))
		}
		return ""
	case "none":
		if len(a.items) > 0 || a.was != nil {
			return "there is something, want nothing"
		}
		return ""
	case "was":
		if a.was == nil && c.silent(w.What) {
			return ""
		}
		if a.was == nil {
			return "no version before"
		}
		return c.all(a.was, w.Of)
	case "more", "end", "cur":
		return c.cursor(a, w)
	case "as":
		if a.commit == nil && c.silent(w.What) {
			return ""
		}
		if a.commit == nil || *a.commit <= 0 {
			return "no commit timestamp"
		}
		c.place.Moments[w.Word] = *a.commit
		return ""
	case "names":
		return c.names(a, w)
	case "op", "why":
		if got := map[string]string{"op": a.operation, "why": a.message}[w.What]; got != w.Word {
			return fmt.Sprintf("%s %q, want %q", w.What, got, w.Word)
		}
		return ""
	}
	return c.number(a, w)
}

func (c *comparison) failure(a *answer, w Check) string {
	switch {
	case a.failed == nil:
		return "no error, want " + w.Word
	case w.Word == "any":
		return ""
	case a.failed.kind != w.Word:
		return fmt.Sprintf("%v, want %s", a.failed, w.Word)
	case len(w.Names) > 0 && a.failed.reason != "" && a.failed.reason != w.Names[0]:
		return fmt.Sprintf("%v, want reason %s", a.failed, w.Names[0])
	}
	rest := a.failed.message
	for _, name := range w.Names[min(1, len(w.Names)):] {
		_, after, found := strings.Cut(rest, c.place.Key(name))
		if !found {
			return fmt.Sprintf("the message %q does not name %q at its place", a.failed.message, name)
		}
		rest = after
	}
	return ""
}

func (c *comparison) cursor(a *answer, w Check) string {
	if a.cursor == nil {
		return "no word about a cursor"
	}
	switch {
	case w.What == "more" && *a.cursor == "":
		return "no cursor, want one"
	case w.What == "end" && *a.cursor != "":
		return "a cursor, want none"
	case w.What == "cur":
		c.place.Cursors[w.Word] = *a.cursor
	}
	return ""
}

// names must be there in this order; there may be others between them.
func (c *comparison) names(a *answer, w Check) string {
	rest := a.names
	for _, name := range w.Names {
		i := slices.Index(rest, c.place.Keyspace(name))
		if i < 0 {
			return fmt.Sprintf("%q is not at its place in %q", name, a.names)
		}
		rest = rest[i+1:]
	}
	return ""
}

func (c *comparison) number(a *answer, w Check) string {
	want := w.Number
	if w.Word != "" {
		want = c.place.Moments[w.Word]
	}
	field, known := map[string]*int64{
		"revision": a.revision, "prev=": a.prev, "ts=": a.commit, "ts>": a.commit, "create=": a.create,
		"count=": a.count, "ttlms=": a.ttl, "left=": a.ttl, "ttl=": a.expires,
		"bytes=": a.bytes,
	}[w.What]
	if !known {
		n, ok := a.options[strings.TrimSuffix(w.What, "=")]
		if !ok {
			return "no word about " + w.What
		}
		field = &n
	}
	if field == nil && c.silent(w.What) {
		return ""
	}
	if field == nil {
		return "no word about " + w.What
	}
	got := *field
	switch w.What {
	case "ts>":
		if got <= want {
			return fmt.Sprintf("commit_ts %d, want more than %d", got, want)
		}
		return ""
	case "left=", "ttl=":
		if w.What == "ttl=" && got != 0 {
			got -= c.now.UnixMilli()
		}
		if want > 0 && got > want/2 && got <= want+1000 { // clocks of one machine, and rounding
			return ""
		}
	}
	if got != want {
		return fmt.Sprintf("%s%d, want %d", w.What, got, want)
	}
	return ""
}
