package sim

import (
	"time"
)

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

// call sends c. Inside a process nothing is lost or copied.
func (w *world) call(c call) {
	open := true
	once := func(answer any) {
		if open {
			open = false
			c.done(answer)
		}
	}
	w.on(c.from, c.timeout, "timeout", func() { once(nil) })
	if c.to.proc == c.from {
		w.on(c.from, w.between(0, 20*time.Microsecond), c.name, func() { c.serve(c.from, once) })
		return
	}
	w.transmit(c.from.node, c.to, c.name, func(at *process) {
		c.serve(at, func(answer any) {
			w.transmit(at.node, c.from.node, c.name, func(back *process) {
				if back == c.from {
					once(clone(answer))
				}
			})
		})
	})
}

// transmit brings a message from one node to another: late, twice, or never.
func (w *world) transmit(from, to *node, name string, deliver func(at *process)) {
	if w.hit(w.faults.drop) {
		w.saw("message lost")
		return
	}
	w.travel(from, to, w.lateness(w.faults.late), deliver, name)
	if w.hit(w.faults.duplicate) {
		w.saw("message doubled")
		w.travel(from, to, w.lateness(max(w.faults.late, 0.5)), deliver, name)
	}
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
		if p := to.proc; p != nil {
			w.on(p, 0, name, func() { deliver(p) })
		}
	})
}
