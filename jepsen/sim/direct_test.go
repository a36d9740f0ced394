package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// act is a transaction of many calls, by hand: it reads what is there by now
// and leaves its writes at ts.
func (p *past) act(ts txn.Timestamp, ops ...txn.Op) *Op {
	op := p.add("act", Committed)
	op.IDs = []txn.ID{txn.NewID(1, uint64(op.ID))}
	op.Txn = &Interactive{ReadTS: ts - 1, Committed: &coordinator.Committed{CommitTS: ts}}
	for i := range ops {
		o := &ops[i]
		res := txn.Result{OK: true, Entry: txn.Entry{Key: o.Key}}
		switch o.Kind {
		case txn.OpGet:
			res.Entry.Version = p.newest(o.Key)
			res.OK = res.Entry.TS != 0
		case txn.OpRange:
			res.Count = p.count(o.Span)
		default:
			p.leave(o, ts, op.IDs[0])
		}
		op.Txn.Steps = append(op.Txn.Steps, Step{Op: *o, Result: res})
	}
	return op
}

func (p *past) leave(o *txn.Op, ts txn.Timestamp, id txn.ID) {
	v := txn.Version{TS: ts, Txn: id, Value: o.Value}
	if o.Kind == txn.OpDelete {
		v.Kind = txn.KindDelete
	}
	p.Final[string(o.Key)] = append(p.Final[string(o.Key)], v)
}

func (p *past) count(span txn.Span) (n int64) {
	for _, k := range sortedKeys(p.Final) {
		if v := p.newest(txn.Key(k)); span.Contains(txn.Key(k)) && lives(&v, v.TS) {
			n++
		}
	}
	return n
}

// leaveMark is a program that does nothing else.
func (p *past) leaveMark(ts txn.Timestamp) *Op {
	op := p.add("mark", Committed)
	op.IDs = []txn.ID{txn.NewID(1, uint64(op.ID))}
	op.Program = &Execution{Result: &coordinator.Result{CommitTS: ts, Succeeded: true}}
	for _, key := range p.classics.marks {
		o := setOp(key, txn.StringValue(fmt.Sprintf("mark %d", op.ID)))
		res := txn.Result{OK: true}
		if v := p.newest(key); v.TS != 0 {
			res.Prev = &txn.Entry{Key: key, Version: v}
		}
		p.leave(&o, ts, op.IDs[0])
		op.Program.Program.Then = append(op.Program.Program.Then, o)
		op.Program.Result.Results = append(op.Program.Result.Results, res)
	}
	return op
}

// list is what a list holds with some elements.
func list(elements ...string) txn.Value {
	return txn.BytesValue([]byte("|" + strings.Join(elements, "|")))
}

// shownList makes a step show other elements than those that are there.
func (o *Op) shownList(step int, elements ...string) {
	v := &o.Txn.Steps[step].Result.Entry.Version
	if *v = (txn.Version{}); len(elements) > 0 {
		*v = txn.Version{TS: 1, Value: list(elements...)}
	}
}

// The keys of the classics below.
const (
	listA, listB       = "c0a", "c1a"
	accountA, accountB = "c0b", "c1b"
	leftOne, rightOne  = "c0p", "c1q"
	place0, place1     = "c0r/0", "c0r/1"
	markA, markB       = "c0m", "c1m"
)

// classic is a history in which nothing is wrong: operations 1 to 13.
func classic() *past {
	p := newPast()
	k := &classics{lists: []txn.Key{userKey(listA), userKey(listB)}, accounts: []txn.Key{userKey(accountA),
		userKey(accountB)}, pairs: [][2]txn.Key{{userKey(leftOne), userKey(rightOne)}}, marks: []txn.Key{userKey(markA),
		userKey(markB)}}
	k.rooms = []room{{span: txn.PrefixSpan(userKey("c0r/")), places: 1,
		slots: []txn.Key{userKey(place0), userKey(place1)}}}
	p.classics = k
	a, b := k.lists[0], k.lists[1]
	number := func(key string, n int64) txn.Op { return setOp(userKey(key), txn.IntValue(n)) }
	look := func(key string) txn.Op { return getOp(userKey(key)) }
	count := txn.Op{Kind: txn.OpRange, Span: k.rooms[0].span, CountOnly: true}

	p.act(100, getOp(a), setOp(a, list("1.1")))                                             // 1
	p.act(110, getOp(b), setOp(b, list("2.1")), getOp(a), setOp(a, list("1.1", "2.2")))     // 2
	p.act(120, getOp(b), setOp(b, list("2.1", "3.1")))                                      // 3
	p.act(125, getOp(a), getOp(b))                                                          // 4
	p.act(130, look(accountA), look(accountB), number(accountA, 70), number(accountB, 130)) // 5
	p.act(135, look(accountA), look(accountB))                                              // 6
	p.act(140, look(leftOne), look(rightOne), number(leftOne, switchedOff))                 // 7
	p.act(150, look(leftOne), look(rightOne), number(rightOne, switchedOn))                 // 8
	p.act(160, count, number(place0, 9))                                                    // 9
	p.act(170, count, txn.Op{Kind: txn.OpDelete, Key: userKey(place0)}, number(place1, 10)) // 10
	p.leaveMark(180)                                                                        // 11
	p.leaveMark(190)                                                                        // 12
	p.act(195, look(markA), look(markB))                                                    // 13
	return p
}

func TestDirectAcceptsGood(t *testing.T) {
	if err := checkDirectly(classic().History); err != nil {
		t.Error(err)
	}
	never := classic() // op 3 is unknown and did not happen
	never.Ops[2].Outcome, never.Ops[2].End = Unknown, 0
	never.drop(listB, 1)
	never.Ops[3].shownList(1, "2.1")
	if err := checkDirectly(never.History); err != nil {
		t.Error(err)
	}
}

func TestDirectRefuses(t *testing.T) {
	final := func(p *past, key string) []txn.Version { return p.Final[string(userKey(key))] }
	for _, c := range []struct {
		name  string
		spoil func(p *past)
		want  string // in the violation
	}{
		{"a lost append", func(p *past) { p.drop(listB, 1) }, "no list has 3.1"},
		{"a torn append", func(p *past) {
			p.Ops[1].Outcome = Unknown
			final(p, listA)[1].Value = list("1.1")
		}, "of the same append is not"},
		{"an append that failed", func(p *past) { p.Ops[2].Outcome = Failed }, "of an append that failed"},
		{"an append twice", func(p *past) { final(p, listB)[1].Value = list("2.1", "3.1", "2.1") }, "2.1 twice"},
		{"an append of nobody", func(p *past) { final(p, listB)[1].Value = list("2.1", "3.1", "9.1") },
			"nobody appended 9.1"},
		{"a read of what never was", func(p *past) { p.Ops[3].shownList(0, "2.2", "1.1") }, "was shown as"},
		{"an aborted read, by one that failed", func(p *past) {
			p.Ops[3].shownList(0, "1.1", "2.2", "8.1")
			p.Ops[3].Outcome = Failed
		}, "was shown as"},
		{"a lost update", func(p *past) { // op 2 did not see what it wrote over
			p.Ops[1].shownList(2)
		}, "op 1 appended before op 2; op 2 was not shown what was appended by op 1"},
		{"a stale read", func(p *past) { p.Ops[3].shownList(1, "2.1") },
			"op 3 had ended before the beginning of op 4; op 4 was not shown what was appended by op 3"},
		{"a fractured read", func(p *past) { // a without op 2, b with it
			p.Ops[3].shownList(0, "1.1")
			p.Ops[1].End = 0
		}, "no order explains"},
		{"a changed sum", func(p *past) { final(p, accountB)[0].Value = txn.IntValue(131) }, "hold 201, not 200"},
		{"a part of a transfer", func(p *past) {
			p.Ops[5].Txn.Steps[1].Result.Entry.Version = txn.Version{}
		}, "bank: a client was shown that the accounts hold 170"},
		{"an overdrawn account", func(p *past) {
			final(p, accountA)[0].Value, final(p, accountB)[0].Value = txn.IntValue(-1), txn.IntValue(201)
		}, "overdrawn"},
		{"write skew", func(p *past) { final(p, rightOne)[0].Value = txn.IntValue(switchedOff) }, "at 150 none of a pair"},
		{"write skew that is shown", func(p *past) {
			p.Ops[7].Txn.Steps[1].Result.Entry.Version = txn.Version{TS: 1, Value: txn.IntValue(switchedOff)}
		}, "shown a pair of which none is on"},
		{"a room too full", func(p *past) { p.drop(place0, 1) }, "at 170"},
		{"a count too many", func(p *past) { p.Ops[9].Txn.Steps[0].Result.Count = 2 }, "was shown 2 entries"},
		{"a part of a mark", func(p *past) { p.drop(markB, 1) }, "at 190 there is a part of one"},
		{"a part of a mark that is shown", func(p *past) {
			p.Ops[12].Txn.Steps[1].Result.Entry.Version = final(p, markB)[0]
		}, "was shown a part of one"},
		{"a mark on a part of one", func(p *past) { p.Ops[11].Program.Result.Results[1].Prev = nil },
			"left on a part of another"},
		{"two marks on one", func(p *past) {
			for i := range p.Ops[11].Program.Result.Results {
				p.Ops[11].Program.Result.Results[i].Prev = nil
			}
		}, `two were left on ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := classic()
			c.spoil(p)
			err := checkDirectly(p.History)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant a word of %q", err, c.want)
			}
		})
	}
}

// TestDirectScans: what a scan or a program showed counts like what gets did.
func TestDirectScans(t *testing.T) {
	p := classic()
	op := p.scan(200)
	op.Scans[0].Scan.Span = classicSpan()
	page := op.Scans[0].Page
	page.Entries = slices.DeleteFunc(page.Entries, func(e txn.Entry) bool { return e.Kind == txn.KindDelete })
	if err := checkDirectly(p.History); err != nil {
		t.Fatal(err)
	}
	for _, keys := range [][]txn.Key{p.classics.lists, p.classics.accounts, p.classics.marks} {
		if _, all := op.together(keys); !all {
			t.Errorf("the scan did not show %v", keys)
		}
	}
	page.More = true
	if _, all := op.together(append(p.classics.marks, userKey("c9z"))); all {
		t.Error("half of a scan is all")
	}
	page.More, page.Entries[1].Value = false, txn.IntValue(1000)
	if checkDirectly(p.History) == nil {
		t.Error("a wrong scan was accepted")
	}
}
