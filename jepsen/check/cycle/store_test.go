package cycle

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/history"
)

// fault is one way in which a store can be wrong.
type fault string

const (
	staleRead      fault = "stale read"
	lostWrite      fault = "lost write"
	tornWrite      fault = "torn write"
	readSkew       fault = "read skew"
	writeSkew      fault = "write skew"
	lostUpdate     fault = "lost update"
	lateVisibility fault = "late visibility"
	abortedWrite   fault = "aborted write"
	swapped        fault = "swapped elements"
	doubled        fault = "doubled append"
	anySnapshot    fault = "any snapshot" // every read at a random time: for tiny histories
)

// fakeStore makes histories: processes whose operations take effect at one moment between their
// invocation and their end, and so strictly serializable ones; but for a fault.
type fakeStore struct {
	chance *rand.Rand
	events []history.Event
	procs  []*fakeTxn
	ghosts []*fakeTxn // without an end, or that come too late
	keys   map[string][]fakeVersion
	lists  []string
	regs   []string
	done   []*fakeTxn // that took effect
	next   int        // process
	idle   []int      // processes
	value  int64
	ops    int

	fault   fault
	from    int // no fault before that many operations
	hit     bool
	mops    int // in a transaction, at most
	blind   int // in a hundred: writes of registers that were not read before
	repeats int // in a hundred: writes of registers of what was written before
	// deleted is the only register that is ever deleted.
	deleted string
}

// fakeVersion is a key since the seq-th effect.
type fakeVersion struct {
	seq  int
	list []int64
	reg  state
}

// fakeTxn is one that is open.
type fakeTxn struct {
	process, invoked int // at which seq
	began, ended     int // by events, 0 for one that has no end
	mops             []history.Mop
	seq              int // of its effect, 0 before
	typ              history.Type
	wait             int // a ghost's
	late             bool
}

func newFakeStore(seed uint64, procs, keys int) *fakeStore {
	s := &fakeStore{chance: rand.New(rand.NewPCG(seed, 1)), keys: map[string][]fakeVersion{}, mops: 4, blind: 50,
		deleted: "r1"}
	for i := range keys {
		s.lists = append(s.lists, fmt.Sprintf("l%d", i))
		s.regs = append(s.regs, fmt.Sprintf("r%d", i))
	}
	var init []history.Mop
	for i, k := range s.regs {
		first := state{known: true, missing: true}
		if i%2 == 0 {
			s.value++
			first = state{known: true, n: s.value}
			init = append(init, history.Mop{Kind: history.Write, Key: k, N: s.value, Known: true})
		}
		s.keys[k] = []fakeVersion{{reg: first}}
	}
	for _, k := range s.lists {
		s.keys[k] = []fakeVersion{{}}
	}
	s.events = append(s.events, history.Event{F: history.Init, Value: init})
	s.procs = make([]*fakeTxn, procs)
	return s
}

// run does that many operations.
func (s *fakeStore) run(ops int) *check.History {
	for s.ops < ops || slices.ContainsFunc(s.procs, func(t *fakeTxn) bool { return t != nil && t.seq > 0 }) {
		i := s.chance.IntN(len(s.procs))
		if s.ops < ops || s.procs[i] != nil {
			s.procs[i] = s.step(s.procs[i])
		}
		s.haunt()
	}
	h, err := check.New(s.events)
	if err != nil {
		panic(err)
	}
	return h
}

func (s *fakeStore) step(t *fakeTxn) *fakeTxn {
	switch {
	case t == nil:
		t = &fakeTxn{process: s.next, invoked: len(s.done), began: len(s.events), mops: s.program()}
		if n := len(s.idle); n > 0 && s.chance.IntN(20) > 0 {
			i := s.chance.IntN(n)
			t.process = s.idle[i]
			s.idle = slices.Delete(s.idle, i, i+1)
		} else {
			s.next++
		}
		s.ops++
		s.events = append(s.events, s.event(t, history.Invoke))
	case t.seq == 0 && t.typ == "":
		s.decide(t)
	default:
		e := s.event(t, t.typ)
		if t.typ != history.OK {
			for i := range e.Value {
				if !e.Value[i].Writes() {
					e.Value[i] = history.Mop{Kind: history.Read, Key: e.Value[i].Key}
				}
			}
		}
		s.events = append(s.events, e)
		if t.typ != history.Info {
			s.idle = append(s.idle, t.process)
			t.ended = len(s.events)
		}
		if t.late {
			s.ghosts = append(s.ghosts, t)
		}
		return nil
	}
	return t
}

// decide what becomes of t, and lets it take effect.
func (s *fakeStore) decide(t *fakeTxn) {
	t.typ = history.OK
	switch s.chance.IntN(30) {
	case 0:
		t.typ = history.Fail
		if s.fault == abortedWrite && s.ready() && writesAny(t) {
			s.hit = true
			s.effect(t, nil, t.mops)
		}
		return
	case 1:
		t.typ = history.Info
		if s.chance.IntN(2) == 0 {
			t.wait = s.chance.IntN(30)
			s.ghosts = append(s.ghosts, t)
		}
		return
	}
	if s.fault != "" && s.ready() && s.broken(t) {
		return
	}
	s.effect(t, nil, t.mops)
}

func (s *fakeStore) ready() bool { return !s.hit && s.ops >= s.from }

// haunt lets those who are late take effect.
func (s *fakeStore) haunt() {
	s.ghosts = slices.DeleteFunc(s.ghosts, func(t *fakeTxn) bool {
		t.wait--
		if t.wait <= 0 {
			mops := slices.Clone(t.mops) // nobody sees what it reads
			s.effect(t, nil, mops)
		}
		return t.wait <= 0
	})
}

// effect reads as of the seqs that at names, or of now, and writes some of the steps.
func (s *fakeStore) effect(t *fakeTxn, at func(key string) int, writes []history.Mop) {
	if t.typ == history.OK && !t.late {
		s.read(t, at)
	}
	s.done = append(s.done, t)
	t.seq = len(s.done)
	for _, m := range writes {
		if !m.Writes() {
			continue
		}
		v := s.at(m.Key, t.seq)
		v.seq = t.seq
		if m.Kind == history.Append {
			v.list = append(v.list[:len(v.list):len(v.list)], m.N)
		} else {
			v.reg = state{known: true, missing: m.Kind == history.Delete, n: m.N}
		}
		s.keys[m.Key] = append(s.keys[m.Key], v)
	}
}

// at is a key as it was just after the seq-th effect.
func (s *fakeStore) at(key string, seq int) fakeVersion {
	all := s.keys[key]
	for i := len(all) - 1; i > 0; i-- {
		if all[i].seq <= seq {
			return all[i]
		}
	}
	return all[0]
}

func (s *fakeStore) read(t *fakeTxn, at func(key string) int) {
	own := map[string]fakeVersion{}
	for i := range t.mops {
		m := &t.mops[i]
		v, ok := own[m.Key]
		if !ok {
			seq := len(s.done)
			if at != nil {
				seq = at(m.Key)
			}
			v = s.at(m.Key, seq)
		}
		switch m.Kind {
		case history.Append:
			v.list = append(v.list[:len(v.list):len(v.list)], m.N)
		case history.Read:
			m.Known = true
			if m.Key[0] == 'l' {
				m.List, m.Listed, m.Missing = v.list, len(v.list) > 0, len(v.list) == 0
			} else {
				m.N, m.Missing = v.reg.n, v.reg.missing
			}
		default:
			v.reg = state{known: true, missing: m.Kind == history.Delete, n: m.N}
		}
		own[m.Key] = v
	}
}

// program is what a transaction does. Keys at the end are rare, the first ones hot.
func (s *fakeStore) program() []history.Mop {
	var mops []history.Mop
	for range 1 + s.chance.IntN(s.mops) {
		keys, write := s.lists, history.Append
		if len(s.lists) == 0 || len(s.regs) > 0 && s.chance.IntN(2) == 0 {
			keys, write = s.regs, history.Write
		}
		m := history.Mop{Kind: history.Read, Key: keys[s.chance.IntN(1+s.chance.IntN(len(keys)))]}
		if s.chance.IntN(2) == 0 {
			s.value++
			m.Kind, m.N, m.Known = write, s.value, true
			if write == history.Write && s.repeats > 0 && s.chance.IntN(100) < s.repeats {
				m.N = 1 + s.chance.Int64N(s.value)
			}
		}
		if m.Kind == history.Write && s.chance.IntN(100) >= s.blind {
			mops = append(mops, history.Mop{Kind: history.Read, Key: m.Key})
		}
		if m.Key == s.deleted && m.Writes() && s.chance.IntN(3) == 0 {
			m.Kind, m.N = history.Delete, 0
		}
		mops = append(mops, m)
	}
	return mops
}

func (s *fakeStore) event(t *fakeTxn, typ history.Type) history.Event {
	return history.Event{Process: t.process, Type: typ, F: "txn", Value: slices.Clone(t.mops)}
}

func writesAny(t *fakeTxn) bool {
	return slices.ContainsFunc(t.mops, func(m history.Mop) bool { return m.Writes() })
}

// keys are those that t reads before it writes them, or that it writes.
func (t *fakeTxn) keys(writes bool) []string {
	var all, written []string
	for _, m := range t.mops {
		if m.Writes() == writes && (writes || !slices.Contains(written, m.Key)) && !slices.Contains(all, m.Key) {
			all = append(all, m.Key)
		}
		if m.Writes() {
			written = append(written, m.Key)
		}
	}
	return all
}
