package locks

import (
	"iter"
	"slices"
	"sort"

	"github.com/cairnkv/cairn/txn"
)

// sort prepares r to be looked at. What it names is looked at once, in order,
// however often it is named; it is held and shown as it was asked for.
func (r *Request) sort() {
	r.keys, r.spans = sortedKeys(r.Keys), mergedSpans(r.Spans)
}

// sortedKeys are keys in order, each once; mostly they are that already.
func sortedKeys(keys []txn.Key) []txn.Key {
	for i := range keys {
		if i > 0 && keys[i-1].Compare(keys[i]) >= 0 {
			sorted := slices.SortedFunc(slices.Values(keys), txn.Key.Compare)
			return slices.CompactFunc(sorted, func(a, b txn.Key) bool { return a.Compare(b) == 0 })
		}
	}
	return keys
}

// mergedSpans are the fewest spans of the same keys, in order.
func mergedSpans(spans []txn.Span) []txn.Span {
	if len(spans) < 2 {
		return spans
	}
	sorted := slices.SortedFunc(slices.Values(spans), compareSpans)
	all := sorted[:1]
	for _, s := range sorted[1:] {
		last := &all[len(all)-1]
		if len(last.End) > 0 && last.End.Compare(s.Start) < 0 {
			all = append(all, s)
		} else if compareEnds(last.End, s.End) < 0 {
			last.End = s.End
		}
	}
	return all
}

// compareSpans orders spans by start, then by end.
func compareSpans(a, b txn.Span) int {
	if c := a.Start.Compare(b.Start); c != 0 {
		return c
	}
	return compareEnds(a.End, b.End)
}

// compareEnds orders ends of spans, of which the empty one is the last.
func compareEnds(a, b txn.Key) int {
	if len(a) == 0 || len(b) == 0 {
		return len(b) - len(a)
	}
	return a.Compare(b)
}

// meets is a key that s has in common with what r names, if there is any.
func (r *Request) meets(s txn.Span) (txn.Key, bool) {
	i := sort.Search(len(r.keys), func(i int) bool { return r.keys[i].Compare(s.Start) >= 0 })
	if i < len(r.keys) && (len(s.End) == 0 || r.keys[i].Compare(s.End) < 0) {
		return r.keys[i], true
	}
	i = sort.Search(len(r.spans), func(i int) bool {
		end := r.spans[i].End
		return len(end) == 0 || end.Compare(s.Start) > 0
	})
	if i < len(r.spans) && r.spans[i].Overlaps(s) {
		return r.spans[i].Intersect(s).Start, true
	}
	return nil, false
}

// obstacle is somebody with whom a request conflicts.
type obstacle struct {
	by    *owner
	key   txn.Key // where
	at    *point  // the same, unless it names a span there
	waits bool    // it does not hold, but waits, and is older
}

// inTheWay are the holders with whom r conflicts, and the older ones with whom
// it conflicts that wait. An owner may come several times. Nothing may change
// meanwhile.
func (t *Table) inTheWay(r *Request) iter.Seq[obstacle] {
	return func(yield func(obstacle) bool) {
		for _, k := range r.keys {
			if p := t.points[string(k)]; p != nil && !p.inTheWay(r, yield) {
				return
			}
		}
		_ = t.pointsIn(r, yield) && t.heldAt(r, yield) && t.wantedAt(r, yield)
	}
}

// firstInTheWay is one of inTheWay, if there is any.
func (t *Table) firstInTheWay(r *Request) (obstacle, bool) {
	for in := range t.inTheWay(r) {
		return in, true
	}
	return obstacle{}, false
}

// inTheWay is false when yield wants no more, as are the next four.
func (p *point) inTheWay(r *Request, yield func(obstacle) bool) bool {
	for m := range p.modes {
		mode := txn.LockMode(m)
		if !mode.Conflicts(r.Mode) {
			continue
		}
		if p.modes[mode] > 0 && !p.holders(r, mode, yield) {
			return false
		}
		for _, w := range p.wants[mode] {
			if !w.Owner.Age.Older(r.Owner.Age) {
				break
			}
			if !yield(obstacle{w.by, p.key, p, true}) {
				return false
			}
		}
	}
	return true
}

func (p *point) holders(r *Request, mode txn.LockMode, yield func(obstacle) bool) bool {
	for i := range p.holds {
		h := &p.holds[i]
		other := h.mode == mode && h.by.Age != r.Owner.Age
		if other && !yield(obstacle{h.by, p.key, p, false}) {
			return false
		}
	}
	return true
}

// pointsIn passes by the points of which no mode conflicts with r's.
func (t *Table) pointsIn(r *Request, yield func(obstacle) bool) bool {
	for mode, order := range t.order {
		if !txn.LockMode(mode).Conflicts(r.Mode) || order.Len() == 0 {
			continue
		}
		for _, s := range r.spans {
			more := true
			order.Ascend(&point{key: s.Start}, func(p *point) bool {
				if !s.Contains(p.key) {
					return false
				}
				more = p.inTheWay(r, yield)
				return more
			})
			if !more {
				return false
			}
		}
	}
	return true
}

func (t *Table) heldAt(r *Request, yield func(obstacle) bool) bool {
	for _, h := range t.held {
		if h.by.Age == r.Owner.Age || !h.mode.Conflicts(r.Mode) {
			continue
		}
		if k, hit := r.meets(h.span); hit && !yield(obstacle{h.by, k, nil, false}) {
			return false
		}
	}
	return true
}

func (t *Table) wantedAt(r *Request, yield func(obstacle) bool) bool {
	for _, w := range t.wanted {
		if !w.Owner.Age.Older(r.Owner.Age) {
			break
		}
		if !w.Mode.Conflicts(r.Mode) {
			continue
		}
		for _, s := range w.spans {
			if k, hit := r.meets(s); hit {
				if !yield(obstacle{w.by, k, nil, true}) {
					return false
				}
				break
			}
		}
	}
	return true
}
