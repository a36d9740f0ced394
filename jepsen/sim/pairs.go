package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// runSkew switches one of a pair off if both are on, and one on otherwise. Of
// two transactions that switch off different ones each is right by itself, and
// both together leave none on: one must lose (write skew).
func runSkew(r *runner) error {
	pair := pick(r.w.chance, r.w.plan.classics.pairs)
	this := r.w.IntN(2)
	var switched int64
	var err error
	if r.w.oneIn(3) {
		switched, err = r.switchIfBoth(pair, this)
	} else {
		err = r.interact(coordinator.BeginOptions{}, func(s *session) (err error) {
			switched, err = s.switchOne(pair, this)
			return err
		})
	}
	if err == nil {
		r.w.saw([...]string{"write skew: off", "write skew: on"}[switched])
	}
	return err
}

func (s *session) switchOne(pair [2]txn.Key, this int) (int64, error) {
	a, err := s.look(pair[0])
	if err != nil {
		return 0, err
	}
	b, err := s.look(pair[1])
	if err != nil {
		return 0, err
	}
	to := int64(switchedOn)
	if intOf(&a, switchedOn) == switchedOn && intOf(&b, switchedOn) == switchedOn {
		to = switchedOff
	}
	_, err = s.do(setOp(pair[this], txn.IntValue(to)))
	return to, err
}

func (r *runner) switchIfBoth(pair [2]txn.Key, this int) (int64, error) {
	isOn := func(key txn.Key) txn.Test { // a missing one is
		return txn.Test{Kind: txn.TestCompare, Key: key, Is: txn.NotEqual,
			Value: txn.IntValue(switchedOff)}
	}
	err := r.execute(txn.Program{
		If:   txn.Test{Kind: txn.TestAll, Of: []txn.Test{isOn(pair[0]), isOn(pair[1])}},
		Then: []txn.Op{setOp(pair[this], txn.IntValue(switchedOff))},
		Else: []txn.Op{setOp(pair[this], txn.IntValue(switchedOn))},
	})
	if err == nil && r.op.Program.Result.Succeeded {
		return switchedOff, nil
	}
	return switchedOn, err
}

// checkPairs: of every pair one is on, whenever both are read together and
// after every commit.
func checkPairs(h *History) error {
	for _, pair := range h.classics.pairs {
		dark := func(state []txn.Version) bool {
			return intOf(&state[0], switchedOn) == switchedOff && intOf(&state[1], switchedOn) == switchedOff
		}
		for _, op := range h.Ops {
			if state, both := op.together(pair[:]); both && dark(state) {
				return violation("write skew: a client was shown a pair of which none is on:"+
					tellState(pair[:], state), op)
			}
		}
		err := h.eachState(pair[:], func(at txn.Timestamp, state []txn.Version) error {
			if dark(state) {
				return violation(fmt.Sprintf("write skew: at %d none of a pair is on:%s", at,
					tellState(pair[:], state)))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
