package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// runListAppend reads lists and appends to some of them what nobody else ever
// appends: so a list shows who came before whom, without any timestamp.
func runListAppend(r *runner) error {
	lists := r.w.plan.classics.lists
	var err error
	if r.w.oneIn(4) {
		err = r.appendIfSame(pick(r.w.chance, lists))
	} else {
		err = r.interact(coordinator.BeginOptions{}, func(s *session) error {
			for range s.w.number(1, 4) {
				key := pick(s.w.chance, lists)
				list, err := s.look(key)
				if err == nil && !s.w.oneIn(3) {
					_, err = s.do(setOp(key, s.longer(&list)))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil && len(r.op.appended(lists)) > 0 {
		r.w.saw("list-append: appended")
	}
	return err
}

// longer is a list with one element more.
func (r *runner) longer(list *txn.Version) txn.Value {
	r.values++
	return txn.BytesValue(fmt.Appendf(bytes.Clone(list.Value.Data), "|%d.%d", r.op.ID, r.values))
}

// appendIfSame appends if the list is at the revision that was last seen.
func (r *runner) appendIfSame(key txn.Key) error {
	known := r.w.known.whole[string(key)]
	same := txn.Test{Kind: txn.TestCompare, Key: key, Attribute: txn.AttributeRevision,
		N: known.RevisionAt(known.TS)}
	err := r.execute(txn.Program{If: same, Then: []txn.Op{setOp(key, r.longer(&known))},
		Else: []txn.Op{getOp(key)}})
	if err == nil {
		r.whole()
	}
	return err
}

func elements(v *txn.Version) []string {
	if len(v.Value.Data) == 0 {
		return nil
	}
	return strings.Split(string(v.Value.Data[1:]), "|")
}

// appended are the elements that op appended, or tried to, by list.
func (o *Op) appended(lists []txn.Key) map[string][]string {
	all := map[string][]string{}
	note := func(op *txn.Op) {
		ours := slices.ContainsFunc(lists, func(key txn.Key) bool { return key.Compare(op.Key) == 0 })
		if op.Kind == txn.OpSet && ours {
			list := elements(&txn.Version{Value: op.Value})
			all[string(op.Key)] = append(all[string(op.Key)], list[len(list)-1])
		}
	}
	if e := o.Program; e != nil && e.Result == nil { // nobody knows whether the test held
		for i := range e.Program.Then {
			note(&e.Program.Then[i])
		}
	}
	o.eachStep(func(op *txn.Op, _ *txn.Result) { note(op) })
	return all
}

// listCheck is what the lists are in the end, and who made them so.
type listCheck struct {
	h     *History
	lists []txn.Key
	final map[string][]string // by list
	by    map[string]*Op      // by element, of those in a list
}

// checkLists: what was acknowledged is in the lists, once, what failed is not;
// whoever read a list was shown a beginning of it; and there is an order of all
// transactions that explains what each was shown and keeps to real time.
func checkLists(h *History) error {
	c := &listCheck{h: h, lists: h.classics.lists, final: map[string][]string{}, by: map[string]*Op{}}
	for _, key := range c.lists {
		if all := h.Final[string(key)]; len(all) > 0 {
			c.final[string(key)] = elements(&all[len(all)-1])
		}
	}
	for _, step := range []func() error{c.findWriters, c.findReads, c.findCycle} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// findWriters looks for lost, torn, doubled and undead appends.
func (c *listCheck) findWriters() error {
	there := map[string]int{}
	for _, key := range c.lists {
		for _, e := range c.final[string(key)] {
			if there[e]++; there[e] > 1 {
				return violation(fmt.Sprintf("list-append: %v has %s twice", key, e))
			}
		}
	}
	for _, op := range c.h.Ops {
		kept, lost := "", ""
		appended := op.appended(c.lists)
		for _, key := range c.lists {
			for _, e := range appended[string(key)] {
				if there[e] > 0 {
					kept, c.by[e] = e, op
				} else {
					lost = e
				}
			}
		}
		switch {
		case kept != "" && op.Outcome == Failed:
			return violation("list-append: a list has "+kept+" of an append that failed", op)
		case lost != "" && op.Outcome == Committed:
			return violation("list-append: no list has "+lost+" of an append that committed", op)
		case kept != "" && lost != "":
			return violation("list-append: "+kept+" is there and "+lost+" of the same append is not", op)
		}
	}
	for _, key := range c.lists {
		for _, e := range c.final[string(key)] {
			if c.by[e] == nil {
				return violation(fmt.Sprintf("list-append: nobody appended %s of %v", e, key))
			}
		}
	}
	return nil
}

// findReads: whatever was shown, to those that failed too, is how the list began.
func (c *listCheck) findReads() error {
	for _, op := range c.h.Ops {
		for _, s := range op.reads() {
			final, list := c.final[string(s.key)], elements(&s.v)
			if !c.isList(s.key) || len(list) <= len(final) && slices.Equal(list, final[:len(list)]) {
				continue
			}
			return violation(fmt.Sprintf("list-append: %v was shown as %q; in the end it is %q", s.key,
				list, final), op)
		}
	}
	return nil
}

func (c *listCheck) isList(key txn.Key) bool {
	return slices.ContainsFunc(c.lists, func(k txn.Key) bool { return k.Compare(key) == 0 })
}
