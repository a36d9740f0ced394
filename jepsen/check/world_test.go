package check

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairnkv/cairn/jepsen/history"
)

// bug is what a world does wrong.
type bug string

const (
	none     bug = ""
	lost     bug = "lost"     // some that were acknowledged never happened
	dirty    bug = "dirty"    // some that failed did happen
	torn     bug = "torn"     // of some of unknown outcome a part happened
	doubled  bug = "doubled"  // some happened twice
	stale    bug = "stale"    // some readers are shown the past, and say that it is now
	old      bug = "old"      // the same, with honest timestamps
	skewed   bug = "skewed"   // nobody looks whether reads are still true
	late     bug = "late"     // some that were acknowledged are seen later, with the timestamp of before
	shuffled bug = "shuffled" // some timestamps are not in the order of commits
)

// world runs transactions one after the other, while their clients believe that
// they run at the same time.
type world struct {
	*rand.Rand
	wrong  bug
	cells  map[string]int64
	lists  map[string][]int64
	past   []view // states some time ago
	ts     uint64
	unique int64
	events []history.Event
	open   [8]*running // by client
	next   int         // process
	later  []*running
	// unknown is how many of a hundred clients lose their answers.
	unknown int
}

// plan is a transaction. It is run twice and has to do the same if it finds the same;
// false means that it does nothing.
type plan struct {
	mode string
	run  func(v *view) bool
}

type running struct {
	plan
	process int
	done    *view // once it was tried
	ts      uint64
	ok      bool
	// tried: it was committed, or it was not.
	tried, happened bool
}

// view is what a transaction sees and does.
type view struct {
	cells map[string]int64
	lists map[string][]int64
	own   effects
	mops  []history.Mop
}

func (v *view) get(key string) (n int64, there bool) {
	if e, wrote := v.own[key]; wrote {
		return e.n, !e.missing
	}
	n, there = v.cells[key]
	return n, there
}

func (v *view) read(key string) (n int64, there bool) {
	n, there = v.get(key)
	v.mops = append(v.mops, history.Mop{Kind: history.Read, Key: key, N: n, Missing: !there, Known: true})
	return n, there
}

func (v *view) list(key string) []int64 {
	all := append(slices.Clip(v.lists[key]), v.own[key].appended...)
	v.mops = append(v.mops, history.Mop{Kind: history.Read, Key: key, List: all,
		Missing: len(all) == 0, Listed: len(all) > 0, Known: true})
	return all
}

func (v *view) scan(name string) map[string]int64 {
	rows := map[string]int64{}
	for key, n := range v.cells {
		if inRange(name, key) {
			rows[key] = n
		}
	}
	for key, e := range v.own {
		if inRange(name, key) {
			rows[key] = e.n
			if e.missing {
				delete(rows, key)
			}
		}
	}
	v.mops = append(v.mops, history.Mop{Kind: history.Scan, Key: name, Rows: rows, Known: true})
	return rows
}

func (v *view) write(kind history.Kind, key string, n int64) bool {
	_, there := v.get(key)
	m := history.Mop{Kind: kind, Key: key, N: n, Known: true}
	v.mops = append(v.mops, m)
	v.own.note(&m)
	return kind != history.Insert || !there
}

func (w *world) now() *view {
	return &view{cells: w.cells, lists: w.lists, own: effects{}}
}

func newWorld(seed uint64, wrong bug) *world {
	return &world{Rand: rand.New(rand.NewPCG(seed, 7)), wrong: wrong, unknown: 5, ts: 100,
		cells: map[string]int64{}, lists: map[string][]int64{}}
}

// init sets what there is at first.
func (w *world) init(cells map[string]int64) {
	var mops []history.Mop
	for _, key := range sortedKeys(cells) {
		w.cells[key] = cells[key]
		mops = append(mops, history.Mop{Kind: history.Write, Key: key, N: cells[key], Known: true})
	}
	w.events = append(w.events, history.Event{Type: history.OK, F: history.Init, Value: mops})
}

// run makes a history of n operations, and one of mode final.
func (w *world) run(t testing.TB, n int, draw func(w *world) plan, final func(v *view)) *History {
	t.Helper()
	for started := 0; started < n; {
		c := w.IntN(len(w.open))
		switch r := w.open[c]; {
		case r == nil:
			w.open[c] = w.begin(draw(w))
			started++
		case r.done == nil:
			w.try(r)
		case !r.tried && w.IntN(2) == 0:
			r.happened, r.tried = w.commit(r), true // and its client hears of it later
		default:
			w.end(r)
			w.open[c] = nil
		}
		if len(w.later) > 0 && w.IntN(20) == 0 {
			w.commit(w.later[0])
			w.later = w.later[1:]
		}
	}
	for c, r := range w.open { // those that were not tried stay open, and did nothing
		if r != nil && r.done != nil {
			w.end(r)
			w.open[c] = nil
		}
	}
	if final != nil {
		r := w.begin(plan{Final, func(v *view) bool { final(v); return true }})
		w.try(r)
		w.unknown = 0
		w.end(r)
	}
	h, err := New(w.events)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (w *world) add(e history.Event) {
	e.F, e.Time = "txn", int64(len(w.events))*1e6
	w.events = append(w.events, e)
}

func (w *world) begin(p plan) *running {
	r := &running{plan: p, process: w.next}
	w.next++
	w.add(history.Event{Process: r.process, Type: history.Invoke, Mode: p.mode, Gateway: fmt.Sprintf("g%d", w.IntN(2)+1)})
	return r
}

// try runs r on what there is. Some time may pass before it commits.
func (w *world) try(r *running) {
	r.done = w.now()
	if (w.wrong == stale || w.wrong == old) && len(w.past) > 0 && w.IntN(10) == 0 {
		r.done = &view{cells: w.past[0].cells, lists: w.past[0].lists, own: effects{}}
	}
	r.ok = r.run(r.done)
}

func writes(mops []history.Mop) bool {
	return slices.ContainsFunc(mops, func(m history.Mop) bool { return m.Writes() })
}

// commit makes r happen, if what it has seen is still so.
func (w *world) commit(r *running) bool {
	if !r.ok {
		return false
	}
	if !writes(r.done.mops) {
		r.ts = w.ts
		if w.IntN(2) == 0 {
			w.ts++
			r.ts = w.ts
		}
		if w.wrong == old && w.IntN(10) == 0 {
			r.ts = max(w.ts, 5) - 4
		}
		again := w.now()
		r.run(again)
		return w.wrong == stale || w.wrong == old || same(again.mops, r.done.mops)
	}
	again := w.now()
	if ok := r.run(again); w.wrong != skewed && (!ok || !same(again.mops, r.done.mops)) {
		return false
	}
	if w.IntN(2) == 0 || !w.idle(r.done.mops) {
		w.ts++
	}
	r.ts = w.ts
	if w.wrong == lost && w.IntN(15) == 0 {
		return true
	}
	if w.wrong == late && w.IntN(10) == 0 {
		w.later = append(w.later, &running{plan: r.plan, done: r.done, ok: true})
		return true
	}
	times := 1
	if w.wrong == doubled && w.IntN(10) == 0 {
		times = 2
	}
	for range times {
		w.apply(r.done.mops)
	}
	return true
}

func (w *world) apply(mops []history.Mop) {
	if w.wrong == stale || w.wrong == old {
		w.past = append(w.past, view{cells: maps.Clone(w.cells), lists: maps.Clone(w.lists)})
		w.past = w.past[max(len(w.past)-12, 0):]
	}
	for key, e := range effectsOf(&history.Op{Mops: mops}) {
		switch {
		case len(e.appended) > 0:
			w.lists[key] = append(slices.Clip(w.lists[key]), e.appended...)
		case e.missing:
			delete(w.cells, key)
		default:
			w.cells[key] = e.n
		}
	}
}

// idle reports whether mops delete what is not there, and write nothing else. Such a
// transaction may be told when it read instead of when it committed.
func (w *world) idle(mops []history.Mop) bool {
	for _, m := range mops {
		_, there := w.cells[m.Key]
		if m.Writes() && (there || m.Kind != history.Delete) {
			return false
		}
	}
	return true
}

func same(a, b []history.Mop) bool {
	return slices.EqualFunc(a, b, func(a, b history.Mop) bool {
		return a.Kind == b.Kind && a.Key == b.Key && a.N == b.N && a.Missing == b.Missing &&
			slices.Equal(a.List, b.List) && maps.Equal(a.Rows, b.Rows)
	})
}

// end commits r or does not, and tells its client.
func (w *world) end(r *running) {
	e := history.Event{Process: r.process, Mode: r.mode, Value: r.done.mops}
	if writes(r.done.mops) && w.IntN(100) < w.unknown {
		e.Type = history.Info
		w.add(e)
		switch n := w.IntN(3); {
		case r.tried:
		case w.wrong == torn && r.ok:
			w.tear(r)
		case n == 0:
			w.commit(r)
		case n == 1:
			w.later = append(w.later, r)
		}
		return
	}
	e.Type = history.OK
	if !r.tried {
		r.happened = w.commit(r)
	}
	if !r.happened {
		e.Type = history.Fail
		if w.wrong == dirty && w.IntN(5) == 0 {
			w.ts++
			w.apply(r.done.mops)
		}
	}
	e.TS = r.ts
	if w.wrong == shuffled && e.Type == history.OK && w.IntN(10) == 0 {
		e.TS += 10
	}
	if e.Type == history.Fail || w.IntN(5) == 0 && !writes(e.Value) || w.IntN(30) == 0 {
		e.TS = 0 // nobody told it
	}
	w.add(e)
}

// tear applies the last write of r only.
func (w *world) tear(r *running) {
	again := w.now()
	if r.run(again) && same(again.mops, r.done.mops) {
		w.ts++
		w.apply(r.done.mops[len(r.done.mops)-1:])
	}
}
