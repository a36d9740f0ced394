package locks

import (
	"cmp"
	"slices"

	"github.com/tidwall/btree"

	"github.com/cairnkv/cairn/txn"
)

// keyOrder is points by key.
type keyOrder = btree.BTreeG[*point]

func newKeyOrder() *keyOrder {
	return btree.NewBTreeGOptions(
		func(a, b *point) bool { return a.key.Compare(b.key) < 0 }, btree.Options{NoLocks: true})
}

// point is a key that somebody holds or waits for.
type point struct {
	key   txn.Key
	holds []hold                    // one an owner, in the order of their first grants
	modes [txn.LockModes]int        // how many of holds have each mode
	wants [txn.LockModes][]*Request // who waits, by mode; oldest first
	in    *keyOrder                 // of Table.order: see place
}

// hold is one owner's lock of a key. Of several modes the strongest counts.
type hold struct {
	by    *owner
	mode  txn.LockMode
	since txn.Timestamp
}

// grant makes o hold all that r names.
func (t *Table) grant(o *owner, r *Request) {
	for _, k := range r.keys {
		p := t.point(k)
		t.hold(o, p, r)
		t.place(p)
	}
	for _, s := range r.Spans {
		t.holdSpan(o, s, r)
	}
}

// point is that of k; a new one is to be placed.
func (t *Table) point(k txn.Key) *point {
	p := t.points[string(k)]
	if p == nil {
		p = &point{key: k.Clone()}
		t.points[string(p.key)] = p
	}
	return p
}

// place puts p where its strongest mode belongs, of those held and those waited
// for, or removes it, if nobody needs it.
func (t *Table) place(p *point) {
	var in *keyOrder
	for mode := range p.modes {
		if p.modes[mode] > 0 || len(p.wants[mode]) > 0 {
			in = t.order[mode]
		}
	}
	if in == p.in {
		return
	}
	if p.in != nil {
		p.in.Delete(p)
	}
	if in != nil {
		in.Set(p)
	} else {
		delete(t.points, string(p.key))
	}
	p.in = in
}

// find is the index of o's hold, or -1.
func (p *point) find(o *owner) int {
	return slices.IndexFunc(p.holds, func(h hold) bool { return h.by == o })
}

func (t *Table) hold(o *owner, p *point, r *Request) {
	i := p.find(o)
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
	i, _ := slices.BinarySearchFunc(t.held, s, func(h *spanLock, s txn.Span) int {
		return compareSpans(h.span, s)
	})
	for _, h := range t.held[i:] {
		if compareSpans(h.span, s) != 0 {
			break
		}
		if h.by == o {
			h.mode = max(h.mode, r.Mode)
			return
		}
	}
	own := txn.Span{Start: s.Start.Clone(), End: s.End.Clone()}
	h := &spanLock{by: o, span: own, mode: r.Mode, since: r.Since}
	t.held = slices.Insert(t.held, i, h)
	o.spans = append(o.spans, h)
	t.names++
	t.spans++
}

func (t *Table) unhold(o *owner, p *point) {
	i := p.find(o)
	p.modes[p.holds[i].mode]--
	p.holds = slices.Delete(p.holds, i, i+1)
	t.place(p)
}

// byAge orders requests: the older one first, of one owner's who came first.
func byAge(a, b *Request) int {
	return cmp.Or(compareAges(a.Owner.Age, b.Owner.Age), cmp.Compare(a.seq, b.seq))
}

func insert(list []*Request, r *Request) []*Request {
	i, _ := slices.BinarySearchFunc(list, r, byAge)
	return slices.Insert(list, i, r)
}

func remove(list []*Request, r *Request) []*Request {
	i, _ := slices.BinarySearchFunc(list, r, byAge)
	return slices.Delete(list, i, i+1)
}

func (t *Table) enqueue(o *owner, r *Request) {
	t.seq++
	r.by, r.seq = o, t.seq
	o.waiting = append(o.waiting, r)
	t.waiting = insert(t.waiting, r)
	for _, k := range r.keys {
		p := t.point(k)
		p.wants[r.Mode] = insert(p.wants[r.Mode], r)
		t.place(p)
	}
	if len(r.Spans) > 0 {
		t.wanted = insert(t.wanted, r)
	}
	t.names += len(r.Keys) + len(r.Spans)
	t.spans += len(r.Spans)
}

func (t *Table) dequeue(r *Request) {
	if r.behind != nil {
		delete(r.behind.keeps, r)
	}
	r.by.waiting = without(r.by.waiting, r)
	r.by, r.behind = nil, nil
	t.waiting = remove(t.waiting, r)
	for _, k := range r.keys {
		p := t.points[string(k)]
		p.wants[r.Mode] = remove(p.wants[r.Mode], r)
		t.place(p)
	}
	if len(r.Spans) > 0 {
		t.wanted = remove(t.wanted, r)
	}
	t.names -= len(r.Keys) + len(r.Spans)
	t.spans -= len(r.Spans)
}

// keep notes that r waits for in's owner, or for one that is next to r in the
// same queue. Whoever it is will be in r's way, waiting or holding, until it
// loses something.
func (r *Request) keep(in obstacle) {
	r.behind = in.by
	if in.at != nil {
		if w := in.at.before(r); w != nil {
			r.behind = w.by
		}
	}
	if r.behind.keeps == nil {
		r.behind.keeps = make(map[*Request]struct{})
	}
	r.behind.keeps[r] = struct{}{}
}

// before is the youngest of those that wait at p and that r waits for. When the
// holder goes, it is for the first of a queue to be looked at, not for all.
func (p *point) before(r *Request) *Request {
	var last *Request
	for mode, list := range p.wants {
		if !txn.LockMode(mode).Conflicts(r.Mode) {
			continue
		}
		i, _ := slices.BinarySearchFunc(list, r.Owner.Age, func(w *Request, a txn.Age) int {
			return compareAges(w.Owner.Age, a)
		})
		if i > 0 && (last == nil || byAge(last, list[i-1]) < 0) {
			last = list[i-1]
		}
	}
	return last
}

// loosen makes settle look at those whom o, which has lost something, keeps
// waiting.
func (t *Table) loosen(o *owner) {
	for r := range o.keeps { // order: settle sorts them
		r.behind = nil
		t.loose = append(t.loose, r)
	}
	clear(o.keeps)
}

// settle grants what can be granted since something was given up, oldest
// first, and names everybody whose waiting has ended. One pass is enough: a
// grant sets nobody free.
func (t *Table) settle() []Woken {
	slices.SortFunc(t.loose, byAge)
	for _, r := range t.loose {
		if r.by == nil {
			continue // its own waiting has ended meanwhile
		}
		if in, met := t.firstInTheWay(r); met {
			r.keep(in)
			continue
		}
		o := r.by
		t.dequeue(r)
		t.grant(o, r)
		t.woken = append(t.woken, Woken{r, Granted})
	}
	clear(t.loose)
	t.loose = t.loose[:0]
	woken := t.woken
	t.woken = nil
	return woken
}
