package cycle

import (
	"fmt"

	"github.com/cairnkv/cairn/jepsen/history"
)

// register is what is known of a key that is overwritten.
type register struct {
	name string
	// first is what it was at first, if it was there.
	first int64
	there bool
	// by is who wrote it, by value. One that failed is there if nobody else wrote that.
	by map[int64]int
	// several are the values that several may have written, so that they do not tell whose was
	// read; what was there at first counts. Twice are the first operations of which one wrote
	// what the other had, failed or not.
	several map[int64]bool
	twice   []repeat
	// passing are the values that their own operation overwrote, with that, from 1.
	passing map[int64]int
	// deleted: somebody may have deleted it, so that missing does not tell when.
	deleted bool
	touches []touch // one an operation
	// reads are those that found a value, and told those of them that say whose.
	reads, told int
}

// repeat is a value that a second operation wrote.
type repeat struct {
	n           int64
	first, next int // operations
}

// state is what a register is at a time.
type state struct {
	known   bool
	missing bool
	n       int64
}

func nothing() state { return state{known: true, missing: true} }

// seen is what m read.
func seen(m *history.Mop) state {
	if m.Missing {
		return nothing()
	}
	return state{known: true, n: m.N}
}

func (s state) String() string {
	if s.missing {
		return "(nothing)"
	}
	return decimal(s.n)
}

// touch is what an operation read of a register before it wrote, and what it left.
type touch struct {
	op          int
	read, wrote state
	// before and after are versions, by number, none where it is not known which.
	before, after int
}

// actOnRegister takes what op did to r, and looks for contradictions within it.
func (c *inference) actOnRegister(r *register, op *history.Op, mops []*history.Mop) {
	t := touch{op: op.ID}
	now := state{} // as op must see it
	trusted := op.Type == history.OK
	for _, m := range mops {
		sees := seen(m)
		switch {
		case m.Kind == history.Read && m.Listed:
			c.findings.add("garbage-read", fmt.Sprintf("op %d read the list %s of %s, which is a register",
				op.ID, elided(m.List), r.name), op.ID)
			sees, trusted = state{}, false
		case m.Kind == history.Read:
		case m.Kind == history.Insert && trusted:
			sees = nothing()
		default:
			sees = state{}
		}
		if sees.known && now.known && sees != now {
			c.findings.add("internal", fmt.Sprintf("op %d found %v in %s, which it must have seen to be %v",
				op.ID, sees, r.name, now), op.ID)
			trusted = false
		}
		if sees.known && !now.known && trusted {
			t.read, now = sees, sees
		}
		if m.Writes() {
			c.wroteRegister(r, &t, m)
			now = t.wrote
		}
	}
	if !trusted {
		t.read = state{}
	}
	r.touches = append(r.touches, t)
}

func (c *inference) wroteRegister(r *register, t *touch, m *history.Mop) {
	failed := func(op int) bool { return c.h.Ops[op].Type == history.Fail }
	if t.wrote.known && !t.wrote.missing && !failed(t.op) {
		r.passing[t.wrote.n] = t.op + 1
	}
	if m.Kind == history.Delete {
		t.wrote, r.deleted = nothing(), true
		return
	}
	t.wrote = state{known: true, n: m.N}
	other, twice := r.by[m.N]
	if twice {
		r.twice = append(r.twice, repeat{m.N, other, t.op})
	}
	switch {
	case twice && failed(t.op):
		return
	case twice && !failed(other), r.there && r.first == m.N && !failed(t.op):
		r.several[m.N] = true
	}
	r.by[m.N] = t.op
}

// observeRegister looks for what must not have been read.
func (c *inference) observeRegister(r *register) {
	for i := range r.touches {
		t := &r.touches[i]
		if !t.read.known {
			continue
		}
		if t.read.missing {
			if r.there && !r.deleted {
				c.findings.add("garbage-read", fmt.Sprintf("op %d did not find %s, which was %d at first "+
					"and which nobody deleted", t.op, r.name, r.first), t.op)
				t.read = state{}
			}
			continue
		}
		r.reads++
		if r.several[t.read.n] {
			t.read = state{}
			continue
		}
		r.told++
		if r.there && t.read.n == r.first {
			continue
		}
		if !c.observeValue(r, t) {
			t.read = state{}
		}
	}
}

// observeValue looks at a read of what somebody wrote, and reports whether that is a version.
func (c *inference) observeValue(r *register, t *touch) bool {
	n := t.read.n
	by, known := r.by[n]
	switch {
	case !known:
		c.findings.add("garbage-read", fmt.Sprintf("op %d read %d of %s, which nobody wrote",
			t.op, n, r.name), t.op)
		return false
	case by == t.op:
		c.findings.add("internal", fmt.Sprintf("op %d read its own %d of %s before it wrote it",
			t.op, n, r.name), t.op)
		return false
	case c.h.Ops[by].Type == history.Fail:
		c.findings.add("G1a", fmt.Sprintf("op %d read %d of %s, which op %d wrote, that failed",
			t.op, n, r.name, by), by, t.op)
		if t.wrote.known {
			c.findings.add("dirty-update", fmt.Sprintf("op %d failed and wrote %d to %s, "+
				"and op %d made %v of it", by, n, r.name, t.op, t.wrote), by, t.op)
		}
		return false
	case r.passing[n] == by+1:
		c.happened[by] = true
		c.findings.add("G1b", fmt.Sprintf("op %d read %d of %s, which op %d wrote and then overwrote",
			t.op, n, r.name, by), by, t.op)
		return false
	}
	c.happened[by] = true
	return true
}
