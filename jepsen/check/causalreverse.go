package check

import (
	"slices"

	"github.com/cairnkv/cairn/jepsen/history"
)

// CausalReverse checks that nobody sees an insertion without another that had
// ended before it began. A store can be serializable and show that; one that is
// strictly so never does. Judged are keys that are written once in all of a history.
func CausalReverse() Checker {
	return Checker{Name: "causal-reverse", Check: func(h *History) []Anomaly {
		c := &causes{findings: findings{h: h}, by: map[string]*history.Op{}, ended: map[string][]int{}}
		c.collect()
		for _, o := range byInvocation(h) {
			c.judge(o)
		}
		return c.all
	}}
}

type causes struct {
	findings
	by map[string]*history.Op // who wrote a key, if it may have happened
	// ended are the ends of the insertions into a range, ascending.
	ended map[string][]int
}

func (c *causes) collect() {
	for key := range c.h.Init { // order: keys do not concern each other
		c.by[key] = nil
	}
	for i := range c.h.Ops {
		o := &c.h.Ops[i]
		if o.Type == history.Fail {
			continue
		}
		for _, m := range o.Mops {
			if !m.Writes() {
				continue
			}
			_, again := c.by[m.Key]
			c.by[m.Key] = o
			if again || m.Kind == history.Delete || m.Kind == history.Append {
				c.by[m.Key] = nil // not judged
			}
		}
	}
	names := scannedNames(c.h)
	for key, o := range c.by { // order: sorted below
		if o == nil || o.Type != history.OK {
			continue
		}
		for _, name := range rangesOf(key, names) {
			c.ended[name] = append(c.ended[name], o.Completed)
		}
	}
	for _, all := range c.ended { // order: each is its own
		slices.Sort(all)
	}
}

// judge looks for what o should have seen because of the latest that it saw. All
// reads of a transaction are of one moment.
func (c *causes) judge(o *history.Op) {
	latest := -1 // invocation
	var effect *history.Op
	see := func(key string) {
		if by := c.by[key]; by != nil && by != o && by.Invoked > latest {
			latest, effect = by.Invoked, by
		}
	}
	for i := range o.Mops {
		m := &o.Mops[i]
		if m.Kind == history.Read && m.Known && !m.Missing {
			see(m.Key)
		}
		for key := range m.Rows { // order: a maximum
			see(key)
		}
	}
	if effect == nil {
		return
	}
	for i := range o.Mops {
		m := &o.Mops[i]
		switch {
		case m.Kind == history.Read && m.Known && m.Missing:
			c.judgeMissing(o, effect, m.Key)
		case m.Kind == history.Scan && m.Known && c.lacks(m, latest):
			for _, key := range sortedKeys(c.by) {
				if _, there := m.Rows[key]; !there && inRange(m.Key, key) {
					c.judgeMissing(o, effect, key)
				}
			}
		}
	}
}

// lacks reports whether a scan shows less than had ended before a moment.
func (c *causes) lacks(m *history.Mop, moment int) bool {
	shown := 0
	for key := range m.Rows { // order: a number
		if by := c.by[key]; by != nil && by.Type == history.OK && by.Completed < moment {
			shown++
		}
	}
	due, _ := slices.BinarySearch(c.ended[m.Key], moment)
	return shown < due
}

func (c *causes) judgeMissing(o, effect *history.Op, key string) {
	cause := c.by[key]
	if cause == nil || cause == o || cause.Completed >= effect.Invoked {
		return
	}
	c.add("causal-reverse", []int{cause.ID, effect.ID, o.ID},
		"who sees what op %d wrote does not see %q of op %d, which had ended before that began",
		effect.ID, key, cause.ID)
}
