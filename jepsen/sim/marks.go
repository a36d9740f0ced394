package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/txn"
)

// runMark is a random one-shot transaction that leaves its mark on all marks,
// whichever branch runs, and tells what was there before.
func runMark(r *runner) error {
	p := r.program()
	v := txn.StringValue(fmt.Sprintf("mark %d", r.op.ID))
	for _, key := range r.w.plan.classics.marks {
		op := setOp(key, v)
		op.ReturnPrev = true
		p.Then, p.Else = append(p.Then, op), append(p.Else, op)
	}
	err := r.execute(p)
	if err == nil {
		r.w.saw("marks set")
	}
	return err
}

// checkMarks: all marks are the same whenever they are read together and after
// every commit, and each was left on what the one before had left: no two on
// the same.
func checkMarks(h *History) error {
	marks := h.classics.marks
	torn := func(state []txn.Version) bool {
		for i := range state {
			if string(state[i].Value.Data) != string(state[0].Value.Data) {
				return true
			}
		}
		return false
	}
	on := map[string]*Op{}
	for _, op := range h.Ops {
		if state, all := op.together(marks); all && torn(state) {
			return violation("marks: a client was shown a part of one:"+tellState(marks, state), op)
		}
		before, left := op.markedOver(marks)
		if !left {
			continue
		}
		if torn(before) {
			return violation("marks: one was left on a part of another:"+tellState(marks, before), op)
		}
		under := string(before[0].Value.Data)
		if other := on[under]; other != nil {
			return violation(fmt.Sprintf("marks: two were left on %q", under), other, op)
		}
		on[under] = op
	}
	return h.eachState(marks, func(at txn.Timestamp, state []txn.Version) error {
		if torn(state) {
			return violation(fmt.Sprintf("marks: at %d there is a part of one:%s", at,
				tellState(marks, state)))
		}
		return nil
	})
}

// markedOver is what was there when a committed op left its mark.
func (o *Op) markedOver(marks []txn.Key) (before []txn.Version, left bool) {
	if o.Outcome != Committed {
		return nil, false
	}
	before = make([]txn.Version, len(marks))
	o.eachStep(func(op *txn.Op, res *txn.Result) {
		for i, key := range marks {
			if op.Kind == txn.OpSet && op.Key.Compare(key) == 0 {
				if left = true; res.Prev != nil {
					before[i] = res.Prev.Version
				}
			}
		}
	})
	return before, left
}
