package check

import (
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// watcher is an operation that only read, at one of some places.
type watcher struct {
	op     *history.Op
	window span
}

// placeBySight uses what watchers saw for those whose places nobody knows: what was
// seen did happen, and before the last place of whoever saw it.
func (r *replay) placeBySight() {
	for _, w := range r.watchers {
		for i := range w.op.Mops {
			m := &w.op.Mops[i]
			if k := r.loose[m.Key]; k != nil && m.Kind == history.Read && m.Known {
				r.sight(k, w, m)
			}
			for key, n := range m.Rows { // order: each takes away what it takes away
				if k := r.loose[key]; k != nil {
					r.sight(k, w, &history.Mop{Key: key, N: n})
				}
			}
		}
	}
}

func (r *replay) sight(k *looseKey, w *watcher, m *history.Mop) {
	// A reader that began later, in group g, has seen it too: so it has no place behind g, where w
	// itself may be, together with that reader.
	last := r.times.of(w.op).to
	if r.model.listed[k.name] {
		k.watched = append(k.watched, event{effect: effect{appended: m.List}, op: w.op.ID,
			places: span{w.window.from, last}})
		return
	}
	first, init := r.h.Init[k.name]
	if m.Missing || init && first == m.N || len(k.by[m.N]) != 1 {
		return
	}
	f := r.infos[k.by[m.N][0]]
	name, by := r.whose(write{k.name, m.N})
	if name == "wrong-read" && len(by) == 1 && by[0] == f.op.ID {
		f.must, f.seenBy = true, w.op.ID
		f.within(span{0, last})
	}
}

// watch looks for a place at which each watcher could see all that it saw.
func (r *replay) watch() {
	for _, w := range r.watchers {
		places := []span{w.window}
		for i := range w.op.Mops {
			m := &w.op.Mops[i]
			switch {
			case !m.Known || len(places) == 0:
			case m.Kind == history.Read && r.model.listed[m.Key]:
				places = r.watchList(w, m, places)
			case m.Kind == history.Read:
				places = r.watchKey(w, m.Key, found(m), places)
			case m.Kind == history.Scan:
				places = r.watchRange(w, m, places)
			}
		}
	}
}

// narrow keeps the places at which w could see what it saw of a key.
func (r *replay) narrow(w *watcher, key string, c cell, places, could []span) []span {
	left := overlap(places, could)
	if len(left) > 0 {
		return left
	}
	name, by := "wrong-read", []int(nil)
	if !c.missing && len(could) == 0 {
		name, by = r.whose(write{key, c.n})
	}
	r.add(name, append(by, w.op.ID), "%q was read as %v; by the timestamps of others it was not, "+
		"at no place between what had ended and what began later that allows all else that was read",
		key, c)
	return nil
}

func (r *replay) watchKey(w *watcher, key string, c cell, places []span) []span {
	if k := r.loose[key]; k != nil {
		return r.narrow(w, key, c, places, r.couldBe(k, c, w.window))
	}
	return r.narrow(w, key, c, places, r.was(key, c, w.window))
}

func (r *replay) watchRange(w *watcher, m *history.Mop, places []span) []span {
	for _, key := range sortedKeys(m.Rows) {
		if places = r.watchKey(w, key, cell{n: m.Rows[key]}, places); len(places) == 0 {
			return nil
		}
	}
	for _, keys := range [][]string{r.model.known[m.Key], r.model.looseIn[m.Key]} {
		for _, key := range keys {
			if _, there := m.Rows[key]; there {
				continue
			}
			places = r.watchKey(w, key, cell{missing: true}, places)
			if len(places) == 0 {
				return nil
			}
		}
	}
	return places
}

// was are the places in a window at which a register had a value.
func (r *replay) was(key string, c cell, window span) []span {
	all := r.model.past[key]
	if all == nil {
		if r.model.cell(key) == c {
			return []span{window}
		}
		return nil
	}
	// The last version before the window, or the first.
	i, _ := slices.BinarySearchFunc(all, window.from, func(v version, at int) int { return v.g - at })
	var places []span
	for i = max(i-1, 0); i < len(all) && all[i].g < window.to; i++ {
		end := len(r.groups)
		if i+1 < len(all) {
			end = all[i+1].g
		}
		if all[i].cell == c {
			places = append(places, span{max(all[i].g+1, window.from), min(end, window.to)})
		}
	}
	return places
}

// couldBe are the places in a window at which a loose register may have had a value:
// where it had it at the beginning of a stretch, or somebody may have written it.
func (r *replay) couldBe(k *looseKey, c cell, window span) []span {
	i, _ := slices.BinarySearchFunc(k.stretches, window.from,
		func(s stretch, at int) int { return s.to - at })
	var places []span
	for _, s := range k.stretches[i:] {
		from := max(s.from, window.from)
		to := min(s.to, window.to)
		if from > to {
			break
		}
		if s.was == c {
			places = append(places, span{from, to})
			continue
		}
		first := to + 1
		for _, id := range k.writers(c) {
			if at, ok := r.infos[id].firstIn(span{s.from, to}); ok {
				first = min(first, at)
			}
			if first <= from {
				break // no other makes more places of it
			}
		}
		if first = max(first, from); first <= to {
			places = append(places, span{first, to})
		}
	}
	return places
}

// watchList keeps the places at which a list may have been as it was shown.
func (r *replay) watchList(w *watcher, m *history.Mop, places []span) []span {
	s, saw := span{0, len(r.groups)}, m.List
	if k := r.loose[m.Key]; k != nil {
		if k.list.broken {
			return places
		}
		s = r.couldShow(k.list, saw)
	} else {
		want := r.model.lists[m.Key]
		groups := r.model.appended[m.Key]
		if len(saw) > len(want) || !slices.Equal(saw, want[:len(saw)]) {
			r.wrongList(w.op, m.Key, saw, want)
			return nil
		}
		if len(saw) > 0 {
			s.from = groups[len(saw)-1] + 1
		}
		if len(saw) < len(groups) {
			s.to = groups[len(saw)]
		}
	}
	left := overlap(places, []span{s})
	if len(left) == 0 {
		r.add("wrong-read", []int{w.op.ID}, "%q was read as %v elements, which it did not have, by the "+
			"timestamps of others, when all else was as it was read", m.Key, len(saw))
	}
	return left
}

// couldShow are the places at which a loose list may have been a beginning of the
// longest.
func (r *replay) couldShow(l *listPlaces, saw []int64) span {
	s := span{0, min(len(r.groups), l.never)}
	for i, n := range l.longest {
		at := span{l.groups[n], l.groups[n]}
		if _, sure := l.groups[n]; !sure {
			places := r.infos[l.k.by[n][0]].places
			if len(places) == 0 {
				continue // that is reported
			}
			// It is behind its place, and that is before the group of that number.
			at = span{places[0].from - 1, places[len(places)-1].to}
		}
		if i < len(saw) {
			s.from = max(s.from, at.from+1)
		} else {
			s.to = min(s.to, at.to)
		}
	}
	return s
}
