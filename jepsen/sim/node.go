package sim

import (
	"fmt"
	"time"

	"github.com/cairnkv/cairn/mvcc"
	"github.com/cairnkv/cairn/shard"
	"github.com/cairnkv/cairn/shard/meta"
)

// node is a machine: it survives the processes that run on it, one at a time.
type node struct {
	w        *world
	id       int
	name     string
	member   uint64   // the id of its member, which raft knows too; 0: there is none
	replaces uint64   // the member in whose place this one comes; 0: it is in, or always was
	hosts    []*group // of which the member has a replica
	gateway  bool     // the process is a gateway (too)
	sole     bool     // and the only one
	state    *mvcc.Mem
	log      *mvcc.Mem
	skew     int64         // of the wall clock, in microseconds
	slow     time.Duration // until when the disk is slow
	proc     *process      // nil: down
	lives    int
	coming   bool // a start is scheduled
	echoes   []echo
}

// bootstrap puts the first state of every shard on the disk.
func (n *node) bootstrap() error {
	n.state, n.log = mvcc.OpenMem(mvcc.Compare), mvcc.OpenMem(mvcc.LogCompare)
	b := n.state.NewBatch()
	defer b.Close()
	for _, g := range n.hosts {
		if err := shard.Bootstrap(b, g.route, g.voters()); err != nil {
			return err
		}
		if g == n.w.meta() && n.w.plan.grouped {
			if err := meta.PutMembers(b, n.w.founders()); err != nil {
				return err
			}
		}
	}
	return b.Commit(true)
}

// start begins a new life.
func (w *world) start(n *node) {
	n.coming = false
	if n.proc != nil {
		return
	}
	n.lives++
	p := &process{w: w, node: n, name: fmt.Sprintf("%s.%d", n.name, n.lives),
		born: w.now, alive: true}
	n.proc = p
	if r := w.faults.rateMax; r > 0 {
		p.rate = 1 + r*(2*w.Float64()-1)
	}
	w.say("%s starts", p.name)
	if n.member != 0 {
		if err := startMember(p); err != nil {
			w.violate("%s does not start: %w", p.name, err)
			return
		}
		if n.replaces != 0 {
			p.start("join", nil, p.joinCluster)
		}
	}
	if n.gateway {
		startGateway(p)
	}
}

// loss says what a crash leaves of the commits that were not synced.
type loss uint8

const (
	lossNone   loss = iota // the process was killed, the machine goes on
	lossClean              // it was not even a crash: the process closed all
	lossRandom             // power failed
	lossState              // power failed, and the state engine had nothing on disk yet
)

// crash ends p's life if it is still the one that n lives.
func (w *world) crash(n *node, p *process) {
	if n.proc != p || p == nil {
		return
	}
	w.end(n, w.loss())
	w.startLater(n, w.between(5*time.Millisecond, w.faults.downMax))
}

// loss is that of the next crash.
func (w *world) loss() loss {
	switch {
	case w.hit(w.faults.powerLoss):
		return lossRandom
	case w.oneIn(5):
		w.saw("clean stop")
		return lossClean
	default:
		return lossNone
	}
}

func (w *world) startLater(n *node, delay time.Duration) {
	n.coming = true
	w.on(nil, delay, "start", func() { w.start(n) })
}

// end kills the process of n and does to its disk what kind says.
func (w *world) end(n *node, kind loss) {
	p := n.proc
	n.proc = nil
	w.say("%s ends, loss %d", p.name, int(kind))
	w.saw("process killed")
	p.kill()
	if p.gateway != nil {
		p.gateway.lost()
	}
	if p.member == nil {
		return
	}
	if kind == lossClean {
		p.member.close()
	}
	keep := func(engine string, all bool) func(int) int {
		return func(n int) int {
			kept := n
			if !all {
				kept = w.survivors(n)
			}
			if n > kept {
				w.saw("crash lost commits of the " + engine + " engine")
			}
			w.say("the %s engine keeps %d of %d commits", engine, kept, n)
			return kept
		}
	}
	n.log = n.log.Crash(keep("log", kind != lossRandom))
	if kind == lossState {
		n.state = n.state.Crash(func(int) int { return 0 })
	} else {
		n.state = n.state.Crash(keep("state", kind != lossRandom))
	}
}

// survivors is how many of n commits a power failure leaves.
func (w *world) survivors(n int) int {
	switch w.IntN(3) {
	case 0:
		return 0
	case 1:
		return n
	default:
		return w.IntN(n + 1)
	}
}

// syncTime is how long the disk takes to sync.
func (n *node) syncTime() time.Duration {
	w := n.w
	d := w.between(50*time.Microsecond, w.faults.syncMax)
	if n.slow > w.now {
		d += w.between(0, w.faults.slowMax)
	}
	return d
}
