package check

import (
	"slices"
	"sort"

	"github.com/cairnkv/cairn/jepsen/history"
)

// An operation of unknown outcome happened at some place, or nowhere. For each
// there are the places where it would contradict nothing that others saw of its
// keys: placing starts from these. Then come the demands: between one sight of a
// register and the next something must have written what is seen. A demand that
// only one operation can meet takes all other places from it; elements of lists,
// which nobody else can have appended, have done so before. What is left without
// a place is an anomaly, and so is a demand that nobody can meet.
//
// Each step only takes places away where no correct history could have put the
// operation. So what is refused is wrong, whatever happened in fact.

// floating is an operation that writes at a place that nobody knows.
type floating struct {
	op     *history.Op
	leaves effects
	places []span
	must   bool // it happened: somebody saw what only it wrote, or it ended well
	lost   bool // it was reported that no place is left
	// seenBy is an operation that saw it, -1 if none is known.
	seenBy int
}

// span is the places from and to, and those between.
type span struct{ from, to int }

// overlap is what a and b, both ascending, have in common.
func overlap(a, b []span) []span {
	var both []span
	for len(a) > 0 && len(b) > 0 {
		if s := (span{max(a[0].from, b[0].from), min(a[0].to, b[0].to)}); s.from <= s.to {
			both = append(both, s)
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// firstIn is the first place of f that lies in s.
func (f *floating) firstIn(s span) (place int, ok bool) {
	i := sort.Search(len(f.places), func(i int) bool { return f.places[i].to >= s.from })
	if i == len(f.places) || f.places[i].from > s.to {
		return 0, false
	}
	return max(f.places[i].from, s.from), true
}

// within keeps the places of f that lie in s, and reports whether it lost some.
func (f *floating) within(s span) bool {
	left := overlap(f.places, []span{s})
	changed := !slices.Equal(left, f.places)
	f.places = left
	return changed
}

// looseKey is a key that operations of unknown outcome write.
type looseKey struct {
	name   string
	first  cell // what there was before everything
	events []event
	by     map[int64][]int // those that leave, or append, it; indexes of infos
	remove []int           // those that leave nothing
	// stretches are those of a register, list what is known of a list once it is placed.
	stretches []stretch
	list      *listPlaces
	watched   []event // of a list, by watchers
}

// event is what an operation saw of a loose key, or what it left there, in the
// order of places. The cell or the list that was seen stands in effect, too.
type event struct {
	effect
	g, op  int
	writes bool
	places span // of a watcher, which has no g
}

// demand says that something wrote a value of a key at one of some places.
type demand struct {
	key   *looseKey
	value cell
	was   cell
	at    span
	op    int // who saw it
	done  bool
}

// before says that one must have come before the other.
type before struct{ first, then int }

// float makes o one of those whose places are unknown: after all that had ended
// when it began, and before all that began when it had ended.
func (r *replay) float(o *history.Op) {
	f := &floating{op: o, leaves: effectsOf(o), seenBy: -1, must: o.Type == history.OK}
	f.places = []span{r.times.of(o)}
	for key, e := range f.leaves { // order: keys do not concern each other
		k := r.loose[key]
		if k == nil {
			k = &looseKey{name: key, by: map[int64][]int{}, first: r.model.loosen(key)}
			r.loose[key] = k
		}
		id := len(r.infos)
		switch {
		case r.model.listed[key]:
			for _, n := range e.appended {
				k.by[n] = append(k.by[n], id)
			}
		case e.missing:
			k.remove = append(k.remove, id)
		default:
			k.by[e.n] = append(k.by[e.n], id)
		}
	}
	r.infos = append(r.infos, f)
}

// place finds out where the operations of unknown outcome can have happened.
func (r *replay) place() {
	r.placeBySight()
	var demands []demand
	var order []before
	for _, name := range sortedKeys(r.loose) {
		if r.model.listed[name] {
			order = append(order, r.placeInList(r.loose[name])...)
			continue
		}
		demands = append(demands, r.placeInRegister(r.loose[name])...)
	}
	r.lookForCycle(order)
	for changed := true; changed; {
		changed = r.meet(demands)
		for _, b := range order {
			changed = r.inOrder(b) || changed
		}
		for _, f := range r.infos {
			r.lookForTorn(f)
		}
	}
}

// meet takes places from operations that alone can meet a demand, and reports
// whether it has.
func (r *replay) meet(demands []demand) (changed bool) {
	for i := range demands {
		d := &demands[i]
		if d.done {
			continue
		}
		only, n := -1, 0
		for _, id := range d.key.writers(d.value) {
			if _, ok := r.infos[id].firstIn(d.at); ok {
				only = id
				n++
			}
		}
		switch n {
		case 0:
			d.done = true
			r.unmet(d)
		case 1:
			d.done = true
			f := r.infos[only]
			f.must, f.seenBy = true, d.op
			changed = f.within(d.at) || changed
		}
	}
	return changed
}

// unmet reports a value that was read and that nothing can have written there. If
// only operations of unknown outcome wrote it, one of them is seen in one place and
// not in another.
func (r *replay) unmet(d *demand) {
	reader := &r.h.Ops[d.op]
	writers := d.key.writers(d.value)
	_, by := r.whose(write{d.key.name, d.value.n})
	sure := slices.ContainsFunc(by, func(id int) bool { return r.h.Ops[id].Type == history.OK })
	if len(writers) == 0 || sure || d.value.missing {
		r.wrong(reader, d.key.name, d.value, d.was)
		return
	}
	f := r.infos[writers[0]]
	ops := []int{f.op.ID, d.op}
	if f.seenBy >= 0 {
		ops = append(ops, f.seenBy)
	}
	r.add("torn", ops, "%q was read as %v, of an operation of unknown outcome that cannot have "+
		"happened there, by what others saw of its keys", d.key.name, d.value)
}

func (k *looseKey) writers(c cell) []int {
	if c.missing {
		return k.remove
	}
	return k.by[c.n]
}

// inOrder takes from both the places that their order forbids.
func (r *replay) inOrder(b before) bool {
	first, then := r.infos[b.first], r.infos[b.then]
	if len(first.places) == 0 || len(then.places) == 0 {
		return false
	}
	last := then.places[len(then.places)-1].to
	changed := then.within(span{first.places[0].from, len(r.groups)})
	return first.within(span{0, last}) || changed
}

func (r *replay) lookForTorn(f *floating) {
	if !f.must || f.lost || len(f.places) > 0 {
		return
	}
	f.lost = true
	ops := []int{f.op.ID}
	if f.seenBy >= 0 {
		ops = append(ops, f.seenBy)
	}
	r.add("torn", ops, "an operation of unknown place did happen, "+
		"but there is no place where all that others saw of its keys allows it")
}

// lookForCycle reports operations that lists show in contradicting orders.
func (r *replay) lookForCycle(order []before) {
	waits := make([]int, len(r.infos))
	then := make([][]int, len(r.infos))
	for _, b := range order {
		waits[b.then]++
		then[b.first] = append(then[b.first], b.then)
	}
	var free []int
	for id, n := range waits {
		if n == 0 {
			free = append(free, id)
		}
	}
	for len(free) > 0 {
		id := free[len(free)-1]
		free = free[:len(free)-1]
		for _, next := range then[id] {
			if waits[next]--; waits[next] == 0 {
				free = append(free, next)
			}
		}
	}
	var ops []int
	for id, n := range waits {
		if n > 0 {
			ops = append(ops, r.infos[id].op.ID)
		}
	}
	if len(ops) > 0 {
		r.add("torn", ops, "lists show appends of these in orders that contradict each other")
	}
}
