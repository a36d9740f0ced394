package workload

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	rangeCount   = 8 // two a shard: with fewer of them clients wait for each other most of the time
	rowsMax      = 8 // of a range, for inserts
	deadMax      = 8 // names of a range that were deleted, and may be used again
	reusePercent = 20
)

// ranges is W2: rows p<range>/k<n>. Nobody inserts into a range of rowsMax rows.
type ranges struct {
	mu  sync.Mutex
	all [rangeCount]rowRange
}

type rowRange struct {
	name string
	next int64 // name of a row, and value
	dead []string
	// rows are those that were seen last, at a timestamp.
	rows map[string]int64
	at   client.Timestamp
}

func newRanges(int) source {
	s := &ranges{}
	for i := range s.all {
		s.all[i] = rowRange{name: fmt.Sprint("p", i), rows: map[string]int64{}}
	}
	return s
}

func (s *ranges) initial() (layout, []history.Mop) {
	var mops []history.Mop
	for i := range s.all {
		mops = append(mops, written(history.Write, "limit/"+s.all[i].name, rowsMax))
	}
	return pinned, mops
}

func (s *ranges) next(r *rand.Rand, _ int) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := r.IntN(rangeCount)
	one, other := &s.all[i], &s.all[(i+1+r.IntN(rangeCount-1))%rangeCount]
	p := pick(r, []choice[func(*rand.Rand, *rowRange, *rowRange) *plan]{
		{22, look}, {38, insertRow}, {18, removeRow}, {10, moveRow}, {6, changeRow}, {6, clearRows},
	})(r, one, other)
	p.layout, p.ended = pinned, s.learn
	return p
}

// look scans one range, or two, or one of two again.
func look(r *rand.Rand, one, other *rowRange) *plan {
	p := &plan{mode: readMode(r), steps: []step{{way: scan, key: one.name}}}
	switch r.IntN(3) {
	case 0:
		p.steps = append(p.steps, step{way: scan, key: other.name})
	case 1:
		p.steps = append(p.steps, step{way: scan, key: other.name}, step{way: scan, key: one.name})
	default:
		if r.IntN(2) == 0 {
			p.mode = verb
		}
	}
	return p
}

// insertRow inserts if there are fewer than rowsMax.
func insertRow(r *rand.Rand, one, other *rowRange) *plan {
	key, n := one.fresh(r)
	p := &plan{mode: writeMode(r), guarded: true}
	if r.IntN(6) == 0 {
		p.steps = append(p.steps, step{way: get, key: "limit/" + one.name})
	}
	if r.IntN(3) == 0 {
		p.steps = append(p.steps, step{way: scan, key: other.name})
	}
	p.steps = append(p.steps, step{way: scan, key: one.name}, step{way: create, key: key, n: n})
	if r.IntN(3) == 0 {
		p.steps = append(p.steps, step{way: scan, key: one.name})
	}
	p.permits = func(a *answer) bool { return one.hasRoom(a, key) }
	p.when = one.roomFor(key)
	return p
}

func (o *rowRange) hasRoom(a *answer, key string) bool {
	_, there := a.rows[o.name][key]
	return !there && len(a.rows[o.name]) < rowsMax
}

func (o *rowRange) roomFor(key string) client.Condition {
	return client.AllOf(client.CountIs(pinned.whole(o.name), client.Less, rowsMax),
		client.KeyMissing(pinned.store(key)))
}

// removeRow deletes a row that may be there.
func removeRow(r *rand.Rand, one, other *rowRange) *plan {
	key, ok := one.some(r)
	if !ok {
		return look(r, one, other)
	}
	p := &plan{mode: writeMode(r), steps: []step{{way: remove, key: key}}}
	switch r.IntN(3) {
	case 0:
		p.mode = verb
	case 1:
		p.steps = append([]step{{way: scan, key: one.name}}, p.steps...)
	}
	return p
}

// moveRow moves a row that is there to another range, if that has room.
func moveRow(r *rand.Rand, one, other *rowRange) *plan {
	from, ok := one.some(r)
	if !ok {
		return look(r, one, other)
	}
	to, n := other.fresh(r)
	return &plan{
		mode: writeMode(r), guarded: true,
		steps: []step{
			{way: scan, key: one.name}, {way: scan, key: other.name}, {way: remove, key: from},
			{way: create, key: to, n: n},
		},
		permits: func(a *answer) bool {
			_, there := a.rows[one.name][from]
			return there && other.hasRoom(a, to)
		},
		when: client.AllOf(client.KeyExists(pinned.store(from)), other.roomFor(to)),
	}
}

// changeRow gives a row that is there another value.
func changeRow(r *rand.Rand, one, other *rowRange) *plan {
	key, ok := one.some(r)
	if !ok {
		return look(r, one, other)
	}
	one.next++
	return &plan{
		mode: writeMode(r), guarded: true,
		steps: []step{{way: scan, key: one.name}, {way: put, key: key, n: one.next}},
		permits: func(a *answer) bool {
			_, there := a.rows[one.name][key]
			return there
		},
		when: client.KeyExists(pinned.store(key)),
	}
}

// clearRows removes all rows of a range at once, if they are those that were seen.
func clearRows(r *rand.Rand, one, other *rowRange) *plan {
	if len(one.rows) == 0 || one.at == 0 {
		return look(r, one, other)
	}
	was := one.rows
	keys := slices.Sorted(maps.Keys(was))
	return &plan{
		mode: writeMode(r), guarded: true,
		steps: []step{
			{way: scan, key: one.name}, {way: clean, key: one.name, keys: keys},
			{way: scan, key: one.name},
		},
		permits: func(a *answer) bool { return maps.Equal(a.rows[one.name], was) },
		when:    client.UnchangedSince(pinned.whole(one.name), one.at),
	}
}

// fresh is a row to insert: of a new name, or of one that was deleted.
func (o *rowRange) fresh(r *rand.Rand) (key string, n int64) {
	o.next++
	if len(o.dead) > 0 && r.IntN(100) < reusePercent {
		return o.dead[r.IntN(len(o.dead))], o.next
	}
	return fmt.Sprintf("%s/k%d", o.name, o.next), o.next
}

// some is a row of those that were seen.
func (o *rowRange) some(r *rand.Rand) (key string, ok bool) {
	if len(o.rows) == 0 {
		return "", false
	}
	return slices.Sorted(maps.Keys(o.rows))[r.IntN(len(o.rows))], true
}

// learn keeps the newest rows that something saw that wrote nothing, and which were deleted.
func (s *ranges) learn(e *ending) {
	if e.outcome != history.OK {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		o := &s.all[i]
		if rows, ok := e.answer.rows[o.name]; ok && e.answer.wrote == "" && e.answer.ts > o.at {
			o.rows, o.at = rows, e.answer.ts
		}
		for _, m := range e.answer.mops {
			if m.Kind == history.Delete && m.Key[:len(o.name)+1] == o.name+"/" {
				o.dead = append(o.dead[max(0, len(o.dead)-deadMax+1):], m.Key)
			}
		}
	}
}

func (s *ranges) final() []*plan {
	var names []string
	for i := range s.all {
		names = append(names, s.all[i].name)
	}
	return finalScans(pinned, names)
}
