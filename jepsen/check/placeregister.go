package check

import "sort"

// stretch is the places between one sight of a register and the next.
type stretch struct {
	span
	was, is cell
	op      int  // who saw what is there at its end
	blind   bool // it ends with a write that saw nothing, or never
}

// placeInRegister takes from the operations that write a register the places
// where others would have seen it, and returns what must have been written.
func (r *replay) placeInRegister(k *looseKey) []demand {
	var demands []demand
	all := r.stretches(k)
	k.stretches = all
	for _, s := range all {
		if !s.blind && s.was != s.is {
			demands = append(demands, demand{key: k, value: s.is, was: s.was, at: s.span, op: s.op})
		}
	}
	for id, f := range r.infos {
		e, writes := f.leaves[k.name]
		if !writes || len(f.places) == 0 {
			continue
		}
		var free []span
		first, last := f.places[0].from, f.places[len(f.places)-1].to
		from := sort.Search(len(all), func(i int) bool { return all[i].to >= first })
		for _, s := range all[from:] {
			if s.from > last {
				break
			}
			if s.blind || s.is == e.cell || s.was != s.is || k.anotherWrites(s.is, id) {
				free = appendSpan(free, s.span)
			}
		}
		f.places = overlap(f.places, free)
	}
	return demands
}

// anotherWrites reports whether one besides id leaves c: it may hide what id left.
func (k *looseKey) anotherWrites(c cell, id int) bool {
	for _, other := range k.writers(c) {
		if other != id {
			return true
		}
	}
	return false
}

// stretches cuts all places at the events of a register.
func (r *replay) stretches(k *looseKey) []stretch {
	var all []stretch
	was, from := k.first, 0
	for _, e := range k.events {
		switch {
		case from <= e.g:
			all = append(all, stretch{span{from, e.g}, was, e.cell, e.op, e.writes})
		case !e.writes && e.cell != was:
			r.wrong(&r.h.Ops[e.op], k.name, e.cell, was)
		}
		was, from = e.cell, e.g+1
	}
	return append(all, stretch{span: span{from, len(r.groups)}, was: was, blind: true})
}

// appendSpan joins s to the last one if they touch.
func appendSpan(all []span, s span) []span {
	if n := len(all); n > 0 && all[n-1].to+1 >= s.from {
		all[n-1].to = s.to
		return all
	}
	return append(all, s)
}
