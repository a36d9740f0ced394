package locks

import (
	"iter"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// Holder is an owner that is in the way, and where.
type Holder struct {
	Owner
	Key        txn.Key
	Committing bool
}

// Waiting are the requests that wait, oldest owner first. None may be taken
// back meanwhile.
func (t *Table) Waiting() iter.Seq[*Request] { return slices.Values(t.waiting) }

// Count is how many locks are held, and how many requests wait.
func (t *Table) Count() (held, waiting int) {
	held = t.names
	for _, r := range t.waiting {
		held -= len(r.Keys) + len(r.Spans)
	}
	return held, len(t.waiting)
}

// looksMax bounds the places that are looked at to say for whom one waits.
const looksMax = 128

// InTheWay is one for whom r, which waits, does so: a holder if there is one at
// the first of the keys where somebody is in the way, looksMax of them.
func (t *Table) InTheWay(r *Request) (Holder, bool) {
	var found Holder
	var at *point
	met, looks := false, 0
	for in := range t.inTheWay(r) {
		if !met || !in.waits {
			found, met = Holder{in.by.Owner, in.key, in.by.committing}, true
		}
		if in.at != at {
			at = in.at
			looks++
		}
		if !in.waits || looks == looksMax {
			break
		}
	}
	return found, met
}

// Meet is for a transaction that is about to write keys without having locked
// them: it wounds who is younger and holds a lock of any mode there, as an
// exclusive request would, and names one of those who are left; one that is not
// committing, if there is such a one. Who waits is not looked at.
func (t *Table) Meet(who Owner, keys []txn.Key) (left Holder, met bool, woken []Woken) {
	if t.Empty() {
		return left, false, nil
	}
	r := &Request{Owner: who, Mode: txn.LockExclusive, Keys: keys}
	r.sort()
	t.woundYounger(r)
	for in := range t.inTheWay(r) {
		if in.waits {
			continue
		}
		left, met = Holder{in.by.Owner, in.key, in.by.committing}, true
		if !left.Committing {
			break
		}
	}
	return left, met, t.settle()
}

// Entry is a lock that is held or waited for, as Snapshot shows it.
type Entry struct {
	Key        txn.Key // nil: Span
	Span       txn.Span
	Mode       txn.LockMode
	Owner      Owner
	Waits      bool
	Committing bool
	Since      txn.Timestamp
	Behind     []Owner // whom it waits for: BehindMax at most
}

// BehindMax bounds Entry.Behind.
const BehindMax = 8

// Snapshot lists the locks, spans first, then keys in order; of each those that
// are held, then those that are waited for, oldest first. It shares the bytes
// of keys with the table. More says that there are more than max.
func (t *Table) Snapshot(max int) (all []Entry, more bool) {
	s := snapshot{t: t, max: max, behind: make(map[*Request][]Owner)}
	for _, h := range t.held {
		s.held(Entry{Span: h.span, Mode: h.mode, Since: h.since}, h.by)
	}
	for _, r := range t.wanted {
		for _, span := range r.Spans {
			s.waits(Entry{Span: span}, r)
		}
	}
	for _, p := range t.firstPoints(max) {
		for _, h := range p.holds {
			s.held(Entry{Key: p.key, Mode: h.mode, Since: h.since}, h.by)
		}
		wants := slices.Concat(p.wants[:]...)
		slices.SortFunc(wants, byAge)
		for _, r := range wants {
			s.waits(Entry{Key: p.key}, r)
		}
		if s.more {
			break
		}
	}
	return s.all, s.more
}

// firstPoints are more than max of the first points by key, or all.
func (t *Table) firstPoints(max int) []*point {
	var all []*point
	for _, order := range t.order {
		enough := len(all) + max
		order.Scan(func(p *point) bool {
			all = append(all, p)
			return len(all) <= enough
		})
	}
	slices.SortFunc(all, func(a, b *point) int { return a.key.Compare(b.key) })
	return all
}

type snapshot struct {
	t      *Table
	max    int
	all    []Entry
	more   bool
	behind map[*Request][]Owner
}

func (s *snapshot) add(e Entry) {
	if len(s.all) == s.max {
		s.more = true
		return
	}
	s.all = append(s.all, e)
}

func (s *snapshot) held(e Entry, by *owner) {
	e.Owner, e.Committing = by.Owner, by.committing
	s.add(e)
}

func (s *snapshot) waits(e Entry, r *Request) {
	if s.more {
		return
	}
	behind, known := s.behind[r]
	if !known {
		behind = s.t.behind(r)
		s.behind[r] = behind
	}
	e.Owner, e.Mode, e.Waits, e.Since, e.Behind = r.Owner, r.Mode, true, r.Since, behind
	s.add(e)
}

// behind are those whom r waits for, as they are met: the first of them.
func (t *Table) behind(r *Request) []Owner {
	var all []Owner
	looks := 0
	for in := range t.inTheWay(r) {
		if !slices.Contains(all, in.by.Owner) {
			all = append(all, in.by.Owner)
		}
		if looks++; len(all) == BehindMax || looks == looksMax {
			break
		}
	}
	return all
}
