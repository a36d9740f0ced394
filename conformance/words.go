package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// option reads what comes behind one option word.
func (r *reader) option(s *Step, word string) (err error) {
	if flag := s.flag(word); flag != nil {
		*flag = true
		return nil
	}
	switch word {
	case "tx":
		s.Tx, err = r.name()
	case "in":
		s.Keyspace, err = r.name()
	case "cmp":
		s.If.Value, err = r.value()
	case "cmprev":
		s.If.Revision, err = r.pointer()
	case "cmpts":
		s.If.CommitTS, err = r.moment()
	case "ttl":
		s.TTL, err = r.pointer()
	case "id":
		s.ID, err = r.name()
	case "message":
		s.Message, err = r.name()
	case "at":
		s.Revision, err = r.pointer()
	case "asof":
		s.AsOf, err = r.moment()
	case "limit":
		s.Limit, err = r.number()
	case "page":
		s.Page, err = r.number()
	case "lower":
		s.Lower, err = r.value()
	case "upper":
		s.Upper, err = r.value()
	case "cursor":
		var name string
		name, err = r.name()
		s.Cursor = &name
	default:
		err = s.keyspaceOption(word)
	}
	return err
}

// flag is what a word without an argument switches on.
func (s *Step) flag(word string) *bool {
	return map[string]*bool{
		"nx": &s.If.Absent, "xx": &s.If.Present, "keepttl": &s.KeepTTL, "norev": &s.NoRev,
		"prev": &s.Prev, "eph": &s.Eph, "locking": &s.Locking, "reverse": &s.Reverse,
		"keys": &s.KeysOnly, "all": &s.All, "dry": &s.DryRun, "pessimistic": &s.Begin.Pessimistic,
		"snapshot": &s.Begin.Snapshot, "readonly": &s.Begin.ReadOnly,
	}[word]
}

func (s *Step) keyspaceOption(word string) error {
	name, text, ok := strings.Cut(word, "=")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("no option %q", word)
	}
	if s.Options == nil {
		s.Options = make(map[string]int64)
	}
	s.Options[name] = n
	return nil
}

func (r *reader) pointer() (*int64, error) {
	n, err := r.number()
	return &n, err
}

// selectionWords begin a selection.
var selectionWords = []string{"all", "span", "prefix", "bucket", "glob", "nothing"}

// selection is all, span A B, prefix P or bucket B, and maybe glob G; or nothing.
func (r *reader) selection() (sel *Selection, err error) {
	t, _ := r.next()
	sel = &Selection{By: t.text}
	switch t.text {
	case "nothing":
		return nil, nil
	case "all":
	case "span":
		if sel.Start, err = r.name(); err == nil {
			sel.End, err = r.name()
		}
	case "prefix", "bucket":
		sel.Start, err = r.name()
	case "glob":
		sel.By = "all"
		sel.Glob, err = r.name()
		return sel, err
	default:
		return nil, fmt.Errorf("%q is none of %v", t.text, selectionWords)
	}
	if err == nil && r.take("glob") {
		sel.Glob, err = r.name()
	}
	return sel, err
}

// test is ( WORD … ).
func (r *reader) test() (t *Test, err error) {
	if !r.take("(") {
		return nil, errors.New("a test begins with (")
	}
	word, _ := r.next()
	t = &Test{Op: word.text}
	switch t.Op {
	case "and", "or", "not":
		for err == nil && len(r.rest) > 0 && r.rest[0].text == "(" {
			var of *Test
			of, err = r.test()
			t.Of = append(t.Of, of)
		}
	case "exists", "missing":
		t.Key, err = r.name()
	case "count", "unchanged":
		err = r.rangeTest(t)
	case "value", "revision", "commit_ts", "create_ts":
		err = r.compare(t)
	default:
		err = fmt.Errorf("no test %q", t.Op)
	}
	if err == nil && !r.take(")") {
		err = errors.New("a test ends with )")
	}
	return t, err
}

// rangeTest is SELECTION = N, or SELECTION $since.
func (r *reader) rangeTest(t *Test) (err error) {
	if t.Select, err = r.selection(); err != nil {
		return err
	}
	if t.Op == "unchanged" {
		t.Moment, err = r.moment()
		return err
	}
	if t.Relation, err = r.name(); err != nil {
		return err
	}
	t.Number, err = r.number()
	return err
}

// compare is KEY = VALUE.
func (r *reader) compare(t *Test) (err error) {
	if t.Key, err = r.name(); err != nil {
		return err
	}
	if t.Relation, err = r.name(); err != nil {
		return err
	}
	switch t.Op {
	case "value":
		t.Value, err = r.value()
	case "revision":
		t.Number, err = r.number()
	default:
		t.Moment, err = r.moment()
	}
	return err
}

// doneWords say whether something was found or done.
var doneWords = map[string]bool{
	"found": true, "set": true, "deleted": true, "extended": true, "updated": true, "then": true,
	"exists": true, "made": true, "done": true,
	"missing": false, "not": false, "else": false,
}

// wants are the checks up to the end of the line or of an item.
func (r *reader) wants() ([]Check, error) {
	var all []Check
	for len(r.rest) > 0 && r.rest[0].text != "]" && r.rest[0].text != "}" {
		c, err := r.want()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (r *reader) want() (c Check, err error) {
	t, _ := r.next()
	if done, ok := doneWords[t.text]; ok {
		return Check{What: "done", Bool: done}, nil
	}
	if v := t.value(); v != nil {
		return Check{What: "value", Value: v}, nil
	}
	c.What = t.text
	switch t.text {
	case "ok", "novalue", "more", "end", "none":
	case "[":
		c.What = "item"
		if c.Key, err = r.name(); err == nil {
			c.Of, err = r.closed("]")
		}
	case "{", "was":
		if t.text == "was" {
			r.take("{")
		}
		c.What = map[string]string{"{": "result", "was": "was"}[t.text]
		c.Of, err = r.closed("}")
	case "error":
		if c.Word, err = r.name(); err == nil {
			err = r.reasons(&c)
		}
	case "as", "cur", "handle", "by", "why", "op":
		c.Word, err = r.name()
	case "names":
		for len(r.rest) > 0 && err == nil && r.rest[0].text != "]" {
			var name string
			name, err = r.name()
			c.Names = append(c.Names, name)
		}
	default:
		c, err = parseField(t.text)
	}
	return c, err
}

// reasons are the reason word of an error, and the names that its message lists.
func (r *reader) reasons(c *Check) (err error) {
	for len(r.rest) > 0 && err == nil {
		var name string
		name, err = r.name()
		c.Names = append(c.Names, name)
	}
	return err
}

func (r *reader) closed(sign string) ([]Check, error) {
	of, err := r.wants()
	if err == nil && !r.take(sign) {
		err = fmt.Errorf("%s is missing", sign)
	}
	return of, err
}

// parseField reads r7, prev=6, ttl=1000, ttlms=1000, count=3, ts=$a, ts>$a, create=$a, expires=$a.
func parseField(s string) (c Check, err error) {
	if strings.HasPrefix(s, "r") {
		if c.Number, err = strconv.ParseInt(s[1:], 10, 64); err == nil {
			c.What = "revision"
			return c, nil
		}
	}
	at := strings.IndexAny(s, "=>")
	if at < 0 {
		return c, fmt.Errorf("%q says nothing about an answer", s)
	}
	c.What = s[:at+1]
	if name, ok := strings.CutPrefix(s[at+1:], "$"); ok {
		c.Word = name
		return c, nil
	}
	c.Number, err = strconv.ParseInt(s[at+1:], 10, 64)
	return c, err
}
