package conformance

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is where one run of a case happens, and what its answers have brought so far.
type Place struct {
	Prefix  string // of its keys, request ids and keyspaces: [a-z0-9.-]
	Moments map[string]int64
	Cursors map[string]string
	// Example fills in what only an answer would bring: for what is shown and not sent.
	Example bool
}

// exampleMoment is 2026-01-01 and a little.
const exampleMoment = 1767225600123456

// NewPlace is empty.
func NewPlace(prefix string) *Place {
	return &Place{
		Prefix: prefix, Moments: make(map[string]int64), Cursors: make(map[string]string),
	}
}

// Put moves a step there: its keys get the prefix, its names what they stand for.
func (p *Place) Put(s *Step) error {
	for i, key := range s.Keys {
		s.Keys[i] = p.Key(key)
	}
	if s.Keyspace != "" {
		s.Keyspace = p.Keyspace(s.Keyspace)
	}
	if s.ID != "" {
		s.ID = p.Prefix + s.ID
	}
	p.Select(s.Select)
	if s.Cursor != nil {
		if cursor, ok := p.Cursors[*s.Cursor]; ok {
			s.Cursor = &cursor
		}
	}
	if err := p.moments(s.AsOf, s.If.CommitTS); err != nil {
		return err
	}
	if s.Test != nil {
		if err := p.test(s.Test); err != nil {
			return err
		}
	}
	for _, below := range [][]*Step{s.Items, s.Then, s.Else} {
		for _, item := range below {
			if err := p.Put(item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Place) test(t *Test) error {
	if t.Key != "" {
		t.Key = p.Key(t.Key)
	}
	p.Select(t.Select)
	for _, of := range t.Of {
		if err := p.test(of); err != nil {
			return err
		}
	}
	return p.moments(t.Moment)
}

func (p *Place) moments(all ...*Moment) error {
	for _, m := range all {
		if m == nil || m.Name == "" {
			continue
		}
		at, ok := p.Moments[m.Name]
		if p.Example && !ok {
			at, ok = exampleMoment, true
		}
		if !ok {
			return fmt.Errorf("no answer brought $%s", m.Name)
		}
		m.Name, m.At = "", at
	}
	return nil
}

// Key is a key of the case where the case lives. An empty one stays empty. "key:4096" has so many
// bytes there, and "~zk" begins with a z: the places of other cases are between "~ak" and it.
func (p *Place) Key(key string) string {
	if size, ok := strings.CutPrefix(key, "key:"); ok {
		if n, err := strconv.Atoi(size); err == nil {
			return p.Prefix + strings.Repeat("k", n-len(p.Prefix))
		}
	}
	switch {
	case key == "":
		return ""
	case len(key) > 1 && key[0] == '~':
		return key[1:2] + p.Prefix + key[2:]
	}
	return p.Prefix + key
}

// Back is the key as the case names it.
func (p *Place) Back(key string) string {
	if rest, ok := strings.CutPrefix(key, p.Prefix); ok {
		return rest
	}
	if len(key) > 1 && strings.HasPrefix(key[1:], p.Prefix) {
		return "~" + key[:1] + key[1+len(p.Prefix):]
	}
	return key
}

// Keyspace is one of the case's own, or default.
func (p *Place) Keyspace(name string) string {
	if name == "" || name == "default" {
		return name
	}
	return p.Prefix + name
}

// Select narrows a selection to the case's place.
func (p *Place) Select(s *Selection) {
	if s == nil {
		return
	}
	if s.Glob != "" {
		s.Glob = p.Prefix + s.Glob
	}
	if s.By == "all" {
		s.By = "prefix"
	}
	s.Start = p.Prefix + s.Start
	if s.By != "span" {
		return
	}
	if s.End != "" || p.Prefix == "" {
		s.End = p.Prefix + s.End
		return
	}
	s.End = p.Prefix[:len(p.Prefix)-1] + string(p.Prefix[len(p.Prefix)-1]+1)
}
