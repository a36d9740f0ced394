package locks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnkv/cairn/txn"
)

// tableStory runs testdata/table:
//
//	lock NAME age=N [txn=S.N] [mode=s|u|x] [keys=(a,b)] [spans=(a-c)] [at=N] [base=N]   mode x if none is given
//	cancel NAME
//	release age=N [txn=S.N] [base=N], release-txn txn=S.N
//	committing [base=N], refused age=N [txn=S.N]   its commit begins, its commit was refused
//	meet age=N keys=(a)                   it writes without having locked
//	expire session=N
//	advance newest=N
//	new-leader                            the table is dropped
//	fill keys=N|spans=N|waiting=N age=N    that many requests of one name each
//	show [max=N]
//
// The id of an attempt is 1.AGE where none is given.
type tableStory struct{ table *Table }

func TestTable(t *testing.T) {
	walk(t, "table", func() func(*testing.T, *datadriven.TestData) string {
		s := &tableStory{table: NewTable()}
		live := map[string]*Request{}
		return func(t *testing.T, d *datadriven.TestData) string {
			defer func() { s.table.checkInvariants(t) }()
			return s.run(t, d, live)
		}
	})
}

func argOwner(t *testing.T, d *datadriven.TestData) Owner {
	var age int64
	d.ScanArgs(t, "age", &age)
	o := Owner{txn.Age{At: txn.Timestamp(age), ID: txn.NewID(1, uint64(age))}, txn.NewID(1, uint64(age))}
	if d.HasArg("txn") {
		o.Txn = idOf(t, argString(t, d, "txn"))
	}
	return o
}

func idOf(t *testing.T, s string) txn.ID {
	session, counter, _ := strings.Cut(s, ".")
	a, err := strconv.ParseUint(session, 10, 24)
	if err != nil {
		t.Fatal(err)
	}
	b, err := strconv.ParseUint(counter, 10, 40)
	if err != nil {
		t.Fatal(err)
	}
	return txn.NewID(uint32(a), b)
}

func argBase(t *testing.T, d *datadriven.TestData) txn.Timestamp {
	if d.HasArg("base") {
		return argTS(t, d, "base")
	}
	return 1
}

func argRequest(t *testing.T, d *datadriven.TestData) *Request {
	r := &Request{Owner: argOwner(t, d), Mode: txn.LockExclusive, Base: argBase(t, d), Caller: d.CmdArgs[0].Key}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "mode":
			r.Mode = map[string]txn.LockMode{
				"s": txn.LockShared, "u": txn.LockUpdate, "x": txn.LockExclusive}[a.Vals[0]]
		case "keys":
			r.Keys = keysOf(a.Vals)
		case "spans":
			r.Spans = spansOf(a.Vals)
		case "at":
			r.Since = argTS(t, d, "at")
		}
	}
	return r
}

// run adds who was wounded, and whose waiting ended.
func (s *tableStory) run(t *testing.T, d *datadriven.TestData, live map[string]*Request) string {
	before := s.table.inOrder()
	out, woken := s.command(t, d, live)
	for _, o := range before {
		if by, ok := s.table.WoundedBy(o.Txn); ok && s.table.byTxn[o.Txn] == nil {
			out = append(out, fmt.Sprintf("%v is wounded by %v", o.Txn, by.Txn))
		}
	}
	if len(woken) > 100 {
		return fmt.Sprintf("%d are %v", len(woken), woken[0].Answer)
	}
	for _, w := range woken {
		out = append(out, fmt.Sprintf("%v: %v", w.Request.Caller, w.Answer))
	}
	if len(out) == 0 {
		return "ok"
	}
	return strings.Join(out, "\n")
}

func (s *tableStory) command(
	t *testing.T, d *datadriven.TestData, live map[string]*Request,
) (out []string, woken []Woken) {
	switch d.Cmd {
	case "lock":
		r := argRequest(t, d)
		live[d.CmdArgs[0].Key] = r
		a, woken := s.table.Lock(r)
		said := a.String()
		if a == Queued {
			said = "waits for"
			for _, o := range s.table.behind(r) {
				said += " " + o.Txn.String()
			}
		}
		return []string{said}, woken
	case "cancel":
		return nil, s.table.Cancel(live[d.CmdArgs[0].Key])
	case "release", "release-txn":
		if d.Cmd == "release-txn" {
			return nil, s.table.ReleaseTxn(idOf(t, argString(t, d, "txn")), argBase(t, d))
		}
		return nil, s.table.Release(argOwner(t, d), argBase(t, d))
	case "committing":
		return nil, s.table.Committing(argOwner(t, d), argBase(t, d))
	case "refused":
		return nil, s.table.Reopen(argOwner(t, d))
	case "meet":
		left, met, woken := s.table.Meet(argOwner(t, d), argRequest(t, d).Keys)
		if !met {
			return []string{"nobody is left"}, woken
		}
		said := fmt.Sprintf("%v has %s", left.Txn, string(left.Key))
		if left.Committing {
			said += ", committing"
		}
		return []string{said}, woken
	case "expire":
		var session int
		d.ScanArgs(t, "session", &session)
		return nil, s.table.ExpireSession(uint32(session))
	case "new-leader":
		s.table = NewTable()
	case "advance":
		s.table.Advance(argTS(t, d, "newest"))
	case "fill":
		return s.fill(t, d), nil
	case "show":
		return s.show(t, d), nil
	default:
		return []string{"unknown command " + d.Cmd}, nil
	}
	return nil, nil
}

func (s *tableStory) fill(t *testing.T, d *datadriven.TestData) []string {
	n, what := 0, d.CmdArgs[0].Key
	d.ScanArgs(t, what, &n)
	owner := argOwner(t, d)
	for i := range n {
		r := &Request{Owner: owner, Mode: txn.LockExclusive, Caller: what}
		k := txn.Key(fmt.Sprintf("fill/%06d", i))
		switch what {
		case "waiting":
			r.Keys = keysOf([]string{"hot"})
		case "keys":
			r.Keys = []txn.Key{k}
		case "spans":
			r.Spans = []txn.Span{txn.PrefixSpan(k)}
		}
		if a, _ := s.table.Lock(r); a != Granted && a != Queued {
			return []string{fmt.Sprintf("%v after %d", a, i)}
		}
	}
	return []string{"there is room for all"}
}

func (s *tableStory) show(t *testing.T, d *datadriven.TestData) (out []string) {
	most := 100
	if d.HasArg("max") {
		d.ScanArgs(t, "max", &most)
	}
	all, more := s.table.Snapshot(most)
	for i := range all {
		out = append(out, entryText(&all[i]))
	}
	if more {
		out = append(out, "more")
	}
	return out
}

func entryText(e *Entry) string {
	said := string(e.Key)
	if e.Key == nil {
		said = fmt.Sprintf("%s-%s", string(e.Span.Start), string(e.Span.End))
	}
	said += fmt.Sprintf(" %v %v", e.Mode, e.Owner.Txn)
	if e.Since != 0 {
		said += fmt.Sprintf(" since %d", e.Since)
	}
	if e.Committing {
		said += " committing"
	}
	if e.Waits {
		said += " waits for"
		for _, o := range e.Behind {
			said += " " + o.Txn.String()
		}
	}
	return said
}

// checkInvariants fails tb where the index and the counts disagree, where two conflict that
// hold, where somebody waits for nobody, or for a younger one that does not commit.
func (t *Table) checkInvariants(tb failer) {
	tb.Helper()
	names, spans := t.checkPoints(tb), 0
	for i, h := range t.held {
		names++
		spans++
		if i > 0 && compareSpans(t.held[i-1].span, h.span) > 0 || !slices.Contains(h.by.spans, h) {
			tb.Fatalf("%v is not where it belongs", h.span)
		}
		t.checkAlone(tb, &Request{Owner: h.by.Owner, Mode: h.mode, Spans: []txn.Span{h.span}})
	}
	holds := names
	for i, r := range t.waiting {
		names += len(r.Keys) + len(r.Spans)
		spans += len(r.Spans)
		if i > 0 && byAge(t.waiting[i-1], r) >= 0 || slices.Contains(t.wanted, r) != (len(r.Spans) > 0) {
			tb.Fatalf("%v is not where it belongs", r.Caller)
		}
		t.checkWait(tb, r)
	}
	if held, waiting := t.Count(); held != holds || waiting != len(t.waiting) {
		tb.Fatalf("%d locks held, %d requests wait: counted %d and %d", holds, len(t.waiting), held, waiting)
	}
	if names != t.names || spans != t.spans || len(t.loose) > 0 || t.woken != nil {
		tb.Fatalf("%d names and %d spans, counted %d and %d", t.names, t.spans, names, spans)
	}
	t.checkOwners(tb)
}

func (t *Table) checkPoints(tb failer) (names int) {
	tb.Helper()
	ordered := 0
	for _, order := range t.order {
		ordered += order.Len()
	}
	if ordered != len(t.points) {
		tb.Fatalf("%d points, %d in order", len(t.points), ordered)
	}
	keys := map[*owner]int{}
	for k, p := range t.points {
		if string(p.key) != k || p.in == nil {
			tb.Fatalf("the point of %q: %+v", k, p)
		}
		var modes [txn.LockModes]int
		for _, h := range p.holds {
			names++
			modes[h.mode]++
			t.checkAlone(tb, &Request{Owner: h.by.Owner, Mode: h.mode, Keys: []txn.Key{p.key}})
			keys[h.by]++
		}
		if modes != p.modes {
			tb.Fatalf("modes of %q: %v, counted %v", k, p.modes, modes)
		}
		t.checkPlace(tb, p)
		for mode, list := range p.wants {
			for _, r := range list {
				named := slices.ContainsFunc(r.Keys, func(k txn.Key) bool { return k.Compare(p.key) == 0 })
				if r.by == nil || int(r.Mode) != mode || !named {
					tb.Fatalf("%v waits for %q", r.Caller, k)
				}
			}
		}
	}
	for o, n := range keys {
		for _, p := range o.points {
			if !slices.ContainsFunc(p.holds, func(h hold) bool { return h.by == o }) {
				tb.Fatalf("%v does not hold %q", o.Txn, p.key)
			}
		}
		if n != len(o.points) {
			tb.Fatalf("%v holds %d keys, and knows of %d", o.Txn, n, len(o.points))
		}
	}
	return names
}

// checkPlace: a point is in the order of the strongest mode that it is held or waited for in.
func (t *Table) checkPlace(tb failer, p *point) {
	tb.Helper()
	for mode, order := range t.order {
		_, there := order.Get(p)
		stronger := false
		for m := mode + 1; m < len(p.modes); m++ {
			stronger = stronger || p.modes[m]+len(p.wants[m]) > 0
		}
		if there != (p.modes[mode]+len(p.wants[mode]) > 0 && !stronger) || there != (p.in == order) {
			tb.Fatalf("%q is among those of mode %d: %v", p.key, mode, there)
		}
	}
}

// checkAlone: nobody else holds what conflicts with a hold.
func (t *Table) checkAlone(tb failer, hold *Request) {
	tb.Helper()
	hold.sort()
	for in := range t.inTheWay(hold) {
		if !in.waits {
			tb.Fatalf("%v and %v both hold %v", hold.Owner.Txn, in.by.Txn, in.key)
		}
	}
}

// checkWait: every edge of waits-for goes to somebody older or committing, and from nobody who
// is committing. So there is no cycle. The one that will make settle look is among them.
func (t *Table) checkWait(tb failer, r *Request) {
	tb.Helper()
	if r.by == nil || r.by.committing || r.by.Owner != r.Owner {
		tb.Fatalf("%v waits as %+v", r.Caller, r.by)
	}
	behind, known := 0, false
	for in := range t.inTheWay(r) {
		behind++
		known = known || in.by == r.behind
		if !in.by.Age.Older(r.Owner.Age) && (in.waits || !in.by.committing) {
			tb.Fatalf("%v waits for the younger %v", r.Caller, in.by.Txn)
		}
	}
	if behind == 0 {
		tb.Fatalf("%v waits for nobody", r.Caller)
	}
	if !known {
		tb.Fatalf("%v is behind %+v, who is not in its way", r.Caller, r.behind)
	}
	if _, kept := r.behind.keeps[r]; !kept {
		tb.Fatalf("%v does not know that it keeps %v", r.behind.Txn, r.Caller)
	}
}

func (t *Table) checkOwners(tb failer) {
	tb.Helper()
	waiting, held, kept := 0, 0, 0
	for age, o := range t.owners {
		waiting += len(o.waiting)
		kept += len(o.keeps)
		held += len(o.spans)
		if o.Age != age || t.byTxn[o.Txn] != o || len(o.waiting)+len(o.points)+len(o.spans) == 0 {
			tb.Fatalf("owner %v: %+v", age, o)
		}
	}
	if kept != len(t.waiting) {
		tb.Fatalf("%d wait, %d are kept", len(t.waiting), kept)
	}
	if waiting != len(t.waiting) || held != len(t.held) || len(t.byTxn) != len(t.owners) {
		tb.Fatalf("%d wait, counted %d; %d ids of %d owners", len(t.waiting), waiting, len(t.byTxn), len(t.owners))
	}
	if len(t.wounded.young)+len(t.wounded.old) > WoundedMax {
		tb.Fatalf("%d wounded", len(t.wounded.young)+len(t.wounded.old))
	}
}

// Half of WoundedMax are remembered, whoever else is wounded.
func TestWoundedMax(t *testing.T) {
	var w wounds
	for i := range 3 * WoundedMax {
		w.put(txn.NewID(1, uint64(i)), Owner{Txn: 7})
		if _, ok := w.get(txn.NewID(1, uint64(max(0, i-WoundedMax/2+1)))); !ok {
			t.Fatalf("forgotten after %d", i)
		}
		if n := len(w.old) + len(w.young); n > WoundedMax {
			t.Fatalf("%d are remembered", n)
		}
	}
}
