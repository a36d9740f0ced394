package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cairnkv/cairn/coordinator"
	"github.com/cairnkv/cairn/txn"
)

// Bounds of the time after the faults have ended.
const (
	clientsEndMax = 90 * time.Second // from the last fault to the last answer
	healMax       = 30 * time.Second // to serve again, and to read everything
	// from then on until even what nobody asks about is cleared away
	sweptMax = 2 * time.Duration(txn.ForsakenAfter) * time.Microsecond
)

// Report is what a run came to.
type Report struct {
	Seed    uint64
	Shape   string
	Plan    string
	Hash    uint64        // of all that happened, in order
	Virtual time.Duration // that passed in it
	Events  int
	Ops     int
	Seen    map[string]int // how often what is worth counting happened
	// Violation is what was wrong, in words; nil: nothing.
	Violation error
}

// Run simulates one seed. With text it writes what happens, line by line.
// Only one Run may be under way in a process.
func Run(seed uint64, text io.Writer) *Report {
	return runWorld(newWorld(newPlan(seed)), text)
}

// runWorld is Run for a world that was made by hand.
func runWorld(w *world, text io.Writer) *Report {
	p := w.plan
	defer seedCryptoRand(p.seed)()
	w.trace.text = text
	w.say("seed %d: %s", int(p.seed), p.String())
	if err := w.live(); err != nil && w.broken == nil {
		w.broken = err
	}
	virtual := w.now
	w.bury()
	w.trace.number(w.Uint64()) // as many choices, too
	return &Report{Seed: p.seed, Shape: p.shape, Plan: p.String(), Hash: w.trace.hash,
		Virtual: virtual, Events: w.events, Ops: len(w.ops), Seen: w.seen, Violation: w.broken}
}

// live is the life of a world: build, suffer, heal, take stock.
func (w *world) live() error {
	if err := w.build(); err != nil {
		return err
	}
	for _, n := range w.nodes {
		w.startLater(n, w.between(0, 20*time.Millisecond))
	}
	w.unleash()
	if w.plan.stage != nil {
		w.plan.stage(w)
	}
	for i := range w.plan.clients {
		c := &client{w: w, id: i + 1}
		w.clients = append(w.clients, c)
		c.nextLater(w.between(0, 100*time.Millisecond))
	}
	w.run(w.plan.active, func() bool { return false })
	w.heal()
	if !w.run(w.now+clientsEndMax, w.idle) && w.broken == nil {
		for _, c := range w.clients {
			if c.op != nil {
				return violation(fmt.Sprintf("no answer for %v after all faults ended", clientsEndMax), c.op)
			}
		}
	}
	if w.broken != nil {
		return w.broken
	}
	if err := w.locksOver(); err != nil {
		return err
	}
	if w.oneIn(2) { // what is still on its way may do harm
		w.run(max(w.now, w.lastLate)+time.Second, func() bool { return false })
	}
	if w.fail != nil {
		w.fail.over = true
	}
	final, err := w.takeStock()
	if err != nil {
		return err
	}
	w.countUnknown(final)
	return Check(&History{Ops: w.ops, Final: final, Issued: w.issued.has,
		classics: w.plan.classics})
}

// countUnknown counts what became of those whose clients were not told.
func (w *world) countUnknown(final map[string][]txn.Version) {
	committed := map[txn.ID]bool{}
	for _, all := range final { // order: a set
		for i := range all {
			committed[all[i].Txn] = true
		}
	}
	for _, op := range w.ops {
		switch is := func(id txn.ID) bool { return committed[id] }; {
		case op.Outcome != Unknown || len(op.IDs) == 0:
		case slices.ContainsFunc(op.IDs, is):
			w.saw("unknown was committed")
		default:
			w.saw("unknown was not committed")
		}
	}
}

// idle reports whether all clients have ended.
func (w *world) idle() bool {
	for _, c := range w.clients {
		if !c.done {
			return false
		}
	}
	return true
}

// bury ends what still runs, so that no coroutine outlives the world.
func (w *world) bury() {
	for _, n := range w.nodes {
		if n.proc != nil {
			n.proc.kill()
		}
	}
}

// takeStock restarts everything, reads everything, and returns the versions
// that are there. A second restart must come to the same state.
func (w *world) takeStock() (map[string][]txn.Version, error) {
	kind := lossNone
	if w.hit(w.plan.faults.powerLoss) { // the faults in force are none
		kind = lossRandom
	}
	if err := w.restart(kind); err != nil {
		return nil, err
	}
	if err := w.readAll(); err != nil {
		return nil, err
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	if err := w.intentsEnd(); err != nil {
		return nil, err
	}
	before, err := w.dump()
	if err != nil {
		return nil, err
	}
	if err := w.restart(lossState); err != nil {
		return nil, err
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	after, err := w.dump()
	if err != nil {
		return nil, err
	}
	if what := before.differ(after); what != "" {
		return nil, fmt.Errorf("a restart does not come to the same state (I10): %s", what)
	}
	return before.versions, before.count()
}

// restart crashes every node and waits until all shards serve again.
func (w *world) restart(kind loss) error {
	for _, n := range w.nodes {
		if n.proc != nil {
			w.end(n, kind)
		}
		if !n.coming {
			w.startLater(n, 0)
		}
	}
	up := w.run(w.now+healMax, func() bool {
		for _, n := range w.nodes {
			if n.proc == nil {
				return false
			}
		}
		return w.anyGateway() != nil && !slices.ContainsFunc(w.groups, func(g *group) bool {
			return !g.serves()
		})
	})
	if !up && w.broken == nil {
		what := ""
		for _, g := range w.groups {
			if !g.serves() {
				what += fmt.Sprintf("; shard %d: %s", g.route.Shard, g.tell())
			}
		}
		return fmt.Errorf("not all shards serve within %v of a restart without faults%s", healMax, what)
	}
	return w.broken
}

// settle waits until all replicas of each shard have applied all of its log.
func (w *world) settle() error {
	settled := w.run(w.now+healMax, func() bool {
		return !slices.ContainsFunc(w.groups, func(g *group) bool { return !g.settled() })
	})
	if !settled && w.broken == nil {
		for _, g := range w.groups {
			if !g.settled() {
				return fmt.Errorf("the replicas of shard %d do not come to the same end within %v: %s",
					g.route.Shard, healMax, g.tell())
			}
		}
	}
	return w.broken
}

// readAll reads all keys by API, in time: every intent ends or is passed.
func (w *world) readAll() error {
	var last error
	done := false
	g := w.anyGateway()
	g.p.start("stock", nil, func() {
		for !done {
			if last = readEverything(g); last == nil {
				done = true
			} else if g.p.Sleep(context.Background(), againSoon) != nil {
				return
			}
		}
	})
	if !w.run(w.now+healMax, func() bool { return done }) && w.broken == nil {
		return fmt.Errorf("reading all keys does not end within %v without faults: %w", healMax, last)
	}
	return w.broken
}

func readEverything(g *gateway) error {
	s := coordinator.Scan{Span: txn.Span{}}
	for {
		page, err := g.coordinator.Scan(context.Background(), s)
		if err != nil {
			return err
		}
		if !page.More {
			break
		}
		s.At, s.Span.Start = page.At, page.Next
	}
	var keys []txn.Key
	for _, k := range g.p.w.plan.keys {
		keys = append(keys, userKey(k))
	}
	_, _, err := g.coordinator.Get(context.Background(), coordinator.Read{Keys: keys})
	return err
}

// intentsEnd waits until there are no intents any more. Those of transactions
// that their shard knows to be decided are no business of a reader, who passes
// them by: they go when somebody writes the key, or clears away what is old.
func (w *world) intentsEnd() error {
	left := w.noIntents()
	if left == nil {
		return nil
	}
	w.saw("intent left to the sweep")
	if w.run(w.now+sweptMax, func() bool {
		left = w.noIntents()
		return left == nil
	}) {
		return w.settle()
	}
	if w.broken != nil {
		return w.broken
	}
	return left
}

// ErrIntents says that something undecided was left.
var errIntents = errors.New("intents are left although all was read, and long ago")
