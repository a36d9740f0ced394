package cycle

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairnkv/cairn/jepsen/check"
	"github.com/cairnkv/cairn/jepsen/history"
)

// TestCycleAcceptsWhatIsStrict: nothing is found where there is nothing.
func TestCycleAcceptsWhatIsStrict(t *testing.T) {
	for seed := range uint64(120) {
		s := newFakeStore(seed, 2+int(seed%9), 1+int(seed%5))
		s.repeats = int(seed%4) * 10
		h := s.run(100 + int(seed)%300)
		if found := Checker().Check(h); len(found) > 0 {
			t.Fatalf("seed %d: %v", seed, found)
		}
	}
}

// TestCycleFindsFaults: one fault in a history, and how often that is seen. What writes blindly
// leaves several orders open, of which one may well explain it.
func TestCycleFindsFaults(t *testing.T) {
	for _, tc := range []struct {
		fault                       fault
		lists, readFirst, halfBlind int // at least that many in a hundred
	}{
		{staleRead, 95, 95, 90},
		{lostWrite, 95, 90, 50},
		{tornWrite, 95, 90, 50},
		{readSkew, 95, 95, 85},
		{writeSkew, 95, 95, 85},
		{lostUpdate, 95, 90, 60},
		{lateVisibility, 95, 95, 80},
		{abortedWrite, 95, 90, 70},
		{swapped, 95, never, never},
		{doubled, 95, never, never},
	} {
		for _, w := range []struct {
			what      string
			want      int
			lists     bool
			blindness int
		}{
			{"lists", tc.lists, true, 0},
			{"registers read first", tc.readFirst, false, 0},
			{"registers written blindly", tc.halfBlind, false, 50},
		} {
			if w.want == never {
				continue
			}
			hit, found := 0, map[string]int{}
			for seed := range uint64(faultRuns) {
				s := newFakeStore(seed, 6, 4)
				s.fault, s.from, s.blind, s.deleted = tc.fault, 40, w.blindness, ""
				if w.lists {
					s.regs = nil
				} else {
					s.lists = nil
				}
				h := s.run(250)
				if s.hit {
					hit++
					tally(found, Checker().Check(h))
				}
			}
			t.Logf("%s of %s: %d of %d found: %v", tc.fault, w.what, found["any"], hit, found)
			if hit < faultRuns/2 || found["any"]*100 < hit*w.want {
				t.Errorf("%s of %s: %d of %d found, want %d in a hundred",
					tc.fault, w.what, found["any"], hit, w.want)
			}
		}
	}
}

const (
	faultRuns = 25
	never     = -1
)

func tally(found map[string]int, anomalies []check.Anomaly) {
	if len(anomalies) > 0 {
		found["any"]++
	}
	for name := range strings.FieldsSeq(names(anomalies)) {
		found[name]++
	}
}

// TestCycleAgainstAllOrders compares with every order of tiny histories. A name says which orders
// there are not: of the transactions alone, or of those that keep to processes, or to real time.
func TestCycleAgainstAllOrders(t *testing.T) {
	bad, found := 0, 0
	for seed := range uint64(9000) {
		s := newFakeStore(seed, 3, 1+int(seed%2))
		s.fault, s.mops = anySnapshot, 3
		if seed >= 6000 { // fewer are found then, but none where there is an order
			s.repeats = 40
		}
		h := s.run(4 + int(seed%3))
		strict := possible(h, 2)
		anomalies := Checker().Check(h)
		for _, a := range anomalies {
			level := 0
			switch {
			case strings.HasSuffix(a.Name, "-process"):
				level = 1
			case strings.HasSuffix(a.Name, "-realtime"), a.Name == "lost-append":
				level = 2
			}
			if possible(h, level) {
				t.Fatalf("seed %d: there is an order, but %v in %v", seed, a, opLines(h))
			}
		}
		if !strict && s.repeats == 0 {
			bad++
			if len(anomalies) > 0 {
				found++
			} else if testing.Verbose() && bad-found < 5 {
				t.Logf("seed %d: not found in %v", seed, opLines(h))
			}
		}
	}
	t.Logf("%d of %d histories without an order found", found, bad)
	if bad < 400 || found*100 < bad*95 {
		t.Errorf("only %d of %d histories without an order found", found, bad)
	}
}

func opLines(h *check.History) string {
	all := fmt.Sprint(h.Init)
	for i := range h.Ops {
		all += "\n" + h.Ops[i].String()
	}
	return all
}

// possible tries all orders, of what happened and what may have happened. Level 1 keeps the order
// of processes, level 2 that of real time.
func possible(h *check.History, level int) bool {
	o := &orders{h: h, level: level, placed: make([]bool, len(h.Ops))}
	return o.try(map[string]fakeVersion{})
}

type orders struct {
	h      *check.History
	level  int
	placed []bool
}

func (o *orders) try(now map[string]fakeVersion) bool {
	all := true
	for i := range o.h.Ops {
		op := &o.h.Ops[i]
		all = all && (o.placed[i] || op.Type != history.OK)
		if o.placed[i] || op.Type == history.Fail || !o.free(op) {
			continue
		}
		after, ok := o.apply(now, op)
		if !ok {
			continue
		}
		o.placed[i] = true
		done := o.try(after)
		o.placed[i] = false
		if done {
			return true
		}
	}
	return all
}

// free: nothing that must come before op is missing.
func (o *orders) free(op *history.Op) bool {
	for i := range o.h.Ops {
		b := &o.h.Ops[i]
		before := o.level == 2 && b.Completed < op.Invoked ||
			o.level == 1 && b.Process == op.Process && b.ID < op.ID
		if before && b.Type == history.OK && !o.placed[i] {
			return false
		}
	}
	return true
}

func (o *orders) apply(now map[string]fakeVersion, op *history.Op) (map[string]fakeVersion, bool) {
	after := map[string]fakeVersion{}
	for k, v := range now {
		after[k] = v
	}
	for _, m := range op.Mops {
		v, ok := after[m.Key]
		if !ok {
			n, there := o.h.Init[m.Key]
			v.reg = state{known: true, missing: !there, n: n}
		}
		switch {
		case m.Kind == history.Append:
			v.list = append(v.list[:len(v.list):len(v.list)], m.N)
		case m.Writes():
			v.reg = state{known: true, missing: m.Kind == history.Delete, n: m.N}
		case op.Type != history.OK:
		case m.Key[0] == 'l':
			if !slices.Equal(m.List, v.list) {
				return nil, false
			}
		case m.Missing != v.reg.missing || !m.Missing && m.N != v.reg.n:
			return nil, false
		}
		after[m.Key] = v
	}
	return after, true
}

// TestCycleIsFast: a history of a whole cell is judged while nobody waits for it.
func TestCycleIsFast(t *testing.T) {
	s := newFakeStore(1, 10, 20)
	h := s.run(20_000)
	began := time.Now()
	found := Checker().Check(h)
	took := time.Since(began)
	t.Logf("%d operations of 10 processes: %v", len(h.Ops), took)
	if len(found) > 0 {
		t.Error(found)
	}
	if took > fastMax {
		t.Errorf("%v, want at most %v", took, fastMax)
	}
}

// fastMax leaves room for slow machines and the race detector: it takes half a second.
const fastMax = 15 * time.Second

func BenchmarkCycle(b *testing.B) {
	s := newFakeStore(1, 10, 20)
	h := s.run(20_000)
	for b.Loop() {
		if found := Checker().Check(h); len(found) > 0 {
			b.Fatal(found)
		}
	}
}
