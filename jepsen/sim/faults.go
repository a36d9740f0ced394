package sim

import "time"

// faults in force. Zero values hurt nobody. Every is the mean time between
// two of a kind.
type faults struct {
	drop, duplicate, late float64 // of each message
	lateMax               time.Duration
	point, pointCrash     float64 // of each Point
	pointMax              time.Duration
	syncMax               time.Duration
	slowMax               time.Duration // added while a disk is slow
	downMax               time.Duration
	powerLoss             float64 // of each crash
	crashEvery            time.Duration
	pauseEvery, pauseMax  time.Duration
	cutEvery, cutMax      time.Duration
	slowEvery, fullEvery  time.Duration
	skewEvery             time.Duration
	skewMax               time.Duration
	echo                  float64 // of each request whose copy could do harm
	lapse                 float64 // of each question for an owner: its lease has ended, it lives on
	tardy                 float64 // of each prewrite and validation: all copies arrive late
	// Of groups.
	rateMax                   float64 // how much faster or slower than true a clock runs
	splitEvery, splitMax      time.Duration
	leaderEvery, allEvery     time.Duration
	transferEvery             time.Duration
	diskEvery                 time.Duration
	forget                    float64 // of each request for a vote
	suspendEvery, suspendMax  time.Duration
	snapshotLost, unreachable float64 // of each part; of each message lost
}

// calm is a world in which everything works.
func calm() faults {
	return faults{syncMax: 2 * time.Millisecond, downMax: 50 * time.Millisecond}
}

func (p *plan) planFaults(c chance) {
	f := calm()
	f.syncMax = pick(c, []time.Duration{100 * time.Microsecond, 2 * time.Millisecond,
		10 * time.Millisecond})
	f.downMax = pick(c, []time.Duration{20 * time.Millisecond, 300 * time.Millisecond,
		3 * time.Second})
	f.powerLoss = pick(c, []float64{0, 0.5, 1})
	some := c.oneIn
	if !some(4) {
		f.crashEvery = c.between(300*time.Millisecond, 4*time.Second)
	}
	if some(3) {
		f.pointCrash = pick(c, []float64{0.0005, 0.003})
	}
	if some(2) {
		f.point = pick(c, []float64{0.02, 0.1, 0.5})
		f.pointMax = pick(c, []time.Duration{time.Millisecond, 20 * time.Millisecond,
			400 * time.Millisecond})
	}
	if some(3) {
		f.pauseEvery = c.between(500*time.Millisecond, 4*time.Second)
		f.pauseMax = pick(c, []time.Duration{50 * time.Millisecond, time.Second, 7 * time.Second})
	}
	if some(3) {
		f.slowEvery = c.between(500*time.Millisecond, 3*time.Second)
		f.slowMax = pick(c, []time.Duration{20 * time.Millisecond, 500 * time.Millisecond})
	}
	if some(8) {
		f.fullEvery = c.between(500*time.Millisecond, 3*time.Second)
	}
	if some(3) {
		f.skewEvery = c.between(300*time.Millisecond, 3*time.Second)
		// Less than half of what a member lets a read lie ahead of its clock.
		f.skewMax = pick(c, []time.Duration{10 * time.Millisecond, 4 * time.Second})
	}
	if some(2) {
		f.drop = pick(c, []float64{0.002, 0.02, 0.1})
	}
	if some(2) {
		f.duplicate = pick(c, []float64{0.01, 0.1, 0.4})
	}
	if some(2) {
		// Half of the copies are late. Over 5 s they are too old to be served.
		f.late = pick(c, []float64{0, 0.01, 0.1})
		f.lateMax = pick(c, []time.Duration{10 * time.Millisecond, 500 * time.Millisecond,
			3 * time.Second, 12 * time.Second})
	}
	if some(3) {
		f.cutEvery = c.between(500*time.Millisecond, 4*time.Second)
		f.cutMax = pick(c, []time.Duration{100 * time.Millisecond, 2 * time.Second})
	}
	if some(2) {
		f.echo = pick(c, []float64{0.2, 1})
	}
	if some(3) { // transactions take long, and are recovered while they do
		f.tardy = pick(c, []float64{0.02, 0.1, 0.4})
		f.lapse = pick(c, []float64{0, 0.2, 1})
	}
	p.faults = f
}

// planGroupFaults makes faults such that a quorum is there most of the time,
// and adds those that only groups can have.
func (p *plan) planGroupFaults(c chance) {
	f, some := &p.faults, c.oneIn
	if f.crashEvery > 0 {
		f.crashEvery = c.between(time.Second, 6*time.Second)
	}
	f.pointCrash /= 4
	if some(3) {
		f.rateMax = pick(c, []float64{0.001, 0.02})
	}
	if some(2) {
		f.splitEvery = c.between(800*time.Millisecond, 5*time.Second)
		f.splitMax = pick(c, []time.Duration{500 * time.Millisecond, 3 * time.Second})
	}
	if some(2) {
		f.leaderEvery = c.between(time.Second, 5*time.Second)
	}
	if some(8) {
		f.allEvery = c.between(2*time.Second, 8*time.Second)
	}
	if some(2) {
		f.transferEvery = c.between(200*time.Millisecond, 3*time.Second)
	}
	// A wall clock that jumps by what a suspension took hides it: only reads
	// that never use a lease survive both.
	if some(4) && (f.skewEvery == 0 || p.quorum) {
		f.suspendEvery = c.between(500*time.Millisecond, 3*time.Second)
		f.suspendMax = pick(c, []time.Duration{500 * time.Millisecond, 3 * time.Second})
	}
	if f.pauseEvery > 0 {
		f.pauseMax = pick(c, []time.Duration{100 * time.Millisecond, 600 * time.Millisecond,
			3 * time.Second})
	}
	if some(3) {
		f.forget = pick(c, []float64{0.2, 0.7})
	}
	if some(6) {
		f.diskEvery = c.between(time.Second, 4*time.Second)
	}
	f.snapshotLost = pick(c, []float64{0, 0.01, 0.2})
	f.unreachable = pick(c, []float64{0, 0.5})
}
