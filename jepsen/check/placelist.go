package check

import (
	"math"
	"slices"
)

// listPlaces is what is known of the elements of a loose list: the longest that
// was shown, and by whom its elements are.
type listPlaces struct {
	k       *looseKey
	longest []int64
	reader  int           // who was shown it
	index   map[int64]int // in longest
	groups  map[int64]int // of elements that operations at known places appended
	never   int           // the first of these groups that appended what was not shown
	after   int           // what was never shown came at this place or later
	broken  bool          // it shows what cannot be, which is reported
}

// placeInList finds the places of those that appended to a list between its
// readers and its other elements, and returns the orders in which the list shows
// them.
func (r *replay) placeInList(k *looseKey) []before {
	l := newListPlaces(k)
	k.list = l
	if !r.prefixes(l) || !r.known(l) || !r.checkList(l) {
		l.broken = true // nothing follows from such lists
		return nil
	}
	from, to := l.bounds()
	for _, f := range r.infos {
		for _, n := range f.leaves[k.name].appended {
			i, shown := l.index[n]
			if !shown {
				f.within(span{l.after, len(r.groups)})
				continue
			}
			f.must, f.seenBy = true, l.reader
			f.within(span{from[i], min(to[i], len(r.groups))})
		}
	}
	return l.order()
}

func newListPlaces(k *looseKey) *listPlaces {
	l := &listPlaces{k: k, reader: -1, index: map[int64]int{}, groups: map[int64]int{},
		never: math.MaxInt}
	for _, e := range k.events {
		if e.writes {
			for _, n := range e.appended {
				l.groups[n] = e.g
			}
			continue
		}
		l.after = e.g + 1
		if len(e.appended) > len(l.longest) {
			l.longest, l.reader = e.appended, e.op
		}
	}
	for _, e := range k.watched {
		l.after = max(l.after, e.places.from)
		if len(e.appended) > len(l.longest) {
			l.longest, l.reader = e.appended, e.op
		}
	}
	for i, n := range l.longest {
		l.index[n] = i
	}
	for n, g := range l.groups { // order: a minimum
		if _, shown := l.index[n]; !shown {
			l.never = min(l.never, g)
		}
	}
	return l
}

// prefixes reports whether every list that was shown is a beginning of the longest.
func (r *replay) prefixes(l *listPlaces) bool {
	for _, e := range slices.Concat(l.k.events, l.k.watched) {
		if want := l.longest[:min(len(e.appended), len(l.longest))]; !e.writes &&
			!slices.Equal(want, e.appended) {
			r.wrongList(&r.h.Ops[e.op], l.k.name, e.appended, want)
			return false
		}
	}
	return true
}

// known reports whether every element is there once, and by somebody who may have
// appended it.
func (r *replay) known(l *listPlaces) bool {
	for i, n := range l.longest {
		_, sure := l.groups[n]
		switch {
		case l.index[n] != i:
			r.add("duplicate", []int{l.reader}, "%d is in %q twice", n, l.k.name)
			return false
		case !sure && len(l.k.by[n]) == 0:
			r.wrongList(&r.h.Ops[l.reader], l.k.name, l.longest, l.longest[:i])
			return false
		}
	}
	return true
}

// checkList compares every list with the elements of known places that should be
// in it.
func (r *replay) checkList(l *listPlaces) bool {
	sure := make([]int, len(l.longest)+1) // how many of these are before an index
	for i, n := range l.longest {
		sure[i+1] = sure[i]
		if _, known := l.groups[n]; known {
			sure[i+1]++
		}
	}
	count, last := 0, -1
	for _, e := range l.k.events {
		if !e.writes {
			if n := len(e.appended); sure[n] != count || last >= n {
				r.wrongList(&r.h.Ops[e.op], l.k.name, e.appended, l.expected(e))
				return false
			}
			continue
		}
		for _, n := range e.appended {
			count++
			i, shown := l.index[n]
			switch {
			case !shown:
			case i < last:
				r.add("wrong-read", []int{l.reader, e.op},
					"%q shows %d before what was appended at earlier timestamps", l.k.name, n)
				return false
			default:
				last = i
			}
		}
	}
	return true
}

// expected is the list that e should have seen, without what nobody knows.
func (l *listPlaces) expected(seen event) []int64 {
	var list []int64
	for _, e := range l.k.events {
		if e.op == seen.op && !e.writes {
			break
		}
		if e.writes {
			list = append(list, e.appended...)
		}
	}
	return list
}

// bounds are the first and the last place where each element can have been appended.
func (l *listPlaces) bounds() (from, to []int) {
	n := len(l.longest)
	from, to = make([]int, n+1), make([]int, n+1)
	for i := range to {
		to[i] = math.MaxInt
	}
	for _, e := range l.k.events {
		if e.writes {
			continue
		}
		shown := len(e.appended)
		from[shown] = max(from[shown], e.g+1) // what comes next was not there
		if shown > 0 {
			to[shown-1] = min(to[shown-1], e.g)
		}
	}
	for _, e := range l.k.watched {
		shown := len(e.appended)
		from[shown] = max(from[shown], e.places.from)
		if shown > 0 {
			to[shown-1] = min(to[shown-1], e.places.to)
		}
	}
	for i, e := range l.longest {
		g, known := l.groups[e]
		if !known {
			continue
		}
		from[i+1] = max(from[i+1], g+1)
		if i > 0 {
			to[i-1] = min(to[i-1], g)
		}
	}
	for i := range n {
		from[i+1] = max(from[i+1], from[i])
	}
	for i := n - 1; i > 0; i-- {
		to[i-1] = min(to[i-1], to[i])
	}
	return from, to
}

// order is how the list shows elements of operations of unknown outcome, one
// behind the other.
func (l *listPlaces) order() []before {
	var all []before
	last := -1
	for _, n := range l.longest {
		if _, known := l.groups[n]; known {
			continue
		}
		id := l.k.by[n][0]
		if last >= 0 && last != id {
			all = append(all, before{last, id})
		}
		last = id
	}
	return all
}
