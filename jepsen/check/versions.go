package check

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// versions are those of all registers, as far as their values tell them apart.
type versions struct {
	p       *predicate
	keys    map[string]*lineage
	inRange map[string][]*lineage
	happens []bool // by operation: it ended well, or what it wrote was seen
	graph   *depend.Graph
}

// atFirst stands for an operation before all others.
const atFirst = -1

// lineage is the versions of one key.
type lineage struct {
	key     string
	by      map[int64]int // who left a value, atFirst for Init
	midway  map[int64]int // who wrote it and then something else
	unclear bool          // a list, or two wrote the same
	writers []*history.Op // that may have happened
	dead    []int         // who may have left nothing, atFirst unless it is in Init
	// begin is when the first writer began, and settled when the last had ended: from then on it is
	// missing for ever.
	begin, settled int
	// ended are the writers that ended well, by that, and latest the latest beginning up to each.
	ended  []*history.Op
	latest []int
	reads  []sight
	wrote  []sight // what writers found before
}

// sight says which version of a key an operation saw: by whom it is, and whether it
// is none.
type sight struct {
	op, by   int
	dead     bool
	inferred bool
}

func newVersions(p *predicate) *versions {
	v := &versions{p: p, keys: map[string]*lineage{}, inRange: map[string][]*lineage{},
		happens: make([]bool, len(p.h.Ops))}
	for key, n := range p.h.Init { // order: each is its own
		l := v.lineage(key)
		l.by[n] = atFirst
		l.dead = nil
		l.begin = -1
	}
	for i := range p.h.Ops {
		o := &p.h.Ops[i]
		v.happens[i] = o.Type == history.OK
		v.note(o)
	}
	names := scannedNames(p.h)
	for _, key := range sortedKeys(v.keys) {
		l := v.keys[key]
		l.finish()
		for _, name := range rangesOf(key, names) {
			if !l.unclear {
				v.inRange[name] = append(v.inRange[name], l)
			}
		}
	}
	return v
}

func (v *versions) lineage(key string) *lineage {
	l := v.keys[key]
	if l == nil {
		l = &lineage{key: key, by: map[int64]int{}, midway: map[int64]int{}, dead: []int{atFirst},
			begin: history.Never}
		v.keys[key] = l
	}
	return l
}

// note adds what o left, or may have.
func (v *versions) note(o *history.Op) {
	left := effectsOf(o)
	for i := range o.Mops {
		m := &o.Mops[i]
		if !m.Writes() {
			if m.Listed {
				v.lineage(m.Key).unclear = true
			}
			continue
		}
		l := v.lineage(m.Key)
		switch e := left[m.Key]; {
		case m.Kind == history.Append:
			l.unclear = true
		case m.Kind != history.Delete && (e.missing || e.n != m.N):
			l.midway[m.N] = o.ID
		}
	}
	for key, e := range left { // order: each is its own
		l := v.keys[key]
		if !e.missing {
			v.attribute(l, e.n, o)
		}
		if o.Type == history.Fail {
			continue
		}
		l.writers = append(l.writers, o)
		if e.missing {
			l.dead = append(l.dead, o.ID)
		}
	}
}

// attribute notes who left a value. Failed operations may have tried the same as
// one that did not.
func (v *versions) attribute(l *lineage, n int64, o *history.Op) {
	other, again := l.by[n]
	failed := again && other != atFirst && v.p.h.Ops[other].Type == history.Fail
	if again && !failed && o.Type != history.Fail {
		l.unclear = true
	}
	if !again || failed {
		l.by[n] = o.ID
	}
}

// finish prepares what questions need.
func (l *lineage) finish() {
	var last *history.Op // by beginning
	for _, o := range l.writers {
		l.begin = min(l.begin, o.Invoked)
		if last == nil || o.Invoked > last.Invoked {
			last = o
		}
		if o.Type == history.OK {
			l.ended = append(l.ended, o)
		}
	}
	slices.SortFunc(l.ended, func(a, b *history.Op) int {
		return cmp.Compare(a.Completed, b.Completed)
	})
	latest := -1
	for _, o := range l.ended {
		latest = max(latest, o.Invoked)
		l.latest = append(l.latest, latest)
	}
	l.settled = history.Never
	if last == nil || len(l.dead) == 0 || l.dead[len(l.dead)-1] != last.ID {
		return
	}
	for _, o := range l.writers {
		if o != last && o.Completed >= last.Invoked {
			return
		}
	}
	l.settled = last.Completed
}

// nothing is by whom it is that o found nothing: whoever may have left that, real
// time considered. It is not known if there are several; there should be one.
func (l *lineage) nothing(h *History, o *history.Op) (s sight, candidates int) {
	s = sight{op: o.ID, dead: true, inferred: len(l.dead) > 1}
	n, _ := slices.BinarySearchFunc(l.ended, o.Invoked, func(w *history.Op, at int) int {
		return cmp.Compare(w.Completed, at)
	})
	overwritten := -1 // what ended before this was overwritten before o began
	if n > 0 && s.inferred {
		overwritten = l.latest[n-1]
	}
	for i := len(l.dead) - 1; i >= 0 && candidates < 2; i-- {
		invoked, completed := -1, -1
		if by := l.dead[i]; by != atFirst {
			invoked, completed = h.Ops[by].Invoked, h.Ops[by].Completed
		}
		possible := !s.inferred || invoked < o.Completed && completed >= overwritten
		if possible && l.dead[i] != o.ID {
			s.by = l.dead[i]
			candidates++
		}
	}
	return s, candidates
}
