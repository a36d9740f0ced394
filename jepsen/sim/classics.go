package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// classics are the keys of those workloads that are checked directly, too
// (direct.go): list-append, bank, write skew, range counts, marks. Each has a
// file with what clients do and what must be so then. Nobody else writes these
// keys.
type classics struct {
	lists    []txn.Key    // elements are only ever appended
	accounts []txn.Key    // their sum stays
	pairs    [][2]txn.Key // one of the two is always on
	rooms    []room       // never have more entries than places
	marks    []txn.Key    // always set together
}

// room is a range that is to have a bounded number of entries.
type room struct {
	span   txn.Span
	slots  []txn.Key // what may be in it: more than places
	places int
}

const (
	deposit = 100 // in an account that nobody has written yet

	switchedOff, switchedOn = 0, 1
)

// newClassics takes few of each in a hot plan, so that clients meet. What
// belongs together has different numbers in its names, and cuts are between
// numbers: c0a c0b c0m c0p c0r/0 … c1a c1b ….
func newClassics(c chance, hot bool) *classics {
	most := 2
	if hot {
		most = 1
	}
	k := new(classics)
	name := func(n int, what string) txn.Key { return userKey(fmt.Sprintf("c%d%s", n, what)) }
	for i := range c.number(1, most) {
		k.lists = append(k.lists, name(i, "a"))
	}
	for i := range c.number(2, 2*most) {
		k.accounts = append(k.accounts, name(i, "b"))
	}
	for i := range c.number(2, 3) {
		k.marks = append(k.marks, name(i, "m"))
	}
	for i := range c.number(1, most) {
		k.pairs = append(k.pairs, [2]txn.Key{name(i, "p"), name(i+1, "q")})
	}
	for i := range c.number(1, most) {
		r := room{span: txn.PrefixSpan(name(i, "r/")), places: c.number(1, 4)}
		for slot := range 10 {
			r.slots = append(r.slots, name(i, fmt.Sprintf("r/%d", slot)))
		}
		k.rooms = append(k.rooms, r)
	}
	return k
}

// classicSpan is all of them, and classicCuts are places where a shard may end.
func classicSpan() txn.Span { return txn.PrefixSpan(userKey("c")) }

var classicCuts = []string{"c1", "c1", "c2", "c3", "c0r/5", "c0r/5", "c1r/2"}

// intOf is the number in v, or what stands for no version.
func intOf(v *txn.Version, none int64) int64 {
	if v.TS == 0 {
		return none
	}
	return v.Value.Int()
}

// seenAs holds while key is as v says: its value, or that it is missing. A
// number may be asked for as a float.
func (r *runner) seenAs(key txn.Key, v *txn.Version) txn.Test {
	if v.TS == 0 {
		return txn.Test{Key: key, Cond: txn.Cond{Absent: true}}
	}
	t := txn.Test{Kind: txn.TestCompare, Key: key, Value: v.Value}
	if v.Value.Type == txn.Int && r.w.oneIn(2) {
		t.Value = txn.FloatValue(float64(v.Value.Int()))
	}
	return t
}

// look reads a key whose value the workload needs.
func (s *session) look(key txn.Key) (txn.Version, error) {
	got, err := s.do(txn.Op{Kind: txn.OpGet, Key: key})
	if err != nil || !got.OK {
		return txn.Version{}, err
	}
	if got.Entry.Txn != 0 { // not its own write
		s.w.known.whole[string(key)] = got.Entry.Version
	}
	return got.Entry.Version, nil
}

func getOp(key txn.Key) txn.Op { return txn.Op{Kind: txn.OpGet, Key: key} }

func setOp(key txn.Key, v txn.Value) txn.Op { return txn.Op{Kind: txn.OpSet, Key: key, Value: v} }

// scanAll reads a range to its end.
func (r *runner) scanAll(s coordinator.Scan) error {
	for {
		page, err := r.scan(s)
		if err != nil || !page.More {
			return err
		}
		if s.At = page.At; s.Reverse {
			s.Span.End = page.Next
		} else {
			s.Span.Start = page.Next
		}
	}
}

// whole takes note of what the gets of a one-shot transaction showed.
func (r *runner) whole() {
	res := r.op.Program.Result
	ops := r.op.Program.Program.Else
	if res.Succeeded {
		ops = r.op.Program.Program.Then
	}
	for i := range ops {
		if ops[i].Kind == txn.OpGet && res.Results[i].OK {
			r.w.known.whole[string(ops[i].Key)] = res.Results[i].Entry.Version
		}
	}
}

// runReadTogether reads what one of the classics promises something about.
func runReadTogether(r *runner) error {
	k := r.w.plan.classics
	if r.w.oneIn(4) {
		return r.readRoom()
	}
	pair := pick(r.w.chance, k.pairs)
	keys := pick(r.w.chance, [][]txn.Key{k.lists, k.accounts, k.marks, pair[:]})
	err := r.readTogether(keys)
	for _, is := range []struct {
		what string
		keys []txn.Key
	}{{"lists", k.lists}, {"accounts", k.accounts}, {"marks", k.marks}, {"a pair", pair[:]}} {
		if _, all := r.op.readAll(is.keys); all && err == nil {
			r.w.saw("read together: " + is.what)
		}
	}
	return err
}

// readTogether reads keys at one moment, in any of the ways in which that can
// be done.
func (r *runner) readTogether(keys []txn.Key) error {
	span := classicSpan()
	switch r.w.IntN(5) {
	case 0:
		return r.get(coordinator.Read{Keys: keys})
	case 1:
		return r.get(coordinator.Read{Keys: keys, At: max(r.oldStamp(), 0)})
	case 2:
		return r.scanAll(coordinator.Scan{Span: span, Reverse: r.w.oneIn(2), Limit: r.w.IntN(3)})
	case 3:
		var p txn.Program
		for _, key := range keys {
			p.Then = append(p.Then, getOp(key))
		}
		if r.w.oneIn(2) {
			p.Then = []txn.Op{{Kind: txn.OpRange, Span: span}}
		}
		return r.execute(p)
	}
	return r.interact(coordinator.BeginOptions{ReadOnly: r.w.oneIn(2)}, func(s *session) error {
		for _, key := range keys {
			if _, err := s.do(getOp(key)); err != nil {
				return err
			}
		}
		return nil
	})
}
