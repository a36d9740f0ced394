package locks

import (
	"maps"

	"github.com/cairnkv/cairn/txn"
)

// wounds remembers who wounded whom: two sets, of which the older one is
// dropped whole when the younger one is full.
type wounds struct{ old, young map[txn.ID]Owner }

func (w *wounds) put(id txn.ID, by Owner) {
	if len(w.young) >= WoundedMax/2 || w.young == nil {
		w.old, w.young = w.young, make(map[txn.ID]Owner)
	}
	w.young[id] = by
}

func (w *wounds) get(id txn.ID) (Owner, bool) {
	if by, ok := w.young[id]; ok {
		return by, true
	}
	by, ok := w.old[id]
	return by, ok
}

func (w *wounds) forget(id txn.ID) {
	delete(w.young, id)
	delete(w.old, id)
}

func (w *wounds) forgetSession(session uint32) {
	gone := func(id txn.ID, _ Owner) bool { return id.Session() == session }
	maps.DeleteFunc(w.young, gone)
	maps.DeleteFunc(w.old, gone)
}

// pasts remembers which attempts of an age have had their time, those of each
// session apart: their counters order them. Like Dead it has two sets, parted
// by base and not by arrival, for what a copy of a request may still carry.
//
// It is by age and not by attempt, since a copy of any attempt's request may
// come after the end of the last one, which is the only one that is told.
type pasts struct {
	newest   txn.Timestamp
	bound    txn.Timestamp // highest base that belongs into old
	youngMax txn.Timestamp // highest base in young
	old      map[line]past
	young    map[line]past
}

// line is the attempts of one age in one session.
type line struct {
	age     txn.Age
	session uint32
}

type past struct {
	latest txn.ID // attempt that was seen
	ended  txn.ID // with all before it
}

func lineOf(o Owner) line { return line{o.Age, o.Txn.Session()} }

func (p *pasts) get(l line) (past, bool) {
	if v, ok := p.young[l]; ok {
		return v, true
	}
	v, ok := p.old[l]
	return v, ok
}

// put keeps v for l, at least as long as what was kept before.
func (p *pasts) put(l line, v past, base txn.Timestamp) {
	_, young := p.young[l]
	_, old := p.old[l]
	switch {
	case young || base > p.bound:
		if p.young == nil {
			p.young = make(map[line]past)
		}
		delete(p.old, l)
		p.young[l] = v
		p.youngMax = max(p.youngMax, base)
	case old || p.newest-base <= DeadFor:
		if p.old == nil {
			p.old = make(map[line]past)
		}
		p.old[l] = v
	}
}

// saw notes an attempt that asks for something.
func (p *pasts) saw(o Owner, base txn.Timestamp) {
	v, _ := p.get(lineOf(o))
	v.latest = max(v.latest, o.Txn)
	p.put(lineOf(o), v, base)
}

// end notes that an attempt and all before it ask for nothing any more.
func (p *pasts) end(o Owner, base txn.Timestamp) {
	v, _ := p.get(lineOf(o))
	v.latest, v.ended = max(v.latest, o.Txn), max(v.ended, o.Txn)
	p.put(lineOf(o), v, base)
}

func (p *pasts) knows(o Owner) bool {
	_, ok := p.get(lineOf(o))
	return ok
}

// over reports whether an attempt has had its time.
func (p *pasts) over(o Owner) bool {
	v, ok := p.get(lineOf(o))
	return ok && (o.Txn <= v.ended || o.Txn < v.latest)
}

func (p *pasts) advance(newest txn.Timestamp) {
	p.newest = max(p.newest, newest)
	if p.newest-p.bound <= DeadFor || len(p.old)+len(p.young) == 0 {
		return
	}
	p.old, p.bound = p.young, max(p.bound, p.youngMax)
	p.young = nil
	if p.newest-p.bound > DeadFor {
		p.old = nil
	}
}
