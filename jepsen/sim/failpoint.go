package sim

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cairnkv/cairn/internal/env"
	"github.com/cairnkv/cairn/shard"
)

// mishap is what happens at a failpoint.
type mishap uint8

const (
	noMishap  mishap = iota
	dies             // the process is killed, or its machine loses power
	fails            // the step ends with an error
	isLate           // the step takes lateness
	losesWord        // the message that answers the step is lost
)

var mishapNames = [...]string{"none", "crash", "error", "delay", "lost reply"}

func (m mishap) String() string { return mishapNames[m] }

// stepLate is two election timeouts.
const stepLate = 2 * shard.ElectionTicks * tickInterval

// errPlanted is what a failpoint answers.
var errPlanted = errors.New("planted by a failpoint")

// errWordLost makes the driver of a replica lose what it says next.
var errWordLost = errors.New("planted by a failpoint: its word is lost")

// failpoint makes one thing go wrong at one place.
type failpoint struct {
	site   string // a Point of the product, or of the driver of a replica
	mishap mishap
	nth    int // the passage at which it happens, or the first from there on where it can
	// call is the one whose answer is lost, for a site of the coordinator that
	// comes after an answer: a run without failpoints has told its number.
	call  uint64
	fired bool
}

// failpoints are what goes wrong in a run, and what the run saw of all sites.
type failpoints struct {
	all    []*failpoint
	over   bool                // nothing more is to happen or to be counted
	passed map[string][]uint64 // of each passage: the call that was answered last
	calls  uint64
}

func newFailpoints(all ...*failpoint) *failpoints {
	return &failpoints{all: all, passed: map[string][]uint64{}}
}

// pass counts a passage of t and says what happens there.
func (f *failpoints) pass(site string, t *task) mishap {
	if f.over {
		return noMishap
	}
	f.passed[site] = append(f.passed[site], t.answered)
	for _, p := range f.all {
		if p.site == site && !p.fired && len(f.passed[site]) >= p.nth && p.call == 0 {
			p.fired = true
			return p.mishap
		}
	}
	return noMishap
}

// rearm is for a site at which there was nothing to be lost.
func (f *failpoints) rearm(site string) {
	for _, p := range f.all {
		if p.site == site && p.mishap == losesWord {
			p.fired = false
		}
	}
}

// losesAnswer reports whether the answer to a call is lost: because of its
// number, or of what met the task that gives it.
func (f *failpoints) losesAnswer(call uint64, by *task) bool {
	if by != nil && by.mute {
		return true
	}
	for _, p := range f.all {
		if p.call != 0 && p.call == call && !p.fired && !f.over {
			p.fired = true
			return true
		}
	}
	return false
}

// asksNext reports whether a site of the coordinator stands before a request,
// whose answer is then the one to be lost.
func asksNext(site string) bool {
	return strings.HasPrefix(site[strings.LastIndexByte(site, '.')+1:], "before")
}

// failAt carries out what happens to t at a site.
func (p *process) failAt(t *task, site string) error {
	w := p.w
	what := w.fail.pass(site, t)
	if what == noMishap {
		return nil
	}
	w.say("%s of %s at %s", what.String(), p.name, site)
	switch what {
	case dies:
		p.dieSoon()
		t.waker()
		t.park(context.Background())
		return env.ErrStopped
	case fails:
		return errPlanted
	case isLate:
		w.on(p, stepLate, site, t.waker())
		t.park(context.Background())
		if !p.alive {
			return env.ErrStopped
		}
		return nil
	}
	switch {
	case t.owner:
		return errWordLost
	case p.gateway == nil: // it serves a call
		t.mute = true
	default:
		t.loseNext = true
	}
	return nil
}

// dieSoon ends the process as soon as nothing of it runs.
func (p *process) dieSoon() {
	w := p.w
	w.on(nil, 0, "crash", func() {
		if p.node.proc != p {
			return
		}
		kind := lossNone
		if w.oneIn(2) {
			kind = lossRandom
		}
		w.end(p.node, kind)
		w.startLater(p.node, w.between(5*time.Millisecond, w.faults.downMax))
	})
}

// begins gives a call of t its number, and reports whether its answer is to
// be lost: t or whoever started it stands behind a failpoint that says so.
func (f *failpoints) begins(t *task) (number uint64, lost bool) {
	f.calls++
	for a := t; a != nil; a = a.parent {
		if a.loseNext {
			a.loseNext = false
			return f.calls, true
		}
	}
	return f.calls, false
}

// wasAnswered tells t, and who waits for it, that a call has its answer.
func (t *task) wasAnswered(call uint64) {
	for a := t; a != nil; a = a.parent {
		a.answered = call
	}
}
