package sim

import (
	"time"

	"github.com/cairnkv/cairn/txn"
)

// unleash begins the faults that come by themselves.
func (w *world) unleash() {
	f := w.faults
	if w.plan.grouped {
		w.unleashOnGroups()
	}
	w.every(f.crashEvery, "crash", func() {
		if n := pick(w.chance, w.nodes); w.mayCrash(n) {
			w.saw("crash")
			w.crash(n, n.proc)
		}
	})
	w.every(f.pauseEvery, "pause", func() {
		if n := pick(w.chance, w.nodes); n.proc != nil {
			w.saw("pause")
			n.proc.pause(w.between(0, w.faults.pauseMax))
		}
	})
	w.every(f.cutEvery, "cut", func() {
		a, b := pick(w.chance, w.nodes), pick(w.chance, w.nodes)
		if a == b {
			return
		}
		w.saw("cut")
		w.cuts[[2]int{a.id, b.id}] = w.now + w.between(0, w.faults.cutMax)
		if w.oneIn(2) {
			w.cuts[[2]int{b.id, a.id}] = w.cuts[[2]int{a.id, b.id}]
		}
	})
	w.every(w.plan.lockEvery, "locker", w.locker)
	w.every(f.slowEvery, "slow disk", func() {
		w.saw("slow disk")
		pick(w.chance, w.nodes).slow = w.now + w.between(0, time.Second)
	})
	w.every(f.fullEvery, "full disk", func() {
		if n := pick(w.chance, w.nodes); n.proc != nil && n.proc.member != nil {
			w.saw("full disk")
			n.proc.member.fill(w.between(0, time.Second))
		}
	})
	w.every(f.skewEvery, "clock", func() {
		w.saw("clock jump")
		n := pick(w.chance, w.nodes)
		n.skew = w.between(-w.faults.skewMax, w.faults.skewMax).Microseconds()
		w.say("the clock of %s is off by %d us", n.name, int(n.skew))
	})
}

// pause holds up p as a stopped process, or as one that is not scheduled.
func (p *process) pause(d time.Duration) {
	p.pausedUntil = max(p.pausedUntil, p.w.now+d)
	p.w.say("%s is paused until %v", p.name, p.pausedUntil)
}

// suspend pauses p with its whole machine: its monotonic clock stands still,
// the wall clock does not (T8).
func (p *process) suspend(d time.Duration) {
	p.pause(d)
	p.asleep += d
	p.asleepUntil = p.w.now + d
}

// wakeUp ends a pause.
func (p *process) wakeUp() {
	p.pausedUntil = 0
	if left := p.asleepUntil - p.w.now; left > 0 {
		p.asleep -= left
		p.asleepUntil = p.w.now
	}
}

// fill makes the disk have no room for growth, for a while.
func (m *member) fill(d time.Duration) {
	m.full.Store(txn.Errorf(txn.Exhausted, "disk_full", "the disk is full"))
	m.p.w.on(m.p, d, "room", func() { m.full.Store(nil) })
}

// every does something again and again while the clients are active.
func (w *world) every(mean time.Duration, label string, do func()) {
	if mean == 0 {
		return
	}
	w.on(nil, w.between(0, 2*mean), label, func() {
		if w.now >= w.plan.active {
			return
		}
		do()
		w.every(mean, label, do)
	})
}

func (w *world) mayCrash(n *node) bool { return n.proc != nil && w.now < w.plan.active }

// heal ends all faults and brings everything up.
func (w *world) heal() {
	w.say("all faults end")
	w.faults = calm()
	clear(w.cuts)
	for _, n := range w.nodes {
		n.slow = 0
		if n.proc != nil {
			n.proc.wakeUp()
		} else if !n.coming {
			w.startLater(n, 0)
		}
	}
}
