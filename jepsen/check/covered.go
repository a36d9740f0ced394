package check

import "github.com/cairnkv/cairn/jepsen/history"

// Coverage says how much a history has to show. What nobody read was not judged. Final
// reads are apart: they come when everything is over, and see what is left.
type Coverage struct {
	OK, Fail, Info int // operations but for final reads
	Found          int // those that ended well and whose reads found something
	Written        int // values, rows and elements that were written, or may have been
	Observed       int // those of them that an operation of somebody else has read
	Final          int // final reads that ended well
	// Modes and Gateways are what was tried of each, and how often it ended well.
	Modes, Gateways map[string]Tries
}

// Tries are operations of a kind.
type Tries struct{ All, OK int }

// Cover counts what is in h.
func Cover(h *History) Coverage {
	c := Coverage{Modes: map[string]Tries{}, Gateways: map[string]Tries{}}
	by := map[write]int{}
	observed := map[write]bool{}
	for i := range h.Ops {
		o := &h.Ops[i]
		tried(c.Modes, o.Mode, o)
		tried(c.Gateways, o.Gateway, o)
		switch {
		case isFinal(o) && o.Type == history.OK:
			c.Final++
		case isFinal(o):
		case o.Type == history.OK:
			c.OK++
		case o.Type == history.Fail:
			c.Fail++
			continue
		default:
			c.Info++
		}
		for _, m := range o.Mops {
			if m.Writes() && m.Kind != history.Delete {
				by[write{m.Key, m.N}] = o.ID
			}
		}
	}
	c.Written = len(by)
	for i := range h.Ops {
		o := &h.Ops[i]
		if isFinal(o) || o.Type != history.OK {
			continue
		}
		found := false
		for j := range o.Mops {
			shown(&o.Mops[j], func(w write) {
				found = true
				if writer, known := by[w]; known && writer != o.ID {
					observed[w] = true
				}
			})
		}
		if found {
			c.Found++
		}
	}
	c.Observed = len(observed)
	return c
}

func tried(all map[string]Tries, name string, o *history.Op) {
	t := all[name]
	t.All++
	if o.Type == history.OK {
		t.OK++
	}
	all[name] = t
}

// shown tells see what a read found.
func shown(m *history.Mop, see func(w write)) {
	switch {
	case m.Writes(), !m.Known, m.Missing:
	case m.Kind == history.Scan:
		for key, n := range m.Rows { // order: a set
			see(write{key, n})
		}
	case m.Listed:
		for _, n := range m.List {
			see(write{m.Key, n})
		}
	default:
		see(write{m.Key, m.N})
	}
}
