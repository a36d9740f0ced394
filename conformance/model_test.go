package conformance

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/txn"
)

// model is what a store is in the simplest terms: for each key its versions, oldest first.
type model map[string][]version

type version struct {
	revision, commit int64
	operation        string // set, delete or extend
	value            *txn.Value
	ttl              bool // it expires, long after the test
}

// current is the newest version of a key that exists, nil otherwise.
func (m model) current(key string) *version {
	if n := len(m[key]); n > 0 && m[key][n-1].operation != "delete" {
		return &m[key][n-1]
	}
	return nil
}

func (m model) keys() []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if m.current(key) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// at is the model as of a time.
func (m model) at(commit int64) model {
	past := make(model)
	for key, versions := range m {
		n := len(versions)
		for n > 0 && versions[n-1].commit > commit {
			n--
		}
		past[key] = versions[:n]
	}
	return past
}

// batch is a transaction on a model: what it sees, and which keys it has changed.
type batch struct {
	base    model
	now     model // base and its own changes, of which each key has one more version at most
	touched map[string]bool
}

func (m model) begin() *batch {
	return &batch{base: m, now: maps.Clone(m), touched: make(map[string]bool)}
}

// put writes a key once more: over what the batch itself wrote, or as a new version.
func (b *batch) put(key, operation string, v *txn.Value, ttl bool) {
	versions := slices.Clone(b.base[key])
	next := version{operation: operation, value: v, ttl: ttl}
	wrote := b.touched[key]
	if n := len(versions); n > 0 {
		next.revision = versions[n-1].revision + 1
		extends := operation == "extend" && b.base.current(key) != nil
		if extends && (!wrote || b.now.current(key).operation == "extend") {
			next.revision--
		} else if operation == "extend" {
			next.operation = "set"
		}
	} else if operation == "extend" {
		next.operation = "set"
	}
	b.touched[key] = true
	if operation == "delete" && b.base.current(key) == nil { // as if nothing had been
		b.now[key] = versions
		return
	}
	b.now[key] = append(versions, next)
}

// commit is the model behind the batch.
func (b *batch) commit(at int64) model {
	for key := range b.touched {
		if n := len(b.now[key]); n > len(b.base[key]) {
			b.now[key][n-1].commit = at
		}
	}
	return b.now
}

func (b *batch) revision(key string) int64 {
	if v := b.now.current(key); v != nil {
		return v.revision
	}
	return txn.NoRevision
}

// do is what a step answers, and what it changes.
func (b *batch) do(s *Step) answer {
	switch s.Op {
	case "get", "exists", "mget", "range", "count", "history":
		return b.read(s)
	case "mset", "mdelete":
		var a answer
		steps := s.Items
		for _, key := range s.Keys {
			steps = append(steps, &Step{Op: "delete", Keys: []string{key}})
		}
		for _, item := range steps {
			r := b.write(item)
			a.items = append(a.items, answer{done: r.done})
		}
		return a
	case "delete-range":
		n := int64(0)
		for _, key := range selected(s, b.now.keys()) {
			b.put(key, "delete", nil, false)
			n++
		}
		return answer{count: &n}
	case "execute":
		return b.execute(s)
	case "revert":
		return b.revert(s)
	}
	return b.write(s)
}

func (b *batch) execute(s *Step) answer {
	at := b.now.current(s.Test.Key)
	holds := at != nil && at.value.Matches(*s.Test.Value)
	steps := s.Then
	if !holds {
		steps = s.Else
	}
	a := answer{done: &holds}
	for _, step := range steps {
		r := b.do(step)
		if r.failed != nil { // all of it
			return r
		}
		a.items = append(a.items, answer{done: r.done, value: r.value, count: r.count})
	}
	return a
}

func (b *batch) revert(s *Step) answer {
	key, n := s.Keys[0], int64(0)
	var to *version
	for i := range b.base[key] {
		if b.base[key][i].revision == *s.Revision {
			to = &b.base[key][i]
		}
	}
	if to == nil {
		return answer{failed: &failure{kind: "not_found"}}
	}
	at := b.base.current(key)
	switch {
	case to.operation == "delete" && at == nil, at != nil && at.commit == to.commit,
		at != nil && to.value != nil && at.value.Type == to.value.Type && !at.ttl && !to.ttl &&
			bytes.Equal(at.value.Data, to.value.Data):
	case to.operation == "delete":
		n = 1
		b.put(key, "delete", nil, false)
	default:
		n = 1
		b.put(key, "set", to.value, to.ttl)
	}
	return answer{count: &n}
}

func entryOf(key string, v *version) answer {
	if v == nil {
		return answer{done: yesOrNo(false), key: key, revision: int64p(txn.NoRevision)}
	}
	return answer{done: yesOrNo(true), key: key, revision: &v.revision, value: v.value}
}

func yesOrNo(b bool) *bool { return &b }

func (b *batch) read(s *Step) (a answer) {
	m := b.now
	if s.AsOf != nil {
		m = m.at(s.AsOf.At)
	}
	switch s.Op {
	case "get", "exists":
		found := m.current(s.Keys[0])
		if s.Revision != nil {
			found = nil
			for i, v := range m[s.Keys[0]] {
				if v.revision == *s.Revision && v.operation != "delete" {
					found = &m[s.Keys[0]][i]
				}
			}
		}
		a = entryOf(s.Keys[0], found)
		if s.Op == "exists" {
			a.value = nil
		}
	case "mget":
		for _, key := range s.Keys {
			a.items = append(a.items, entryOf(key, m.current(key)))
		}
	case "history":
		for _, v := range slices.Backward(m[s.Keys[0]]) {
			a.items = append(a.items, answer{operation: v.operation, revision: &v.revision, value: v.value})
		}
	default:
		keys := selected(s, m.keys())
		if s.Reverse {
			slices.Reverse(keys)
		}
		if s.Limit > 0 && int(s.Limit) < len(keys) {
			keys = keys[:s.Limit]
		}
		a.count = int64p(int64(len(keys)))
		for _, key := range keys {
			if s.Op == "range" {
				a.items = append(a.items, entryOf(key, m.current(key)))
			}
		}
	}
	return a
}

// selected are those of the sorted keys that a step is about. The only globs are "*" and a letter.
func selected(s *Step, keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		sel := s.Select
		if key[0] == '~' { // of another shard, beyond what a selection of the case sees
			return true
		}
		switch sel.By {
		case "prefix":
			if !strings.HasPrefix(key, sel.Start) {
				return true
			}
		case "bucket":
			if i := strings.LastIndex(key, "/"); i < 0 || key[:i] != sel.Start {
				return true
			}
		case "span":
			if key < sel.Start || key >= sel.End {
				return true
			}
		}
		return sel.Glob != "" && !strings.HasSuffix(key, strings.TrimPrefix(sel.Glob, "*"))
	})
}

// met reports whether conditions hold.
func (b *batch) met(c *Conditions, key string) bool {
	at := b.now.current(key)
	switch {
	case c.Absent && at != nil, c.Present && at == nil:
		return false
	case c.Value != nil && (at == nil || !at.value.Matches(*c.Value)):
		return false
	case c.Revision != nil && b.revision(key) != *c.Revision:
		return false
	}
	return true
}

func (b *batch) write(s *Step) (a answer) {
	key := s.Keys[0]
	at := b.now.current(key)
	a.prev = int64p(b.revision(key))
	no := answer{done: yesOrNo(false), revision: int64p(b.revision(key))}
	if !b.met(&s.If, key) {
		return no
	}
	switch s.Op {
	case "set":
		b.put(key, "set", s.Value, s.TTL != nil || s.KeepTTL && at != nil && at.ttl)
	case "delete", "extend":
		if at == nil {
			return no
		}
		if s.Op == "delete" {
			b.put(key, "delete", nil, false)
			versions := b.now[key]
			a.done, a.revision = yesOrNo(true), nil
			if n := len(versions); n > 0 {
				a.revision = &versions[n-1].revision
			}
			return a
		}
		b.put(key, "extend", at.value, *s.TTL > 0)
		a.prev = nil
	default:
		v, failed := updated(s, at)
		if failed != "" {
			return answer{failed: &failure{kind: "invalid_argument", reason: failed}}
		}
		if v == nil {
			no.value = at.value
			return no
		}
		b.put(key, "set", v, at != nil && at.ttl)
		if a.value = v; s.Op == "append" {
			a.value = nil
		}
	}
	a.done, a.revision = yesOrNo(true), int64p(b.revision(key))
	return a
}

// updated is the value behind an update; nil if it stays.
func updated(s *Step, at *version) (v *txn.Value, failed string) {
	if at == nil {
		return s.Value, ""
	}
	text := func(v *txn.Value) bool { return v.Type == txn.String || v.Type == txn.Bytes }
	if at.value.Type != s.Value.Type && !(text(at.value) && text(s.Value)) {
		return nil, "type_mismatch"
	}
	out := *s.Value
	switch s.Op {
	case "increment":
		sum := at.value.Int() + s.Value.Int()
		if at.value.Int() > 0 && s.Value.Int() > math.MaxInt64-at.value.Int() {
			return nil, "integer_overflow"
		}
		out = txn.IntValue(sum)
	case "append":
		out = txn.Value{Type: at.value.Type, Data: slices.Concat(at.value.Data, s.Value.Data)}
	default:
		order, _ := out.Compare(*at.value)
		if s.Op == "max" && order <= 0 || s.Op == "min" && order >= 0 {
			return nil, ""
		}
	}
	return &out, ""
}
