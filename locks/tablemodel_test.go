package locks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnkv/cairn/txn"
)

// tableModel is the definition of Table, by lists that are searched from end to end.
type tableModel struct {
	holds   []modelHold
	waits   []*Request // by age, then arrival
	speaks  map[txn.Age]txn.ID
	commits map[txn.Age]bool
	wounded map[txn.ID]bool
	seen    map[line]txn.ID // the latest
	ended   map[line]txn.ID // and those before it
	woken   []string

	attempts [7]int // of each age, that have ended
}

type modelHold struct {
	age  txn.Age
	span txn.Span
	mode txn.LockMode
}

func newTableModel() *tableModel {
	return &tableModel{speaks: map[txn.Age]txn.ID{}, commits: map[txn.Age]bool{},
		wounded: map[txn.ID]bool{}, seen: map[line]txn.ID{}, ended: map[line]txn.ID{}}
}

func places(r *Request) []txn.Span {
	all := slices.Clone(r.Spans)
	for _, k := range r.Keys {
		all = append(all, txn.KeySpan(k))
	}
	return all
}

func (r *Request) hits(s txn.Span, mode txn.LockMode) bool {
	return mode.Conflicts(r.Mode) && overlapsAny(places(r), s)
}

// holders are the others whom r conflicts with.
func (m *tableModel) holders(r *Request) (ages []txn.Age) {
	for _, h := range m.holds {
		if h.age != r.Owner.Age && r.hits(h.span, h.mode) && !slices.Contains(ages, h.age) {
			ages = append(ages, h.age)
		}
	}
	return ages
}

func (m *tableModel) free(r *Request) bool {
	for _, w := range m.waits {
		if !w.Owner.Age.Older(r.Owner.Age) {
			break
		}
		if slices.ContainsFunc(places(w), func(s txn.Span) bool { return r.hits(s, w.Mode) }) {
			return false
		}
	}
	return len(m.holders(r)) == 0
}

func (m *tableModel) cancelAll(age txn.Age, why Answer) {
	m.waits = slices.DeleteFunc(m.waits, func(w *Request) bool {
		if w.Owner.Age == age {
			m.woken = append(m.woken, fmt.Sprint(w.Caller, why))
		}
		return w.Owner.Age == age
	})
}

func (m *tableModel) drop(age txn.Age, why Answer) {
	m.cancelAll(age, why)
	m.holds = slices.DeleteFunc(m.holds, func(h modelHold) bool { return h.age == age })
	m.forget()
}

// forget forgets who has nothing.
func (m *tableModel) forget() {
	for age := range m.speaks {
		has := slices.ContainsFunc(m.holds, func(h modelHold) bool { return h.age == age }) ||
			slices.ContainsFunc(m.waits, func(w *Request) bool { return w.Owner.Age == age })
		if !has {
			delete(m.speaks, age)
			delete(m.commits, age)
		}
	}
}

func (m *tableModel) wound(age txn.Age) {
	m.wounded[m.speaks[age]] = true
	m.again(age)
	m.drop(age, Wounded)
}

func (m *tableModel) reopen(age txn.Age) {
	if !m.commits[age] {
		return
	}
	m.commits[age] = false
	for _, w := range m.waits {
		if w.Owner.Age.Older(age) && slices.Contains(m.holders(w), age) {
			m.wound(age)
			return
		}
	}
}

func (m *tableModel) woundYounger(r *Request) {
	for _, age := range m.holders(r) {
		if r.Owner.Age.Older(age) && !m.commits[age] {
			m.wound(age)
		}
	}
}

func (m *tableModel) settle() {
	for i := 0; i < len(m.waits); i++ {
		r := m.waits[i]
		if !m.free(r) {
			continue
		}
		for _, s := range places(r) {
			m.holds = append(m.holds, modelHold{r.Owner.Age, s, r.Mode})
		}
		m.woken = append(m.woken, fmt.Sprint(r.Caller, Granted))
		m.waits = slices.Delete(m.waits, i, i+1)
		i = -1 // from the beginning: another one may be free
	}
	m.forget()
}

func (m *tableModel) lock(r *Request) Answer {
	age, l := r.Owner.Age, lineOf(r.Owner)
	speaks, there := m.speaks[age]
	switch {
	case r.Owner.Txn <= m.ended[l], r.Owner.Txn < m.seen[l]:
		return Over
	case m.wounded[r.Owner.Txn]:
		return Wounded
	case there && speaks == r.Owner.Txn && m.commits[age]:
		return Over
	}
	m.seen[l] = r.Owner.Txn
	if there && speaks != r.Owner.Txn {
		m.cancelAll(age, Over)
		m.reopen(age)
	}
	m.speaks[age] = r.Owner.Txn
	m.woundYounger(r)
	m.speaks[age] = r.Owner.Txn // it may have nothing yet
	m.waits = append(m.waits, r)
	slices.SortStableFunc(m.waits, func(a, b *Request) int { return compareAges(a.Owner.Age, b.Owner.Age) })
	m.settle()
	if slices.Contains(m.waits, r) {
		return Queued
	}
	m.woken = slices.DeleteFunc(m.woken, func(s string) bool { return s == fmt.Sprint(r.Caller, Granted) })
	return Granted
}

func (m *tableModel) end(who Owner) {
	l := lineOf(who)
	m.ended[l] = max(m.ended[l], who.Txn)
	m.again(who.Age)
	delete(m.wounded, who.Txn)
	if speaks, ok := m.speaks[who.Age]; ok && ends(who.Txn, speaks) {
		m.drop(who.Age, Over)
	}
	m.settle()
}

func (m *tableModel) committing(who Owner) {
	if l := lineOf(who); m.seen[l]+m.ended[l] > 0 {
		m.ended[l] = max(m.ended[l], who.Txn)
	}
	if speaks, ok := m.speaks[who.Age]; ok && ends(who.Txn, speaks) {
		m.speaks[who.Age] = who.Txn
		m.commits[who.Age] = true
		m.cancelAll(who.Age, Over)
		m.forget()
		m.settle()
	}
}

func (m *tableModel) refused(who Owner) {
	if m.speaks[who.Age] == who.Txn {
		m.reopen(who.Age)
	}
	m.settle()
}

func (m *tableModel) expire(session uint32) {
	for age, speaks := range m.speaks {
		if speaks.Session() == session {
			m.drop(age, Over)
		}
	}
	for id := range m.wounded {
		if id.Session() == session {
			delete(m.wounded, id)
		}
	}
	m.settle()
}

// text is who holds what in the strongest mode, and who waits.
func (m *tableModel) text() string {
	strongest := map[string]txn.LockMode{}
	for _, h := range m.holds {
		k := fmt.Sprintf("%q-%q %d", h.span.Start, h.span.End, h.age.At)
		strongest[k] = max(strongest[k], h.mode)
	}
	var all []string
	for k, mode := range strongest {
		all = append(all, fmt.Sprintf("%s %v %v", k, mode, false))
	}
	for _, w := range m.waits {
		for _, s := range places(w) {
			all = append(all, fmt.Sprintf("%q-%q %d %v %v", s.Start, s.End, w.Owner.Age.At, w.Mode, true))
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}

func tableText(t *Table) string {
	var all []string
	entries, _ := t.Snapshot(LocksMax)
	for _, e := range entries {
		if e.Key != nil {
			e.Span = txn.KeySpan(e.Key)
		}
		all = append(all, fmt.Sprintf("%q-%q %d %v %v", e.Span.Start, e.Span.End, e.Owner.Age.At, e.Mode, e.Waits))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}

// genOwner: six ages of two sessions, and mostly attempts that have not ended.
func (m *tableModel) genOwner(t *rapid.T) Owner {
	age := rapid.IntRange(1, 6).Draw(t, "age")
	attempt := m.attempts[age]
	switch rapid.IntRange(0, 9).Draw(t, "attempt") {
	case 0:
		attempt = max(0, attempt-1)
	case 1, 2:
		attempt++
	}
	session := uint32(1 + age%2)
	if rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0 { // through another gateway
		session = 3 - session
	}
	at := txn.Age{At: txn.Timestamp(age), ID: txn.NewID(1, uint64(age))}
	return Owner{at, txn.NewID(session, uint64(1000*age+attempt))}
}

// again makes other attempts of an age likely.
func (m *tableModel) again(age txn.Age) { m.attempts[int(age.At)]++ }

func wokenText(woken []Woken) string {
	var all []string
	for _, w := range woken {
		all = append(all, fmt.Sprint(w.Request.Caller, w.Answer))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestTableModel compares a Table with its definition.
func TestTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, m, count := NewTable(), newTableModel(), 0
		same := func(woken []Woken) {
			slices.Sort(m.woken)
			if got, want := wokenText(woken), strings.Join(m.woken, " "); got != want {
				t.Fatalf("woken: %s; want %s", got, want)
			}
			m.woken = nil
		}
		lock := func(t *rapid.T) {
			count++
			r := &Request{Owner: m.genOwner(t), Base: 1, Caller: fmt.Sprint("#", count, " "),
				Mode: txn.LockMode(rapid.IntRange(0, 2).Draw(t, "mode")), Keys: genKeys(t, 3, "keys")}
			for _, s := range genSpans(t, 4, "spans") {
				if !s.Empty() {
					r.Spans = append(r.Spans, s)
				}
			}
			if len(r.Keys)+len(r.Spans) == 0 {
				r.Keys = keysOf([]string{"a"})
			}
			a, woken := tab.Lock(r)
			if want := m.lock(r); a != want {
				t.Fatalf("lock of %v: %v, want %v", r.Owner, a, want)
			}
			same(woken)
		}
		t.Repeat(map[string]func(*rapid.T){
			"lock": lock, "lock more": lock, "lock on": lock,
			"cancel": func(t *rapid.T) {
				if len(m.waits) == 0 {
					t.Skip("nobody waits")
				}
				r := rapid.SampledFrom(m.waits).Draw(t, "request")
				m.waits = without(m.waits, r)
				m.settle()
				same(tab.Cancel(r))
			},
			"release": func(t *rapid.T) {
				who := m.genOwner(t)
				m.end(who)
				same(tab.Release(who, 1))
			},
			"release by id": func(t *rapid.T) {
				who := m.genOwner(t)
				if m.speaks[who.Age] == who.Txn {
					m.end(who)
				}
				same(tab.ReleaseTxn(who.Txn, 1))
			},
			"commit": func(t *rapid.T) {
				who := m.genOwner(t)
				m.committing(who)
				same(tab.Committing(who, 1))
			},
			"refuse": func(t *rapid.T) {
				who := m.genOwner(t)
				m.refused(who)
				same(tab.Reopen(who))
			},
			"meet": func(t *rapid.T) {
				who, keys := m.genOwner(t), genKeys(t, 2, "keys")
				r := &Request{Owner: who, Mode: txn.LockExclusive, Keys: keys}
				m.woundYounger(r)
				left := m.holders(r)
				m.settle()
				got, met, woken := tab.Meet(who, keys)
				same(woken)
				waits := slices.ContainsFunc(left, func(a txn.Age) bool { return !m.commits[a] })
				if met != (len(left) > 0) || met && (!slices.Contains(left, got.Age) || got.Committing == waits) {
					t.Fatalf("%v meets %v %v of %v", who, got, met, left)
				}
			},
			"expire": func(t *rapid.T) {
				session := uint32(rapid.IntRange(1, 2).Draw(t, "session"))
				m.expire(session)
				same(tab.ExpireSession(session))
			},
			"": func(t *rapid.T) {
				tab.checkInvariants(t)
				if got, want := tableText(tab), m.text(); got != want {
					t.Fatalf("the table is\n%s\nwant\n%s", got, want)
				}
			},
		})
	})
}

// TestPastsModel: an end is remembered for as long as L3's age limit would let a copy pass, and
// its memory is given back after twice that.
func TestPastsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pasts
		newest, bases := txn.Timestamp(1_000_000), map[int]txn.Timestamp{}
		p.advance(newest)
		owner := func(i int) Owner { return Owner{txn.Age{At: 1, ID: txn.ID(i)}, txn.NewID(1, 7)} }
		t.Repeat(map[string]func(*rapid.T){
			"end": func(t *rapid.T) {
				i := rapid.IntRange(1, 5).Draw(t, "age")
				base := max(1, newest-txn.Timestamp(rapid.Int64Range(0, 7_000_000).Draw(t, "old")))
				if _, known := p.get(lineOf(owner(i))); !known {
					delete(bases, i)
				}
				p.end(owner(i), base)
				bases[i] = max(bases[i], base)
			},
			"saw": func(t *rapid.T) {
				i := rapid.IntRange(1, 5).Draw(t, "age")
				p.saw(owner(i), max(1, newest-txn.Timestamp(rapid.Int64Range(0, 7_000_000).Draw(t, "old"))))
			},
			"advance": func(t *rapid.T) {
				step := rapid.SampledFrom([]int64{-1_000_000, 1, 100_000, 2_499_999, 5_000_000, 5_000_001, 2e7})
				newest = max(newest, newest+txn.Timestamp(step.Draw(t, "step")))
				p.advance(newest)
			},
			"": func(t *rapid.T) {
				for i, base := range bases {
					if newest-base <= DeadFor && !p.over(owner(i)) {
						t.Fatalf("the end of %d at base %d is forgotten at %d", i, base, newest)
					}
				}
				if len(p.old) > 0 && newest-p.bound > DeadFor || newest-p.youngMax > 2*DeadFor && len(p.young) > 0 {
					t.Fatalf("%d and %d are kept at %d: %d, %d", len(p.old), len(p.young), newest, p.bound, p.youngMax)
				}
			},
		})
	})
}
