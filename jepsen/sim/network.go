package sim

import (
	"time"

	"github.com/cairnkv/cairn/proto/shardrpc"
	"github.com/cairnkv/cairn/txn"
)

// requestCall names the calls that ask a shard to write or decide something.
const requestCall = "request"

// call is a request from a process to whatever process runs on a node when
// the request arrives. Each copy that arrives is served.
type call struct {
	name    string
	from    *process
	to      *node
	timeout time.Duration
	serve   func(at *process, answer func(any))
	// done gets the first answer, or nil when the time is up; once.
	done func(any)
}

// call sends c. Inside a process nothing is lost or copied. With failpoints it
// has a number.
func (w *world) call(c call) (number uint64) {
	lost := false
	if w.fail != nil {
		number, lost = w.fail.begins(w.current)
	}
	open := true
	once := func(answer any) {
		if open {
			open = false
			c.done(answer)
		}
	}
	c.from.after(c.timeout, "timeout", func() { once(nil) })
	if c.to.proc == c.from {
		w.on(c.from, w.between(0, 20*time.Microsecond), c.name, func() { c.serve(c.from, once) })
		return number
	}
	var arrive func(at *process)
	arrive = func(at *process) {
		c.serve(at, func(answer any) {
			if mayMatterLater(answer) && w.hit(w.faults.echo) {
				w.keepEcho(c.to, arrive)
			}
			if w.fail != nil && (lost || w.fail.losesAnswer(number, w.current)) {
				return
			}
			w.transmit(at.node, c.from.node, c.name, func(back *process) {
				if back == c.from {
					once(carried(answer))
				}
			})
		})
	}
	w.transmit(c.from.node, c.to, c.name, arrive)
	if c.name == requestCall && w.hit(w.faults.echo/10) {
		w.keepEcho(c.to, arrive)
	}
	return number
}

// echo is a copy of a request that is under way until its receiver leads again.
type echo struct {
	since time.Duration
	f     func(at *process)
}

const (
	echoesMax = 200             // that wait for one node
	echoAge   = 9 * time.Second // beyond it a copy is of no interest
)

// mayMatterLater reports whether the same request would perhaps be carried out
// if it came again and were not known: the network has a mean memory for those.
func mayMatterLater(answer any) bool {
	m, ok := answer.(*shardrpc.CommitResponse)
	return ok && (m.Answer == shardrpc.OK && len(m.Written) == 0 ||
		m.Answer == shardrpc.Refused && m.Reason != shardrpc.ReasonConflict)
}

// keepEcho makes another copy of a request come late: when its receiver has
// become a leader anew, or at any time.
func (w *world) keepEcho(to *node, f func(at *process)) {
	if w.oneIn(2) {
		late := w.between(0, 300*time.Millisecond)
		if w.oneIn(2) { // it is too old to be carried out, or nearly (L3)
			late = w.between(4*time.Second, 7*time.Second)
		}
		w.lastLate = max(w.lastLate, w.now+late)
		w.travel(to, to, late, func(at *process) {
			w.saw("request came again late")
			f(at)
		}, "echo")
	} else if len(to.echoes) < echoesMax {
		to.echoes = append(to.echoes, echo{w.now, f})
	}
}

// letEchoes is called when a replica on a node becomes the leader.
func (w *world) letEchoes(to *node) {
	echoes := to.echoes
	to.echoes = nil
	for _, e := range echoes {
		if w.now-e.since < echoAge {
			w.saw("request came again to a later leadership")
			w.travel(to, to, w.between(0, 300*time.Millisecond), e.f, "echo")
		}
	}
}

// tardy names the prewrite or validation of a transaction at one shard.
type tardy struct {
	txn   txn.ID
	shard shardrpc.ShardID
}

// tardyUntil is when the copies of such a request begin to arrive: late enough for
// somebody to have decided the transaction meanwhile, and not too late to be
// carried out. 0: at once.
func (w *world) tardyUntil(id txn.ID, shard shardrpc.ShardID) time.Duration {
	name := tardy{id, shard}
	until, known := w.tardy[name]
	if !known && w.hit(w.faults.tardy) {
		w.saw("prewrite or validation tardy")
		until = w.now + w.between(time.Second, 4*time.Second)
		w.lastLate = max(w.lastLate, until)
	}
	w.tardy[name] = until
	return until
}

// transmit brings a message from one node to another: late, twice, or never.
func (w *world) transmit(from, to *node, name string, deliver func(at *process)) (sent bool) {
	if w.hit(w.faults.drop) {
		w.saw("message lost")
		return false
	}
	w.travel(from, to, w.lateness(w.faults.late), deliver, name)
	if w.hit(w.faults.duplicate) {
		w.saw("message doubled")
		w.travel(from, to, w.lateness(max(w.faults.late, 0.5)), deliver, name)
	}
	return true
}

// lateness is what a message loses on its way, with probability p.
func (w *world) lateness(p float64) time.Duration {
	if w.faults.lateMax == 0 || !w.hit(p) {
		return 0
	}
	w.saw("message late")
	late := w.between(0, w.faults.lateMax)
	w.lastLate = max(w.lastLate, w.now+late)
	return late
}

func (w *world) travel(
	from, to *node, late time.Duration, deliver func(at *process), name string,
) {
	w.on(nil, late+w.between(20*time.Microsecond, w.plan.hopMax), name, func() {
		if w.cuts[[2]int{from.id, to.id}] > w.now {
			w.saw("message cut off")
			return
		}
		p := to.proc
		switch {
		case p == nil:
		case p.pausedUntil > w.now:
			w.on(p, 0, name, func() { deliver(p) })
		default:
			deliver(p)
		}
	})
}
