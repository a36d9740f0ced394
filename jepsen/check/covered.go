package check

import "github.com/cairnkv/cairn/jepsen/history"

// Coverage says how much a history has to show. What nobody read was not judged.
type Coverage struct {
	OK, Fail, Info int // operations
	Reads          int // of keys and ranges, by operations that ended well
	Found          int // those that found something
	Written        int // values, rows and elements that were written, or may have been
	Observed       int // those of them that somebody else has read
	Final          int // operations of mode Final that ended well
	Modes          map[string]int
	Gateways       map[string]int // operations that ended well, as above
}

// Cover counts what is in h.
func Cover(h *History) Coverage {
	c := Coverage{Modes: map[string]int{}, Gateways: map[string]int{}}
	by := map[write]int{}
	observed := map[write]bool{}
	for i := range h.Ops {
		o := &h.Ops[i]
		switch o.Type {
		case history.OK:
			c.OK++
			c.Modes[o.Mode]++
			c.Gateways[o.Gateway]++
			if isFinal(o) {
				c.Final++
			}
		case history.Fail:
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
	for _, o := range byInvocation(h) {
		see := func(key string, n int64) {
			w := write{key, n}
			if writer, known := by[w]; known && writer != o.ID {
				observed[w] = true
			}
		}
		for i := range o.Mops {
			c.read(&o.Mops[i], see)
		}
	}
	c.Observed = len(observed)
	return c
}

// read counts a read, and tells see what it found.
func (c *Coverage) read(m *history.Mop, see func(key string, n int64)) {
	if m.Writes() || !m.Known {
		return
	}
	c.Reads++
	switch {
	case m.Missing:
		return
	case m.Kind == history.Scan:
		for key, n := range m.Rows { // order: a set
			see(key, n)
		}
		if len(m.Rows) == 0 {
			return
		}
	case m.Listed:
		for _, n := range m.List {
			see(m.Key, n)
		}
		if len(m.List) == 0 {
			return
		}
	default:
		see(m.Key, m.N)
	}
	c.Found++
}
