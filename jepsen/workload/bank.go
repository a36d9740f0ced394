package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cairnkv/cairn/client"
	"github.com/cairnkv/cairn/jepsen/history"
)

const (
	accounts    = 16  // that everybody transfers between
	each        = 100 // in each account at first
	transferMax = 5
	excess      = 50 // by which a withdrawal is too much
	askMax      = 300 * time.Millisecond
)

// bank is W3. Everybody transfers between the first accounts, on the condition
// that they are as they were seen. Each client has two of its own besides, which
// it alone changes, by increments: so it knows what they come to although it
// reads nothing before.
type bank struct {
	mu   sync.Mutex
	seen [accounts]int64
	own  []ownAccounts // each of its client alone
}

type ownAccounts struct {
	keys [2]string
	has  [2]int64
	// after is what they have if a transfer happened of which nobody knows, doubt its token.
	after [2]int64
	doubt string
	lost  bool // nobody will ever know
}

func newBank(clients int) source {
	s := &bank{own: make([]ownAccounts, clients)}
	for i := range s.seen {
		s.seen[i] = each
	}
	for i := range s.own {
		s.own[i].has = [2]int64{each, each}
		s.own[i].keys = [2]string{account(accounts + 2*i), account(accounts + 2*i + 1)}
	}
	return s
}

func account(i int) string { return fmt.Sprint("account/", i) }

func (s *bank) count() int { return accounts + 2*len(s.own) }

func (s *bank) initial() (layout, []history.Mop) {
	var mops []history.Mop
	for i := range s.count() {
		mops = append(mops, written(history.Write, account(i), each))
	}
	return spread, mops
}

func (s *bank) next(r *rand.Rand, client int) *plan {
	own := &s.own[client]
	mine := pick(r, []choice[func(*rand.Rand, *ownAccounts) *plan]{
		{38, s.transfer}, {32, s.increment}, {5, s.withdraw}, {25, s.readAll},
	})(r, own)
	ended := mine.ended
	mine.ended = func(e *ending) {
		s.learn(e)
		if ended != nil {
			ended(e)
		} else if own.doubt != "" {
			own.ask(e.db)
		}
	}
	return mine
}

// transfer moves money if both accounts are as they were seen, and reads them if not.
func (s *bank) transfer(r *rand.Rand, _ *ownAccounts) *plan {
	from := r.IntN(accounts)
	to := (from + 1 + r.IntN(accounts-1)) % accounts
	s.mu.Lock()
	has, gets := s.seen[from], s.seen[to]
	s.mu.Unlock()
	amount := min(has, 1+r.Int64N(transferMax))
	a, b := account(from), account(to)
	p := &plan{
		mode: writeMode(r), guarded: true, steps: []step{{way: get, key: a}, {way: get, key: b}},
		permits: func(an *answer) bool { return an.seen[a].n == has && an.seen[b].n == gets },
		when: client.AllOf(
			client.ValueIs(spread.store(a), client.Equal, client.IntValue(has)),
			client.ValueIs(spread.store(b), client.Equal, client.IntValue(gets))),
	}
	if amount > 0 {
		p.steps = append(p.steps, step{way: put, key: a, n: has - amount},
			step{way: put, key: b, n: gets + amount})
	}
	return p
}

// increment moves money between the client's own accounts.
func (s *bank) increment(r *rand.Rand, own *ownAccounts) *plan {
	if own.lost || own.doubt != "" {
		return s.transfer(r, own)
	}
	from := r.IntN(2)
	amount := min(own.has[from], 1+r.Int64N(transferMax))
	if amount == 0 {
		from, amount = 1-from, 1
	}
	after := own.has
	after[from], after[1-from] = after[from]-amount, after[1-from]+amount
	return &plan{
		mode: writeMode(r),
		steps: []step{
			{way: add, key: own.keys[from], n: after[from], delta: -amount, floor: new(int64)},
			{way: add, key: own.keys[1-from], n: after[1-from], delta: amount, floor: new(int64)},
		},
		ended: func(e *ending) {
			switch e.outcome {
			case history.OK:
				own.has = after
			case history.Info:
				own.after, own.doubt = after, client.OutcomeToken(e.err)
				own.lost = own.doubt == ""
			}
		},
	}
}

// ask finds out what became of a transfer of unknown outcome.
func (o *ownAccounts) ask(db *client.DB) {
	ctx, cancel := context.WithTimeout(context.Background(), askMax)
	defer cancel()
	out, err := db.CommitOutcome(ctx, o.doubt)
	switch {
	case err != nil, out.State == client.Undecided:
		return
	case out.State == client.Committed:
		o.has = o.after
	}
	o.doubt = ""
}

// withdraw asks for more than there is, and must be refused.
func (s *bank) withdraw(r *rand.Rand, own *ownAccounts) *plan {
	if own.lost || own.doubt != "" {
		return s.transfer(r, own)
	}
	i := r.IntN(2)
	return &plan{mode: verb, steps: []step{{way: add, key: own.keys[i], delta: -own.has[i] - excess,
		floor: new(int64), refused: true}}}
}

// readAll reads all accounts at once.
func (s *bank) readAll(r *rand.Rand, _ *ownAccounts) *plan {
	switch r.IntN(8) {
	case 0:
		return &plan{mode: verb, steps: []step{{way: scan, key: "account"}}}
	case 1, 2:
		return &plan{mode: readMode(r), steps: []step{{way: scan, key: "account"}}}
	}
	p := &plan{mode: readMode(r)}
	if r.IntN(4) == 0 {
		p.mode = batch
	}
	for i := range s.count() {
		p.steps = append(p.steps, step{way: get, key: account(i)})
	}
	return p
}

// learn keeps what was seen of the accounts that everybody uses.
func (s *bank) learn(e *ending) {
	if e.outcome != history.OK {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range e.answer.mops {
		n, _ := number(m.Key)
		switch {
		case m.Kind == history.Scan:
			for i := range s.seen {
				s.seen[i] = m.Rows[account(i)]
			}
		case n < accounts:
			s.seen[n] = m.N
		}
	}
}

func (s *bank) final() []*plan {
	var keys []string
	for i := range s.count() {
		keys = append(keys, account(i))
	}
	return append(finalGets(spread, keys, len(keys)), finalScans(spread, []string{"account"})...)
}
