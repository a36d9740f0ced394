package locks

import (
	"cmp"
	"iter"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// point is a key that somebody holds or waits for.
type point struct {
	key   txn.Key
	holds []hold                    // one an owner, in the order of their first grants
	modes [txn.LockModes]int        // how many of holds have each mode
	wants [txn.LockModes][]*Request // who waits, by mode; oldest first
}

// hold is one owner's lock of a key. Of several modes the strongest counts.
type hold struct {
	by    *owner
	mode  txn.LockMode
	since txn.Timestamp
}

// obstacle is somebody with whom a request conflicts.
type obstacle struct {
	by    *owner
	key   txn.Key // where
	waits bool    // it does not hold, but waits, and is older
}

// inTheWay are the holders with whom r conflicts, and the older ones with whom
// it conflicts that wait. An owner may come several times. Nothing may change
// meanwhile.
func (t *Table) inTheWay(r *Request) iter.Seq[obstacle] {
	return func(yield func(obstacle) bool) {
		for _, k := range r.Keys {
			if p := t.points[string(k)]; p != nil && !p.inTheWay(r, yield) {
				return
			}
			if len(t.held)+len(t.wanted) > 0 && !t.spansAtKey(r, k, yield) {
				return
			}
		}
		for _, s := range r.Spans {
			if !t.pointsIn(r, s, yield) || !t.spansAt(r, s, yield) {
				return
			}
		}
	}
}

// inTheWay is false when yield wants no more, as are the next three.
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
			if !yield(obstacle{w.by, p.key, true}) {
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
		if other && !yield(obstacle{h.by, p.key, false}) {
			return false
		}
	}
	return true
}

func (t *Table) pointsIn(r *Request, s txn.Span, yield func(obstacle) bool) bool {
	more := true
	t.order.Ascend(&point{key: s.Start}, func(p *point) bool {
		if !s.Contains(p.key) {
			return false
		}
		more = p.inTheWay(r, yield)
		return more
	})
	return more
}

// spansAtKey is spansAt for a key alone.
func (t *Table) spansAtKey(r *Request, k txn.Key, yield func(obstacle) bool) bool {
	for _, h := range t.held {
		if h.span.Start.Compare(k) > 0 {
			break
		}
		if h.inTheWay(r) && h.span.Contains(k) && !yield(obstacle{h.by, k, false}) {
			return false
		}
	}
	for _, w := range t.wanted {
		if !w.Owner.Age.Older(r.Owner.Age) {
			break
		}
		hit := w.Mode.Conflicts(r.Mode) && containedIn(w.Spans, k)
		if hit && !yield(obstacle{w.by, k, true}) {
			return false
		}
	}
	return true
}

func (t *Table) spansAt(r *Request, s txn.Span, yield func(obstacle) bool) bool {
	for _, h := range t.held {
		if len(s.End) > 0 && h.span.Start.Compare(s.End) >= 0 {
			break
		}
		hit := h.inTheWay(r) && h.span.Overlaps(s)
		if hit && !yield(obstacle{h.by, h.span.Intersect(s).Start, false}) {
			return false
		}
	}
	for _, w := range t.wanted {
		if !w.Owner.Age.Older(r.Owner.Age) {
			break
		}
		if !w.Mode.Conflicts(r.Mode) {
			continue
		}
		for _, o := range w.Spans {
			if o.Overlaps(s) && !yield(obstacle{w.by, o.Intersect(s).Start, true}) {
				return false
			}
		}
	}
	return true
}

func (h *spanLock) inTheWay(r *Request) bool {
	return h.by.Age != r.Owner.Age && h.mode.Conflicts(r.Mode)
}

// free reports whether nothing is in r's way.
func (t *Table) free(r *Request) bool {
	for range t.inTheWay(r) {
		return false
	}
	return true
}

// grant makes o hold all that r names.
func (t *Table) grant(o *owner, r *Request) {
	for _, k := range r.Keys {
		t.hold(o, t.point(k), r)
	}
	for _, s := range r.Spans {
		t.holdSpan(o, s, r)
	}
}

func (t *Table) point(k txn.Key) *point {
	p := t.points[string(k)]
	if p == nil {
		p = &point{key: k.Clone()}
		t.points[string(p.key)] = p
		t.order.Set(p)
	}
	return p
}

func (t *Table) hold(o *owner, p *point, r *Request) {
	i := slices.IndexFunc(p.holds, func(h hold) bool { return h.by == o })
	switch {
	case i < 0:
		p.holds = append(p.holds, hold{o, r.Mode, r.Since})
		o.points = append(o.points, p)
		t.names++
	case p.holds[i].mode < r.Mode:
		p.modes[p.holds[i].mode]--
		p.holds[i].mode, p.holds[i].since = r.Mode, r.Since
	default:
		return
	}
	p.modes[r.Mode]++
}

func (t *Table) holdSpan(o *owner, s txn.Span, r *Request) {
	for _, h := range o.spans {
		if equalSpans(h.span, s) {
			h.mode = max(h.mode, r.Mode)
			return
		}
	}
	own := txn.Span{Start: s.Start.Clone(), End: s.End.Clone()}
	h := &spanLock{by: o, span: own, mode: r.Mode, since: r.Since}
	i, _ := slices.BinarySearchFunc(t.held, h, func(a, b *spanLock) int {
		return a.span.Start.Compare(b.span.Start)
	})
	t.held = slices.Insert(t.held, i, h)
	o.spans = append(o.spans, h)
	t.names++
	t.spans++
}

func (t *Table) unhold(o *owner, p *point) {
	i := slices.IndexFunc(p.holds, func(h hold) bool { return h.by == o })
	p.modes[p.holds[i].mode]--
	p.holds = slices.Delete(p.holds, i, i+1)
	t.touch(p)
}

// touch makes settle look at who waits for p, and removes p if nobody needs it.
func (t *Table) touch(p *point) {
	if len(p.holds) == 0 && p.waiters() == 0 {
		delete(t.points, string(p.key))
		t.order.Delete(p)
	}
	t.touched = append(t.touched, p)
}

func (p *point) waiters() int {
	n := 0
	for _, w := range p.wants {
		n += len(w)
	}
	return n
}

// byAge orders requests: the older one first, of one owner's who came first.
func byAge(a, b *Request) int {
	return cmp.Or(compareAges(a.Owner.Age, b.Owner.Age), cmp.Compare(a.seq, b.seq))
}

func insert(list []*Request, r *Request) []*Request {
	i, there := slices.BinarySearchFunc(list, r, byAge)
	if there {
		return list // a key that it names twice
	}
	return slices.Insert(list, i, r)
}

func remove(list []*Request, r *Request) []*Request {
	i, there := slices.BinarySearchFunc(list, r, byAge)
	if !there {
		return list
	}
	return slices.Delete(list, i, i+1)
}

func (t *Table) enqueue(o *owner, r *Request) {
	t.seq++
	r.by, r.seq = o, t.seq
	o.waiting = append(o.waiting, r)
	t.waiting = insert(t.waiting, r)
	for _, k := range r.Keys {
		p := t.point(k)
		p.wants[r.Mode] = insert(p.wants[r.Mode], r)
	}
	if len(r.Spans) > 0 {
		t.wanted = insert(t.wanted, r)
	}
	t.names += len(r.Keys) + len(r.Spans)
	t.spans += len(r.Spans)
}

func (t *Table) dequeue(r *Request) {
	r.by.waiting = without(r.by.waiting, r)
	r.by = nil
	t.waiting = remove(t.waiting, r)
	for _, k := range r.Keys {
		if p := t.points[string(k)]; p != nil { // else r names k twice
			p.wants[r.Mode] = remove(p.wants[r.Mode], r)
			t.touch(p)
		}
	}
	if len(r.Spans) > 0 {
		t.wanted = remove(t.wanted, r)
		t.spanTouched = true
	}
	t.names -= len(r.Keys) + len(r.Spans)
	t.spans -= len(r.Spans)
}

// settle grants what can be granted since something was given up, oldest
// first, and names everybody whose waiting has ended. One pass is enough: a
// grant sets nobody free.
func (t *Table) settle() []Woken {
	candidates := t.candidates()
	clear(t.touched)
	t.touched, t.spanTouched = t.touched[:0], false
	for _, r := range candidates {
		r.pick = false
		if !t.free(r) {
			continue
		}
		o := r.by
		t.dequeue(r)
		t.grant(o, r)
		t.woken = append(t.woken, Woken{r, Granted})
	}
	clear(t.touched)
	t.touched, t.spanTouched = t.touched[:0], false
	woken := t.woken
	t.woken = nil
	return woken
}

// candidates are those who wait and might be free now, by age.
func (t *Table) candidates() []*Request {
	if t.spanTouched {
		return slices.Clone(t.waiting)
	}
	if len(t.touched) == 0 {
		return nil
	}
	var all []*Request
	add := func(r *Request) {
		if !r.pick {
			r.pick = true
			all = append(all, r)
		}
	}
	for _, p := range t.touched {
		p.first(add)
	}
	for _, r := range t.wanted {
		add(r)
	}
	slices.SortFunc(all, byAge)
	return all
}

// first calls add with those who may be first at p: of each mode that conflicts
// with itself the oldest owner's, and the shared ones that are older than the
// oldest exclusive one. All others wait for these, granted or not.
func (p *point) first(add func(*Request)) {
	exclusive := p.wants[txn.LockExclusive]
	for _, r := range p.wants[txn.LockShared] {
		if len(exclusive) > 0 && exclusive[0].Owner.Age.Older(r.Owner.Age) {
			break
		}
		add(r)
	}
	for _, mode := range []txn.LockMode{txn.LockUpdate, txn.LockExclusive} {
		for _, r := range p.wants[mode] {
			if r.Owner.Age != p.wants[mode][0].Owner.Age {
				break
			}
			add(r)
		}
	}
}
