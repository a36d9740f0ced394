package sim

import (
	"fmt"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// runTransfer moves something from one account to another, unless that has too
// little: reads and writes, or a write on the condition that both are as they
// were last seen.
func runTransfer(r *runner) error {
	accounts := r.w.plan.classics.accounts
	two := r.w.Perm(len(accounts))
	from, to := accounts[two[0]], accounts[two[1]]
	amount := int64(r.w.number(1, 40))
	moved := false
	var err error
	if r.w.oneIn(3) {
		moved, err = r.transferIfSame(from, to, amount)
	} else {
		err = r.interact(coordinator.BeginOptions{}, func(s *session) (err error) {
			moved, err = s.transfer(from, to, amount)
			return err
		})
	}
	if moved && err == nil {
		r.w.saw("bank: transferred")
	}
	return err
}

func (s *session) transfer(from, to txn.Key, amount int64) (moved bool, err error) {
	a, err := s.look(from)
	if err != nil {
		return false, err
	}
	b, err := s.look(to)
	if err != nil || intOf(&a, deposit) < amount {
		return false, err
	}
	_, err = s.do(setOp(from, txn.IntValue(intOf(&a, deposit)-amount)))
	if err == nil {
		_, err = s.do(setOp(to, txn.IntValue(intOf(&b, deposit)+amount)))
	}
	return true, err
}

func (r *runner) transferIfSame(from, to txn.Key, amount int64) (moved bool, err error) {
	a, b := r.w.known.whole[string(from)], r.w.known.whole[string(to)]
	p := txn.Program{
		If: txn.Test{Kind: txn.TestAll, Of: []txn.Test{
			{Kind: txn.TestNot, Of: []txn.Test{{Kind: txn.TestCompare, Key: from, Is: txn.Less,
				Value: txn.IntValue(amount)}}},
			r.seenAs(from, &a), r.seenAs(to, &b),
		}},
		Then: []txn.Op{setOp(from, txn.IntValue(intOf(&a, deposit)-amount)),
			setOp(to, txn.IntValue(intOf(&b, deposit)+amount))},
		Else: []txn.Op{getOp(from), getOp(to)},
	}
	if err := r.execute(p); err != nil {
		return false, err
	}
	r.whole()
	return r.op.Program.Result.Succeeded, nil
}

// checkBank: the sum of all accounts is the same whenever they are read
// together and after every commit, and no account is overdrawn.
func checkBank(h *History) error {
	accounts := h.classics.accounts
	judge := func(state []txn.Version) string {
		sum := int64(0)
		for i := range state {
			if balance := intOf(&state[i], deposit); balance >= 0 {
				sum += balance
			} else {
				return fmt.Sprintf("an account is overdrawn:%s", tellState(accounts, state))
			}
		}
		if want := int64(deposit * len(accounts)); sum != want {
			return fmt.Sprintf("the accounts hold %d, not %d:%s", sum, want, tellState(accounts, state))
		}
		return ""
	}
	for _, op := range h.Ops {
		if state, all := op.together(accounts); all {
			if what := judge(state); what != "" {
				return violation("bank: a client was shown that "+what, op)
			}
		}
	}
	return h.eachState(accounts, func(at txn.Timestamp, state []txn.Version) error {
		if what := judge(state); what != "" {
			return violation(fmt.Sprintf("bank: at %d %s", at, what))
		}
		return nil
	})
}
