package check

import (
	"math"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/jepsen/history"
)

// Final is the mode of operations that read everything after all others have ended.
const Final = "final"

// isFinal reports whether o is of mode Final, however it was carried out.
func isFinal(o *history.Op) bool {
	return o.Mode == Final || strings.HasPrefix(o.Mode, Final+"-")
}

// Set checks keys that are inserted once each, and never change. Whoever looks for
// one after its insertion was acknowledged, or after somebody has seen it, finds it.
//
// An acknowledged key that an operation of mode Final does not find is lost; one
// that an earlier operation does not find is a stale-read, and one that somebody had
// seen before has vanished. One whose insertion failed is resurrected, and one that
// nobody had begun to insert is unexpected.
//
// A key that is written in another way, or may have been inserted twice, is not
// judged.
func Set() Checker {
	return Checker{Name: "set", Check: func(h *History) []Anomaly {
		s := &set{findings: findings{h: h}, names: scannedNames(h), keys: map[string]*member{}}
		s.collect()
		s.expect()
		for _, o := range byInvocation(h) {
			for i := range o.Mops {
				s.judge(o, &o.Mops[i])
			}
		}
		return s.all
	}}
}

type set struct {
	findings
	names map[string]bool
	keys  map[string]*member
	// from are the moments from which on members of a range have to be seen, ascending.
	from map[string][]int
}

// member is a key that somebody inserts.
type member struct {
	n int64
	// invoked is when its insertion began, acknowledged when that had ended well, and seen when the
	// first reader of it had ended: never if none.
	invoked, acknowledged, seen int
	op, reader                  int
	inserts                     int  // that may have happened
	other                       bool // it is written in another way
}

func (m *member) judged() bool { return !m.other && m.inserts < 2 }

// due is when everybody has to see it from.
func (m *member) due() int { return min(m.acknowledged, m.seen) }

func (s *set) collect() {
	for key, n := range s.h.Init { // order: keys do not concern each other
		s.keys[key] = &member{n: n, op: -1, inserts: 1,
			invoked: -1, acknowledged: -1, seen: history.Never}
	}
	for i := range s.h.Ops {
		for _, m := range s.h.Ops[i].Mops {
			if m.Writes() {
				s.note(&s.h.Ops[i], &m)
			}
		}
	}
}

func (s *set) note(o *history.Op, m *history.Mop) {
	k := s.keys[m.Key]
	if k == nil {
		k = &member{n: m.N, op: o.ID,
			invoked: math.MaxInt, acknowledged: history.Never, seen: history.Never}
		s.keys[m.Key] = k
	}
	k.other = k.other || m.Kind != history.Insert
	if o.Type == history.Fail {
		return
	}
	k.inserts++
	k.n, k.op, k.invoked = m.N, o.ID, o.Invoked
	if o.Type == history.OK {
		k.acknowledged = o.Completed
	}
}

// expect finds out from when on each key has to be seen.
func (s *set) expect() {
	for _, o := range byCompletion(s.h) {
		for i := range o.Mops {
			s.eachSeen(&o.Mops[i], func(key string, _ int64) {
				if k := s.keys[key]; k != nil && o.Completed < k.seen {
					k.seen, k.reader = o.Completed, o.ID
				}
			})
		}
	}
	s.from = map[string][]int{}
	for key, k := range s.keys { // order: sorted below
		for _, name := range rangesOf(key, s.names) {
			if k.judged() && k.due() != history.Never {
				s.from[name] = append(s.from[name], k.due())
			}
		}
	}
	for _, all := range s.from { // order: each is its own
		slices.Sort(all)
	}
}

// eachSeen calls f for what m shows.
func (s *set) eachSeen(m *history.Mop, f func(key string, n int64)) {
	switch {
	case m.Kind == history.Read && m.Known && !m.Missing:
		f(m.Key, m.N)
	case m.Kind == history.Scan:
		for key, n := range m.Rows { // order: keys do not concern each other
			f(key, n)
		}
	}
}

// judge looks at what a read of o shows, and counts what it had to show.
func (s *set) judge(o *history.Op, m *history.Mop) {
	shown := 0
	s.eachSeen(m, func(key string, n int64) {
		if s.expected(o, key, n) && s.keys[key].due() < o.Invoked {
			shown++
		}
	})
	switch {
	case m.Kind == history.Read && m.Missing:
		s.judgeMissing(o, m.Key)
	case m.Kind == history.Scan && m.Known:
		if due, _ := slices.BinarySearch(s.from[m.Key], o.Invoked); shown < due {
			for _, key := range sortedKeys(s.keys) {
				if _, there := m.Rows[key]; !there && inRange(m.Key, key) {
					s.judgeMissing(o, key)
				}
			}
		}
	}
}

// expected reports whether a key may be seen by o with a value.
func (s *set) expected(o *history.Op, key string, n int64) bool {
	k := s.keys[key]
	switch {
	case k == nil:
		s.add("unexpected", []int{o.ID}, "nobody inserted %q", key)
	case !k.judged():
	case k.inserts == 0:
		s.add("resurrected", []int{k.op, o.ID}, "%q is there although its insertion failed", key)
	case k.invoked > o.Completed:
		s.add("unexpected", []int{k.op, o.ID}, "%q is there before anybody began to insert it", key)
	case k.n != n:
		s.add("unexpected", []int{k.op, o.ID}, "%q is %d, inserted was %d", key, n, k.n)
	default:
		return true
	}
	return false
}

// judgeMissing names what it means that o did not find a key.
func (s *set) judgeMissing(o *history.Op, key string) {
	k := s.keys[key]
	if k == nil || !k.judged() || k.due() >= o.Invoked {
		return
	}
	ops := []int{o.ID}
	if k.op >= 0 {
		ops = append(ops, k.op)
	}
	switch {
	case k.acknowledged < o.Invoked && isFinal(o):
		s.add("lost", ops, "%q is not there in the end", key)
	case k.seen < o.Invoked:
		s.add("vanished", append(ops, k.reader), "%q was seen, and later it was not", key)
	default:
		s.add("stale-read", ops, "%q is not seen by who began after it was inserted", key)
	}
}
