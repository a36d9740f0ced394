package sim

import (
	"cmp"
	"slices"

	"github.com/cairnkv/cairn/txn"
)

// issues are the answers of the oracle, by timestamp.
type issues struct {
	all    []issue
	newest txn.Timestamp // that any answer so far had
}

type issue struct {
	first txn.Timestamp
	n     int
}

func (i issue) last() txn.Timestamp { return i.first + txn.Timestamp(i.n) - 1 }

func byFirst(i issue, ts txn.Timestamp) int { return cmp.Compare(i.first, ts) }

// issue notes an answer of the oracle to a request that arrived when floor was
// the newest: no timestamp is given out twice (I1), and what was asked for
// after an answer is above it (T1). The leader may be another one each time.
func (w *world) issue(floor, first txn.Timestamp, n int) {
	s, this := &w.issued, issue{first, n}
	at, _ := slices.BinarySearchFunc(s.all, first, byFirst)
	switch {
	case first <= floor:
		w.violate("the oracle answers %d to a request that came after it had answered %d (T1)",
			first, floor)
	case at > 0 && s.all[at-1].last() >= first, at < len(s.all) && s.all[at].first <= this.last():
		w.violate("the oracle issues %d to %d, not all of them for the first time (I1)",
			first, this.last())
	}
	s.all = slices.Insert(s.all, at, this)
	s.newest = max(s.newest, this.last())
}

// has reports whether the oracle gave out a timestamp.
func (s *issues) has(ts txn.Timestamp) bool {
	at, found := slices.BinarySearchFunc(s.all, ts, byFirst)
	return found || at > 0 && s.all[at-1].last() >= ts
}
