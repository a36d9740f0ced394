package check

import (
	"github.com/cairnkv/cairn/jepsen/check/depend"
	"github.com/cairnkv/cairn/jepsen/history"
)

// order ties operations by what they saw, and by real time.
func (v *versions) order() *depend.Graph {
	ops := byInvocation(v.p.h)
	for _, o := range ops {
		v.collect(o)
	}
	for i := range v.p.h.Ops {
		if o := &v.p.h.Ops[i]; o.Type == history.Info && v.happens[i] {
			v.collectInserts(o)
		}
	}
	v.graph = depend.New(len(v.p.h.Ops))
	var happened []*history.Op
	for i := range v.p.h.Ops {
		if v.happens[i] {
			happened = append(happened, &v.p.h.Ops[i])
		}
	}
	InRealTime(happened, func(a, b int) {
		v.graph.Add(happened[a].ID, depend.Edge{To: happened[b].ID, Kind: depend.RealTime,
			Level: depend.InRealTime})
	})
	for _, key := range sortedKeys(v.keys) {
		v.tie(v.keys[key])
	}
	return v.graph
}

// collect finds the versions that o saw before it wrote the key itself, and of
// which it overwrote some.
func (v *versions) collect(o *history.Op) {
	done := map[string]bool{} // written, or seen before
	var saw map[*lineage]sight
	if o.Writes() {
		saw = map[*lineage]sight{}
	}
	see := func(key string, c cell) {
		l := v.keys[key]
		if len(o.Mops) > 1 {
			if done[key] {
				return
			}
			done[key] = true
		}
		if s, known := v.find(o, key, c); known {
			l.reads = append(l.reads, s)
			if saw != nil {
				saw[l] = s
			}
		}
	}
	for i := range o.Mops {
		m := &o.Mops[i]
		switch {
		case m.Kind == history.Scan && m.Known:
			v.seeRange(o, m, see)
		case m.Kind == history.Read && m.Known && !m.Listed:
			see(m.Key, found(m))
		case m.Kind == history.Insert:
			see(m.Key, cell{missing: true})
			done[m.Key] = true
		case m.Writes():
			done[m.Key] = true
		}
	}
	if saw == nil {
		return
	}
	for key := range effectsOf(o) { // order: each is its own
		l := v.keys[key]
		if s, known := saw[l]; known {
			l.wrote = append(l.wrote, s)
		}
	}
}

// seeRange tells see what a scan shows, and what it does not show. Of that it leaves
// out what real time says anyway.
func (v *versions) seeRange(o *history.Op, m *history.Mop, see func(string, cell)) {
	for key, n := range m.Rows { // order: keys do not concern each other
		see(key, cell{n: n})
	}
	for _, l := range v.inRange[m.Key] {
		if l.begin > o.Completed || l.settled < o.Invoked {
			continue
		}
		if _, there := m.Rows[l.key]; !there {
			see(l.key, cell{missing: true})
		}
	}
}

// collectInserts is for operations of unknown outcome that did happen: what they
// inserted was missing before.
func (v *versions) collectInserts(o *history.Op) {
	own := map[string]bool{}
	for _, m := range o.Mops {
		first := !own[m.Key]
		own[m.Key] = own[m.Key] || m.Writes()
		if m.Kind != history.Insert || !first {
			continue
		}
		l := v.keys[m.Key]
		if s, n := l.nothing(v.p.h, o); n == 1 && !l.unclear {
			l.wrote = append(l.wrote, s)
		}
	}
}

// find tells by whom it is what o saw of a key. Reads of what nobody can have left
// are reported.
func (v *versions) find(o *history.Op, key string, c cell) (s sight, known bool) {
	l := v.keys[key]
	switch {
	case l == nil && c.missing, l != nil && l.unclear:
		return s, false
	case l == nil:
		v.p.add("unwritten-read", []int{o.ID}, "nobody wrote %d to %q", c.n, key)
		return s, false
	case c.missing:
		return v.findNothing(l, o)
	}
	by, left := l.by[c.n]
	switch other, midway := l.midway[c.n]; {
	case !left && midway:
		v.p.add("intermediate-read", []int{other, o.ID},
			"%q is %d, which its transaction overwrote itself", key, c.n)
	case !left:
		v.p.add("unwritten-read", []int{o.ID}, "nobody wrote %d to %q", c.n, key)
	case by != atFirst && v.p.h.Ops[by].Type == history.Fail:
		v.p.add("aborted-read", []int{by, o.ID}, "%q is %d, of an operation that failed", key, c.n)
	default:
		if by != atFirst {
			v.happens[by] = true
		}
		return sight{op: o.ID, by: by}, true
	}
	return s, false
}

func (v *versions) findNothing(l *lineage, o *history.Op) (s sight, known bool) {
	s, n := l.nothing(v.p.h, o)
	if n == 0 {
		ops := []int{o.ID}
		if len(l.ended) > 0 {
			ops = append(ops, l.ended[0].ID)
		}
		v.p.add("G2-predicate-realtime", ops,
			"%q is not there, although by then nobody could have deleted what was there", l.key)
		return s, false
	}
	if n == 1 && s.by != atFirst {
		v.happens[s.by] = true
	}
	return s, n == 1
}

// tie makes ties of all that was seen of a key.
func (v *versions) tie(l *lineage) {
	type version struct {
		by   int
		dead bool
	}
	next := map[version][]sight{} // by whom it was overwritten
	for _, w := range l.wrote {
		at := version{w.by, w.dead}
		next[at] = append(next[at], w)
		if v.counts(w) {
			v.graph.Add(w.by, w.edge(w.op, depend.WW))
		}
	}
	for _, r := range l.reads {
		if v.counts(r) {
			v.graph.Add(r.by, r.edge(r.op, depend.WR))
		}
		for _, w := range next[version{r.by, r.dead}] {
			if r.inferred {
				w.inferred = true
			}
			v.graph.Add(r.op, w.edge(w.op, depend.RW))
		}
	}
}

// counts reports whether what s saw ties it to somebody. Of a deletion of unknown
// outcome it is not known that it happened.
func (v *versions) counts(s sight) bool { return s.by != atFirst && v.happens[s.by] }

// edge leads to an operation that comes later. Where only real time tells which version it was
// that s saw, it counts as an anti-dependency: to say more would be too much.
func (s sight) edge(to int, kind depend.Kind) depend.Edge {
	if s.inferred {
		return depend.Edge{To: to, Kind: depend.RW, Level: depend.InRealTime}
	}
	return depend.Edge{To: to, Kind: kind}
}
