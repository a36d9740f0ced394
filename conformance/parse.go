package conformance

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

//go:embed cases/*.txt
var files embed.FS

// Cases reads the table anew: whoever runs a case changes it.
func Cases() ([]*Case, error) {
	names, err := fs.Glob(files, "cases/*.txt")
	if err != nil {
		return nil, err
	}
	var all []*Case
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		cases, err := parseCases(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, c := range cases {
			c.Section = strings.TrimSuffix(path.Base(name), ".txt")
		}
		all = append(all, cases...)
	}
	return all, nil
}

func parseCases(text string) ([]*Case, error) {
	var all []*Case
	var c *Case
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "case "):
			if c, err = parseHead(strings.Fields(line)[1:]); err == nil {
				all = append(all, c)
			}
		case c == nil:
			err = errors.New("a step before the first case")
		case c.About == "":
			c.About = line
		default:
			var s *Step
			if s, err = parseStep(line); err == nil {
				s.Line = i + 1
				c.Steps = append(c.Steps, s)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return all, nil
}

// parseHead reads "NAME [traps N…]".
func parseHead(words []string) (*Case, error) {
	c := &Case{Name: words[0]}
	if len(words) == 1 {
		return c, nil
	}
	if words[1] != "traps" {
		return nil, fmt.Errorf("%q after the name of a case", words[1])
	}
	for _, word := range words[2:] {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		c.Traps = append(c.Traps, n)
	}
	return c, nil
}

// reader goes through the tokens of a step.
type reader struct{ rest []token }

func (r *reader) next() (t token, ok bool) {
	if len(r.rest) == 0 {
		return token{}, false
	}
	t, r.rest = r.rest[0], r.rest[1:]
	return t, true
}

// take consumes the next token if it is this one.
func (r *reader) take(text string) bool {
	if len(r.rest) > 0 && r.rest[0].text == text {
		r.rest = r.rest[1:]
		return true
	}
	return false
}

// name is the next token as a key or another name.
func (r *reader) name() (string, error) {
	t, ok := r.next()
	switch {
	case !ok:
		return "", errors.New("a name is missing")
	case t.quoted:
		return t.body, nil
	}
	return t.text, nil
}

func (r *reader) number() (int64, error) {
	t, _ := r.next()
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", t.text)
	}
	return n, nil
}

func (r *reader) value() (*txn.Value, error) {
	t, _ := r.next()
	if v := t.value(); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("%q is no value", t.text)
}

// moment is $name or a number.
func (r *reader) moment() (*Moment, error) {
	t, _ := r.next()
	if name, ok := strings.CutPrefix(t.text, "$"); ok {
		return &Moment{Name: name}, nil
	}
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is neither $name nor a number", t.text)
	}
	return &Moment{At: n}, nil
}

func parseStep(line string) (*Step, error) {
	all, err := tokens(line)
	if err != nil {
		return nil, err
	}
	r := &reader{all}
	until := r.take("until")
	s, err := r.step()
	if err != nil {
		return nil, err
	}
	s.Text, s.Until = line, until
	if !r.take("=>") {
		if len(r.rest) > 0 {
			return nil, fmt.Errorf("%s takes no %q", s.Op, r.rest[0].text)
		}
		return nil, errors.New("there is no =>")
	}
	if s.Want, err = r.wants(); err != nil {
		return nil, err
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%q is too much", r.rest[0].text)
	}
	return s, nil
}

// step reads one operation with its arguments, up to => or ; or a bracket.
func (r *reader) step() (*Step, error) {
	t, _ := r.next()
	o, ok := operations[t.text]
	if !ok {
		return nil, fmt.Errorf("no operation %q", t.text)
	}
	s := &Step{Op: t.text}
	var err error
	for range o.keys {
		key, err := r.name()
		if err != nil {
			return nil, err
		}
		s.Keys = append(s.Keys, key)
	}
	if o.value {
		if s.Value, err = r.value(); err != nil {
			return nil, err
		}
	}
	if err := r.subject(s); err != nil {
		return nil, err
	}
	for len(r.rest) > 0 && !slices.Contains([]string{"=>", ";", ")", "}", "else"}, r.rest[0].text) {
		word, _ := r.next()
		taken := strings.Contains(" "+o.words+" tx in ", " "+word.text+" ")
		if o.keys < 0 && !taken && (word.quoted || !isWord(word.text)) {
			s.Keys = append(s.Keys, wordOf(word))
			continue
		}
		if !taken && !(strings.HasPrefix(o.words, "options") && strings.Contains(word.text, "=")) {
			return nil, fmt.Errorf("%s takes no %q", s.Op, word.text)
		}
		if err := r.option(s, word.text); err != nil {
			return nil, fmt.Errorf("%s: %w", word.text, err)
		}
	}
	return s, nil
}

func wordOf(t token) string {
	if t.quoted {
		return t.body
	}
	return t.text
}

// isWord reports a word that some operation takes, which no key may look like.
func isWord(s string) bool {
	for _, o := range operations {
		if slices.Contains(strings.Fields(o.words), s) {
			return true
		}
	}
	return false
}

// subject reads what an operation is about besides keys and a value.
func (r *reader) subject(s *Step) (err error) {
	switch s.Op {
	case "range", "stream", "count", "delete-range":
		s.Select, err = r.selection()
	case "revert":
		if len(r.rest) > 0 && slices.Contains(selectionWords, r.rest[0].text) {
			s.Select, err = r.selection()
		}
	case "begin", "commit", "rollback":
		s.Tx, err = r.name()
	case "make", "change", "drop", "keyspace":
		s.Keyspace, err = r.name()
	case "mset":
		err = r.items(s)
	case "execute":
		err = r.program(s)
	}
	return err
}

// items are sets in parentheses.
func (r *reader) items(s *Step) error {
	for r.take("(") {
		r.rest = append([]token{{text: "set"}}, r.rest...)
		item, err := r.step()
		if err != nil {
			return err
		}
		if !r.take(")") {
			return errors.New("an item ends with )")
		}
		s.Items = append(s.Items, item)
	}
	return nil
}

// program is [if TEST] then { STEP ; STEP } [else { STEP }].
func (r *reader) program(s *Step) (err error) {
	if r.take("if") {
		if s.Test, err = r.test(); err != nil {
			return err
		}
	}
	if r.take("then") {
		if s.Then, err = r.block(); err != nil {
			return err
		}
	}
	if r.take("else") {
		s.Else, err = r.block()
	}
	return err
}

func (r *reader) block() ([]*Step, error) {
	var steps []*Step
	if !r.take("{") {
		return nil, errors.New("{ is missing")
	}
	for !r.take("}") {
		s, err := r.step()
		if err != nil {
			return nil, err
		}
		if steps = append(steps, s); !r.take(";") && (len(r.rest) == 0 || r.rest[0].text != "}") {
			return nil, errors.New("; or } is missing")
		}
	}
	return steps, nil
}
