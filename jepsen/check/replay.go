package check

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// Replay checks that the timestamps that clients were told explain everything
// they saw: it runs the transactions in that order on a plain model, and compares
// every read. All that ended before something began has to come before it.
//
// Nobody knows the places of operations of unknown outcome. Each has some where
// it would break nothing that others saw of the keys it writes; where it is
// needed to explain a read, one has to be left that does that too (placing.go).
//
// Not judged: what an operation of unknown outcome read, or would have needed to
// find; which of several that wrote the same value of a register was seen; whether
// two whose order nobody saw can both be where each could be alone; and what
// several saw that only delete, at one timestamp. A key is a list or a register for
// all of a history.
//
// Some operations that ended well were told no timestamp. Those that wrote have a
// place that nobody knows, too, but they have one, before all that began later. Those
// that only read have to fit to some place between what had ended before and what
// began later (watching.go).
func Replay() Checker {
	return Checker{Name: "replay", Check: func(h *History) []Anomaly {
		r := newReplay(h)
		r.checkTimes()
		for g := range r.groups {
			r.run(g)
		}
		r.place()
		r.watch()
		return r.all
	}}
}

// replay is one run of the model.
type replay struct {
	findings
	groups []group
	at     map[int]int // by operation: its group
	model  model
	infos  []*floating
	// watchers only read, at a place that nobody knows.
	watchers []*watcher
	times    realTime
	// loose keys are those that operations of unknown outcome write.
	loose map[string]*looseKey
	// writers are those of a value, or of an element; nil until somebody asks.
	writers map[write][]int
}

// group is all that has one timestamp. The places between groups are numbered:
// place g is before group g.
type group struct {
	ts      uint64
	writers []*history.Op // should be one; others may be there that deleted nothing
	readers []*history.Op
}

// write is a value of a key.
type write struct {
	key string
	n   int64
}

func newReplay(h *History) *replay {
	r := &replay{findings: findings{h: h}, at: map[int]int{}, loose: map[string]*looseKey{}}
	r.group()
	r.times = newRealTime(h, r.at)
	r.model = newModel(h)
	for i := range h.Ops { // by invocation
		o := &h.Ops[i]
		unknown := o.Type == history.Info || o.Type == history.OK && o.TS == 0
		switch {
		case unknown && o.Writes():
			r.float(o)
		case unknown && o.Type == history.OK:
			r.watchers = append(r.watchers, &watcher{o, r.times.around(o)})
		}
	}
	for key := range r.model.cells { // order: each is its own
		r.model.know(key)
	}
	return r
}

// group puts together what has one timestamp.
func (r *replay) group() {
	ops := slices.DeleteFunc(byInvocation(r.h), func(o *history.Op) bool { return o.TS == 0 })
	slices.SortStableFunc(ops, func(a, b *history.Op) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(rank(a), rank(b)))
	})
	for _, o := range ops {
		if n := len(r.groups); n == 0 || r.groups[n-1].ts != o.TS {
			r.groups = append(r.groups, group{ts: o.TS})
		}
		g := &r.groups[len(r.groups)-1]
		r.at[o.ID] = len(r.groups) - 1
		if o.Writes() {
			g.writers = append(g.writers, o)
		} else {
			g.readers = append(g.readers, o)
		}
	}
}

// rank orders what has one timestamp: whoever surely wrote, who may have found
// nothing to delete, who only read.
func rank(o *history.Op) int {
	switch {
	case writesSurely(o):
		return 0
	case o.Writes():
		return 1
	}
	return 2
}

// writesSurely reports whether o, which ended well, left a version. To delete
// what is not there may leave none.
func writesSurely(o *history.Op) bool {
	return slices.ContainsFunc(o.Mops, func(m history.Mop) bool {
		return m.Writes() && m.Kind != history.Delete
	})
}

// checkTimes looks for timestamps that contradict real time, and those of two writers.
func (r *replay) checkTimes() {
	ended := byCompletion(r.h)
	var last *history.Op // of the greatest timestamp among those that had ended
	next := 0
	for _, o := range byInvocation(r.h) {
		for ; next < len(ended) && ended[next].Completed < o.Invoked; next++ {
			if last == nil || ended[next].TS > last.TS {
				last = ended[next]
			}
		}
		if last == nil || o.TS == 0 {
			continue
		}
		if o.TS < last.TS || o.TS == last.TS && writesSurely(o) {
			r.add("realtime", []int{last.ID, o.ID},
				"what ended first has timestamp %d, what began afterwards %d", last.TS, o.TS)
		}
	}
	for _, g := range r.groups {
		if len(g.writers) > 1 && writesSurely(g.writers[1]) {
			r.add("two-writers", []int{g.writers[0].ID, g.writers[1].ID},
				"two transactions wrote at %d", g.ts)
		}
	}
}

// run executes a group: its writer sees what was before, all others what is after.
func (r *replay) run(g int) {
	writers := r.groups[g].writers
	unsure := len(writers) > 1 && !writesSurely(writers[0])
	if unsure { // at most one of them found something to delete, and nobody knows which
		slices.SortStableFunc(writers, func(a, b *history.Op) int {
			return cmp.Compare(r.deletes(b), r.deletes(a))
		})
	}
	for i, o := range writers {
		if i > 0 && !writesSurely(o) && r.deletes(o) > 0 {
			r.add("two-writers", []int{writers[0].ID, o.ID}, "two transactions wrote at %d",
				r.groups[g].ts)
		}
		left := effectsOf(o)
		if !unsure {
			left = r.look(g, o)
		}
		for key, e := range left { // order: keys do not concern each other
			r.leave(g, o, key, e)
		}
	}
	for _, o := range r.groups[g].readers {
		r.look(g, o)
	}
}

// deletes is how many keys that are there o, which only deletes, takes away.
func (r *replay) deletes(o *history.Op) int {
	n := 0
	for i := range o.Mops {
		if m := &o.Mops[i]; m.Kind == history.Delete && r.model.holds(m.Key) {
			n++
		}
	}
	return n
}

// leave puts what o leaves on a key into the model.
func (r *replay) leave(g int, o *history.Op, key string, e effect) {
	if k := r.loose[key]; k != nil {
		k.events = append(k.events, event{g: g, op: o.ID, writes: true, effect: e})
		return
	}
	r.model.pass(g, key, e)
}

// look compares all that o read with the model as it is now, and returns what o leaves.
func (r *replay) look(g int, o *history.Op) effects {
	own := effects{}
	for i := range o.Mops {
		m := &o.Mops[i]
		mine, wrote := own[m.Key]
		switch {
		case m.Kind == history.Scan && m.Known:
			r.lookRange(g, o, m, own)
		case m.Kind == history.Read && m.Known && r.model.listed[m.Key]:
			r.lookList(g, o, m, mine.appended)
		case m.Kind == history.Read && m.Known && wrote && mine.cell != found(m):
			r.add("internal", []int{o.ID}, "own write of %q is not what is read", m.Key)
		case m.Kind == history.Insert && wrote && !mine.missing:
			r.add("internal", []int{o.ID}, "own write of %q is there, and yet it is inserted", m.Key)
		case m.Kind == history.Read && m.Known && !wrote:
			r.lookKey(g, o, m.Key, found(m))
		case m.Kind == history.Insert && !wrote:
			r.lookKey(g, o, m.Key, cell{missing: true})
		}
		own.note(m)
	}
	return own
}

func (r *replay) lookKey(g int, o *history.Op, key string, saw cell) {
	if k := r.loose[key]; k != nil {
		k.events = append(k.events, event{g: g, op: o.ID, effect: effect{cell: saw}})
		return
	}
	if want := r.model.cell(key); want != saw {
		r.wrong(o, key, saw, want)
	}
}

// lookList compares a list without what o appended to it before.
func (r *replay) lookList(g int, o *history.Op, m *history.Mop, mine []int64) {
	n := len(m.List) - len(mine)
	if n < 0 || !slices.Equal(m.List[n:], mine) {
		r.add("internal", []int{o.ID}, "own appends to %q are not at the end of it", m.Key)
		return
	}
	saw := m.List[:n]
	if k := r.loose[m.Key]; k != nil {
		k.events = append(k.events, event{g: g, op: o.ID, effect: effect{appended: saw}})
		return
	}
	if want := r.model.lists[m.Key]; !slices.Equal(saw, want) {
		r.wrongList(o, m.Key, saw, want)
	}
}

func (r *replay) lookRange(g int, o *history.Op, m *history.Mop, own effects) {
	want, matched := r.model.ranges[m.Key], 0
	for key, n := range m.Rows { // order: keys do not concern each other
		mine, wrote := own[key]
		was, there := want[key]
		switch {
		case wrote && mine.cell != cell{n: n}:
			r.add("internal", []int{o.ID}, "own write of %q is not what is scanned", key)
		case wrote, r.loose[key] != nil:
		case !there:
			r.wrong(o, key, cell{n: n}, cell{missing: true})
		case was != n:
			r.wrong(o, key, cell{n: n}, cell{n: was})
		}
		if there {
			matched++
		}
	}
	if matched < len(want) {
		r.lookMissing(o, m, own)
	}
	for key, mine := range own { // order: keys do not concern each other
		if _, there := m.Rows[key]; !there && !mine.missing && inRange(m.Key, key) {
			r.add("internal", []int{o.ID}, "own write of %q is not in the scan", key)
		}
	}
	for _, key := range r.model.looseIn[m.Key] {
		if _, wrote := own[key]; !wrote {
			n, there := m.Rows[key]
			r.lookKey(g, o, key, cell{n: n, missing: !there})
		}
	}
}

// lookMissing finds rows of the model that a scan does not show. Keys that the
// operation wrote before are for others to judge.
func (r *replay) lookMissing(o *history.Op, m *history.Mop, own effects) {
	var keys []string
	for key := range r.model.ranges[m.Key] { // order: sorted below
		_, there := m.Rows[key]
		if _, wrote := own[key]; !there && !wrote {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		r.wrong(o, key, cell{missing: true}, r.model.cell(key))
	}
}
