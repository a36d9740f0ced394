package sim

import (
	"strings"
	"testing"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// past builds a history by hand: a good one, which each test then spoils.
type past struct {
	*History
	clock uint64
}

func newPast() *past {
	return &past{History: &History{Final: map[string][]txn.Version{}}}
}

func (p *past) add(name string, o Outcome) *Op {
	op := &Op{ID: len(p.Ops) + 1, Name: name, Start: p.clock + 1, End: p.clock + 2, Outcome: o}
	p.clock += 2
	p.Ops = append(p.Ops, op)
	return op
}

// set is a program that sets keys to a value, committed at ts as txn 1.id.
func (p *past) set(ts txn.Timestamp, id uint64, value string, keys ...string) *Op {
	op := p.add("set", Committed)
	op.IDs = []txn.ID{txn.NewID(1, id)}
	op.Program = &Execution{Result: &coordinator.Result{CommitTS: ts, Succeeded: true, Attempts: 1}}
	for _, key := range keys {
		k := userKey(key)
		v := txn.Version{TS: ts, Txn: op.IDs[0], CreateTS: ts, Value: txn.StringValue(value)}
		before := txn.NoRevision
		if all := p.Final[string(k)]; len(all) > 0 {
			last := all[len(all)-1]
			before, v.Revision = last.Revision, last.Revision+1
			v.First, v.CreateTS = last.First, last.CreateTS
		}
		p.Final[string(k)] = append(p.Final[string(k)], v)
		op.Program.Program.Then = append(op.Program.Program.Then,
			txn.Op{Kind: txn.OpSet, Key: k, Value: v.Value})
		v.Value.Data = nil
		op.Program.Result.Results = append(op.Program.Result.Results,
			txn.Result{OK: true, PrevRevision: before, Entry: txn.Entry{Key: k, Version: v}})
	}
	return op
}

// get reads keys at ts, as they are by then.
func (p *past) get(ts txn.Timestamp, keys ...string) *Op {
	op := p.add("get", Committed)
	op.Get = &Get{At: ts}
	for _, key := range keys {
		k := userKey(key)
		op.Get.Read.Keys = append(op.Get.Read.Keys, k)
		op.Get.Versions = append(op.Get.Versions, p.newest(k))
	}
	return op
}

func (p *past) newest(k txn.Key) txn.Version {
	all := p.Final[string(k)]
	if len(all) == 0 {
		return txn.Version{}
	}
	return all[len(all)-1]
}

// swap reads one key at readTS and writes another at ts.
func (p *past) swap(readTS, ts txn.Timestamp, id uint64, from, to string) *Op {
	op := p.add("swap", Committed)
	op.IDs = []txn.ID{txn.NewID(1, id)}
	fk, tk := userKey(from), userKey(to)
	seen := p.newest(fk)
	v := txn.Version{TS: ts, Txn: op.IDs[0], CreateTS: ts, Value: txn.StringValue("swapped")}
	p.Final[string(tk)] = append(p.Final[string(tk)], v)
	short := v
	short.Value.Data = nil
	op.Txn = &Interactive{ReadTS: readTS,
		Steps: []Step{
			{Op: txn.Op{Kind: txn.OpGet, Key: fk}, Result: txn.Result{OK: true, Entry: txn.Entry{Key: fk, Version: seen}}},
			{Op: txn.Op{Kind: txn.OpSet, Key: tk, Value: v.Value}, Result: txn.Result{OK: true, Entry: txn.Entry{Key: tk}}},
		},
		Committed: &coordinator.Committed{CommitTS: ts, Written: []txn.Written{{
			Key: tk, Wrote: true, Version: short, PrevRevision: txn.NoRevision}}},
	}
	return op
}

// scan reads all keys at ts.
func (p *past) scan(ts txn.Timestamp) *Op {
	op := p.add("scan", Committed)
	page := &coordinator.Page{At: ts}
	for _, k := range sortedKeys(p.Final) {
		page.Entries = append(page.Entries, txn.Entry{Key: txn.Key(k), Version: p.newest(txn.Key(k))})
	}
	op.Scans = []*Scan{{Scan: coordinator.Scan{Span: txn.PrefixSpan(userKey(""))}, Page: page}}
	return op
}

// good is a history in which nothing is wrong: operations 1 to 7.
func good() *past {
	p := newPast()
	p.set(100, 1, "one", "a", "b")    // 1
	p.get(110, "a", "b", "c")         // 2
	p.set(120, 2, "two", "a")         // 3
	p.swap(130, 140, 3, "a", "c")     // 4
	p.scan(150)                       // 5
	lost := p.set(160, 4, "new", "b") // 6: its client was not told
	lost.Outcome, lost.End, lost.Program.Result = Unknown, 0, nil
	p.get(170, "b") // 7
	p.Issued = func(ts txn.Timestamp) bool { return ts%10 == 0 }
	return p
}

func (p *past) drop(key string, at int) {
	all := p.Final[string(userKey(key))]
	p.Final[string(userKey(key))] = append(all[:at:at], all[at+1:]...)
}

func TestCheckAcceptsGood(t *testing.T) {
	if err := Check(good().History); err != nil {
		t.Error(err)
	}
	never := good() // the unknown one did not happen
	never.drop("b", 1)
	never.Ops[6].Get.Versions[0] = never.Final[string(userKey("b"))][0]
	if err := Check(never.History); err != nil {
		t.Error(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(p *past)
		want  string // in the violation
	}{
		{"a lost write", func(p *past) { p.drop("a", 1) }, "is lost"},
		{"a torn transaction, one part missing", func(p *past) { p.drop("b", 0) }, "is lost"},
		{"a torn transaction, two timestamps", func(p *past) {
			p.Final[string(userKey("b"))][0].TS = 90
		}, "is torn"},
		{"a torn transaction nobody was told of", func(p *past) {
			p.Ops[0].Outcome, p.Ops[0].End = Unknown, 0
			p.drop("b", 0)
		}, "is lost"},
		{"a stale read", func(p *past) {
			p.Ops[6].Get.Versions[0] = p.Final[string(userKey("b"))][0]
		}, "a get of"},
		{"a stale read at a stale timestamp", func(p *past) {
			p.Ops[6].Get.At = 115
			p.Ops[6].Get.Versions[0] = p.Final[string(userKey("b"))][0]
		}, "real time was not kept"},
		{"a read of the future", func(p *past) {
			p.Ops[1].Get.Versions[0] = p.Final[string(userKey("a"))][1]
		}, "a get of"},
		{"a wrong revision in the answer", func(p *past) {
			p.Ops[2].Program.Result.Results[0].Entry.Revision++
		}, "the revision is wrong"},
		{"a wrong revision before it", func(p *past) {
			p.Ops[2].Program.Result.Results[0].PrevRevision = 7
		}, "the revision was 7"},
		{"a wrong revision on disk", func(p *past) {
			p.Final[string(userKey("a"))][1].Revision = 0
		}, "the revision is wrong"},
		{"a wrong value on disk", func(p *past) {
			p.Final[string(userKey("a"))][1].Value = txn.StringValue("three")
		}, "the value is wrong"},
		{"another author on disk", func(p *past) {
			p.Final[string(userKey("a"))][1].Principal = "somebody"
		}, "is signed"},
		{"an aborted read", func(p *past) {
			ghost := p.newest(userKey("a"))
			ghost.TS, ghost.Txn, ghost.Revision = 145, txn.NewID(1, 9), 2
			p.Ops[4].Scans[0].Page.Entries[0].Version = ghost
		}, "a scan at 150"},
		{"a trace of what failed", func(p *past) { p.Ops[2].Outcome = Failed }, "told that it failed"},
		{"a version of nobody", func(p *past) { p.Ops[2].IDs = nil }, "no client ran it"},
		{"a commit at another time", func(p *past) {
			p.Ops[2].Program.Result.CommitTS = 125
		}, "acknowledged at 125"},
		{"a commit twice", func(p *past) {
			op := p.set(180, 8, "two", "a")
			p.Ops = p.Ops[:7]
			p.Ops[2].IDs = append(p.Ops[2].IDs, op.IDs...)
			p.Ops[2].Outcome = Unknown
		}, "also committed as"},
		{"an id twice", func(p *past) { p.Ops[3].IDs = p.Ops[2].IDs }, "was used twice"},
		{"a timestamp of nobody", func(p *past) {
			p.Issued = func(ts txn.Timestamp) bool { return ts != 140 }
		}, "never issued"},
		{"one timestamp for two", func(p *past) {
			p.Final[string(userKey("c"))][0].TS = 120
			p.Ops[3].Txn.Committed.CommitTS = 120
			p.Ops[3].Txn.ReadTS = 110
		}, "two transactions committed at 120"},
		{"a lost update", func(p *past) { // it read a at 110, before 120, and committed after
			p.Ops[3].Txn.ReadTS = 110
			p.Ops[3].Txn.Steps[0].Result.Entry.Version = p.Final[string(userKey("a"))][0]
		}, "when it committed at 140"},
		{"a phantom", func(p *past) {
			p.Ops[4].Scans[0].Page.Entries = p.Ops[4].Scans[0].Page.Entries[:2]
		}, `it does not show "c"`},
		{"commits against real time", func(p *past) {
			p.Ops[3].Start, p.Ops[3].End = 1, 2
			p.Ops[0].Start, p.Ops[0].End = 7, 8
		}, "real time was not kept"},
		{"a write that is not told", func(p *past) {
			p.Ops[3].Txn.Committed.Written = nil
		}, "tells of 0 writes"},
		{"a test that came out wrong", func(p *past) {
			p.Ops[2].Program.Program.If = txn.Test{Key: userKey("a"), Cond: txn.Cond{Absent: true}}
		}, "should not have made"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := good()
			c.spoil(p)
			err := Check(p.History)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant a word of %q", err, c.want)
			}
		})
	}
}
